"""The holder's own policy: what it allows, outside anything the coordinator can send."""

from __future__ import annotations

import datetime as dt
import tomllib
import zoneinfo
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from privacy.analyses.contract import Whose
from privacy.errors import ConfigError, PolicyError
from privacy.kernel.canonical import ExactDecimal, Noun, read_toml, since
from privacy.kernel.columns import Column
from privacy.kernel.declarations import CellTable
from privacy.kernel.feeds import SENSITIVE, Declared
from privacy.kernel.limits import Name
from privacy.kernel.terms import Slug, ZoneName
from privacy.ledger import PeriodCap
from privacy.ledger.entries import Slots
from privacy.mechanisms import SumMechanism
from privacy.protocol.messages import PlanCore
from privacy.protocol.study import Study

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

#: A commented ``policy.toml``; the values are the defaults, but for the budgets.
_TEMPLATE = """\
# What this holder allows. Nothing that the coordinator sends can change it; a change counts from the next study on.
[lifetime]                      # mandatory: over all studies ever answered, for one person
epsilon = {epsilon}
delta = 1e-6
# max_unreleased = 0.1          # part of it (of its mu^2) that charges without a release may take; then you are asked

# [[slots]]                     # trainings on samples of one's own customers, as many as count says
# rate = "0.1"                  # All of them count towards what a person may lose for life, used or not, beside the
# noise_multiplier = "3.93"     # cap above; a used one never comes back. Not together with [period].
# steps = 60
# count = 4

# [period]                      # a further cap for each period; P periods used to the end are sqrt(P) times one's mu
# epsilon = 2
# delta = 1e-6
# days = 90
# start = 2026-01-01

[allow]
analyses = [{analyses}]
placements = [{placements}]     # who may add the noise: distributed, local, central
# mechanisms = ["integer"]      # and "opacus": the same noise, Opacus' accountant beside ours; placement central
# figures = ["overall"]         # and "by_holder": this holder's own totals may be released, with noise
# studies = []                  # names of studies; empty allows any
# columns = []                  # what studies may look at: recency, orders, money, basket, discount, returns, daypart,
                                # category, channel, session.source, ...; empty allows any that is not sensitive
{sensitive} of these only what stands here: customer.gender, customer.born, customer.region,
                                # customer.occupation, customer.company, rating.topic
# tables = []                   # names of declared tables; empty allows any
max_study_epsilon = 4
# max_study_delta = 1e-4
min_participants = {participants}            # fewest holders in one sum
min_hidden = {hidden}                  # smallest (holders - colluding holders)
# min_colluding = 1             # against how many colluding holders a study must guard
# required = []                 # holders without whom this one does not take part
# without = []                  # holders with whom this one does not take part
# min_own_share = 0           # least part of the protecting noise (of its variance) that is this holder's own, 0 to 1
# approval = "none"             # or "by_hand": each new study waits for `cohortium holder approve`

# [hours]                       # when studies are answered; not stated: always
# days = ["mon", "tue", "wed", "thu", "fri"]
# start = 08:00:00
# end = 18:00:00
# time_zone = "Europe/Berlin"
"""


def policy_toml(
    *, epsilon: str, participants: int = 3, hidden: int = 2,
    analyses: Sequence[str] = ("rfm",), placements: Sequence[str] = ("distributed",), sensitive: Sequence[str] = (),
) -> str:  # fmt: skip
    """A commented ``policy.toml`` with this lifetime budget."""
    listed = ", ".join(f'"{name}"' for name in sensitive)
    return _TEMPLATE.format(
        epsilon=epsilon,
        participants=participants,
        hidden=hidden,
        analyses=", ".join(f'"{name}"' for name in analyses),
        placements=", ".join(f'"{name}"' for name in placements),
        sensitive=f"sensitive = [{listed}]\n#" if listed else "# sensitive = []                #",
    )


def checked_policy_toml(*, epsilon: str) -> str:
    """The same, of what somebody typed.

    Raises:
        ConfigError: if it is no budget.
    """
    text = policy_toml(epsilon=epsilon)
    try:
        HolderPolicy.model_validate(tomllib.loads(text, parse_float=Decimal))
    except (tomllib.TOMLDecodeError, ValidationError):
        raise ConfigError(
            f"{epsilon!r} is no lifetime budget", hint="write a number from 0.01 to 50, as in --lifetime-epsilon 8"
        ) from None
    return text


class LifetimeBudget(Noun):
    """What one customer may lose over all studies ever answered with this ledger; there is no default.

    Attributes:
        epsilon: the cap, for one person, at ``delta``.
        delta: probability bound.
        max_unreleased: part of the cap, in mu^2, that charges without a release may take before plans wait for the
            operator, 0 to 1; one such charge, the dearest, is always let pass.
    """

    epsilon: ExactDecimal = Field(ge=Decimal("0.01"), le=50)
    delta: ExactDecimal = Field(ge=Decimal("1e-18"), le=Decimal("0.001"))
    max_unreleased: ExactDecimal = since("0.2.0", Decimal("0.1"), ge=0, le=1)


class Allow(Noun):
    """What the holder takes part in.

    Attributes:
        analyses: names of analyses.
        placements: who may add the noise. ``local`` and ``central`` must be allowed on purpose: the first makes
            results much noisier, the second means that the coordinator sees exact totals.
        mechanisms: what studies may say there; ``opacus`` (the same noise, with Opacus' accountant) must be allowed
            on purpose.
        max_study_epsilon: largest epsilon of one study, at a delta of at most ``max_study_delta``.
        figures: whose; with ``by_holder`` this holder's own totals may be released (with noise).
        min_participants: fewest holders in one sum.
        min_colluding: how many other holders this one wants to be safe against, at least.
        min_hidden: smallest m - t; below 2, another holder may learn this holder's totals to within noise.
        studies: names of studies; empty allows any.
        columns: what studies may look at of a customer; empty allows all that is not sensitive.
        sensitive: what of :data:`privacy.kernel.feeds.SENSITIVE` studies may look at, whatever ``columns`` says.
        tables: names of declared tables that may be asked for; empty allows any.
        required: holders without whom this one does not take part.
        without: holders with whom this one does not take part.
        min_own_share: least part of the variance of the noise that protects a release that is this holder's own
            share: with it, the promise needs fewer others to be honest.
        approval: ``by_hand``: a new study is answered only after the operator approved it.
    """

    analyses: tuple[str, ...] = ("rfm",)
    placements: tuple[Literal["distributed", "local", "central"], ...] = ("distributed",)
    mechanisms: tuple[Literal["integer", "opacus"], ...] = ("integer",)
    max_study_epsilon: ExactDecimal = Field(default=Decimal(4), gt=0, le=50)
    max_study_delta: ExactDecimal = Field(default=Decimal("0.0001"), gt=0, le=Decimal("0.001"))
    figures: tuple[Whose, ...] = ("overall",)
    min_participants: int = Field(default=3, ge=2)
    min_colluding: int = Field(default=1, ge=1)
    min_hidden: int = Field(default=2, ge=1)
    studies: tuple[Slug, ...] = ()
    columns: tuple[Column, ...] = ()
    sensitive: tuple[Column, ...] = since("0.2.0", ())
    tables: tuple[Name, ...] = since("0.2.0", (), max_length=200)
    required: tuple[Slug, ...] = ()
    without: tuple[Slug, ...] = since("0.2.0", ())
    min_own_share: ExactDecimal = Field(default=Decimal(0), ge=0, le=1)
    approval: Literal["none", "by_hand"] = "none"


class Hours(Noun):
    """When studies are answered, in a time zone of one's own.

    Attributes:
        days: of the week.
        start, end: of the day; the end is not in it, and may be before the start, for hours over midnight (which
            count to the day on which they began).
        time_zone: where the clock stands.
    """

    days: tuple[Weekday, ...] = Field(default=WEEKDAYS, min_length=1)
    start: dt.time = dt.time(0)
    end: dt.time = dt.time(0)
    time_zone: ZoneName = "UTC"

    def open_at(self, now: int) -> bool:
        """Whether a time (seconds since 1970, UTC) is within them."""
        moment = dt.datetime.fromtimestamp(now, zoneinfo.ZoneInfo(self.time_zone))
        time = moment.time()
        if self.start < self.end:
            return self.start <= time < self.end and WEEKDAYS[moment.weekday()] in self.days
        began = moment if time >= self.start else moment - dt.timedelta(days=1)
        return (time >= self.start or time < self.end) and WEEKDAYS[began.weekday()] in self.days


class HolderPolicy(Noun):
    """``policy.toml`` beside the holder's data. The lifetime budget is mandatory.

    Attributes:
        lifetime: what one customer may lose over all studies.
        period: what one customer may lose in each period of so many days; None for no such cap.
        allow: what the holder takes part in.
        hours: when; None for always.
        slots: trainings on samples that this holder allows beside the lifetime cap, fixed beforehand: all count as
            spent, used or not, and a used one never comes back.
    """

    lifetime: LifetimeBudget
    period: PeriodCap | None = None
    allow: Allow = Allow()
    hours: Hours | None = None
    slots: tuple[Slots, ...] = since("0.2.0", (), max_length=20)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read ``policy.toml``.

        Raises:
            ConfigError: if it is missing or wrong.
        """
        return read_toml(path, cls)

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if not self.allow.analyses:
            raise ValueError("allow.analyses is empty: nothing would ever be answered")
        if self.slots and self.period is not None:
            raise ValueError("slots go without [period]: a training on samples has no part of a period's cap")
        both = sorted(set(self.allow.required) & set(self.allow.without))
        if both:
            raise ValueError(f"allow.required and allow.without both name {both[0]}: nothing would ever be answered")
        return self

    def admit_study(self, study: Study) -> None:
        """Refuse a study that this holder does not take part in.

        Raises:
            PolicyError: saying which rule it breaks (for the holder's own log; only a code leaves).
        """
        if self.allow.studies and study.name not in self.allow.studies:
            raise PolicyError("the policy does not allow a study of this name")
        looks_at = study.columns
        if self.allow.columns and not looks_at <= set(self.allow.columns):
            unwanted = ", ".join(sorted(looks_at - set(self.allow.columns)))
            raise PolicyError(f"the policy does not allow studies to look at: {unwanted}")
        self.admit_tables(study.declared_tables)
        if study.holders and not set(self.allow.required) <= set(study.holders):
            raise PolicyError("a holder whom the policy asks for is not invited")
        if set(self.allow.without) & set(study.holders):
            raise PolicyError("a holder with whom the policy does not go together is invited")
        extra = [name for name in study.analyses if name not in self.allow.analyses]
        if extra:
            raise PolicyError(f"the policy does not allow the analysis {extra[0]}")
        if study.placement not in self.allow.placements:
            raise PolicyError(f"the policy does not allow the placement {study.placement}")
        for slot in study.slots:
            if not any(one.covers(slot) for one in self.slots):
                raise PolicyError(
                    f"the policy has no slot for a training on samples with rate {slot.rate}, noise multiplier "
                    f"{slot.noise_multiplier} and {slot.steps} steps"
                )
        for analysis in study.chosen:
            if analysis.consents(study.of(analysis)) - set(self.allow.figures):
                raise PolicyError(f"the policy does not allow figures by holder ({analysis.name}.figures)")
        if study.mechanism not in self.allow.mechanisms:
            raise PolicyError(f"the policy does not allow the mechanism {study.mechanism}")
        if study.budget.epsilon > self.allow.max_study_epsilon:
            raise PolicyError("the study's epsilon is above the policy's")
        if study.budget.effective_delta > self.allow.max_study_delta:
            raise PolicyError("the study's delta is above the policy's")
        if study.budget.colluding_holders < self.allow.min_colluding:
            raise PolicyError("the study guards against fewer colluding holders than the policy asks")

    def admit_tables(self, tables: Sequence[CellTable]) -> None:
        """Refuse declared tables that this holder has no entries found for.

        Raises:
            PolicyError: as above.
        """
        looks_at = frozenset[Column]().union(*(table.columns for table in tables))
        if unwanted := sorted((looks_at & SENSITIVE) - set(self.allow.sensitive)):
            raise PolicyError(f"the policy does not allow studies to look at what is sensitive: {', '.join(unwanted)}")
        for table in tables:
            if self.allow.tables and table.name not in self.allow.tables:
                raise PolicyError(f"the policy does not allow the table {table.name}")

    def admit_found(self, tables: Sequence[CellTable], feeds: Sequence[Declared], *, colluding: int) -> None:
        """Refuse a question with a table that too few of its participants have entries in: others would read theirs.

        Args:
            tables: of the question.
            feeds: what each participant has declared, this holder among them.
            colluding: how many of them may collude.

        Raises:
            PolicyError: as above.
        """
        for table in tables:
            holders = sum(table.is_found_in(declared) for declared in feeds)
            if holders < self.allow.min_participants or holders - colluding < self.allow.min_hidden:
                raise PolicyError(f"only {holders} of {len(feeds)} holders have what the table {table.name} reads")

    def admit_core(self, core: PlanCore) -> None:
        """Refuse a question that this holder does not answer.

        Raises:
            PolicyError: as above.
        """
        mechanism = core.mechanism
        if core.analysis not in self.allow.analyses:
            raise PolicyError("the policy does not allow this question")
        if core.statistic.training is None:
            self._admit_noise(mechanism)
        if core.statistic.of_holders and "by_holder" not in self.allow.figures:
            raise PolicyError("the policy does not allow figures by holder")
        if not set(self.allow.required) <= set(core.holders):
            raise PolicyError("a holder whom the policy asks for does not take part")
        if set(self.allow.without) & set(core.holders):
            raise PolicyError("a holder with whom the policy does not go together takes part")
        if mechanism.holders < self.allow.min_participants:
            raise PolicyError("fewer holders take part than the policy asks")
        if mechanism.colluding < self.allow.min_colluding:
            raise PolicyError("the question guards against fewer colluding holders than the policy asks")
        if mechanism.holders - mechanism.colluding < self.allow.min_hidden:
            raise PolicyError("too few holders would hide this one's totals")

    def _admit_noise(self, mechanism: SumMechanism) -> None:
        """Refuse noise that the policy does not allow; a holder's own training is allowed by slots alone."""
        if mechanism.placement not in self.allow.placements or mechanism.noise not in self.allow.mechanisms:
            raise PolicyError("the policy does not allow this placement or noise")
        if mechanism.holder_scale == 0 and self.allow.min_own_share > 0:
            raise PolicyError("none of the noise would be this holder's own")
        if self.allow.min_own_share * mechanism.protecting_shares > 1:
            raise PolicyError("this holder's own share of the noise would be smaller than the policy asks")
