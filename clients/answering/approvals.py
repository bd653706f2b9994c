"""Studies that wait for the holder's operator, and what the operator decided; a decision is a fact in the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clients.answering.admission import Refused
from clients.answering.policy import HolderPolicy
from privacy.errors import ConfigError
from privacy.ledger import Decided, Ledger
from privacy.private_files import write_private
from privacy.protocol.study import Study

#: Studies that are kept while nobody decides; a coordinator cannot fill the disk with more.
MOST = 200


@dataclass(frozen=True, kw_only=True)
class Proposed:
    """A study that was asked for here.

    Attributes:
        study: as it was asked for; its digest is in every message.
        decision: the operator's latest, None while there is none.
    """

    study: Study
    decision: Literal["approved", "denied"] | None


class Approvals:
    """``state/studies``: what was asked for, one file a study, by its digest."""

    def __init__(self, root: Path, ledger: Ledger) -> None:
        self._root = root
        self._ledger = ledger

    def check(self, study: Study, policy: HolderPolicy, now: int) -> None:
        """Whether a study may be answered now; one that waits for the operator is proposed.

        Raises:
            Refused: out of hours, where the operator denied it, or has not approved it and the policy needs that.
        """
        if policy.hours is not None and not policy.hours.open_at(now):
            raise Refused("hours", "outside the hours of the policy")
        decision = self.decision(study.digest)
        if decision == "denied":
            raise Refused("policy", "the operator denied this study")
        if decision is None and policy.allow.approval == "by_hand":
            self.propose(study)
            raise Refused("approval", f"study {study.name} waits for approval: `cohortium holder studies`")

    def propose(self, study: Study) -> None:
        """Keep a study for the operator to look at."""
        path = self._path(study.digest)
        if not path.exists() and len(list(self._root.glob("*.json"))) < MOST:
            write_private(path, study.canonical())

    def decision(self, digest: str) -> Literal["approved", "denied"] | None:
        """The operator's latest decision on a study."""
        return self._ledger.state.decisions.get(digest)

    def proposed(self) -> tuple[Proposed, ...]:
        """All studies that were asked for, by name and day."""
        decisions = self._ledger.state.decisions
        studies = [Study.parse(path.read_bytes()) for path in self._root.glob("*.json")]
        return tuple(
            Proposed(study=study, decision=decisions.get(study.digest))
            for study in sorted(studies, key=lambda study: (study.name, study.as_of, study.repeat))
        )

    def find(self, wanted: str) -> Study:
        """A study by its name, or by the beginning of its digest.

        Raises:
            ConfigError: if there is none, or several.
        """
        found = [p.study for p in self.proposed() if wanted == p.study.name or p.study.digest.startswith(wanted)]
        if len(found) != 1:
            raise ConfigError(
                f"{'several studies are' if found else 'no study is'} called {wanted} here",
                hint="`cohortium holder studies` lists them with their digests; give the beginning of one",
            )
        return found[0]

    def decide(self, study: Study, decision: Literal["approved", "denied"], *, now: int) -> None:
        """Write a decision into the ledger; the latest one counts."""
        self._ledger.append(Decided(study=study.name, study_digest=study.digest, decision=decision, time=now))

    def _path(self, digest: str) -> Path:
        return self._root / f"{digest}.json"
