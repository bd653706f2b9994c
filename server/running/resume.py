"""How far a study came before it was cut off: what its coordinator's ledger and releases say."""

from __future__ import annotations

from dataclasses import dataclass

from privacy.ledger import Failed, Ledger, Released, Reserved
from privacy.presentation.numbers import many
from privacy.protocol.study import Study
from privacy.results import StudyResult
from server.releases import ReleaseStore
from server.running.studies import Results


@dataclass(frozen=True, kw_only=True)
class Found:
    """A study's state at its coordinator.

    Attributes:
        study: the run of it that goes on: the first repeat without a result of this or another study.
        finished: day of the result, if it has one and nothing was begun after it.
        without: holders that did not record the results of a study that is finished.
        released: titles of the questions that are answered; they are not asked again and cost nothing more.
        failed: attempts that failed; they stay charged.
        cut_off: attempts that were charged and have no end: the coordinator stopped in them. They stay charged.
    """

    study: Study
    finished: str | None
    without: tuple[str, ...]
    released: tuple[str, ...]
    failed: int
    cut_off: int

    @property
    def started(self) -> bool:
        """Whether there is anything to go on from."""
        return bool(self.finished or self.released or self.failed or self.cut_off)

    @property
    def lines(self) -> tuple[str, ...]:
        """For people."""
        name = self.study.name if not self.study.repeat else f"{self.study.name}, repeat {self.study.repeat}"
        if self.finished:
            if self.without:
                names = ", ".join(self.without)
                return (f"Study {name} ended on {self.finished} without {names}; results are handed out again.",)
            return (f"Study {name} ended on {self.finished}; there is nothing to resume.",)
        lines = [f"Study {name} as of {self.study.as_of} has no result yet."]
        if self.released:
            lines.append(f"Released already: {', '.join(self.released)}.")
        if self.failed:
            lines.append(f"{many(self.failed, 'attempt')} failed, and what failed stays charged.")
        if self.cut_off:
            lines.append(f"Cut off after the charge, and still charged: {many(self.cut_off, 'attempt')}.")
        return tuple(lines)


def found_of(study: Study, *, results: Results, ledger: Ledger, releases: ReleaseStore) -> Found:
    """How far a study came.

    Args:
        study: with everything resolved that refers to earlier runs.

    Raises:
        ConfigError: if it was never run, and another study was in its place.
    """
    last: StudyResult | None = None
    current = study
    while (result := results.of(current)) is not None or results.taken(current) is not None:
        last = result or last
        current = current.model_copy(update={"repeat": current.repeat + 1})
    charged: set[str] = set()
    failed: set[str] = set()
    ended: set[str] = set()
    for fact in ledger.facts():
        if isinstance(fact, Reserved) and fact.study_digest == current.digest:
            charged.add(fact.core)
        elif isinstance(fact, Failed):
            failed.add(fact.core)
        elif isinstance(fact, Released):
            ended.add(fact.core)
    titles = {release.core: release.title for release in releases.all() if release.study == current.digest}
    if not charged and not titles:
        if last is not None:
            return Found(
                study=last.study, finished=last.finished, without=last.uncompared, released=(), failed=0, cut_off=0
            )
        results.check_free(study)
    return Found(
        study=current,
        finished=None,
        without=(),
        released=tuple(sorted(titles.values())),
        failed=len(charged & failed),
        cut_off=len(charged - failed - ended - titles.keys()),
    )
