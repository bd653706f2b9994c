"""The end of a run at a holder: the result that it is handed, its labels, and whether others were handed the same."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from clients.answering.admission import OLDER, Refused, check_heads, newer_heads
from clients.answering.holder_data import HolderData
from clients.answering.results import Results
from clients.answering.runs import RunFolder
from privacy.errors import ConfigError, DataError
from privacy.ledger import Head, HeadPath, Ledger
from privacy.protocol.checkpoints import signed_checkpoint
from privacy.protocol.envelopes import Request
from privacy.protocol.identity import Identity, Roster, Signed
from privacy.protocol.kept_statements import kept
from privacy.protocol.messages import (
    Checkpoint,
    Finished,
    FinishRequest,
    HandedOut,
    Witnessed,
    WitnessRequest,
)
from privacy.protocol.study import Study

log = logging.getLogger("cohortium.holder")


class Ending:
    """What a node does with the last requests of runs."""

    def __init__(
        self,
        *,
        identity: Identity,
        roster: Roster,
        ledger: Ledger,
        data: HolderData,
        folder: RunFolder,
        results: Results,
    ) -> None:
        self._identity = identity
        self._roster = roster
        self._ledger = ledger
        self._data = data
        self._folder = folder
        self._results = results

    def study_of(self, request: FinishRequest) -> Study:
        """The study of the run that ends.

        Raises:
            Refused: if it is not the one that the request names.
        """
        study = self._folder.study(request.run)
        if study.digest != request.study:
            raise Refused("stale", "the results are of another study")
        return study

    def finish(
        self, request: FinishRequest, asked: Request, study: Study, now: int
    ) -> tuple[Finished, tuple[HeadPath, ...]]:
        """Check and record what the run hands out, and label the holder's customers by it.

        Raises:
            Refused: if it does not fit what is recorded.
        """
        if request.says_nothing:
            log.info("run %s ended without a result", request.run)
            return self._finished(request, asked, {}, None)
        shown = self._results.check(request, asked.statement, asked.attachments, study)
        heads = check_heads(request.heads, roster=self._roster, seen=self._ledger.peers())
        own = heads.pop(self._identity.member, None)
        if own is not None and self._ledger.hash_at(own.sequence) != own.hash:
            raise Refused("stale", OLDER)
        self._ledger.keep([kept(head, request.run) for head in request.heads])
        self._results.record(request, asked.statement, shown, now=now)
        try:
            if shown.result is not None:
                self.label(request.run)
        except (ConfigError, DataError) as error:  # the releases are recorded; labels can be written again any time
            log.error("the labels were not all written: %s %s", error.message, error.hint)
        return self._finished(request, asked, heads, shown.word)

    def _finished(
        self, request: FinishRequest, asked: Request, heads: Mapping[str, Head], handed: HandedOut | None
    ) -> tuple[Finished, tuple[HeadPath, ...]]:
        own = self._ledger.head
        finished = Finished(
            holder=self._identity.member,
            run=request.run,
            checkpoint=signed_checkpoint(self._identity, self._ledger, own),
            heads=tuple(
                Checkpoint(member=member, sequence=head.sequence, head=head.hash)
                for member, head in sorted(heads.items())
            ),
            charged=tuple(sorted(self._ledger.state.charged_for(request.study))),
            handed=handed,
        )
        return finished, self._ledger.paths(asked.since, own.sequence)

    def witness(self, request: WitnessRequest, paths: Mapping[str, HeadPath]) -> Signed:
        """This holder's word on what it was handed, beside that of others, kept with the words that are newer."""
        holder = self._identity.member
        own, agreed = self._results.compare(request)
        said = self._identity.sign(Witnessed(holder=holder, handed=own, agreed=agreed))
        shown = newer_heads(request, roster=self._roster, holder=holder, seen=self._ledger.peers(), paths=paths)
        words = (said, *(word for _, word in shown.values()))
        heads = {owner: head for owner, (head, _) in shown.items()}
        self._ledger.remember(heads, [kept(word, request.made_by) for word in words])
        return said

    def label(self, run: str) -> Sequence[Path]:
        """Label the holder's own customers by what a run released: segment rules, models, centres."""
        answered = tuple(plan.core for plan in self._folder.released_plans(run))
        return self._data.write_labels(self._folder.study(run), answered, self._folder.result(run))
