"""Whether a model has aged: its test on one day against that on another, beyond what noise and chance explain."""

from __future__ import annotations

from dataclasses import dataclass

from privacy.analyses.churn.results import EarlierTest
from privacy.figures.estimates import Estimate, strictness

#: How often the alarm comes, at most, where nothing has changed: three comparisons share it (Bonferroni).
FALSE_ALARMS = 0.05
_COMPARISONS = 3


@dataclass(frozen=True, kw_only=True)
class Ageing:
    """What has changed between two tests of one model; differences are now less then.

    Attributes:
        since: the earlier test.
        auc, listed: of the area under the curve, and of the churn rate on the list.
        level: of the log odds that the probabilities have to be moved by; None where one test does not tell.
    """

    since: EarlierTest
    auc: Estimate
    listed: Estimate
    level: Estimate | None

    @property
    def ranks_worse(self) -> bool:
        """Whether it finds fewer of those who leave."""
        return any(item.value < 0 and _beyond(item) for item in (self.auc, self.listed))

    @property
    def has_moved(self) -> bool:
        """Whether its probabilities are off by more, or otherwise, than then."""
        return self.level is not None and _beyond(self.level)

    @property
    def alarm(self) -> bool:
        """Whether the model has aged. By chance and noise alone at most in ``FALSE_ALARMS`` of all comparisons."""
        return self.ranks_worse or self.has_moved


def ageing(now: EarlierTest, tests: tuple[EarlierTest, ...]) -> Ageing | None:
    """Now against the first of the earlier tests, that of the run that trained the model; None without one.

    Not against the last: what changes a little every month would never be seen.
    """
    if not tests:
        return None
    then = tests[0]
    return Ageing(
        since=then,
        auc=now.auc.minus(then.auc),
        listed=now.listed.minus(then.listed),
        level=None if now.level is None or then.level is None else now.level.minus(then.level),
    )


def _beyond(difference: Estimate) -> bool:
    return abs(difference.value) > strictness(_COMPARISONS) * difference.towards(0.0)
