"""The public formula with parameters of the holder's own: what it could have ranked by without the consortium.

MBG/NBD (:mod:`privacy.models.mbg`) fitted to this holder's customers, by what they bought before a day and
nothing after it. With x further days of purchase, the last t, the first T days before the day, a customer's likelihood
is, up to what does not depend on the parameters (Batislam, Denizel, Filiztekin 2007, section 3)::

    Gamma(r + x) / Gamma(r)  alpha^r / (alpha + T)^(r + x)  B(a, b + x + 1) / B(a, b)  (1 + A)

with A the odds of being lost. It stays here: nothing of it is sent.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from privacy.kernel.features import MISSING, IntArray
from privacy.models.mbg import MOST_DAYS, MOST_PURCHASES, PART, MbgPrior

FloatArray = NDArray[np.float64]

#: So many customers tell the parameters to a hundredth or two; of more, every second or third is looked at.
_ENOUGH = 20_000
#: Where the holder has few customers: log-normal around the public parameters. With a hundred they hardly matter.
_WIDTH = 1.0
_SEARCH = {"maxiter": 60, "ftol": 1e-7}
#: Far beyond what any shop has; also what a formula can hold.
_LOWEST, _HIGHEST = 2 / PART, 60.0
_LONGEST = 3_650


def fitted(facts: IntArray, public: MbgPrior) -> MbgPrior:
    """The formula that these customers make most likely; the order of the customers is of no matter up to ``_ENOUGH``.

    Args:
        facts: raw, shape ``(customers, 3)``, in the order of ``MbgPrior.FACTS``.
        public: around whose parameters few customers leave it, and whose horizon it has.
    """
    from scipy.optimize import minimize
    from scipy.special import betaln, gammaln

    known = np.where(facts == MISSING, 0, facts)[:: math.ceil(len(facts) / _ENOUGH) or 1]
    x = np.clip(known[:, 0], 1, MOST_PURCHASES + 1).astype(np.float64) - 1
    whole = np.clip(known[:, 2], 0, MOST_DAYS).astype(np.float64)
    last = np.where(x > 0, np.clip(whole - np.clip(known[:, 1], 0, MOST_DAYS), 0, None), 0)
    start = np.log([public.shape / PART, public.exposure_days, public.dropout / PART, public.staying / PART])

    def loss(point: FloatArray) -> float:
        r, alpha, a, b = np.exp(point)
        lost = np.log(a / (b + x)) + (r + x) * np.log((alpha + whole) / (alpha + last))
        each = gammaln(r + x) - gammaln(r) + r * math.log(alpha) - (r + x) * np.log(alpha + whole)
        each += betaln(a, b + x + 1) - betaln(a, b) + np.logaddexp(0, lost)
        return float((((point - start) / _WIDTH) ** 2).sum() / 2 - each.sum())

    low = np.log([_LOWEST, 1, _LOWEST, _LOWEST])
    high = np.log([_HIGHEST, _LONGEST, _HIGHEST, _HIGHEST])
    found = minimize(loss, start, method="L-BFGS-B", bounds=list(zip(low, high, strict=True)), options=_SEARCH)
    r, alpha, a, b = np.exp(np.clip(found.x, low, high)).tolist()
    return public.model_copy(
        update={
            "shape": round(r * PART),
            "exposure_days": round(alpha),
            "dropout": round(a * PART),
            "staying": round(b * PART),
        }
    )
