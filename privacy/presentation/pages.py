"""A page: one self-contained HTML file in every language of ``languages.toml`` that loads nothing.

Style, pictures and the few lines of script that choose the language are inside it, and a content security policy
forbids anything else. Without script the first language is shown, and the switch still works.

A page's template extends ``frame.html.j2`` and fills its block ``page``, once for each language; ``page`` holds the
values of that language.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import cache
from html import escape
from importlib import resources
from typing import TYPE_CHECKING, Any

from privacy.presentation.texts import COMMON, LANGUAGES, SPOKEN, say

if TYPE_CHECKING:
    import jinja2
    from markupsafe import Markup

_SHARED = "privacy.presentation"

#: A section's heading in a rendered page: its id, and what it says.
_HEADING = re.compile(r'<h2 id="([^"]+)">(.*?)</h2>', re.S)

#: A page of so few sections needs no links to them.
_FEW = 4


def render_page(template: str, *, package: str, pages: Sequence[dict[str, Any]], subject: str, style: str = "") -> str:
    """The page as HTML text; the same values give the same bytes.

    Args:
        template: the template's name, a resource of ``package``.
        package: name of the package that the page belongs to.
        pages: one mapping per language, in the order of ``LANGUAGES``; ``title`` is the page's title.
        subject: stands after the title in the window's title.
        style: name of a style sheet of ``package``, or ``package/name``, that is added to the shared one, if any.
    """
    script = _resource(_SHARED, "language.js.j2").strip()
    owner, _, sheet = style.rpartition("/")
    css = _resource(_SHARED, "page.css") + (_resource(owner or package, sheet) if sheet else "")
    return (
        _environment(package)
        .get_template(template)
        .render(
            subject=subject,
            css=inline(css),  # files of these packages
            script=inline(script),  # a file of this package
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            pages=pages,
            languages=[SPOKEN[language] for language in LANGUAGES],
            switch=" / ".join(say(COMMON, "switch", language) for language in LANGUAGES),
        )
    )


def with_contents(body: Markup, title: str) -> Markup:
    """The body of a page with links to its sections behind its header; as it is where it has few.

    Args:
        body: rendered; its sections begin with ``<h2 id="...">``.
        title: of the links.
    """
    headings = _HEADING.findall(body)
    header, end, rest = body.partition("</header>")
    if len(headings) < _FEW or not end:
        return body
    # Headings are parts of the page already, so what is not safe in them has been escaped.
    links = "".join(f'<li><a href="#{name}">{heading}</a></li>' for name, heading in headings)
    opening = inline(
        f'\n<details class="contents"><summary>{escape(title)}</summary><nav><ul>{links}</ul></nav></details>'
    )
    return header + end + opening + rest


def inline(markup: str) -> Markup:
    """Markup that stands in a page as it is: pictures, made by an XML writer that escapes, and our own files."""
    from markupsafe import Markup

    return Markup(markup)


@cache
def _environment(package: str) -> jinja2.Environment:
    import jinja2

    def load(name: str) -> str | None:
        """A page's own template, one that all share, or ``package/name``: that of a section of another package."""
        owner, _, file = name.rpartition("/")
        for place in (owner,) if owner else (package, _SHARED):
            if resources.files(place).joinpath(file).is_file():
                return _resource(place, file)
        return None

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(load),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["with_contents"] = with_contents
    return environment


def _resource(package: str, name: str) -> str:
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")
