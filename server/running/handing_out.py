"""The end of a run: releases and result are signed once for all holders, handed out, and compared by all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from privacy.errors import ProtocolError
from privacy.kernel.canonical import sha256_hex
from privacy.ledger import ResultAccepted
from privacy.protocol.envelopes import Request
from privacy.protocol.identity import Signed
from privacy.protocol.kept_statements import kept
from privacy.protocol.messages import (
    Finished,
    FinishRequest,
    HandedOut,
    ReleaseDigest,
    ReleaseText,
    Witnessed,
    WitnessRequest,
)
from privacy.protocol.study import Study
from privacy.results import LedgerDifference
from server.releases import Release
from server.running.folder import Books
from server.running.ledger_differences import differences
from server.running.line import Line
from server.running.progress import Progress

#: Seconds that the witness lap waits at most. Who misses it says so in its next HELLO; nobody is held up for it.
LAP = 60.0


class HandingOut:
    """What one run hands out.

    Attributes:
        holders: to whom it was handed.
        silent: those that did not confirm that they recorded it.
        differences: where the ledgers of the others differ from the coordinator's.
        witnesses: holders that compared, and were all handed the same.
    """

    def __init__(self, study: Study, books: Books, line: Line, progress: Progress) -> None:
        self.holders: set[str] = set()
        self.silent: list[str] = []
        self.differences: list[LedgerDifference] = []
        self.witnesses: tuple[str, ...] = ()
        self._study = study
        self._run = line.run
        self._identity = books.identity
        self._ledger = books.ledger
        self._line = line
        self._progress = progress
        self._finished: dict[str, list[Signed]] = {}

    def sign(self, run: str, releases: Iterable[Release], result: str, heads: tuple[Signed, ...]) -> Signed:
        """The FINISH of a run, recorded durably before anybody gets it.

        Args:
            run: under which the questions were asked: this one, or an earlier one of the study.

        Raises:
            LedgerError: if this run handed out another result for that one before.
        """
        digest = sha256_hex(result.encode())
        signed = self._identity.sign(
            FinishRequest(
                run=run,
                made_by=self._run,
                study=self._study.digest,
                releases=tuple(
                    ReleaseDigest(question=release.question, core=release.core, release=release.content_digest)
                    for release in releases
                ),
                result=digest,
                heads=heads,
            )
        )
        accepted = ResultAccepted(
            run=run,
            made_by=self._run,
            study_digest=self._study.digest,
            result=digest,
            finish=signed.digest,
            time=self._line.now(),
        )
        self._ledger.record_result(accepted, (), [kept(signed, run)])
        return signed

    def hand_out(
        self, signed: Signed, holders: Sequence[str], releases: Sequence[Release], result: str, patience: float
    ) -> None:
        """Show a FINISH to holders, with the result and the values of the releases that each has a part in.

        Args:
            releases: of the run; where the study withholds totals, their values stay here.
        """
        self.holders.update(holders)
        finish = FinishRequest.parse(signed.body)
        word = HandedOut(run=finish.run, made_by=finish.made_by, finish=signed.digest, result=finish.result)
        withheld = self._study.totals_withheld
        requests = {}
        for holder in holders:
            own = () if withheld else (release for release in releases if holder in release.holders)
            texts = (ReleaseText(core=release.core, values=release.text).canonical().decode() for release in own)
            attachments = {sha256_hex(text.encode()): text for text in (result, *texts)}
            requests[holder] = Request(statement=signed, attachments=attachments)
        replies = self._line.send(requests, patience)
        facts = tuple(self._ledger.facts())
        for holder in holders:
            try:
                said, finished = self._line.statement(replies.get(holder), Finished, holder)
                if (finished.holder, finished.run, finished.handed) != (holder, finish.run, word):
                    raise ProtocolError("declined")
                self._line.heads.took(holder, finished.checkpoint, kept(said, finish.run))
                self._finished.setdefault(holder, []).append(said)
                for difference in differences(holder, finished.charged, facts, self._study.digest):
                    if difference not in self.differences:  # a holder may be shown the results of several runs
                        self.differences.append(difference)
                        self._progress.note(difference.text)
            except ProtocolError as error:
                self._progress.note(f"{holder} did not record the results: {error.message}")
                self.silent.append(holder)

    def witness(self, patience: float) -> None:
        """Show everybody what all confirmed, once; who misses this compares in its next HELLO."""
        if len(self._finished) < 2:
            return  # there is nobody to compare with
        holders = tuple(sorted(self._finished))
        shown = tuple(said for holder in holders for said in self._finished[holder])
        request = Request(statement=self._identity.sign(WitnessRequest(made_by=self._run, finished=shown)))
        self._progress.step("comparing the results", holders)
        replies = self._line.send(dict.fromkeys(holders, request), min(patience, LAP))
        witnesses = []
        for holder in holders:
            handed = {Finished.parse(said.body).handed for said in self._finished[holder]}
            try:
                said, witnessed = self._line.statement(replies.get(holder), Witnessed, holder)
                # Beside what it confirmed now, it may name what it recorded when no confirmation came through.
                if witnessed.holder != holder or witnessed.agreed != holders or not handed <= set(witnessed.handed):
                    raise ProtocolError("declined")
                self._ledger.keep([kept(said, self._run)])
                witnesses.append(holder)
            except ProtocolError as error:
                self._progress.note(f"{holder} did not compare the results with the others: {error.message}")
        self.witnesses = tuple(witnesses)
