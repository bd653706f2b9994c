"""``cohortium study new``: what is chosen stands in a commented file that means it, and what is wrong is named."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from privacy.kernel.canonical import read_toml
from privacy.protocol.study import Study

LEAST = ("study", "new", "spring", "--as-of", "2025-01-01", "--epsilon", "1", "--output")


def test_what_is_chosen_is_in_the_file(command, tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    said = command(
        *LEAST, path, "--returns", "net", "--cancellation-prefix", "C", "--non-goods", "BAG, POST", "--analyses",
        "rfm,churn", "--holders", "online,store", "--rate", "USD=0.92", "--rate", "GBP=1.15",
    )  # fmt: skip
    assert said.code == 0, said.err
    study = read_toml(path, Study)
    assert (study.cleaning.returns, study.cleaning.cancellation_prefix) == ("net", "C")
    assert (study.cleaning.non_goods, study.analyses) == (("BAG", "POST"), ("rfm", "churn"))
    assert study.holders == ("online", "store")
    assert {code: steps[0].rate for code, steps in study.rates.items()} == {
        "USD": Decimal("0.92"), "GBP": Decimal("1.15"),
    }  # fmt: skip
    text = path.read_text(encoding="utf-8")
    assert "# subtract them" not in text
    assert 'returns = "net"                 # ' in text, "its comment stays, in its place"


def test_what_is_not_chosen_is_shown_at_its_default(command, tmp_path: Path) -> None:
    """The lines behind a sign, without it, are a study that means the same."""
    path, chosen = tmp_path / "study.toml", tmp_path / "chosen.toml"
    assert command(*LEAST, path).code == 0
    plain = read_toml(path, Study)
    chosen.write_text(path.read_text(encoding="utf-8").replace('# returns = "drop"', 'returns = "drop"  '))
    assert read_toml(chosen, Study) == plain
    assert (plain.analyses, plain.holders, plain.rates) == (("rfm",), (), {})


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ("--analyses", "rfm,chrun"),
            "did you mean churn? What to do: there is: rfm, clusters, churn, history, lookalikes, tables",
        ),
        (("--analyses", "xyzzy"), "there is no analysis 'xyzzy' What to do: there is: rfm"),
        (("--rate", "USD"), "USD is no rate What to do: write --rate USD=0.92"),
        (("--rate", "USD=1,USD=2"), "USD=2 is stated twice"),
        (("--rate", "USD=much"), "rates.USD"),
        (("--holders", "Shop A"), "holders.0"),
        (("--analyses", "rfm,rfm"), "named twice"),
        (("--non-goods", "x" * 201), "non_goods"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_written(command, tmp_path: Path, words: tuple[str, ...], says) -> None:
    path = tmp_path / "study.toml"
    said = command(*LEAST, path, *words)
    assert said.code == 3
    assert says in said.err
    assert not path.exists()


def test_a_code_with_quotes_stays_one_code(command, tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    assert command(*LEAST, path, "--cancellation-prefix", '"\n[x]\\', "--non-goods", 'a"b').code == 0
    study = read_toml(path, Study)
    assert (study.cleaning.cancellation_prefix, study.cleaning.non_goods) == ('"\n[x]\\', ('A"B',))
