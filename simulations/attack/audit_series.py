"""Several releases about one person: other holders, other studies, and an attacker who puts all of them together.

The holders of a federation are asked by several studies over the real protocol, each for as much as their ledgers still
take (the real charges, ledgers and caps). A person who is a customer of all of them is then in or not, and the
attacker weighs every release by what it says of that person. What it may learn is the lifetime cap of the holders, the
same for all: no ledger alone can see more than its own part of it.
"""

from __future__ import annotations

import math
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy.accounting.events import squared_cap
from privacy.accounting.gdp import root
from privacy.analyses.catalogue import analysis_of
from privacy.audit.empirical import Attack
from privacy.errors import BudgetError, NotEnoughHolders
from privacy.kernel.canonical import sha256_hex
from privacy.ledger import Caps, LedgerState, Reserved
from privacy.mechanisms import Placement
from privacy.secure_sum.masks import MaskKey, from_bytes
from privacy.statistics.base import IntArray
from server.releases import Release
from simulations.attack.audit_cases import EXAMPLE_OF, Case, case_of
from simulations.attack.audit_charges import coordinator_of, policy_for, study_for
from simulations.attack.release_path import ReleasePath
from simulations.attack.replacing import Planting, quiet_nodes, replaced
from simulations.worlds.kit import MemoryFederation

#: The holders of the federation, all of whom have the person.
SIX = ("east", "mid", "north", "outer", "south", "west")

#: Which holders each study asks, one study after the other, and the most that it asks for: a part of the lifetime cap
#: for a person at all of its holders.
SERIES: dict[str, tuple[tuple[tuple[str, ...], Fraction], ...]] = {
    "studies of other holders": ((SIX[:3], Fraction(1)), (SIX[3:], Fraction(1))),
    "studies that overlap": ((SIX[:4], Fraction(2, 9)), (SIX[2:], Fraction(1))),
    "studies of all holders": ((SIX, Fraction(1)), (SIX, Fraction(1))),
}

#: Lifetime cap of every holder: mu 2.48.
_EPSILON, _DELTA = "14.3", "0.000001"

#: The question that all studies ask, and the analysis that may.
_KIND = "prefix_sums"
_ANALYSIS = analysis_of(_KIND)

#: Tried one after the other, until all of a study's holders answer.
_PARTS = (Fraction(1), Fraction(1, 2), Fraction(1, 4), Fraction(2, 9), Fraction(1, 32))


# --- faults ------------------------------------------------------------------------------------------------------


@contextmanager
def _no_lifetime_cap() -> Iterator[None]:
    real = LedgerState.admit

    def admit(self: LedgerState, charge: Reserved, caps: Caps) -> None:
        real(self, charge, caps._replace(lifetime=None))

    with replaced(LedgerState, "admit", admit):
        yield


@contextmanager
def _with_the_studys_k() -> Iterator[None]:
    """A person counts as often as the study says, and not as often as the federation has holders."""
    real = LedgerState.admit

    def admit(self: LedgerState, charge: Reserved, caps: Caps) -> None:
        opened = self.opened
        self.opened = opened.model_copy(update={"records": None}) if opened else None
        try:
            real(self, charge, caps._replace(records=charge.records))
        finally:
            self.opened = opened

    with replaced(LedgerState, "admit", admit):
        yield


@dataclass(frozen=True, kw_only=True)
class SeriesFault:
    """A way in which a ledger could add up wrongly.

    Attributes:
        name: for people.
        plant: puts it in place.
        series: where it shows.
    """

    name: str
    plant: Planting
    series: str


FAULTS = (
    SeriesFault(
        name="no lifetime cap",
        plant=_no_lifetime_cap,
        series="studies of all holders",
    ),
    SeriesFault(
        name="lifetime cap with the study's k",
        plant=_with_the_studys_k,
        series="studies of other holders",
    ),
)


# --- what is audited ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Series:
    """What is audited: one series of studies, and what was planted."""

    kind: str
    placement: Placement = "distributed"
    fault: SeriesFault | None = None

    @property
    def attacks(self) -> tuple[Attack, ...]:
        """Who attacks."""
        return ("coalition",)

    def rehearsal(self) -> RehearsedSeries:
        """Ask the studies, and be ready to release."""
        return RehearsedSeries(self)

    def __str__(self) -> str:
        return ", ".join([self.kind, self.placement] + ([self.fault.name] if self.fault else []))


class RehearsedSeries:
    """The releases of one series that holders' ledgers allow, made again and again."""

    def __init__(self, series: Series) -> None:
        self.path = ReleasePath()
        self.statistic = EXAMPLE_OF[_KIND].statistic
        self.case: Case = case_of(_KIND, lambda statistic, rows: self.path.encode(statistic, rows, holder=SIX[0]))
        self.mu = root(squared_cap(float(_EPSILON), float(_DELTA)))
        planted = series.fault.plant() if series.fault else nullcontext()
        with tempfile.TemporaryDirectory() as folder, quiet_nodes(), planted:
            self._releases = tuple(_released(Path(folder), SERIES[series.kind], self.case.crowd))
        self._keys = {holder: MaskKey() for holder in SIX}
        self._hellos = {holder: (sha256_hex(holder.encode()), key.public) for holder, key in self._keys.items()}
        self._tables = (self.case.crowd, self.path.table(self.case.crowd, self.case.target))
        self._exact = [self.path.encode(self.statistic, table, holder=SIX[0]) for table in self._tables]
        one = (self._exact[1] - self._exact[0]).astype(np.float64)
        # The person's part of each release, and how much noise hides it from a coalition of t.
        self._shifts = [len(release.holders) * one for release in self._releases]
        self._variances = [
            float(release.mechanism.protecting_shares) * release.mechanism.share_scale**2 for release in self._releases
        ]

    @property
    def lost(self) -> float:
        """mu of all releases together for the person: what the best attacker measures in the end."""
        parts = zip(self._shifts, self._variances, strict=True)
        return math.sqrt(sum(float(shift @ shift) / variance for shift, variance in parts))

    def scores(self, present: bool, remembered: IntArray) -> tuple[dict[Attack, float], IntArray]:
        """The score of all releases together: about 1 with the person, about 0 without."""
        parts = zip(self._releases, self._shifts, self._variances, strict=True)
        weighed = sum(float(self._rest(release, present) @ shift) / variance for release, shift, variance in parts)
        return {"coalition": weighed / self.lost**2}, remembered

    def _rest(self, release: Release, present: bool) -> NDArray[np.float64]:
        """A new release of the same question, without all that the coalition knows."""
        path, mechanism, core = self.path, release.mechanism, secrets.token_hex(32)
        hellos = {holder: self._hellos[holder] for holder in release.holders}
        sent, known = [], np.zeros(self.statistic.dim, dtype=np.int64)
        for number, holder in enumerate(release.holders):
            share = path.share(mechanism, self.statistic.dim, path.sampler(holder))
            if number < mechanism.colluding:
                known += share
            exact = self._exact[int(present)]
            sent.append(path.answer(exact, share, holder=holder, key=self._keys[holder], hellos=hellos, core=core))
        values = path.add_up(mechanism, [from_bytes(data, len(data) // 8) for data in sent])
        return (values - len(release.holders) * self._exact[0] - known).astype(np.float64)


def _released(root_folder: Path, studies: Sequence[tuple[tuple[str, ...], Fraction]], crowd: Any) -> Iterator[Release]:
    """Ask one study after the other, each for the most that is answered."""
    allow = {"max_study_epsilon": _EPSILON, "max_study_delta": _DELTA}
    federation = MemoryFederation(
        root_folder, {holder: {_ANALYSIS: crowd} for holder in SIX}, policy=policy_for(_EPSILON, **allow)
    )
    cap = squared_cap(float(_EPSILON), float(_DELTA))
    for number, (holders, most) in enumerate(studies):
        for part in (part for part in _PARTS if part <= most):
            study = study_for(
                "distributed",
                f"series-{number}",
                holders,
                epsilon=_EPSILON,
                delta=_DELTA,
                max_holders_per_customer=None,
            )
            coordinator = coordinator_of(federation, study)
            try:
                release = coordinator.ask(_ANALYSIS, "prefix sums", EXAMPLE_OF[_KIND].statistic, cap * part)
            except (BudgetError, NotEnoughHolders):  # refused before it is charged: ask for less
                release = None
            coordinator.finish("{}")
            if release is not None:
                yield release
                break
