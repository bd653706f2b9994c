"""The catalogue as a list: what each table counts, needs, and would be worth in a study of its own."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

from privacy.accounting.events import squared_cap
from privacy.analyses.tables.options import TablesOptions
from privacy.analyses.tables.words import title_of
from privacy.figures.estimates import Z95
from privacy.kernel.terms import Budget
from privacy.mechanisms import SumMechanism, calibrate
from privacy.protocol.study import Study
from privacy.statistics import Statistic
from server.analyses.tables.catalogue import lists_of, names, written_out
from server.analyses.tables.run import NAME, decoded


class Listed(NamedTuple):
    """One table of the catalogue.

    Attributes:
        name, title: what it is called.
        cells: how many.
        margin: half-width of the 95% interval of a cell, in units of its first measure.
        of_itself: the same as a part of a cell of average size.
        needs: roles that a holder must have mapped, as ``feed.role``.
        lists: keys that the study must name.
    """

    name: str
    title: str
    cells: int
    margin: float
    of_itself: float
    needs: tuple[str, ...]
    lists: tuple[str, ...]


#: Keys that stand in for those of a study that is not written yet, of lists that it must have.
_SOME = tuple(f"key {number}" for number in range(1, 6))

#: Holders of the study that is imagined; the noise of a release hardly depends on them.
_HOLDERS = 4


def listed(*, size: int, epsilon: float, k: int = 1) -> list[Listed]:
    """Every table of the catalogue, each asked alone; lists of the study are taken to have five keys."""
    found = []
    for name in names():
        study = written_out(_study(name, size=size, epsilon=epsilon, k=k))
        for cells in decoded(study, partial(_planned, study)):
            margin = Z95 * float(cells.fresh[0])
            needs = {f"{feed}.{role}" for feed, role in cells.written.needs} or set(cells.written.feeds)
            found.append(
                Listed(
                    name=cells.declared.name,
                    title=title_of(cells.declared, "en"),
                    cells=cells.written.cells,
                    margin=margin,
                    of_itself=margin * cells.written.cells / size,
                    needs=tuple(sorted(needs)),
                    lists=lists_of(name),
                )
            )
    return found


def _planned(study: Study, title: str, statistic: Statistic[Any]) -> SumMechanism:
    """The noise of the one question of a study, which keeps a spare attempt."""
    budget = study.budget
    cap = squared_cap(float(budget.epsilon), float(budget.effective_delta)) / (1 + budget.spare_attempts)
    k = budget.max_holders_per_customer or 1
    return calibrate(
        cap / k**2,
        statistic.bound,
        placement=study.placement,
        holders=max(_HOLDERS, k),
        colluding=budget.colluding_holders,
    )


def _study(name: str, *, size: int, epsilon: float, k: int) -> Study:
    options = TablesOptions(use=(name,), lists=dict.fromkeys(lists_of(name), _SOME))
    budget = Budget(epsilon=Decimal(str(epsilon)), size_class=size, max_holders_per_customer=k)
    study = Study(name="listing", as_of=dt.date(2025, 1, 1), analyses=(NAME,), budget=budget)
    return study.model_copy(update={NAME: options})
