"""What stands in the place of a study: another one of the same name, as-of day and repetition.

What was recorded is read without the classes of this release, for it may be of another one.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privacy.errors import ConfigError
from privacy.ledger import Ledger, Reserved
from privacy.protocol.asked_studies import studies_of_runs
from privacy.protocol.study import Study

#: Differences that are named at most; the operator has both files.
_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Taken:
    """Another study in the place of one.

    Attributes:
        study: the one that was to be run.
        day: when the other one was; empty where that cannot be read.
        release: by which release; likewise.
        finished: whether it has a result; else it was charged and cut off.
        differs: fields in which it is another, such as ``budget.epsilon``; None where its study cannot be read.
    """

    study: Study
    day: str
    release: str
    finished: bool
    differs: tuple[str, ...] | None

    def refusal(self) -> ConfigError:
        """Why the study is not run, and what to do."""
        repeat = f", repeat {self.study.repeat}" if self.study.repeat else ""
        when = f" on {self.day}" if self.day else ""
        by = f" by {self.release}" if self.release else ""
        done = "run" if self.finished else "begun"
        what = f"{self.study.name} as of {self.study.as_of}{repeat} was {done}{when}{by}"
        again = "`cohortium study run --again` asks again, with a budget of its own"
        if not self.differs:
            return ConfigError(
                f"{what}, and this release cannot read what was recorded; nothing was asked",
                hint=f"read it with the release that wrote it; {again}",
            )
        others = self.differs[:_NAMED]
        more = f" and {len(self.differs) - _NAMED} more" if len(self.differs) > _NAMED else ""
        before = "the recorded result is shown" if self.finished else "`cohortium study resume` goes on"
        return ConfigError(
            f"{what} with another {', '.join(others)}{more}; nothing was asked",
            hint=f"with the study as it was, {before}; {again}",
        )


def recorded_otherwise(path: Path, study: Study) -> Taken:
    """What a ``result.json`` says that is not this study's, or that this release cannot read."""
    try:
        raw = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        raw = None
    found = raw if isinstance(raw, dict) else {}
    return Taken(
        study=study,
        day=_word(found.get("finished")),
        release=_word(found.get("version")),
        finished=True,
        differs=_differences(found.get("study"), study),
    )


def begun_otherwise(path: Path, study: Study) -> Taken | None:
    """What a coordinator's ledger says was charged in a study's place under another digest; None for nothing."""
    ledger = Ledger(path)
    others = {
        fact.question.run: fact
        for fact in ledger.facts()
        if isinstance(fact, Reserved) and fact.study == study.name and fact.study_digest != study.digest
    }
    if not others:
        return None
    for run, asked in studies_of_runs(ledger):
        charge = others.get(run)
        if charge is None or (asked.get("as_of"), asked.get("repeat")) != (study.as_of.isoformat(), study.repeat):
            continue
        day = dt.datetime.fromtimestamp(charge.time, dt.UTC).date().isoformat()
        return Taken(study=study, day=day, release=charge.software, finished=False, differs=_differences(asked, study))
    return None


def _differences(recorded: Any, study: Study) -> tuple[str, ...] | None:
    if not isinstance(recorded, dict):
        return None
    return tuple(sorted(_differing(recorded, study.model_dump(mode="json"), "")))


def _differing(one: Mapping[str, Any], other: Mapping[str, Any], where: str) -> Iterator[str]:
    """Paths of fields that are not alike; a field that is missing on one side is there on the other."""
    for name in {*one, *other}:
        left, right = one.get(name), other.get(name)
        if isinstance(left, dict) and isinstance(right, dict):
            yield from _differing(left, right, f"{where}{name}.")
        elif left != right or (name in one) != (name in other):
            yield f"{where}{name}"


def _word(value: Any) -> str:
    """A short text of a file that another release wrote; empty for anything else."""
    return value if isinstance(value, str) and len(value) <= 80 else ""
