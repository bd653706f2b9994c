"""What becomes of a reserve that no attempt needed: questions are asked again, and both answers count.

A study keeps as much as its dearest question costs, for each spare attempt (``priced``). As questions are answered,
fewer are left that could need it. What no later question can need any more is free, and buys a second answer to the
question that was answered last: one question at the whole price would leave nothing where its attempt fails, two leave
the first answer. Where a second answer is worth more than the first, an analysis keeps a share of the budget for it
(``second_weights``). How much is free follows from prices and from which attempts were charged, and from no answer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from fractions import Fraction
from typing import Any, Self

from privacy.ledger import Reserved
from privacy.protocol.charging import study_cap
from privacy.protocol.study import Study
from privacy.statistics import Statistic
from server.analyses.catalogue import CATALOGUE
from server.analysis import Noise, Planned
from server.releases import Answer, Closer, Combined, again, combined_deviation, without_again
from server.running.federation import Federation
from server.running.planning import Key, planned_mechanism, priced
from server.running.stopping import StopRequest

#: A second answer is worth its round trips if it costs at least this part of what the first was planned to.
LEAST = Fraction(1, 4)


@dataclass(frozen=True, kw_only=True)
class Reserve:
    """A study's prices, and what is free of its reserve.

    Attributes:
        study: the study.
        prices: mu^2 of each question for one person, in the order in which they are asked.
        kept: what is kept for second answers beside the reserve, in the same unit.
    """

    study: Study
    prices: Mapping[Key, Fraction]
    kept: Mapping[Key, Fraction]

    @classmethod
    def of(cls, study: Study) -> Self:
        """As the study's budget is divided.

        Raises:
            BudgetError: if it cannot be.
        """
        prices = priced(study)
        return cls(study=study, prices=prices.first, kept=prices.kept)

    def later(self, key: Key) -> tuple[Key, ...]:
        """The questions that follow one."""
        keys = tuple(self.prices)
        return keys[keys.index(key) + 1 :]

    def free(self, key: Key, charged: Fraction) -> Fraction:
        """What a second answer to a question may cost: what the later ones, and repeating the dearest, cannot need.

        Args:
            key: the question, which was just answered.
            charged: mu^2 of all the study's charges so far.

        Returns:
            mu^2 for one person; 0 where it is too little, the study keeps its reserve, or the question has no mu^2: a
            holder does not train twice.
        """
        if self.study.budget.reserve == "kept" or not self.prices[key]:
            return Fraction(0)
        budget = self.study.budget
        cap = study_cap(self.study)
        later = [self.prices[one] for one in self.later(key)]
        needed = sum(later, Fraction(0)) + budget.spare_attempts * max(later, default=Fraction(0))
        needed += sum((self.kept.get(one, Fraction(0)) for one in self.later(key)), Fraction(0))
        free = cap - charged - needed
        return free if free >= LEAST * self.prices[key] else Fraction(0)

    def undisturbed(self) -> dict[Key, Fraction]:
        """The price of each second answer in a study in which no attempt fails; 0 where there is none."""
        charged, found = Fraction(0), {}
        for key, price in self.prices.items():
            charged += price
            found[key] = self.free(key, charged)
            charged += found[key]
        return found


@dataclass(frozen=True, kw_only=True)
class PlannedNoise:
    """The noise that a question is planned to have, both of its answers together.

    Attributes:
        released_deviation: its standard deviation, in integer units.
    """

    released_deviation: float


#: The noise of a closer question that is not planned to be asked.
NO_ANSWER = PlannedNoise(released_deviation=math.inf)


def planned_noise(reserve: Reserve, key: Key, statistic: Statistic[Any], *, holders: int) -> Noise:
    """The noise of a question among so many holders in a study in which no attempt fails.

    Of both its answers; where the second is a closer question, of the first, and under the title ``again`` of that one.
    """
    study = reserve.study
    analysis, title = key
    closer = CATALOGUE[analysis].closer
    if (looked_at := without_again(title)) is not None and looked_at in closer:
        price = reserve.undisturbed()[analysis, looked_at]
        return planned_mechanism(study, price, statistic, holders=holders) if price else NO_ANSWER
    first = planned_mechanism(study, reserve.prices[key], statistic, holders=holders)
    second = reserve.undisturbed()[key]
    if not second or title in closer:
        return first
    other = planned_mechanism(study, second, statistic, holders=holders)
    return PlannedNoise(released_deviation=combined_deviation(first.released_deviation, other.released_deviation))


def planned_by(reserve: Reserve, analysis: str, *, holders: int, first_only: bool = False) -> Planned:
    """The noise that an analysis' questions are planned to have; of first answers alone where second ones fall away."""

    def planned(title: str, statistic: Statistic[Any]) -> Noise:
        if not first_only:
            return planned_noise(reserve, (analysis, title), statistic, holders=holders)
        if without_again(title) is not None:
            return NO_ANSWER
        return planned_mechanism(reserve.study, reserve.prices[analysis, title], statistic, holders=holders)

    return planned


@dataclass(frozen=True)
class Questions:
    """Asks what a study's analyses ask, and asks again what the reserve is free for.

    Attributes:
        reserve: the study's prices.
        federation: whom it asks.
        anew: whether questions may be asked again; what a result was made of stays as it is.
        stop: looked at before each question.
    """

    reserve: Reserve
    federation: Federation
    _: KW_ONLY
    anew: bool
    stop: StopRequest

    def ask(self, analysis: str, title: str, statistic: Statistic[Any]) -> Answer:
        """The answer to a question, both of its answers combined, or it with that of a closer question.

        See :meth:`Federation.ask`.

        Raises:
            NotEnoughHolders, BudgetError: see there.
            Stopped: if somebody asked for the run's end; nothing of what comes after was charged.
        """
        key = (analysis, title)
        self.stop.obey()
        first = self.federation.ask(analysis, title, statistic, self.reserve.prices[key])
        price = self._free(key) if self.anew else Fraction(0)
        if price:
            self.stop.obey()
        closer = CATALOGUE[analysis].closer.get(title)
        next_one = statistic if closer is None else closer(self.reserve.study, first)
        second = self.federation.ask_again(analysis, again(title), first, next_one, price)
        if second is None:
            return first
        return Combined.of(first, second) if closer is None else Closer(first=first, closer=second)

    def _free(self, key: Key) -> Fraction:
        """Nothing once a later question was charged: it rests on what was known of this one then."""
        study = self.reserve.study
        facts = (fact for fact in self.federation.books.ledger.facts() if isinstance(fact, Reserved))
        charges = [charge for charge in facts if charge.study_digest == study.digest]
        later = {name for one in self.reserve.later(key) for name in (one, (one[0], again(one[1])))}
        if any((charge.analysis, charge.title) in later for charge in charges):
            return Fraction(0)
        charged = sum((charge.event.squared_mu(charge.records) for charge in charges), Fraction(0))
        return self.reserve.free(key, charged)
