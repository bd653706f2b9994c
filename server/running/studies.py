"""Studies over time: what was run before, and what a study that refers to it means."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import ValidationError

from privacy.errors import ConfigError
from privacy.protocol.study import Study
from privacy.results import StudyResult
from server.analyses.catalogue import ANALYSES
from server.running.taken import Taken, begun_otherwise, recorded_otherwise

RESULT = "result.json"


def read_result(folder: Path) -> StudyResult:
    """The result in a folder.

    Raises:
        ConfigError: if there is none that this release can read.
    """
    try:
        return StudyResult.model_validate_json((folder / RESULT).read_bytes())
    except (OSError, ValueError):
        raise ConfigError(
            f"there is no result in {folder} that this release can read",
            hint="give a folder in the coordinator's results/, such as results/spring-2025-01-01",
        ) from None


class Results:
    """The results that a coordinator keeps, one folder a run.

    Attributes:
        root: the folder of these folders.
        ledger: the coordinator's ledger, which also knows of runs without a result; None where there is none to ask.
    """

    def __init__(self, root: Path, ledger: Path | None = None) -> None:
        self.root = root
        self.ledger = ledger

    def folder(self, study: Study) -> Path:
        """Folder of a study's result."""
        again = f"-repeat-{study.repeat}" if study.repeat else ""
        return self.root / f"{study.name}-{study.as_of.isoformat()}{again}"

    def of(self, study: Study) -> StudyResult | None:
        """The recorded result of exactly this study, or None."""
        return next((result for result in self.named(study.name) if result.study_digest == study.digest), None)

    def taken(self, study: Study) -> Taken | None:
        """What another study left under this one's name, as-of day and repetition: a result, or charges without one.

        A study that another release ran, or that was edited since, is another study: asking it would spend a second
        budget, so its operator has to say so. None where nothing stands in the way.
        """
        path = self.folder(study) / RESULT
        if path.exists():
            return None if self.of(study) is not None else recorded_otherwise(path, study)
        return begun_otherwise(self.ledger, study) if self.ledger is not None and self.ledger.exists() else None

    def check_free(self, study: Study) -> None:
        """Refuse a study in whose place another one was run.

        Raises:
            ConfigError: naming what was run there, and what to do.
        """
        taken = self.taken(study)
        if taken is not None:
            raise taken.refusal()

    def keep(self, result: StudyResult) -> Path:
        """Write a result down, whole or not at all; returns its folder.

        Raises:
            ConfigError: if another study's result is there, which stays.
        """
        target = self.folder(result.study)
        if (target / RESULT).exists() and self.of(result.study) is None:
            raise recorded_otherwise(target / RESULT, result.study).refusal()
        target.mkdir(parents=True, exist_ok=True)
        temporary = target / f".{RESULT}"
        with temporary.open("w", encoding="utf-8") as file:
            file.write(result.model_dump_json(indent=1))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target / RESULT)
        return target

    def all(self) -> list[StudyResult]:
        """All results that this release can read, by name and as-of day, repeats in their order."""
        return self._read("*")

    def named(self, name: str) -> list[StudyResult]:
        """The same of the studies of one name, oldest as-of day first."""
        return [result for result in self._read(f"{name}-*") if result.study.name == name]

    def _read(self, folders: str) -> list[StudyResult]:
        found = []
        for path in self.root.glob(f"{folders}/{RESULT}"):
            try:
                found.append(StudyResult.model_validate_json(path.read_bytes()))
            except ValidationError:
                continue  # written by another release; its ledger entries still count
        return sorted(found, key=lambda result: (result.study.name, result.study.as_of, result.study.repeat))

    def resolve(self, study: Study) -> Study:
        """Write out what a study means by "previous".

        Raises:
            ConfigError: if there is no earlier run to take it from.
        """
        before = self.named(study.name)
        for analysis in ANALYSES:
            study = analysis.resolve(study, before)
        return study

    def again(self, study: Study) -> Study:
        """The next repetition of a study: a study of its own, with a budget of its own.

        Every folder of a run counts, whether this release can read what is in it or not.
        """
        first = study.model_copy(update={"repeat": 0})
        begin = f"{self.folder(first).name}-repeat-"
        repeats = [0] if (self.folder(first) / RESULT).exists() else []
        for path in self.root.glob(f"{begin}*/{RESULT}"):
            number = path.parent.name.removeprefix(begin)
            repeats += [int(number)] if number.isdecimal() else []
        following = study.model_copy(update={"repeat": max(repeats, default=-1) + 1})
        while self.taken(following) is not None:  # begun by another study, and cut off
            following = following.model_copy(update={"repeat": following.repeat + 1})
        return following
