"""What a study yields: plain values, all derived from releases, ready for people (report) and scripts (JSON).

Margins are half-widths of 95% intervals that come from the privacy noise alone: the interval covers the total
that the same cut points would give without noise.

A study with ``rfm.totals = "shares"`` carries proportions and averages only: every total is None, and every figure is
on the public grid of :mod:`privacy.figures.public_grid`, whose margins also cover the rounding. A result that breaks
this cannot be built, by whoever reads or writes it (``docs/decisions/0012``).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar

from pydantic import Field, create_model, model_validator

from privacy.accounting.sampled import Slot
from privacy.analyses.catalogue import NAMES
from privacy.figures.estimates import Estimate, Figures, Value
from privacy.figures.public_grid import tells_no_more
from privacy.kernel.canonical import since
from privacy.kernel.limits import MOST_MEMBERS, Day, Name, RunId
from privacy.protocol.study import Study

F = TypeVar("F", bound=Figures)

#: Most lines of a list that grows with runs or questions.
_LINES = 10_000
#: Segmentation to segment code to its share.
_Shares = Annotated[
    dict[Name, Annotated[dict[Name, Estimate], Field(max_length=64)]],
    Field(max_length=8),
]
#: Holders, once or twice each.
_Holders = Annotated[tuple[Name, ...], Field(max_length=2 * MOST_MEMBERS)]


class QuestionCost(Value):
    """What one answered attempt of one question cost.

    Attributes:
        mu: the Gaussian-DP parameter, for one person at k holders; 0 for a training on samples, which has none.
        slot: what that training took of each holder's policy; None for a sum.
    """

    question: Name
    attempt: int = Field(ge=0, le=1_000_000)
    outcome: Literal["released", "failed"]
    mu: float
    holders: int = Field(ge=0, le=1_000_000)
    slot: Slot | None = since("0.2.0", None)


class Spending(Value):
    """What a run spent, seen from three relations.

    Attributes:
        delta: probability bound of all epsilons here.
        epsilon_promised: what the study states.
        epsilon_person: spent for one person at up to ``k`` holders.
        k: max_holders_per_customer as declared (or the number of holders).
        epsilon_all_holders: the same if the declaration is wrong and a person is at every holder.
        epsilon_own: for one customer id in one holder's table.
        best_guess: highest probability to guess right, from this run, whether one person took part (0.5 to 1).
        best_guess_promised: the same at ``epsilon_promised``.
        questions: one entry an attempt.
        epsilon_all_runs: for one person over all charges in the coordinator's ledger so far, at this delta.
        studies: how many studies those are.
        epsilon_opacus: ``epsilon_person`` by Opacus' PRV accountant, where the study asks for it (``mechanism``).
    """

    delta: float
    epsilon_promised: float
    epsilon_person: float
    k: int = Field(ge=0, le=1_000_000)
    epsilon_all_holders: float
    epsilon_own: float
    best_guess: float
    best_guess_promised: float
    questions: tuple[QuestionCost, ...] = Field(max_length=_LINES)
    epsilon_all_runs: float | None = None
    studies: int = Field(default=1, ge=0, le=1 << 53)
    epsilon_opacus: float | None = None


class EarlierRun(Value):
    """An earlier run of the same study, for comparison.

    Attributes:
        as_of: its as-of day, ISO format.
        customers: its estimated number of customer records; None where this or the earlier study withholds totals.
        shares: segmentation to segment code to its share of customer records; suppressed segments are left out.
        revenue_shares: the same for revenue.
        same_cuts: whether it used the same cut points as this run.
    """

    as_of: Day
    repeat: int = Field(ge=0, le=1000)
    customers: Estimate | None
    shares: _Shares
    revenue_shares: _Shares
    epsilon_person: float
    same_cuts: bool

    def check_shares_only(self) -> None:
        """Raise ValueError if a total is there, or a share tells more than the public grid."""
        shares = [
            share for table in (self.shares, self.revenue_shares) for row in table.values() for share in row.values()
        ]
        if self.customers is not None or not all(tells_no_more(share) for share in shares):
            raise ValueError("an earlier run tells more than its shares, though the study withholds totals")


class Timing(Value):
    """Seconds by step of a run; of the coordinator's own clock, never of a holder."""

    step: Name
    seconds: float


class LedgerDifference(Value):
    """A charge that one side's ledger has and the other's has not. Either way it is spent.

    Attributes:
        holder: whose ledger was compared with the coordinator's.
        core: digest of the plan that was charged.
        question: round, attempt and run, where the coordinator knows them.
        charged: the side that charged it.
        ended: at the coordinator: ``released``, the reason of a failure, or ``cut off``.
    """

    holder: Name
    core: Name
    question: Name
    charged: Literal["holder", "coordinator"]
    ended: Name

    @property
    def text(self) -> str:
        """For people."""
        if self.charged == "holder":
            return f"{self.holder} charged plan {self.core[:16]}, which is not in the coordinator's ledger"
        return f"{self.holder} did not charge question {self.question} ({self.ended}), which the coordinator did"

    @property
    def expected(self) -> bool:
        """Whether an attempt that failed explains it: the holder never got that far."""
        return self.charged == "coordinator" and self.ended != "released"


class _Run(Value):
    """Which run it is: what stands before its figures."""

    study: Study
    study_digest: Name
    run: RunId
    finished: Day
    version: Name
    participants: _Holders
    missing: _Holders
    differences: tuple[LedgerDifference, ...] = Field(default=(), max_length=_LINES)
    uncompared: _Holders = ()
    transport: Name


def _field(name: str) -> tuple[Any, None]:
    """Type and default of an analysis' figures: its room says which class they are of."""
    kind = importlib.import_module(f"privacy.analyses.{name}.results").RESULT
    return kind | None, None


if TYPE_CHECKING:

    class _Figures(_Run):
        """Type checkers cannot know what stands in a tuple; :meth:`StudyResult.of` gives figures with their type."""

else:
    _Figures = create_model("_Figures", __base__=_Run, __module__=__name__, **{each: _field(each) for each in NAMES})


class StudyResult(_Figures):
    """What a run comes to, for people and scripts at the coordinator and at every holder.

    Attributes:
        study: the study as it was run.
        run: id of the run.
        finished: day of the run, ISO format.
        version: release of cohortium.
        participants: holders whose records are in the figures.
        missing: holders that dropped out on the way.
        earlier: earlier runs of the study, oldest first.
        untold: analyses that were asked and have no figures, and why: what they found cannot be told from the noise.
        handed_out: SHA-256 of this result's text as holders got it; None in that text itself.
        confirmed: holders that compared what they were handed with all others that confirmed it, and found it alike.
        unconfirmed: the other holders that it was handed to.
    """

    spending: Spending
    timings: tuple[Timing, ...] = Field(max_length=_LINES)
    earlier: tuple[EarlierRun, ...] = Field(default=(), max_length=_LINES)
    untold: dict[Name, Annotated[str, Field(max_length=500)]] = Field(default_factory=dict, max_length=len(NAMES))
    handed_out: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    confirmed: _Holders = ()
    unconfirmed: _Holders = ()

    @property
    def totals_withheld(self) -> bool:
        """Whether the study hands out proportions only."""
        return self.study.totals_withheld

    def of(self, kind: type[F]) -> F | None:
        """What the analysis with this kind of result found; None where the run has none of it."""
        return next((found for found in self.figures.values() if isinstance(found, kind)), None)

    @property
    def figures(self) -> dict[str, Figures]:
        """What each analysis found, by the analysis' name; without those that the run has none of."""
        found = {name: getattr(self, name) for name in NAMES}
        return {name: figures for name, figures in found.items() if figures is not None}

    @model_validator(mode="after")
    def _totals_as_agreed(self) -> Self:
        for figures in self.figures.values():
            if self.totals_withheld:
                figures.check_shares_only()
            else:
                figures.check_complete()
        if self.totals_withheld:
            for run in self.earlier:
                run.check_shares_only()
        return self
