"""``audit test``: the real release path on neighbouring inputs, thousands of times, and an attacker who guesses.

Four holders, of whom two collude. The attacker knows every customer but one, the functions that run, and the noise
shares of those who collude (in placement ``local`` of all holders but the target's, in ``central`` of none: there the
noise is the coordinator's, and the attacker a reader of results). Half of the releases have the target and half do
not; the attacker takes out all that it knows, projects the rest on the target's vector, and guesses "in" where it gets
more than half-way. For Gaussian noise that is the best test there is (Neyman and Pearson).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from privacy.accounting.gdp import epsilon_of, root
from privacy.audit.empirical import (
    DELTA,
    FALSE_ALARM,
    Attack,
    Audited,
    Checked,
    EmpiricalReport,
    Guesses,
    Power,
    attack_result,
)
from privacy.errors import ConfigError
from privacy.kernel.canonical import sha256_hex
from privacy.kernel.version import software_version
from privacy.mechanisms import PLACEMENTS, Placement, SumMechanism, calibrate
from privacy.mechanisms.sampler import SAMPLER
from privacy.secure_sum.masks import CHECK_WORDS, MaskKey, from_bytes
from privacy.statistics.base import IntArray
from simulations.attack.audit_cases import EXAMPLE_OF, HOLDERS, SUMS, Case, case_of
from simulations.attack.audit_series import FAULTS as SERIES_FAULTS
from simulations.attack.audit_series import SERIES, Series
from simulations.attack.audit_trainings import Training
from simulations.attack.planted_faults import FAULTS, Fault
from simulations.attack.release_path import ReleasePath

#: t: with it a missing share, or a share divided by m, is half of the noise that protects.
COLLUDING = 2

#: mu that every question is charged. Large, because errors of a few percent are told best from so many releases; the
#: code that runs is the same for every mu, only ``share_scale`` differs.
CLAIMED_MU = Fraction(5, 2)

#: Releases with the target, and as many without, for each statistic and placement.
TRIALS = 4000
QUICK_TRIALS = 1500


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is audited: one kind of statistic, who adds the noise, and what was planted."""

    kind: str
    placement: Placement
    fault: Fault | None = None

    @property
    def attacks(self) -> tuple[Attack, ...]:
        """Who attacks; nobody has a share to compare with where the coordinator adds the noise."""
        return ("coalition", "memory") if self.placement == "central" else ("coalition", "memory", "twin")

    def rehearsal(self) -> Rehearsal:
        """Holders and a coordinator, ready to release."""
        return Rehearsal(self)

    def __str__(self) -> str:
        return ", ".join([self.kind, self.placement] + ([self.fault.name] if self.fault else []))


def settings_of(kinds: tuple[str, ...] = (), placements: tuple[Placement, ...] = PLACEMENTS) -> tuple[Setting, ...]:
    """All kinds of statistics, or these, in all placements.

    Raises:
        ConfigError: if there is no such kind.
    """
    unknown = sorted(set(kinds) - set(SUMS))
    if unknown:
        raise ConfigError(f"there is no statistic {', '.join(unknown)}", hint=f"there are: {', '.join(SUMS)}")
    return tuple(Setting(kind=kind, placement=placement) for kind in kinds or SUMS for placement in placements)


def faulty(settings: tuple[Setting, ...]) -> tuple[Setting, ...]:
    """Every fault in every setting where it can happen."""
    return tuple(
        Setting(kind=setting.kind, placement=setting.placement, fault=fault)
        for setting in settings
        for fault in FAULTS
        if setting.placement in fault.placements and fault.applies(EXAMPLE_OF[setting.kind].statistic)
    )


def series_of(*, faults: bool) -> tuple[Series, ...]:
    """All series of studies about one person, and every fault in one where it shows."""
    found = tuple(Series(kind=kind) for kind in SERIES)
    if not faults:
        return found
    return found + tuple(Series(kind=fault.series, fault=fault) for fault in SERIES_FAULTS)


class Rehearsal:
    """One setting's holders and coordinator, who make one release after the other."""

    def __init__(self, setting: Setting) -> None:
        path = ReleasePath()
        self.path = setting.fault.plant(path) if setting.fault else path
        self.case: Case = case_of(
            setting.kind, lambda statistic, rows: self.path.encode(statistic, rows, holder=HOLDERS[-1])
        )
        self.statistic = self.case.statistic
        self.charged: SumMechanism = calibrate(
            CLAIMED_MU**2,
            self.statistic.bound,
            placement=setting.placement,
            holders=len(HOLDERS),
            colluding=COLLUDING,
        )
        self.charged.check_range(self.statistic.bound)
        self._drawn = self.path.mechanism(self.charged)
        # In `local` each holder's own share protects it, whatever all the others do.
        known = {"distributed": COLLUDING, "local": len(HOLDERS) - 1, "central": 0}
        self._known = HOLDERS[: known[setting.placement]]
        self._keys = {holder: MaskKey() for holder in HOLDERS}
        self._hellos = {holder: (sha256_hex(holder.encode()), key.public) for holder, key in self._keys.items()}
        self._tables = (self.case.crowd, self.path.table(self.case.crowd, self.case.target))
        exact = [self.path.encode(self.statistic, table, holder=HOLDERS[-1]) for table in self._tables]
        self._target = (exact[1] - exact[0]).astype(np.float64)
        others = [self.path.encode(self.statistic, self.case.crowd, holder=holder) for holder in HOLDERS[:-1]]
        self._crowd = sum(others, exact[0])

    @property
    def mu(self) -> float:
        """What one release is charged."""
        return root(self.charged.event(self.statistic.bound, self.statistic.dim).squared_mu())

    def release(self, present: bool) -> tuple[IntArray, list[IntArray]]:
        """One release, with or without the target, and the shares that the coalition knows."""
        path, dim = self.path, self.statistic.dim
        core = secrets.token_hex(32)
        sent, known = [], []
        for holder in HOLDERS:
            table = self._tables[1] if present and holder == HOLDERS[-1] else self.case.crowd
            exact = path.encode(self.statistic, table, holder=holder)
            share = path.share(self._drawn, dim, path.sampler(holder))
            if holder in self._known:
                known.append(share)
            sent.append(
                path.answer(exact, share, holder=holder, key=self._keys[holder], hellos=self._hellos, core=core)
            )
        return path.add_up(self._drawn, [from_bytes(data, dim + CHECK_WORDS) for data in sent]), known

    def scores(self, present: bool, remembered: IntArray) -> tuple[dict[Attack, float], IntArray]:
        """Every attack's score of one release: about 1 with the target, about 0 without.

        Args:
            present: whether the target is in.
            remembered: noise of the release before this one, which the attacker has worked out since.

        Returns:
            The scores, and this release's noise.
        """
        values, known = self.release(present)
        rest = values - self._crowd - sum(known, np.zeros_like(values))
        found: dict[Attack, float] = {"coalition": self._along(rest), "memory": self._along(rest - remembered)}
        if known:  # what the others would have added, were theirs copies of the first known share
            copies = self.charged.released_shares - len(known)
            found["twin"] = self._along(rest - copies * known[0])
        return found, rest - (self._target.astype(np.int64) if present else 0)

    def _along(self, vector: IntArray) -> float:
        return float(vector.astype(np.float64) @ self._target / (self._target @ self._target))


def audited(
    setting: Setting | Series | Training, *, trials: int, alpha: float, on_release: Callable[[], None]
) -> Audited:
    """Attack one setting.

    Args:
        setting: what.
        trials: releases with the target, and as many without.
        alpha: probability of a false alarm of each attack, at most.
        on_release: called after every release.
    """
    started = time.perf_counter()
    rehearsal = setting.rehearsal()
    scores: dict[Attack, NDArray[np.float64]] = {attack: np.zeros((2, trials)) for attack in setting.attacks}
    _, remembered = rehearsal.scores(False, np.zeros(rehearsal.statistic.dim, dtype=np.int64))
    for trial in range(trials):
        for present in (False, True):
            found, remembered = rehearsal.scores(present, remembered)
            for attack in setting.attacks:
                scores[attack][int(present), trial] = found[attack]
            on_release()
    results = []
    for attack, (absent, present_scores) in scores.items():
        guesses = Guesses(
            false_positives=int(np.sum(absent > 0.5)),
            absent=trials,
            false_negatives=int(np.sum(present_scores <= 0.5)),
            present=trials,
        )
        results.append(attack_result(attack, guesses, alpha))
    return Audited(
        statistic=setting.kind,
        placement=setting.placement,
        fault=setting.fault.name if setting.fault else "",
        reached=rehearsal.case.reached,
        claimed_mu=rehearsal.mu,
        claimed_epsilon=epsilon_of(rehearsal.mu, DELTA),
        attacks=tuple(sorted(results, key=lambda result: -result.mu)),
        seconds=time.perf_counter() - started,
    )


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A whole run, known before it starts: the false-alarm rate is shared among all attacks of it.

    Attributes:
        settings: what is audited.
        trials: releases with the target, and as many without, for each.
    """

    settings: tuple[Setting | Series | Training, ...]
    trials: int

    @property
    def releases(self) -> int:
        """Releases in all."""
        return 2 * self.trials * len(self.settings)

    @property
    def attacks(self) -> int:
        """Attacks in all."""
        return sum(len(setting.attacks) for setting in self.settings)

    @property
    def power(self) -> Power:
        """What this run would notice."""
        return Power.of(float(CLAIMED_MU), self.trials, self.attacks)

    def run(self, on_release: Callable[[], None] = lambda: None) -> Iterator[Audited]:
        """Audit one setting after the other."""
        for setting in self.settings:
            yield audited(setting, trials=self.trials, alpha=FALSE_ALARM / self.attacks, on_release=on_release)


def report_of(plan: Plan, results: tuple[Audited, ...], checked: tuple[Checked, ...] = ()) -> EmpiricalReport:
    """The report of a run that is over."""
    return EmpiricalReport(
        version=software_version(),
        sampler=SAMPLER,
        holders=len(HOLDERS),
        colluding=COLLUDING,
        delta=DELTA,
        power=plan.power,
        audited=tuple(item for item in results if not item.fault),
        planted=tuple(item for item in results if item.fault),
        checked=checked,
    )
