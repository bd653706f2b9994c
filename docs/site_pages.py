"""Pages of the site that are made when it is built: ``mkdocs.yml`` names this module among its hooks.

The README is the first page, and the changelog and the guide for contributors are there, too; the commands are told by
the command itself, and the decisions are listed by their titles. In all of them, and in the documents, links to a file
of the repository that is no page lead nowhere, and are written as plain names.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
#: Files of the root that are pages, and under which name.
ROOT_PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
_LINK = re.compile(r"\[([^\]]*)\]\((?!https?:|#)([^)#\s]+)(#[^)]*)?\)")
#: A block with a second word, which only our tests read (``text noisy``); Python-Markdown takes it for no block.
_KIND = re.compile(r"^```([a-z]+) [a-z]+$", re.M)
_CHINESE = "[\u2018-\u201d\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]"
#: A line's end between two Chinese signs; a browser would draw a blank there.
_CHINESE_LINE = re.compile(rf"(?<={_CHINESE})\n *(?=(?:<[^>]+>)*{_CHINESE})")
_VERBATIM = re.compile(r"(<pre.*?</pre>)", re.S)
_MARKUP = re.compile(r"\[/?(?:bold|dim|red|yellow|green|italic)?[a-z ]*\]")


def on_files(files: Files, config: Any) -> Files:
    """Add the made pages to those that are files."""
    made = {
        **{page: at_home((ROOT / name).read_text(encoding="utf-8"), ROOT) for name, page in ROOT_PAGES.items()},
        "commands.md": commands(),
        "decisions/index.md": decisions(ROOT / "docs" / "decisions"),
    }
    for page, text in made.items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Let a document's links to the root's files lead to their pages."""
    if page.file.generated_by is not None:
        return markdown
    depth = page.file.src_uri.count("/")
    markdown = _KIND.sub(r"```\1", markdown)
    return at_home(markdown, Path(page.file.abs_src_path).parent, "../" * depth)


def on_page_content(html: str, page: Any, config: Any, files: Files) -> str:
    """Join the lines of a Chinese paragraph; what stands in blocks stays as it is."""
    parts = _VERBATIM.split(html)
    return "".join(part if place % 2 else _CHINESE_LINE.sub("", part) for place, part in enumerate(parts))


def at_home(text: str, folder: Path, up: str = "") -> str:
    """A text whose links lead to pages of the site.

    Args:
        text: a document.
        folder: where it lies; its links start there.
        up: the way from its page to the top of the site.
    """

    def there(link: re.Match[str]) -> str:
        label, target, anchor = link[1], link[2], link[3] or ""
        path = (folder / target).resolve()
        if not path.is_relative_to(ROOT) or not path.exists():
            return link[0]  # the strict build names it
        name = path.relative_to(ROOT).as_posix()
        if name in ROOT_PAGES:
            return f"[{label}]({up}{ROOT_PAGES[name]}{anchor})"
        if name == "docs/decisions":
            return f"[{label}]({up}decisions/index.md)"
        if name.startswith("docs/"):
            return f"[{label}]({up}{name.removeprefix('docs/')}{anchor})"
        return label if label.startswith("`") else f"`{label}`"

    return _LINK.sub(there, text)


def decisions(folder: Path) -> str:
    """The list of decisions, by their titles."""
    lines = [
        "# Decisions",
        "",
        "Why things are as they are: what was tried, what was rejected, what would change it.",
        "",
    ]
    for path in sorted(folder.glob("[0-9]*.md")):
        title = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
        lines.append(f"- [{title}]({path.name})")
    return "\n".join(lines) + "\n"


def commands() -> str:
    """Every command with its arguments and options, as ``--help`` tells them."""
    sys.path.insert(0, str(ROOT))
    import typer

    import cohortium

    command = typer.main.get_command(cohortium.app)
    lines = ["# Commands", "", "Made from the command itself: `cohortium COMMAND --help` says the same.", ""]
    lines += [_plain(command.help or ""), ""]
    for name, part in _parts(command, "cohortium"):
        lines += _described(name, part)
    return "\n".join(lines) + "\n"


def _parts(group: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    for word, part in getattr(group, "commands", {}).items():
        if not part.hidden:
            yield f"{name} {word}", part
            yield from _parts(part, f"{name} {word}")


def _described(name: str, command: click.Command) -> list[str]:
    if isinstance(command, click.Group):
        return [f"## {name}", "", _plain(command.help or ""), ""]
    context = click.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    level = "##" if name.count(" ") == 1 else "###"
    lines = [f"{level} {name}", "", _plain(command.help or ""), "", "```", usage, "```", ""]
    rows = [row for parameter in command.params if (row := _row(parameter, context))]
    return [*lines, "| | what | default |", "|---|---|---|", *rows, ""] if rows else lines


def _row(parameter: click.Parameter, context: click.Context) -> str:
    """A line of the table of a command's arguments and options; empty for what ``--help`` hides."""
    if getattr(parameter, "hidden", False):
        return ""
    option = isinstance(parameter, click.Option)
    words = [*parameter.opts, *parameter.secondary_opts] if option else [parameter.make_metavar(context)]
    default = parameter.default
    shown = "required" if parameter.required else "" if default is None or callable(default) else f"`{_value(default)}`"
    from_environment = f" (`{parameter.envvar}`)" if parameter.envvar else ""
    what = _plain(getattr(parameter, "help", None) or "").replace("|", "\\|")
    return f"| {' '.join(f'`{word}`' for word in words)} | {what}{from_environment} | {shown} |"


def _value(default: object) -> str:
    return str(getattr(default, "value", default))


def _plain(text: str) -> str:
    return _MARKUP.sub("", text).strip()
