"""Tables as they are shown: shares between 0 and 1, and counts that are not negative."""

from __future__ import annotations

import math

from privacy.analyses.tables.results import TablesResult
from privacy.figures.consistent import inside

_BOUNDS = {"share": (0.0, 1.0), "lost": (0.0, 1.0), "number": (0.0, math.inf), "count": (0.0, math.inf)}


def shown(tables: TablesResult, *, net: bool) -> TablesResult:
    """The same with figures that can be; verdicts and comparisons keep the released ones.

    Args:
        tables: as they were released.
        net: whether returns are set off against what was spent, so that money may be less than none.
    """
    return inside(tables, _BOUNDS if net else _BOUNDS | {"amount": (0.0, math.inf)})
