"""What a holder keeps of each run on its own disk: study, plans as signed, releases, the coordinator's result."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from privacy.errors import ConfigError, ProtocolError
from privacy.kernel.canonical import canonical_json, sha256_hex
from privacy.kernel.limits import is_run_id
from privacy.ledger import Question, Released
from privacy.private_files import write_private
from privacy.protocol.identity import Signed
from privacy.protocol.messages import ReadyRequest
from privacy.protocol.study import Study


class RunFolder:
    """``<state>/runs``: one folder a run."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def keep_study(self, run: str, study: Study) -> None:
        """Keep the study of a run."""
        write_private(self._folder(run) / "study.json", study.canonical())

    def keep_plan(self, question: Question, plan: Signed) -> None:
        """Keep the signed plan that is about to be answered."""
        write_private(self._plan_path(question), plan.canonical())

    def keep_result(self, run: str, releases: Iterable[Released], values: Mapping[str, str], result: str) -> None:
        """Keep the releases and the coordinator's result; an earlier, different result of the run stays beside it.

        Args:
            values: core to the released values as text; empty where they are withheld.
        """
        folder = self._folder(run)
        shown = [
            release.model_dump(mode="json", exclude={"kind"}) | {"values": values.get(release.core)}
            for release in releases
        ]
        before = self.result(run)
        if before is not None and before != result:
            write_private(folder / f"result-{sha256_hex(before.encode())[:16]}.json", before.encode())
        write_private(folder / "releases.json", canonical_json(shown))
        write_private(folder / "result.json", result.encode())

    def keep_witnesses(self, run: str, made_by: str, holders: Iterable[str]) -> None:
        """Keep who else was handed the same result; those that are known stay."""
        known = self.witnesses(run, made_by)
        if known.issuperset(holders):
            return
        all_known = self._all_witnesses(run) | {made_by: sorted(known.union(holders))}
        write_private(self._folder(run) / "witnesses.json", canonical_json(all_known))

    def witnesses(self, run: str, made_by: str) -> frozenset[str]:
        """Holders that are known to have been handed the same result, which the run ``made_by`` made."""
        return frozenset(self._all_witnesses(run).get(made_by, ()))

    def _all_witnesses(self, run: str) -> dict[str, list[str]]:
        path = self._folder(run) / "witnesses.json"
        found: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return found

    def study(self, run: str) -> Study:
        """The study of a run.

        Raises:
            ConfigError: if the run is not known here.
        """
        path = self._folder(run) / "study.json"
        if not path.exists():
            raise ConfigError(f"no run {run} is recorded here", hint=f"known runs: {', '.join(self.runs()) or 'none'}")
        return Study.parse(path.read_bytes())

    def result(self, run: str) -> str | None:
        """The coordinator's result of a run as it came; None where there is none."""
        path = self._folder(run) / "result.json"
        return path.read_text(encoding="utf-8") if path.exists() else None

    def plan_text(self, question: Question) -> str:
        """The signed plan that was answered under a question, as it came; empty where it is not there."""
        path = self._plan_path(question)
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def released_plans(self, run: str) -> tuple[ReadyRequest, ...]:
        """The answered plans whose releases a run ended with, in their order (some from an earlier, cut-off run)."""
        released = self._released_cores(run)
        paths = sorted(self.root.glob("*/plan-*.json"), key=lambda path: path.name)
        plans = (ReadyRequest.parse(Signed.parse(path.read_bytes()).body) for path in paths)
        return tuple(plan for plan in plans if plan.core.digest in released)

    def runs(self) -> tuple[str, ...]:
        """Runs recorded here, oldest first."""
        if not self.root.exists():
            return ()
        folders = [path for path in self.root.iterdir() if (path / "study.json").exists()]
        return tuple(path.name for path in sorted(folders, key=lambda path: path.stat().st_mtime))

    def _released_cores(self, run: str) -> frozenset[str]:
        """Digests of the plan cores of a run that led to a release."""
        path = self._folder(run) / "releases.json"
        if not path.exists():
            return frozenset()
        return frozenset(item["core"] for item in json.loads(path.read_text(encoding="utf-8")))

    def _plan_path(self, question: Question) -> Path:
        return self._folder(question.run) / f"plan-{question.round:03d}-{question.attempt:03d}.json"

    def _folder(self, run: str) -> Path:
        if not is_run_id(run):
            raise ProtocolError("a run's id has a form that is not allowed")
        return self.root / run
