"""Languages, and the texts of pages in each of them: data, in files ``languages.toml`` and ``texts.toml``.

Plain text only; fields in braces are filled in. Markup belongs to the templates. A section looks a text up among its
own, then among those of the page around it, then among those that all pages share. A text that depends on a number has
a table of forms, by the plural categories of its language, and of numbers that are said in a way of their own::

    [left_out]
    en = {one = "{count} holder left", other = "{count} holders left"}
    zh = {"=1" = "唯一的持有方已退出", other = "{count} 个持有方已退出"}
"""

from __future__ import annotations

import datetime as dt
import gettext
import re
import tomllib
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources

#: A key of ``languages.toml``.
Language = str

_PACKAGE = "privacy.presentation"
#: The form that every text has.
_OTHER = "other"
#: Letters and marks of Chinese, which have no blank between them; and a field between them and a blank.
_WIDE = "[\u3001-\u303f\u4e00-\u9fff\uff01-\uff5e]"
_FIELD_BLANK = re.compile(rf"\{{(\w+)\}} (?={_WIDE})")
_BLANK_FIELD = re.compile(rf"(?<={_WIDE}) \{{(\w+)\}}")


@dataclass(frozen=True, kw_only=True)
class Spoken:
    """A language.

    Attributes:
        tag: what goes into the ``lang`` attribute.
        name: what its speakers call it.
        day: how a day is written, with the fields ``day``, ``month`` (its name), ``number`` (of the month), ``year``.
        months: their names, from January on, where ``day`` has them.
        forms: its plural categories.
        plural: gettext's expression in ``n`` for the place of a number's category in ``forms``.
    """

    tag: str
    name: str
    day: str
    months: Sequence[str]
    forms: Sequence[str]
    plural: str
    _rule: Callable[[int], int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_rule", gettext.c2py(self.plural))

    def form(self, count: int) -> str:
        """The plural category of a number."""
        return self.forms[self._rule(count)]

    def day_text(self, day: dt.date) -> str:
        """A day as people write it."""
        month = self.months[day.month - 1] if self.months else ""
        return self.day.format(day=day.day, month=month, number=day.month, year=day.year)


def _tables(package: str, name: str) -> dict[str, dict[str, str | dict[str, str]]]:
    return tomllib.loads(resources.files(package).joinpath(name).read_text(encoding="utf-8"))


SPOKEN: dict[Language, Spoken] = {
    language: Spoken(**entry)  # type: ignore[arg-type]
    for language, entry in _tables(_PACKAGE, "languages.toml").items()
}

LANGUAGES: tuple[Language, ...] = tuple(SPOKEN)

#: What goes into the ``lang`` attribute.
LANGUAGE_TAGS: dict[Language, str] = {language: spoken.tag for language, spoken in SPOKEN.items()}


class Text(Mapping[Language, str]):
    """One text, by language: what it says, with the same fields in each."""

    def __init__(self, said: Mapping[Language, str | Mapping[str, str]]) -> None:
        """Keep what is said: words, or forms by plural category (``other`` is always there)."""
        self._forms = {key: {_OTHER: words} if isinstance(words, str) else dict(words) for key, words in said.items()}

    def __getitem__(self, language: Language) -> str:
        return self.form(language)

    def __iter__(self) -> Iterator[Language]:
        return iter(self._forms)

    def __len__(self) -> int:
        return len(self._forms)

    def forms(self, language: Language) -> Mapping[str, str]:
        """All that is said in a language, by plural category."""
        return self._forms[language]

    def form(self, language: Language, count: int | None = None) -> str:
        """What is said in a language of a number of things; in the first language where it is not translated."""
        spoken = language if language in self._forms else LANGUAGES[0]
        forms = self._forms[spoken]
        if count is None or len(forms) == 1:
            return forms[_OTHER]
        return forms.get(f"={count}") or forms.get(SPOKEN[spoken].form(count)) or forms[_OTHER]


def read_texts(package: str, name: str = "texts.toml") -> dict[str, Text]:
    """The texts of a file of a package, by key."""
    return {key: Text(table) for key, table in _tables(package, name).items()}


#: The texts that every page shares.
COMMON: dict[str, Text] = read_texts(_PACKAGE)


class Texts(ChainMap[str, Text]):
    """The texts that a section or page can say: its own first, then those around it."""

    def __init__(self, package: str, *around: Mapping[str, Text], name: str = "texts.toml") -> None:
        """Read the section's own.

        Args:
            package: where the file is.
            around: what else can be said, nearest first; the texts that all pages share come last by themselves.
            name: of the file.
        """
        super().__init__(read_texts(package, name), *around, COMMON)  # type: ignore[arg-type]

    @property
    def own(self) -> Mapping[str, Text]:
        """The section's own."""
        return self.maps[0]

    def __call__(self, key: str, language: Language, **fields: object) -> str:
        """The text for a key, with its fields filled in; see ``say``."""
        return say(self, key, language, **fields)


def say(texts: Mapping[str, Text], key: str, language: Language, **fields: object) -> str:
    """The text for a key, with its fields filled in; a whole number ``count`` picks the form, and is grouped.

    Raises:
        KeyError: if there is no such text, or a field is missing.
    """
    count = fields.get("count")
    if not isinstance(count, int):
        return _filled(texts[key].form(language), fields)
    return _filled(texts[key].form(language, count), {**fields, "count": f"{count:,}"})


def _filled(form: str, fields: Mapping[str, object]) -> str:
    """A form with its fields; its blanks beside a field are for Latin ones, and go where Chinese meets Chinese."""
    form = _FIELD_BLANK.sub(lambda hit: _closed(hit, str(fields[hit[1]])[-1:]), form)
    form = _BLANK_FIELD.sub(lambda hit: _closed(hit, str(fields[hit[1]])[:1]), form)
    return form.format(**fields)


def _closed(hit: re.Match[str], edge: str) -> str:
    return hit[0].strip() if re.match(_WIDE, edge) else hit[0]


def of_its_own(words: object, language: Language) -> str:
    """What something is called that has words of its own as attributes ``en`` and ``zh``, such as an operator's name.

    One of the two may be empty; in any other language, and where it is, the other one stands.
    """
    wanted, *others = dict.fromkeys((language if language in ("en", "zh") else "en", "en", "zh"))
    return next((said for key in (wanted, *others) if (said := str(getattr(words, key)))), "")


def join(parts: list[str], language: Language) -> str:
    """A list in words: ``a, b and c``."""
    if len(parts) < 2:
        return "".join(parts)
    head = say(COMMON, "separator", language).join(parts[:-1])
    return say(COMMON, "joined", language, first=head, last=parts[-1])
