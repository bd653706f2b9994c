"""Many rounds in process while messages are lost and parties are killed at random; then: is everything accounted for?

``python -m simulations.failing.chaos --rounds 500`` prints what happened and what holds. Everything is the real thing
but the carrier, which loses, repeats and delays messages, and kills holders' processes (their memory is gone, their
disk stays) and the coordinator (its exception passes through everything, and a new one takes up the study).
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from clients.answering.policy import HolderPolicy
from privacy.accounting.events import squared_cap
from privacy.analyses.catalogue import CATALOGUE, analysis_of
from privacy.audit.verify import verify
from privacy.errors import CohortiumError
from privacy.kernel.customers import CustomerColumns
from privacy.ledger import Ledger
from privacy.protocol.study import Study
from privacy.statistics import Statistic
from server.releases import Release
from server.running.federation import Federation
from simulations.worlds.kit import MemoryFederation

HOLDERS = ("alpha", "beta", "delta", "gamma")
QUESTIONS = 10
_KIND = "prefix_sums"

#: What may happen to a message, and how often.
FAULTS: dict[str, float] = {
    "request lost": 0.01,
    "reply lost": 0.01,
    "delivered twice": 0.03,
    "holder killed before": 0.015,
    "holder killed after": 0.015,
    "coordinator killed before": 0.005,
    "coordinator killed after": 0.005,
}


class CoordinatorKilled(BaseException):
    """The coordinator's process is gone, as by a signal: nothing may catch it but what tidies up."""


class ChaosTransport:
    """Between the real coordinator and real nodes; see the module's text.

    Attributes:
        happened: how often each fault did.
        calm: True ends the faults.
    """

    name = "chaos"

    def __init__(self, federation: MemoryFederation, rng: np.random.Generator) -> None:
        self.happened: Counter[str] = Counter()
        self.calm = False
        self._federation = federation
        self._rng = rng

    def holders(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(self._federation.nodes)

    def exchange(
        self, requests: Mapping[str, bytes], *, timeout: float, on_reply: Callable[[str], None] | None = None
    ) -> dict[str, bytes]:
        """Carry requests one after another, with faults."""
        replies = {}
        for holder, request in requests.items():
            reply = self._carry(holder, request)
            if reply is not None:
                replies[holder] = reply
        return replies

    def _carry(self, holder: str, request: bytes) -> bytes | None:
        nodes = self._federation.nodes
        fault = "" if self.calm else self._draw()
        self.happened[fault] += 1
        if fault == "coordinator killed before":
            raise CoordinatorKilled
        if fault == "request lost":
            return None
        if fault == "holder killed before":
            nodes[holder] = self._federation.start(holder)
        reply = nodes[holder].handle(request)
        if fault == "delivered twice":
            reply = nodes[holder].handle(request)
        if fault == "holder killed after":
            nodes[holder] = self._federation.start(holder)
        if fault == "coordinator killed after":
            raise CoordinatorKilled
        return None if fault == "reply lost" else reply

    def _draw(self) -> str:
        point = self._rng.random()
        for fault, share in FAULTS.items():
            point -= share
            if point < 0:
                return fault
        return ""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a run of chaos.

    Attributes:
        rounds: questions that were released.
        studies: studies that were asked, and how many of them ended before their last question.
        ended_early: studies in which too few holders or too little budget were left.
        happened: faults, by name.
        wrong: everything that does not hold; empty when all is well.
    """

    rounds: int
    studies: int
    ended_early: int
    happened: Mapping[str, int]
    wrong: tuple[str, ...]


def run_chaos(root: Path, *, rounds: int, seed: int, progress: Callable[[int], None] = lambda done: None) -> Outcome:
    """Ask studies of ten questions until so many rounds are released, and check the ledgers.

    Args:
        root: an empty folder.
        rounds: releases to be reached.
        seed: of the faults and of the customers, not of the noise.
        progress: told how many rounds are done.
    """
    rng = np.random.default_rng(seed)
    policy = HolderPolicy.model_validate({
        "lifetime": {"epsilon": "50", "delta": "0.000001"},
        "allow": {"min_participants": 2, "min_hidden": 1},
    })  # fmt: skip
    federation = MemoryFederation(root, {name: _customers(rng) for name in HOLDERS}, policy=policy, declared=1)
    transport = ChaosTransport(federation, rng)
    releases: dict[str, Release] = {}
    studies = early = 0
    while len(releases) < rounds:
        study = _study(studies)
        studies += 1
        transport.calm = False
        found, complete = _run_study(federation, study, transport, min(QUESTIONS, rounds - len(releases)))
        early += not complete
        releases |= {release.core: release for release in found}
        progress(len(releases))
    return Outcome(
        rounds=len(releases),
        studies=studies,
        ended_early=early,
        happened=dict(sorted((name, count) for name, count in transport.happened.items() if name)),
        wrong=tuple(_wrong(federation, releases)),
    )


def _customers(rng: np.random.Generator) -> CustomerColumns:
    size = 40
    return CustomerColumns(
        recency_days=rng.integers(0, 400, size),
        orders=rng.geometric(0.4, size),
        money=rng.integers(100, 10**6, size),
        tenure_days=rng.integers(400, 800, size),
    )


def _study(number: int) -> Study:
    budget = {"epsilon": "0.5", "delta": "0.000001", "max_holders_per_customer": 1, "spare_attempts": 5}
    return Study.model_validate({"name": f"chaos-{number}", "as_of": "2025-01-01", "budget": budget})


def _question(number: int) -> Statistic[Any]:
    grid = {"fact": "orders", "upper": range(1, 5 + number), "permille": 1000}
    return CATALOGUE[_KIND].model_validate({"grids": [grid]})


def _run_study(
    federation: MemoryFederation, study: Study, transport: ChaosTransport, questions: int
) -> tuple[list[Release], bool]:
    """Ask a study's questions, taking it up again whenever it was cut off; its releases, and whether it got to its end.

    The last time nothing goes wrong any more: all who are up hear of the releases.
    """
    cap = squared_cap(float(study.budget.epsilon), float(study.budget.effective_delta))
    price = cap * Fraction(1, 8 * QUESTIONS)
    complete = False
    for _ in range(30):
        coordinator = _coordinator(federation, study, transport)
        try:
            coordinator.join()
            for number in range(questions):
                coordinator.ask(analysis_of(_KIND), f"question {number}", _question(number), price)
            complete = True
            coordinator.finish("{}")
        except (CoordinatorKilled, CohortiumError):
            continue
        break
    transport.calm = True
    store = federation.folder.releases
    recorded = [store.find(study.digest, f"question {number}", _question(number).digest) for number in range(questions)]
    found = [release for release in recorded if release is not None]
    coordinator = _coordinator(federation, study, transport)
    coordinator.join()
    for release in found:
        number = int(release.title.removeprefix("question "))
        coordinator.ask(analysis_of(_KIND), release.title, _question(number), price)
    coordinator.finish("{}")
    return found, complete


def _coordinator(federation: MemoryFederation, study: Study, transport: ChaosTransport) -> Federation:
    return Federation(
        study,
        federation.folder.books(),
        transport,
    )


def _wrong(federation: MemoryFederation, releases: Mapping[str, Release]) -> list[str]:
    """What does not hold of the ledgers; see :class:`Outcome`."""
    wrong = []
    paths = [federation.folder.root / "ledger.sqlite"]
    paths += [federation.root / "holders" / holder / "state" / "ledger.sqlite" for holder in HOLDERS]
    for path in paths:
        ledger = Ledger(path)
        state = ledger.state
        owner = state.owner[0] if state.owner else "?"
        priced = [release for release in releases.values() if owner in (*release.holders, "coordinator")]
        for release in priced:
            if state.released.get(release.core) != release.content_digest:
                wrong.append(f"{owner}: the release of {release.title}, run {release.question.run}, is not recorded")
            if state.question_of(release.core) != release.question:
                wrong.append(f"{owner}: {release.title}, run {release.question.run}, was released and not charged")
        beyond = set(state.released) - set(releases)
        if beyond:
            wrong.append(f"{owner}: {len(beyond)} releases are recorded that nobody has")
    verdict = verify(paths)
    wrong += [f"{claim.about}: {claim.claim}: {claim.why}" for claim in verdict.claims if claim.verdict != "PASS"]
    return wrong


def main() -> None:
    """The command."""
    from rich.progress import Progress

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=500, help="releases to be reached")
    parser.add_argument("--seed", type=int, default=1, help="of faults and customers")
    options = parser.parse_args()
    logging.getLogger("cohortium").setLevel(logging.ERROR)  # every fault is refused somewhere
    with tempfile.TemporaryDirectory() as folder, Progress() as bars:
        task = bars.add_task("rounds", total=options.rounds)
        outcome = run_chaos(
            Path(folder), rounds=options.rounds, seed=options.seed, progress=lambda n: bars.update(task, completed=n)
        )
    print(f"{outcome.rounds} rounds in {outcome.studies} studies, {outcome.ended_early} of which ended early")
    for name, count in outcome.happened.items():
        print(f"  {count:5d} x {name}")
    print(
        "everything that was released is charged and recorded by everybody who took part" if not outcome.wrong else ""
    )
    for text in outcome.wrong:
        print(f"WRONG: {text}")
    raise SystemExit(1 if outcome.wrong else 0)


if __name__ == "__main__":
    main()
