"""A study's file: written with every option at its default, and read for a day."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from privacy.errors import ConfigError

if TYPE_CHECKING:
    from privacy.protocol.study import Study


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What a new study says besides its name, day and budget; what is empty stays at its default.

    Attributes:
        analyses: what to compute.
        holders: who takes part.
        returns: ``drop`` or ``net``.
        cancellation_prefix: what order ids of cancellations start with.
        non_goods: product codes that are not goods.
        rates: currency and what one unit of it is worth.
    """

    analyses: tuple[str, ...] = ()
    holders: tuple[str, ...] = ()
    returns: str = ""
    cancellation_prefix: str = ""
    non_goods: tuple[str, ...] = ()
    rates: tuple[tuple[str, str], ...] = ()


def analyses_of(text: str) -> tuple[str, ...]:
    """Analyses as they are typed: ``rfm,churn``.

    Raises:
        ConfigError: if there is none of that name.
    """
    from privacy.analyses.catalogue import NAMES

    names = items_of(text)
    for name in names:
        if name not in NAMES:
            near = get_close_matches(name.lower(), NAMES, n=1)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"there is no analysis {name!r}{meant}", hint=f"there is: {', '.join(NAMES)}")
    return names


def rates_of(texts: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Rates as they are typed: ``USD=0.92``, several of them in one text or in several.

    Raises:
        ConfigError: if one is not like that, or a currency has two.
    """
    rates: dict[str, str] = {}
    for text in (item for several in texts for item in items_of(several)):
        currency, sign, rate = (part.strip() for part in text.partition("="))
        if not (currency and sign and rate) or currency in rates:
            why = "is stated twice" if currency in rates else "is no rate"
            raise ConfigError(f"{text} {why}", hint="write --rate USD=0.92, one for each foreign currency")
        rates[currency] = rate
    return tuple(rates.items())


def items_of(text: str) -> tuple[str, ...]:
    """What is typed between commas."""
    return tuple(item for part in text.split(",") if (item := part.strip()))


def study_template(name: str, as_of: str, epsilon: str, currency: str, choices: Choices | None = None) -> str:
    """A commented ``study.toml`` that shows what can be set: as it was chosen, else commented out at its default."""
    from privacy.analyses.catalogue import NAMES, option_tables

    said = choices or Choices()
    analyses = _line("analyses", said.analyses, f'["{NAMES[0]}"]')
    holders = _line("holders", said.holders, '["online", "store"]')
    prefix = _line("cancellation_prefix", said.cancellation_prefix, '"C"')
    returns = _line("returns", said.returns, '"drop"')
    non_goods = _line("non_goods", said.non_goods, '["POST", "FEE"]')
    return f"""\
# A study. Only name, as_of and budget.epsilon are needed. Lines with a # in front show what can be set, at its default.
name = "{name}"
as_of = {as_of}              # only rows before this day count; recency is counted from its start
currency = "{currency}"
{analyses}# what to compute: {", ".join(NAMES)}; they share the budget
# time_zone = "UTC"             # where that day starts
{holders}# who takes part; not stated: everybody in the roster
# placement = "distributed"     # who adds the noise: distributed, local, central (trusts the coordinator)
# mechanism = "integer"         # with placement central also "opacus": the same noise, Opacus' accountant beside ours

[budget]
epsilon = {epsilon}                   # for one person, with all their records at all holders
# delta = 1e-6                  # not stated: 1 / (10 x size_class)
# max_holders_per_customer = 1  # not stated: the number of holders; 1 only if holders share no customers
# size_class = 100000           # public upper figure for the customers of all holders together
# colluding_holders = 1         # against how many colluding holders the promise must hold
# spare_attempts = 1            # repetitions kept in reserve for holders that fail in the middle
# reserve = "again"             # no attempt failed: second answers with it; or "kept": the study costs less
# split = {{ {NAMES[0]} = 0.3, {NAMES[-1]} = 0.7 }}  # the budget's shares, by analysis; not stated: the usual ones

[cleaning]                      # the same for all holders
# duplicates = "drop"           # or "keep"
# ids = ["text", "email"]       # one form of ids at all holders; not stated: each as its holder.toml says
{prefix}# order ids that start with this are cancellations
{returns}# "drop" them, or "net": subtract them from the customer's spend
{non_goods}# product codes that are not goods

{_rates(currency, said.rates)}

{option_tables()}
[waits]                         # in seconds; who takes longer counts as absent
# joining = 600                 # until everybody has built its tables
# answering = 120               # for everything else
"""


def _line(key: str, chosen: str | tuple[str, ...], default: str) -> str:
    """A setting as chosen, or commented out at its default, up to where its comment begins."""
    stated = f"{key} = {_quoted(chosen)}" if chosen else f"# {key} = {default}"
    return f"{stated:<31} "


def _rates(currency: str, rates: tuple[tuple[str, str], ...]) -> str:
    if not rates:
        rows = ['# USD = "0.92"', '# GBP = { 2024-01-01 = "1.15", 2025-01-01 = "1.19" }']
    else:
        rows = [f"{code} = {_quoted(rate)}" for code, rate in rates]
    table = f"{'[rates]' if rates else '# [rates]':<31} # one unit of a foreign currency in {currency}"
    return "\n".join([table, *rows])


def _quoted(value: str | tuple[str, ...]) -> str:
    """A text or list of texts as TOML, whose basic strings are JSON's."""
    return json.dumps(value, ensure_ascii=False)


def read_study(study_file: Path, as_of: str | None) -> Study:
    """A study, for another day than its file's where one is given.

    Raises:
        ConfigError: if the file is wrong, or this is no day.
    """
    from privacy.kernel.canonical import read_toml
    from privacy.protocol.study import Study, parse_day

    study = read_toml(study_file, Study)
    if as_of is None:
        return study
    try:
        return study.model_copy(update={"as_of": parse_day(as_of)})
    except ValueError:
        raise ConfigError(f"{as_of} is not a day", hint="write --as-of 2025-01-31") from None
