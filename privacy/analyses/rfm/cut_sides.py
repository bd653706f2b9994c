"""Between which of four given values customers are: a closer look at quintile cuts that an earlier answer has found.

Four values make five classes, and every customer adds the vector of its class: one of five that are equally long and
add up to zero. What is read off is by how much each value's rank misses the one that it is meant for. All customers
have the full length of the bound, and the number of all of them, which nobody knows exactly, drops out.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, model_validator

from privacy.kernel.canonical import Noun
from privacy.kernel.customers import CustomerColumns
from privacy.statistics.base import GAMMA, ContributionBound, IntArray, Statistic
from privacy.statistics.bins import amplitude_of, bin_of, check_parts

FloatArray = NDArray[np.float64]
_Value = Annotated[int, Field(ge=-(1 << 62), le=1 << 62)]

#: The ranks that the four values are meant for.
RANKS = (0.2, 0.4, 0.6, 0.8)

#: What the vectors of the outermost classes and of those beside them are made of, in ten-thousandths of the amplitude:
#: coordinates that have the other sign at the other end, and such as have the same. Of all vectors of four dimensions
#: that are no longer than one, these have the least sum of the four ranks' variances (found by search, from 30 starts;
#: no small change makes it less: ``tests/analyses/rfm/test_cut_sides.py``). That is the best factorisation of the four
#: ranks as a workload (Li, Miklau, Hay, McGregor, Rastogi 2015, "The matrix mechanism: optimizing linear counting
#: queries under differential privacy", VLDB Journal 24, section 4), and leaves .85, .81, .81, .85 of one count's noise.
_ODD = ((8394, 3247), (0, -7956))
_EVEN = ((-5307, 1838), (-1171, 4771))


def _not_descending(at: tuple[int, ...]) -> tuple[int, ...]:
    if any(low > high for low, high in pairwise(at)):
        raise ValueError("the values must not descend")
    return at


class FactCuts(Noun):
    """One fact's four values and its part of the sensitivity.

    Attributes:
        fact: column of the customer table.
        at: values, integers in the column's unit, none below the one before it; who has the value itself is below.
            Between two that are equal is nobody.
        permille: this fact's share of the squared sensitivity, in thousandths.
    """

    fact: Literal["recency_days", "orders", "money", "tenure_days"]
    at: Annotated[tuple[_Value, _Value, _Value, _Value], AfterValidator(_not_descending)]
    permille: int = Field(ge=1, le=1000)

    @property
    def vectors(self) -> IntArray:
        """What a customer of each class adds, in integer units, by column; each row adds up to 0; shape ``(4, 5)``.

        Both ends are alike: counted from the other end, the first two coordinates turn round, and the others stay.
        """
        amplitude = amplitude_of(self.permille)
        odd, even = ([[amplitude * part // 10_000 for part in row] for row in rows] for rows in (_ODD, _EVEN))
        rows = [[outer, inner, 0, -inner, -outer] for outer, inner in odd]
        rows += [[outer, inner, -2 * (outer + inner), inner, outer] for outer, inner in even]
        return np.array(rows, dtype=np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class SidesEstimate:
    """How far one fact's values are from the ranks that they are meant for.

    Attributes:
        cuts: the values.
        beyond: number of customers at or below each value, less its rank times the number of all; unbiased; shape
            ``(4,)``.
        covariance: of their noise, in customers squared, shape ``(4, 4)``.
    """

    cuts: FactCuts
    beyond: FloatArray
    covariance: FloatArray


class CutSides(Statistic[CustomerColumns]):
    """Between which of four values customers are, for several facts. See the module's text.

    Sensitivity: a customer adds one vector a fact, and the longest of them bounds all; facts add up. It is computed on
    the very integers that are sent.
    """

    reads = CustomerColumns
    kind: Literal["cut_sides"] = "cut_sides"
    facts: tuple[FactCuts, ...] = Field(min_length=1, max_length=4)

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        check_parts([(one.fact, one.permille) for one in self.facts], what="fact")
        return self

    @property
    def dim(self) -> int:
        """Four coordinates a fact."""
        return len(RANKS) * len(self.facts)

    @property
    def bound(self) -> ContributionBound:
        """Exact, from the integer vectors."""
        vectors = [one.vectors.astype(object) for one in self.facts]
        return ContributionBound(
            gamma=GAMMA,
            squared_norm=sum(int((each**2).sum(axis=0).max()) for each in vectors),
            max_abs=max(int(abs(each).max()) for each in vectors),
        )

    def encode_rows(self, columns: CustomerColumns) -> IntArray:
        """Each fact's vector of the customer's class; shape ``(customers, dim)``."""
        return np.concatenate([one.vectors.T[bin_of(one.at, getattr(columns, one.fact))] for one in self.facts], axis=1)

    def decode(self, values: IntArray, noise_deviation: float) -> tuple[SidesEstimate, ...]:
        """Misses of ranks from the released vector.

        Args:
            values: the release, shape ``(dim,)``.
            noise_deviation: standard deviation of its noise, in integer units (0 for an exact sum).
        """
        ranks = np.array(RANKS)
        wanted = np.tri(len(ranks), len(ranks) + 1) - ranks[:, np.newaxis]
        estimates = []
        for number, one in enumerate(self.facts):
            part = values[number * len(ranks) : (number + 1) * len(ranks)].astype(np.float64)
            # Rows of both add up to 0 and span all such, so that ``wanted`` is exactly so much of the vectors.
            read = wanted @ np.linalg.pinv(one.vectors.astype(np.float64))
            covariance = noise_deviation**2 * read @ read.T
            estimates.append(SidesEstimate(cuts=one, beyond=read @ part, covariance=covariance))
        return tuple(estimates)
