"""The public priors: what a correction may start at, and every model is compared with.

Each is a public constant that has learnt from nobody. It reads raw facts (``FACTS``) and gives logits on
integers (``of(table, day)``), so that equal customers have equal scores on every machine.
"""

from __future__ import annotations

from privacy.models.linear_prior import LinearPrior
from privacy.models.mbg import MbgPrior

#: Any of them; told apart by ``kind``.
Prior = MbgPrior | LinearPrior
