"""Which encoding a file of text has: marks, then UTF-8, then what the lines that are not ASCII look like."""

from __future__ import annotations

import codecs
import re

from charset_normalizer import from_bytes

from clients.data.guess.confidence import SURE
from clients.data.guess.names import NAMES, score

#: Encodings whose letters are far from the Latin ones, and so told with certainty, with what is written in them.
_FAR = {
    "gb18030": "Chinese", "big5": "traditional Chinese", "cp932": "Japanese", "euc_kr": "Korean", "cp1251": "Cyrillic",
    "cp1253": "Greek",
}  # fmt: skip
_TRIED = (*_FAR, "cp1254", "cp1250", "cp1252", "iso8859_2")
#: Fewer different words with other signs than ASCII tell little.
_TELLING = 8
_LOOKED_AT = 100_000
_FIRST = 4_000
#: In other scripts bytes beyond ASCII stand beside each other, this often at least; in Western words they stand alone.
_IN_WORDS = 0.25
#: Letters of Polish, Czech, Slovak and Hungarian in cp1250 that no Western word has, and those that Western words have.
_CENTRAL = rb"[\x8a\x8c-\x8f\x9a\x9c-\x9f\xa3\xa5\xaf\xb3\xb9\xbf\xd8\xe8\xf8\xec\xf5\xfb]"
_WESTERN = rb"[\xe4\xf6\xfc\xc4\xd6\xdc\xdf]"


def guess_encoding(raw: bytes) -> tuple[str, str]:
    """The encoding, and why."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", "the file begins with the mark of UTF-16"
    if raw[:2000].count(0) > len(raw[:2000]) // 5:
        little = raw[1:2000:2].count(0) > raw[0:2000:2].count(0)
        return ("utf-16-le" if little else "utf-16-be"), "every other byte is zero"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(raw)
    except UnicodeDecodeError:
        pass
    else:
        return "utf-8", "it reads as UTF-8 without an error"
    return _legacy(raw)


def _legacy(raw: bytes) -> tuple[str, str]:
    """An encoding of before UTF-8, by the lines that are not ASCII."""
    odd = [line for line in raw.splitlines() if not line.isascii()]
    words = {word for line in odd for word in re.findall(rb"[\x80-\xff]+[A-Za-z\x80-\xff]*", line)}
    few = "" if len(words) >= _TELLING else f"; PLEASE CHECK, for only {len(words):,} words have other signs than ASCII"
    best = from_bytes(b"\n".join(odd)[:_LOOKED_AT], cp_isolation=list(_TRIED), threshold=0.9).best()
    found = _by_names(raw) or (best.encoding if best is not None else "")
    runs = re.findall(rb"[\x80-\xff]+", b"\n".join(odd)[:_LOOKED_AT])
    in_words = sum(len(run) > 1 for run in runs) > _IN_WORDS * len(runs)
    if found in _FAR and (in_words or _by_names(raw)) and _reads(raw, found):
        return codecs.lookup(found).name, f"it is not UTF-8, and reads as {_FAR[found]} text{few}"
    if _reads(raw, "cp1250") and re.search(_CENTRAL, raw) and not re.search(_WESTERN, raw):
        return "cp1250", f"it is not UTF-8, and has letters of Windows' Central European encoding{few}"
    if re.search(rb"[\x80-\x9f]", raw) and not re.search(rb"[\x81\x8d\x8f\x90\x9d]", raw):
        return "cp1252", f"it is not UTF-8, and has signs of Windows' Western encoding{few}"
    return "iso8859-1", f"it is not UTF-8, and looks Western{few}"


def _by_names(raw: bytes) -> str:
    """The encoding in which more of the first lines' words are names of columns than in any other; empty if none is."""
    counted: dict[str, int] = {}
    for encoding in _FAR:
        text = raw[:_FIRST].decode(encoding, errors="ignore")
        words = {
            word.strip(' "')
            for line in text.splitlines()[:5]
            for word in re.split(r"[,;\t|]", line)
            if not word.isascii()
        }
        counted[encoding] = sum(any(score(role, word) > SURE for role in NAMES) for word in words)
    ranked = sorted(counted.values(), reverse=True)
    return max(counted, key=lambda one: counted[one]) if ranked[0] > ranked[1] else ""


def _reads(raw: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(raw)
    except UnicodeDecodeError:
        return False
    return True
