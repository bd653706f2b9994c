"""Nothing that arrives is unbounded: each text, number, tuple and message has an end, checked before it costs much."""

from __future__ import annotations

import json
import tomllib
import tracemalloc
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import privacy.contract.canonical as canonical
from clients.policy import Allow
from privacy.contract.canonical import ExactDecimal, Noun, plain_decimal
from privacy.contract.model_file import Measured
from privacy.errors import CohortiumError, ProtocolError
from privacy.ledger.entries import PeriodCap

Patch = pytest.MonkeyPatch


class Number(Noun):
    """A noun with one decimal."""

    value: ExactDecimal


# --- decimals ----------------------------------------------------------------------------------------------------


def check_decimals(root: Path, patch: Patch) -> None:
    """Thirty bytes that stand for megabytes are refused, and cost next to nothing."""
    for text in ("1e3000000", "-1e3000000", "1e-3000000", "0e3000000", "1." + "1" * 100_000, "1" * 41, "1e40", "1e-41"):
        tracemalloc.start()
        with pytest.raises(ProtocolError):
            Number.parse(json.dumps({"value": text})).canonical()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1 << 20, text[:12]


def test_a_decimal_of_many_digits_is_refused_before_it_is_parsed(tmp_path: Path, monkeypatch: Patch) -> None:
    check_decimals(tmp_path, monkeypatch)


@pytest.mark.parametrize("text", ["1e400", "1" + "0" * 4000, "1" * 5000, "NaN", '"Infinity"', "true", "[1]"])
def test_what_is_no_short_decimal_is_refused_in_other_spellings_too(text: str) -> None:
    with pytest.raises(ProtocolError):
        Number.parse(f'{{"value":{text}}}')


def test_a_decimal_in_a_file_of_ones_own_has_the_same_bounds() -> None:
    value = tomllib.loads("value = 1e3000000", parse_float=Decimal)
    with pytest.raises(ValidationError, match=r"below 10\^40"):
        Number.model_validate(value)


@given(
    st.decimals(allow_nan=False, allow_infinity=False, min_value=Decimal("-9e39"), max_value=Decimal("9e39"), places=20)
    | st.floats(allow_nan=False, allow_infinity=False, min_value=1e-18, max_value=1e18).map(lambda x: Decimal(repr(x)))
)
@settings(max_examples=200)
def test_a_decimal_that_is_let_through_can_be_written_and_read_again(value: Decimal) -> None:
    try:
        number = Number(value=value)
    except ValidationError:
        assert len(value.as_tuple().digits) > 40
        return
    text = plain_decimal(number.value)
    assert len(text) <= canonical.DECIMAL_TEXT
    assert Number.parse(number.canonical()) == number
    assert number.canonical() == f'{{"value":"{text}"}}'.encode()  # the same bytes as without bounds


def test_every_decimal_that_the_product_itself_writes_is_within_the_bounds() -> None:
    """The longest: a float's shortest text near the smallest delta, and the ends."""
    for text in ("1.2345678901234567e-18", "0.000001", "1e39", "-1e39", "1e-40", "9" * 40, "0." + "9" * 40, "0"):
        assert Number.parse(Number(value=Decimal(text)).canonical()).value == Decimal(text)


def test_a_period_cap_and_the_policys_and_records_figures_have_ends() -> None:
    cap = {"epsilon": "1." + "1" * 100_000, "delta": "0.000001", "days": 30, "start": "2025-01-01"}
    with pytest.raises(ProtocolError):
        PeriodCap.parse(json.dumps(cap))
    Allow(max_study_epsilon=Decimal(50))
    with pytest.raises(ValidationError):
        Allow(max_study_epsilon=Decimal("50.1"))
    Measured(value=Decimal("-1e15"), margin=Decimal("1e15"))
    for value, margin in ((Decimal("1.1e15"), 0), (Decimal("-1.1e15"), 0), (0, Decimal("1.1e15"))):
        with pytest.raises(ValidationError):
            Measured(value=Decimal(value), margin=Decimal(margin))


# --- named mistakes ----------------------------------------------------------------------------------------------


def decimal_unbounded(patch: Patch) -> None:
    """A decimal need only be finite, as it was once."""
    for name in ("DECIMAL_TEXT", "DECIMAL_DIGITS", "DECIMAL_EXPONENT"):
        patch.setattr(canonical, name, 1 << 40)


#: Mutant to the check that must catch it.
MUTANTS: list[tuple[Callable[[Patch], None], Callable[[Path, Patch], None]]] = [
    (decimal_unbounded, check_decimals),
]


@pytest.mark.parametrize(("mutant", "check"), MUTANTS, ids=[mutant.__name__ for mutant, _ in MUTANTS])
def test_the_mutant_is_caught(
    mutant: Callable[[Patch], None], check: Callable[[Path, Patch], None], tmp_path: Path, monkeypatch: Patch
) -> None:
    mutant(monkeypatch)
    with pytest.raises((AssertionError, CohortiumError, pytest.fail.Exception)):
        check(tmp_path, monkeypatch)
