"""From the text of a rule to tokens of a short list, before any parser sees it.

Python's parser would fold full-width letters into ASCII names, join texts that follow each other and take ``0x10`` for
a number. Here a token is a word of ASCII letters, a plain number, a text in quotation marks or one of fourteen signs.
"""

from __future__ import annotations

import keyword
import re
from typing import NamedTuple

from privacy.tags.tree import MAX_DEPTH, MAX_TEXT, MAX_WORD, RuleError

_TOKEN = re.compile(
    r"""(?P<space>[ ]+)
    |(?P<text>'[^'\\]*'|"[^"\\]*")
    |(?P<number>[0-9]+(?:\.[0-9]+)?)
    |(?P<word>[A-Za-z](?:[A-Za-z0-9_]*[A-Za-z0-9])?)
    |(?P<sign><=|>=|==|!=|[()\[\],.<>=-])""",
    re.VERBOSE,
)
_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,6})?")
#: Signs of Asian keyboards, and what is meant.
_FULL_WIDTH = {
    "（": "(", "）": ")", "［": "[", "］": "]", "，": ",", "、": ",", "．": ".", "。": ".", "＜": "<", "＞": ">",
    "＝": "=", "－": "-", "≥": ">=", "≤": "<=", "≠": "!=", "“": '"', "”": '"', "＂": '"', "‘": "'", "’": "'", "＇": "'",
    "\u3000": "a blank",
}  # fmt: skip


class Written(NamedTuple):
    """A rule with ``==`` for ``=``, and where each of its characters stands in what the operator wrote.

    Attributes:
        text: for the parser.
        places: of every character, and of the end.
    """

    text: str
    places: tuple[int, ...]

    def place(self, character: int) -> int:
        """Where a character stands in the operator's text."""
        return self.places[max(0, min(character, len(self.places) - 1))]

    def place_of_byte(self, offset: int) -> int:
        """The same, of a place that is counted in bytes of UTF-8."""
        return self.place(len(self.text.encode()[:offset].decode(errors="ignore")))


def tokens_of(text: str) -> Written:
    """The rule as it may be parsed.

    Signs are replaced one by one, never by a pattern: an equals sign inside quotation marks is the operator's own.

    Raises:
        RuleError: if there is anything but words, numbers, texts and signs of the language, or too much.
    """
    if not text.strip():
        raise RuleError("there is no rule", 0, hint="write a condition, such as orders >= 2")
    if len(text) > MAX_TEXT:
        raise RuleError(f"a rule has at most {MAX_TEXT} characters", MAX_TEXT, hint="make a tag of a part of it")
    written, places, at, depth, last = [], [], 0, 0, ""
    while at < len(text):
        found = _TOKEN.match(text, at)
        kind = found.lastgroup or "" if found else ""
        if found is None:
            raise _not_a_token(text, at)
        token = found.group()
        _check(token, kind, last, at, text)
        depth += (token in ("(", "[")) - (token in (")", "]"))
        if depth > MAX_DEPTH:
            raise RuleError(f"brackets are nested more than {MAX_DEPTH} deep", at, hint="make a tag of a part of it")
        plain = "==" if token == "=" else " " if kind == "space" else own_word(token)
        written.append(plain)
        places += [min(at + number, found.end() - 1) for number in range(len(plain))]
        at, last = found.end(), last if kind == "space" else kind
    whole = "".join(written)
    start = len(whole) - len(whole.lstrip())
    return Written(whole.strip(), (*places[start:], len(text)))


#: Words of Python that are words of rules, too.
_SHARED = ("and", "or", "not", "in", "is")


def own_word(token: str) -> str:
    """A token as the parser may see it: of Python's other words, such as ``return``, which is a feed, another name."""
    return f"{token}_" if keyword.iskeyword(token) and token not in _SHARED else token


def as_written(name: str) -> str:
    """A name that the parser has seen, as the operator wrote it."""
    return name[:-1] if name.endswith("_") and keyword.iskeyword(name[:-1]) else name


def _check(token: str, kind: str, last: str, at: int, text: str) -> None:
    """Whether a token may stand where it does.

    Raises:
        RuleError: if not.
    """
    if kind == "text":
        if last == "text" or text[max(at - 1, 0)].isalnum() or text[max(at - 1, 0)] == "_":
            raise RuleError("a text stands by itself", at, hint="write = or `in (..)` before it")
        if len(token) > MAX_WORD + 2:
            raise RuleError(f"a text has at most {MAX_WORD} characters", at)
        odd = next((place for place, sign in enumerate(token) if not sign.isprintable()), None)
        if odd is not None:
            raise RuleError("a text has plain characters only", at + odd)
    if kind == "number":
        rest = text[at + len(token) : at + len(token) + 1]
        if rest == ".":
            raise RuleError("this is no number", at, hint="a range is written 30 <= recency_days <= 60")
        if rest.isalnum() or rest == "_" or not _NUMBER.fullmatch(token):
            hint = "write digits and a point: up to 15 before it and 6 behind"
            raise RuleError("this is no number", at, hint=hint)
    if token == "." and not text[at + 1 : at + 2].isalpha():
        raise RuleError("this is no number", at, hint="write 0.5 for a half")


def _not_a_token(text: str, at: int) -> RuleError:
    sign = text[at]
    if sign in _FULL_WIDTH:
        return RuleError(f"{sign} is a full-width sign", at, hint=f"write {_FULL_WIDTH[sign]}")
    if sign in "'\"":
        return RuleError("a quotation mark is not closed, or a backslash stands behind it", at)
    if not sign.isprintable():
        return RuleError("a rule is one line of plain text", at)
    return RuleError(f"{sign} is not part of rules", at, hint="there are and, or, not, in, brackets and comparisons")
