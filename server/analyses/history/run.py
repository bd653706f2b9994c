"""History: one question about purchases and, with a cap, one about spend; a model of buying fitted to the answer."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from privacy.analyses.history import CONTRACT
from privacy.analyses.history.history_cells import QUARTERS
from privacy.analyses.history.results import HistoryResult
from privacy.errors import DataError
from privacy.figures.estimates import Z95
from privacy.kernel.terms import minor_digits
from privacy.protocol.study import Study
from server.analyses.history.cell_model import CellModel
from server.analyses.history.figures import Released, history_result
from server.analyses.history.fit import USUAL, fit, fit_at
from server.analysis import Ask, Planned
from server.analysis.expectation import Expectation

NAME = "history"
CELLS, SPEND = "purchases", "spend"

#: Shares of the budget where both are asked.
_SHARES = {CELLS: Fraction(10, 13), SPEND: Fraction(3, 13)}
#: Customers who cannot be told from so many deviations of the noise in their number give no model.
_CLEAR = 2.0
#: Totals that are off by more of themselves are warned of.
_TOO_WIDE = 0.3


def weights(study: Study) -> dict[str, Fraction]:
    """Title of each question to its share of the budget."""
    return _SHARES if study.of(CONTRACT).value_cap else {CELLS: Fraction(1)}


def run(study: Study, ask: Ask, planned: Planned) -> HistoryResult:
    """The analysis.

    Args:
        study: what was agreed.
        ask: asks a question by its title.
        planned: unused; the noise of each release is read from the release.

    Raises:
        DataError: if the noise hides how many customers there are.
    """
    options = study.of(CONTRACT)
    question, money = options.cells, options.values(study)
    release = ask(CELLS, question)
    counts, deviation = question.decode(release.array, release.deviation)
    if counts.sum() < _CLEAR * deviation * math.sqrt(counts.size):
        raise DataError(
            f"customers whose first purchase was in the {options.window_days} days before {study.as_of} cannot be told "
            "from the noise",
            hint="raise history.window_days or the budget's epsilon, or invite more holders",
        )
    spend = None
    if money is not None:
        answer = ask(SPEND, money)
        spend = money.decode(answer.array, answer.deviation)
    cells = CellModel(options.window_days)
    released = Released(counts=counts, deviation=deviation)
    return history_result(options, cells, fit(cells, counts, deviation), released, spend)


def forecast(study: Study, planned: Planned) -> tuple[Expectation, ...]:
    """How far off the total of purchases will be, and the mean spend, for ``size_class`` customers of usual shops.

    As if they had come evenly over the window. Margins are of noise and chance together.
    """
    options, size = study.of(CONTRACT), study.budget.size_class
    question, money = options.cells, options.values(study)
    _, deviation = question.decode(np.zeros(question.dim, dtype=np.int64), planned(CELLS, question).released_deviation)
    cells = CellModel(options.window_days)
    usual = fit_at(cells, np.concatenate([USUAL, np.full(QUARTERS, math.log(size / QUARTERS))]), deviation)
    last = history_result(options, cells, usual, Released(counts=usual.mean, deviation=deviation), None).ahead[-1]
    off = last.purchases.margin / last.purchases.value
    found = [
        Expectation(
            analysis=NAME,
            code="purchases_margin",
            value=off,
            text=f"purchases in {last.upto} days      off by up to {100 * off:.0f}% of all",
            warning="How often customers will buy will hardly be known. Raise epsilon or history.window_days, or "
            "invite more customers."
            if off > _TOO_WIDE
            else "",
        )
    ]
    if money is not None:
        sums = money.decode(np.zeros(money.dim, dtype=np.int64), planned(SPEND, money).released_deviation)
        off = min(Z95 * sums.deviation / size, 1.0)
        cap = options.value_cap * off
        digits = minor_digits(study.currency)
        found.append(
            Expectation(
                analysis=NAME,
                code="spend_margin",
                value=cap,
                text=f"spend on a day of purchase  off by up to {cap:,.{digits}f} {study.currency}",
                warning="The mean spend will hardly be known. Lower history.value_cap, raise epsilon, or invite more "
                "customers."
                if off > _TOO_WIDE / 3
                else "",
            )
        )
    return tuple(found)
