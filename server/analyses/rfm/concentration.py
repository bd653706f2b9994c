"""What the customers who spend most bring of what is spent: from the released distribution, so it costs nothing."""

from __future__ import annotations

import numpy as np

from privacy.analyses.rfm.results import Concentration
from server.analyses.rfm.cut_points import Cumulative

#: Shares of customers, those who spend most first.
_TOP = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
#: The tail counts up to the last bin beyond which so many deviations of customers are.
_CLEAR = 2.0


def concentration_of(money: Cumulative) -> Concentration | None:
    """The Lorenz curve from the top: the share of what is spent that each share of customers brings.

    A bin's customers spend what lies in its middle (by logarithms). Whoever is beyond the last bin that is clear of the
    noise counts with that bin's end, so that with few customers the curve says less than is true, and never invents a
    tail. None where nothing is clear of the noise.
    """
    upper = np.maximum(np.array(money.grid.upper, dtype=np.float64), 0.0)
    above = money.customers * (1 - money.share[:-1])
    clear = np.flatnonzero(above >= _CLEAR * money.tail_deviation()[:-1])
    if not len(clear):
        return None
    last = int(clear[-1])
    lower = np.concatenate([[0.0], upper[:last]])
    value = np.sqrt(np.maximum(lower, 1.0) * np.maximum(upper[: last + 1], 1.0))
    share = np.diff(money.share[: last + 1], prepend=0.0)
    share, value = np.append(share, 1 - money.share[last]), np.append(value, upper[last])
    customers = np.concatenate([[0.0], np.cumsum(share[::-1])])
    spent = np.concatenate([[0.0], np.cumsum((share * value)[::-1])])
    if spent[-1] <= 0:
        return None
    revenue = np.interp(_TOP, customers, spent / spent[-1])
    return Concentration(top=_TOP, revenue=tuple(float(min(one, 1.0)) for one in revenue))
