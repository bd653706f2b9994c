"""A study's file: written with every option at its default, and read for a day."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from privacy.errors import ConfigError

if TYPE_CHECKING:
    from privacy.protocol.study import Study


def study_template(name: str, as_of: str, epsilon: str, currency: str) -> str:
    """A commented ``study.toml`` that shows what can be set, at its defaults."""
    from privacy.analyses.catalogue import NAMES, option_tables

    return f"""\
# A study. Only name, as_of and budget.epsilon are needed. Lines with a # in front show what can be set, at its default.
name = "{name}"
as_of = {as_of}              # only rows before this day count; recency is counted from its start
currency = "{currency}"
# analyses = ["{NAMES[0]}"]            # what to compute: {", ".join(NAMES)}; they share the budget
# time_zone = "UTC"             # where that day starts
# holders = ["online", "store"] # who takes part; not stated: everybody in the roster
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
# cancellation_prefix = "C"     # order ids that start with this are cancellations
# returns = "drop"              # or "net": subtract them from the customer's spend
# non_goods = ["POST", "FEE"]   # product codes that are not goods

# [rates]                       # one unit of a foreign currency in {currency}
# USD = "0.92"
# GBP = {{ 2024-01-01 = "1.15", 2025-01-01 = "1.19" }}

{option_tables()}
[waits]                         # in seconds; who takes longer counts as absent
# joining = 600                 # until everybody has built its tables
# answering = 120               # for everything else
"""


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
