"""One form for all spellings of one id, as ``[source.read.customer]`` asks: pure functions of the id's text.

Expressions that DuckDB, PostgreSQL and Spark compute alike, where the rows are. Ids of purchases and of other feeds, of
the exclusion list and of a person who is to be forgotten go through the same ones.

Telephone numbers are read by their signs and lengths, not by a library's patterns: no database has the library, and
customers would get other ids when its patterns change. On 8,640 spellings of numbers that are valid by Google's
libphonenumber in 40 countries they agree, but where it takes a leading 00 for part of the number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import ibis
from ibis.expr import datatypes as dtypes
from ibis.expr import types as ir

_UPPER, _LOWER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"
_WIDE = "".join(chr(code) for code in range(0xFF01, 0xFF5F))
_ASCII = "".join(chr(code) for code in range(0x21, 0x7F))
_INVISIBLE = "[\u00ad\u200b-\u200f\u2060\ufeff]"
#: Signs that belong to the letter before them: accents, marks of kana, and parts of Hangul.
_ACCENTS = "[\u0300-\u036f\u3099\u309a\u1100-\u11ff]"
_BLANKS = "[ \t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+"


#: What may be a telephone number, by its signs.
PHONE = "^[+0-9(][-0-9 ./()]*$"


class Country(NamedTuple):
    """How telephone numbers of a country are written: ITU-T E.164 and the national numbering plans.

    Attributes:
        code: its calling code.
        trunk: digits before a number within the country, which fall away behind the code.
        least, most: digits of a number without both.
    """

    code: str
    trunk: str = "0"
    least: int = 7
    most: int = 11


#: By ISO 3166 code.
COUNTRIES: dict[str, Country] = {
    "AT": Country("43", most=13), "AU": Country("61", most=9), "BE": Country("32", most=9), "BR": Country("55"),
    "CA": Country("1", "1", 10, 10), "CH": Country("41", most=9), "CN": Country("86"), "CZ": Country("420", "", 9, 9),
    "DE": Country("49"), "DK": Country("45", "", 8, 8), "ES": Country("34", "", 9, 9), "FI": Country("358", most=12),
    "FR": Country("33", most=9), "GB": Country("44", most=10), "GR": Country("30", "", 10, 10),
    "HK": Country("852", "", 8, 8), "HU": Country("36", "06", 8, 9), "IE": Country("353", most=9),
    "IN": Country("91", most=10), "IT": Country("39", "", 6), "JP": Country("81", most=10),
    "KR": Country("82", most=10), "LU": Country("352", ""), "MX": Country("52", "", 10, 10),
    "MY": Country("60", most=10), "NL": Country("31", most=9), "NO": Country("47", "", 8, 8),
    "NZ": Country("64", most=10), "PL": Country("48", "", 9, 9), "PT": Country("351", "", 9, 9),
    "RO": Country("40", most=9), "RU": Country("7", "8", 10, 10), "SE": Country("46", most=10),
    "SG": Country("65", "", 8, 8), "TH": Country("66", most=9), "TR": Country("90", most=10),
    "TW": Country("886", most=9), "US": Country("1", "1", 10, 10), "VN": Country("84", most=10),
    "ZA": Country("27", most=9),
}  # fmt: skip


@ibis.udf.scalar.builtin(name="nfc_normalize", signature=((dtypes.string,), dtypes.string))
def _nfc_of_duckdb(text):  # type: ignore[no-untyped-def]  # Ibis reads the signature above
    """Letters and their accents as one sign, where Unicode has it."""


@ibis.udf.scalar.builtin(name="normalize", signature=((dtypes.string,), dtypes.string))
def _nfc_of_postgres(text):  # type: ignore[no-untyped-def]
    """The same."""


_NFC = {"duckdb": _nfc_of_duckdb, "postgres": _nfc_of_postgres}


def _composed(text: ir.StringValue) -> ir.StringValue:
    """Unicode's form NFC of ids that have a sign of their own for an accent; others are not looked at further.

    Spark has no function for it, and a Python one would need Python with Arrow on every worker: ids stay as written.
    """
    written = _NFC.get(text.get_backend().name)
    return text if written is None else ibis.ifelse(text.re_search(_ACCENTS), written(text), text)


def _text(text: ir.StringValue) -> ir.StringValue:
    plain = _composed(text).translate(_WIDE, _ASCII).re_replace(_INVISIBLE, "").re_replace(_BLANKS, " ").strip()
    return plain.re_replace("^'", "")


def _email(text: ir.StringValue) -> ir.StringValue:
    return ibis.ifelse(text.re_search("^[^@]+@[^@]+$"), text.translate(_UPPER, _LOWER), text)


def _zeros(text: ir.StringValue) -> ir.StringValue:
    return ibis.ifelse(text.startswith("0"), text.re_replace("^0+([0-9]+)$", r"\1"), text)


def _signs(text: ir.StringValue) -> ir.StringValue:
    """Without what stands between letters and digits: blanks, hyphens, dots, slashes; addresses stay."""
    return ibis.ifelse(text.contains("@"), text, text.translate("- ./_#", ""))


def _phone(name: str) -> Callable[[ir.StringValue], ir.StringValue]:
    country = COUNTRIES[name]
    lengths = f"{{{country.least},{country.most}}}"

    def written(text: ir.StringValue) -> ir.StringValue:
        """E.164; what is no telephone number by its signs and length stays as it is."""
        plain = _text(text)
        digits = plain.re_replace("[^0-9]", "")
        abroad = plain.startswith("+") | digits.startswith("00")
        international = digits.re_replace("^00", "")
        if country.trunk:  # as in +49 (0)171; in Italy the zero is part of the number
            international = international.re_replace(f"^{country.code}0([1-9])", rf"{country.code}\1")
        with_code = digits.re_search(f"^{country.code}[1-9][0-9]{{{country.least - 1},{country.most - 1}}}$")
        with_code &= digits.length() > country.most
        national = digits.re_replace(f"^{country.trunk}", "") if country.trunk else digits
        is_one = plain.re_search(PHONE)
        return ibis.cases(
            (~is_one, text),
            (abroad & international.re_search("^[1-9][0-9]{6,14}$"), ibis.literal("+").concat(international)),
            (with_code, ibis.literal("+").concat(digits)),
            (national.re_search(f"^[0-9]{lengths}$"), ibis.literal(f"+{country.code}").concat(national)),
            else_=text,
        )

    return written


#: By name; ``exact``, which does no more than every id is brought to, is none of them.
FORMS: dict[str, Callable[[ir.StringValue], ir.StringValue]] = {
    "text": _text,
    "email": _email,
    "case": lambda text: text.lower(),
    "zeros": _zeros,
    "signs": _signs,
    **{f"phone:{name}": _phone(name) for name in COUNTRIES},
}


def brought_to(text: ir.StringValue, forms: Iterable[str]) -> ir.StringValue:
    """The id in the forms of a holder, one after the other in the order of ``FORMS``."""
    asked = set(forms)
    for name, form in FORMS.items():
        text = form(text) if name in asked else text
    return text
