"""Studies as people write them.

Defaults that depend on nobody's data, and errors that name the field and what it should be.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from privacy.accounting.events import squared_cap
from privacy.analyses.catalogue import NAMES
from privacy.errors import ConfigError
from privacy.kernel.canonical import read_toml
from privacy.kernel.customers import CustomerRequest
from privacy.kernel.terms import Bounds, Budget, Cleaning, RateStep, minor_digits
from privacy.protocol.study import Study, parse_day

LEAST = """\
name = "spring-2025"
as_of = 2025-01-01
[budget]
epsilon = 1
"""


def read(tmp_path: Path, text: str) -> Study:
    path = tmp_path / "study.toml"
    path.write_text(text, encoding="utf-8")
    return read_toml(path, Study)


# --- what is right ---------------------------------------------------------------------------------------------------


def test_three_fields_are_enough(tmp_path: Path) -> None:
    study = read(tmp_path, LEAST)
    assert study.as_of == dt.date(2025, 1, 1)
    assert study.analyses == ("rfm",)
    assert study.placement == "distributed"
    assert study.budget.effective_delta == Decimal("0.000001")  # 1 / (10 x size class)
    assert study.budget.max_holders_per_customer is None  # not declared: a person may be at all of them
    assert study.budget.colluding_holders == 1
    assert study.rfm.floor == 20
    assert Study.parse(study.canonical()) == study


def test_a_full_study(tmp_path: Path) -> None:
    text = """\
name = "all-fields"
as_of = 2025-01-01
analyses = ["rfm"]
currency = "JPY"
time_zone = "Asia/Tokyo"
holders = ["b", "a"]
placement = "local"
[budget]
epsilon = 0.5
delta = 1e-7
max_holders_per_customer = 2
size_class = 1000000
colluding_holders = 1
spare_attempts = 0
[cleaning]
null_ids = [" Gast ", "N/A"]
duplicates = "keep"
cancellation_prefix = "C"
returns = "net"
non_goods = ["post", " Fee "]
[bounds]
recency_max_days = 730
money_min = 100
money_max = 1e7
orders_max = 50
[rates]
EUR = "161.5"
USD = {2024-01-01 = "140", 2024-07-01 = 150}
[rfm]
report = ["eight", "ten", "rules"]
floor = 50
cut_points_share = 0.6
[rfm.high_low]
recency_days = 30
orders = 3
money = 5000
[[rfm.rules]]
code = "vip"
when = "R<30 and M>=50000"
en = "VIP"
zh = "贵宾"
"""
    study = read(tmp_path, text)
    assert study.budget.delta == Decimal("1E-7")
    assert study.cleaning.null_ids == ("", "gast", "n/a")
    assert study.cleaning.non_goods == ("FEE", "POST")
    assert study.money_bounds == (100, 10_000_000)  # yen have no minor unit
    assert [step.rate for step in study.rate_of("USD") or ()] == [140, 150]
    assert [step.since for step in study.rate_of("EUR") or ()] == [dt.date(1900, 1, 1)]
    assert [step.rate for step in study.rate_of("JPY") or ()] == [1]
    assert study.rate_of("GBP") is None
    assert study.rfm.rules[0].when == "R<30, M>=50000"
    assert Study.parse(study.canonical()) == study


def test_a_window_of_days_reaches_the_rows_of_segments_alone(tmp_path: Path) -> None:
    text = LEAST.replace("[budget]", "analyses = ['rfm', 'clusters']\n[budget]")
    whole, year = (read(tmp_path, text + more) for more in ("", "[rfm]\nwindow_days = 365\n"))
    assert whole.row_requests["rfm"] == CustomerRequest()
    assert year.row_requests["rfm"] == CustomerRequest(window_days=365)
    assert year.row_requests["clusters"] == whole.row_requests["clusters"]
    assert b"window" not in whole.canonical()
    rule = "[[rfm.rules]]\ncode = 'outside_window'\nwhen = 'R<30'\n"
    assert read(tmp_path, LEAST + rule).rfm.rules
    with pytest.raises(ConfigError, match="outside_window"):
        read(tmp_path, LEAST + "[rfm]\nwindow_days = 365\n" + rule)


def test_numbers_stay_exact(tmp_path: Path) -> None:
    study = read(tmp_path, LEAST.replace("epsilon = 1", "epsilon = 0.1\ndelta = 0.0000003"))
    assert study.budget.epsilon == Decimal("0.1")
    assert b'"epsilon":"0.1"' in study.canonical()
    assert b'"delta":"0.0000003"' in study.canonical()


def test_order_and_spelling_of_what_is_a_set_do_not_matter() -> None:
    one = Cleaning(null_ids=("GUEST", " none"), non_goods=("b", "A"))
    other = Cleaning(null_ids=("none", "guest", "", "guest"), non_goods=("a", "B "))
    assert one.digest == other.digest


def test_any_difference_between_two_studies_is_in_the_digest(tmp_path: Path) -> None:
    texts = [
        LEAST,
        LEAST.replace("epsilon = 1", "epsilon = 1.1"),
        LEAST.replace("2025-01-01", "2025-01-02"),
        LEAST + "size_class = 200000\n",
        LEAST + "delta = 0.0000009\n",
        LEAST + "[cleaning]\nreturns = 'net'\n",
        LEAST + "[rates]\nUSD = '0.9'\n",
        LEAST + "[rates]\nUSD = '0.91'\n",
        LEAST + "[rfm]\nwindow_days = 365\n",
        LEAST + "[rfm]\nwindow_days = 366\n",
    ]
    assert len({read(tmp_path, text).digest for text in texts}) == len(texts)


@pytest.mark.parametrize(("currency", "digits"), [("EUR", 2), ("USD", 2), ("JPY", 0), ("KWD", 3), ("XYZ", 2)])
def test_minor_units(currency: str, digits: int) -> None:
    assert minor_digits(currency) == digits


@pytest.mark.parametrize("currency", ["EUR", "JPY", "KRW", "VND", "IDR", "KWD", "CNY", "SEK", "USD"])
def test_default_bounds_span_six_powers_of_ten_in_every_currency(currency: str) -> None:
    budget = Budget(epsilon=Decimal(1))
    low, high = Study(name="x", as_of=dt.date(2025, 1, 1), currency=currency, budget=budget).money_bounds
    assert high == 1_000_000 * low
    assert high <= 1 << 40  # what the totals can carry


@pytest.mark.parametrize(
    ("size_class", "delta"), [(100, "0.001"), (100_000, "0.000001"), (1_000_000_000, "0.0000000001")]
)
def test_the_default_delta_follows_the_size_class(size_class: int, delta: str) -> None:
    assert Budget(epsilon=Decimal(1), size_class=size_class).effective_delta == Decimal(delta)


@pytest.mark.parametrize("text", ["2025-1-1", "2025-02-30", "01.02.2025", "2025-01-01T00:00", "", "20250101", "today"])
def test_a_day_is_written_in_one_way(text: str) -> None:
    with pytest.raises(ValueError):
        parse_day(text)
    assert parse_day("2024-02-29") == dt.date(2024, 2, 29)


# --- what is wrong ---------------------------------------------------------------------------------------------------

#: What is written, and what the message must contain: the field and what it should be.
WRONG = {
    "no name": (LEAST.replace('name = "spring-2025"\n', ""), ["name", "field required"]),
    "no day": (LEAST.replace("as_of = 2025-01-01\n", ""), ["as_of", "field required"]),
    "no budget": (LEAST.split("[budget]")[0], ["budget", "field required"]),
    "no epsilon": (LEAST.replace("epsilon = 1", ""), ["budget.epsilon", "field required"]),
    "capital name": (LEAST.replace("spring-2025", "Spring 2025"), ["name", "lower case letters"]),
    "path as name": (LEAST.replace("spring-2025", "../x"), ["name", "lower case letters"]),
    "epsilon zero": (LEAST.replace("epsilon = 1", "epsilon = 0"), ["budget.epsilon", "0.01"]),
    "epsilon negative": (LEAST.replace("epsilon = 1", "epsilon = -1"), ["budget.epsilon", "0.01"]),
    "epsilon enormous": (LEAST.replace("epsilon = 1", "epsilon = 20.01"), ["budget.epsilon", "20"]),
    "epsilon infinite": (LEAST.replace("epsilon = 1", "epsilon = inf"), ["budget.epsilon", "finite"]),
    "epsilon not a number": (LEAST.replace("epsilon = 1", "epsilon = nan"), ["budget.epsilon", "finite"]),
    "epsilon a word": (LEAST.replace("epsilon = 1", "epsilon = 'low'"), ["budget.epsilon", "decimal"]),
    "delta zero": (LEAST + "delta = 0\n", ["budget.delta", "greater than or equal to", "1E-18"]),
    "delta large": (LEAST + "delta = 0.01\n", ["budget.delta", "0.001"]),
    "delta above one in size_class": (LEAST + "delta = 0.0001\n", ["budget", "at most 1/size_class = 1.0e-5"]),
    "size class small": (LEAST + "size_class = 99\n", ["budget.size_class", "100"]),
    "nobody colludes": (LEAST + "colluding_holders = 0\n", ["budget.colluding_holders", "1"]),
    "nobody at a holder": (LEAST + "max_holders_per_customer = 0\n", ["budget.max_holders_per_customer", "1"]),
    "too many spares": (LEAST + "spare_attempts = 6\n", ["budget.spare_attempts", "5"]),
    "misspelt field": (LEAST + "epsilom = 1\n", ["budget.epsilom", "not permitted"]),
    "misspelt table": (LEAST + "[budgets]\nx = 1\n", ["budgets", "not permitted"]),
    "noise turned off": (LEAST + "noise = false\n", ["budget.noise", "not permitted"]),
    "unknown analysis": ("analyses = ['rfn']\n" + LEAST, ["analyses", "unknown analysis 'rfn'", "rfm"]),
    "analysis twice": ("analyses = ['rfm', 'rfm']\n" + LEAST, ["analyses", "twice"]),
    "no analysis": ("analyses = []\n" + LEAST, ["analyses", "at least 1"]),
    "holder twice": ("holders = ['a', 'b', 'a']\n" + LEAST, ["holders", "duplicate holder: a"]),
    "holder's name": ("holders = ['A b']\n" + LEAST, ["holders.0", "lower case letters"]),
    "placement": ("placement = 'none'\n" + LEAST, ["placement", "'distributed', 'local' or 'central'"]),
    "currency": ("currency = 'euro'\n" + LEAST, ["currency", "three capital letters"]),
    "time zone": ("time_zone = 'Europe/Berlim'\n" + LEAST, ["time_zone", "Europe/Berlim", "Europe/Berlin"]),
    "time zone by path": ("time_zone = '../../etc/passwd'\n" + LEAST, ["time_zone", "unknown time zone"]),
    "day with a time": (LEAST.replace("2025-01-01", "2025-01-01T10:00:00"), ["as_of", "without a time"]),
    "no such day": (LEAST.replace("2025-01-01", "'2025-02-30'"), ["as_of", "date"]),
    "rate of the own currency": (LEAST + "[rates]\nEUR = '1'\n", ["rates.EUR", "own currency"]),
    "rate zero": (LEAST + "[rates]\nUSD = '0'\n", ["rates.USD.0.rate", "greater than or equal to 1E-9"]),
    "rate a word": (LEAST + "[rates]\nUSD = 'x'\n", ["rates.USD.0.rate", "decimal"]),
    "rate of a word": (LEAST + "[rates]\ndollars = '1'\n", ["rates.dollars", "three capital letters"]),
    "rates without a day": (LEAST + "[rates.USD]\nspring = '1'\n", ["rates.USD.0.since", "date"]),
    "rates empty": (LEAST + "[rates]\nUSD = []\n", ["rates.USD is empty"]),
    "rates out of order": (
        LEAST + "[[rates.USD]]\nsince = 2024-02-01\nrate = 1\n[[rates.USD]]\nsince = 2024-01-01\nrate = 2\n",
        ["rates.USD", "in order"],
    ),
    "bounds crossed": (LEAST + "[bounds]\nmoney_min = 5\nmoney_max = 20\n", ["money_max", "ten times"]),
    "bounds negative": (LEAST + "[bounds]\nmoney_min = -5\n", ["bounds.money_min", "greater than 0"]),
    "days too few": (LEAST + "[bounds]\nrecency_max_days = 7\n", ["bounds.recency_max_days", "30"]),
    "returns": (LEAST + "[cleaning]\nreturns = 'ignore'\n", ["cleaning.returns", "'drop' or 'net'"]),
    "report of nothing": (LEAST + "[rfm]\nreport = []\n", ["rfm.report", "at least 1"]),
    "report twice": (LEAST + "[rfm]\nreport = ['ten', 'ten']\n", ["rfm", "twice"]),
    "report unknown": (LEAST + "[rfm]\nreport = ['nine']\n", ["rfm.report.0", "eight"]),
    "report rules without rules": (LEAST + "[rfm]\nreport = ['rules']\n", ["rfm", "[[rfm.rules]]"]),
    "share": (LEAST + "[rfm]\ncut_points_share = 1\n", ["rfm.cut_points_share", "0.9"]),
    "rule that cannot be read": (
        LEAST + "[[rfm.rules]]\ncode = 'a'\nwhen = 'recent'\n",
        ["rfm.rules.0.when", "cannot read 'recent'", "R<30"],
    ),
    "rules of one code": (
        LEAST + "[[rfm.rules]]\ncode = 'a'\nwhen = 'R<3'\n[[rfm.rules]]\ncode = 'a'\nwhen = 'R<4'\n",
        ["rfm", "two rules have the same code"],
    ),
    "rule called other": (
        LEAST + "[[rfm.rules]]\ncode = 'other'\nwhen = 'R<3'\n",
        ["rfm.rules.0.code", "no rule fits"],
    ),
    "cuts half given": (LEAST + "[rfm.high_low]\norders = 2\n", ["rfm.high_low", "recency_days", "field required"]),
    "not TOML": ("name = spring\n", ["not valid TOML", "line 1"]),
    "empty": ("", ["name", "as_of", "budget"]),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_study_says_what_to_mend(what: str, tmp_path: Path) -> None:
    text, expected = WRONG[what]
    with pytest.raises(ConfigError) as error:
        read(tmp_path, text)
    message = error.value.message
    assert "study.toml" in message
    for part in expected:
        assert part in message
    assert error.value.hint
    assert error.value.exit_code == 3
    assert "pydantic" not in message
    assert "Value error" not in message


def test_a_missing_or_unreadable_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        read_toml(tmp_path / "none.toml", Study)
    (tmp_path / "latin.toml").write_bytes(b'name = "caf\xe9"')
    with pytest.raises(ConfigError, match="UTF-8"):
        read_toml(tmp_path / "latin.toml", Study)


def test_several_errors_are_all_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        read(tmp_path, LEAST.replace("epsilon = 1", "epsilon = 99\nsize_class = 1\nspare = 1"))
    for field in ("budget.epsilon", "budget.size_class", "budget.spare"):
        assert field in error.value.message


@pytest.mark.parametrize("name", NAMES)
def test_every_analysis_can_be_named(name: str, tmp_path: Path) -> None:
    assert read(tmp_path, f"analyses = ['{name}']\n" + LEAST).analyses == (name,)


def test_a_delta_that_no_float_can_hold_is_refused() -> None:
    for text in ("1e-400", "0.99e-18"):
        with pytest.raises(ValidationError):
            Budget(epsilon=Decimal(1), delta=Decimal(text))
    least = Budget(epsilon=Decimal("0.01"), delta=Decimal("1e-18"))
    assert squared_cap(float(least.epsilon), float(least.effective_delta)) > 0


def test_money_bounds_fit_what_the_totals_can_carry() -> None:
    def study(most: Decimal) -> Study:
        return Study(
            name="x",
            as_of=dt.date(2025, 1, 1),
            budget=Budget(epsilon=Decimal(1)),
            bounds=Bounds(money_max=most),
        )

    assert study(Decimal(1 << 40) / 100).money_bounds[1] == 1 << 40
    for most in (Decimal((1 << 40) + 1) / 100, Decimal(1 << 40)):
        with pytest.raises(ValidationError, match="minor units"):
            study(most)
    with pytest.raises(ValidationError):
        Bounds(money_max=Decimal((1 << 40) + 1))


@pytest.mark.parametrize("rate", ["0", "-1", "0.9e-9", "1.1e9", "1e400"])
def test_a_rate_that_is_no_rate_is_refused(rate: str) -> None:
    with pytest.raises(ValidationError):
        RateStep(since=dt.date(2024, 1, 1), rate=Decimal(rate))
    for border in ("1e-9", "1e9"):
        assert RateStep(since=dt.date(2024, 1, 1), rate=Decimal(border)).rate == Decimal(border)
