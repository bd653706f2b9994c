"""The catalogue of analyses. Each is ordinary sequential code that asks a federation for releases.

To add one: a module here with ``weights``, ``run`` and ``forecast``, a line in ``CATALOGUE``, its name in
``privacy.contract.study.ANALYSES`` and its statistics in ``privacy.statistics.STATISTICS_OF``.
"""

from __future__ import annotations

from types import ModuleType

from server.analyses import churn, clusters, rfm

CATALOGUE: dict[str, ModuleType] = {"rfm": rfm, "churn": churn, "clusters": clusters}
