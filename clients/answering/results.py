"""What a holder does with results: it takes one of each run, keeps what was signed, and compares with the others.

A coordinator can publish a false result; that it tells each holder another one is what this module is against. Each
holder keeps the signed FINISH of every result; of a run that made a result there is one FINISH for each run whose
answers are in it, and one text. Whoever sees two has the proof in hand, keeps it as evidence, and goes no further.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NoReturn, Protocol

from clients.answering.admission import Refused
from clients.answering.runs import RunFolder
from privacy.kernel.canonical import sha256_hex
from privacy.ledger import Ledger, LedgerState, Released, ResultAccepted
from privacy.protocol.identity import Roster, Signed
from privacy.protocol.kept_statements import kept
from privacy.protocol.membership import result_fingerprint
from privacy.protocol.messages import (
    MAX_UNWITNESSED,
    Finished,
    FinishRequest,
    HandedOut,
    Hello,
    ReleaseText,
    WitnessRequest,
)
from privacy.protocol.study import Study

log = logging.getLogger("cohortium.holder")

#: Results that are taken of one run: one that it made itself, and those of later runs that catch up with it.
MAX_RESULTS = 100

#: How many of the newest results are looked at for the next HELLO.
LOOKED_AT = 64


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A FINISH that passed every check.

    Attributes:
        word: what this holder says of it from now on.
        releases: core to its release, of those that this holder has a part in, in the FINISH's order.
        values: core to the released values as text; empty where the study withholds totals.
        result: the result's text; None where the run ended without one.
    """

    word: HandedOut
    releases: Mapping[str, Released]
    values: Mapping[str, str]
    result: str | None


class KeepEvidence(Protocol):
    """Keeps two contradicting statements, and refuses."""

    def __call__(self, what: Literal["equivocation", "result"], first: str, second: Signed, reason: str) -> NoReturn:
        """Raise :class:`Refused` with the code ``equivocation``."""


def attached(attachments: Mapping[str, str], digest: str, what: str) -> str:
    """The text of a digest.

    Raises:
        Refused: if it does not come with the request, or is another one.
    """
    text = attachments.get(digest)
    if text is None or sha256_hex(text.encode()) != digest:
        raise Refused("declined", f"{what} does not come with the request, or does not fit its digest")
    return text


class Results:
    """The results that one holder was handed, and what others say of theirs."""

    def __init__(
        self, *, holder: str, roster: Roster, ledger: Ledger, folder: RunFolder, evidence: KeepEvidence
    ) -> None:
        self._holder = holder
        self._roster = roster
        self._ledger = ledger
        self._folder = folder
        self._evidence = evidence

    # --- taking one ------------------------------------------------------------------------------------------------

    def check(self, request: FinishRequest, signed: Signed, attachments: Mapping[str, str], study: Study) -> Shown:
        """Check a FINISH against all that is recorded; nothing is written but evidence.

        Args:
            attachments: digest to text, of the result and of the releases.
            study: the run's.

        Raises:
            Refused: if it does not fit, or contradicts an earlier one.
        """
        state = self._ledger.state
        word = HandedOut(run=request.run, made_by=request.made_by, finish=signed.digest, result=request.result)
        for earlier in self._words(state, made_by=request.made_by):
            if earlier.contradicts(word):
                self._evidence("result", self._finish_text(earlier), signed, "a second, different result of one run")
        if sum(run == request.run for run, _ in state.results) >= MAX_RESULTS and word not in self._words(state):
            raise Refused("busy", f"{MAX_RESULTS} results of one run were handed out")
        withheld = study.totals_withheld
        releases: dict[str, Released] = {}
        values: dict[str, str] = {}
        for notice in request.releases:
            if state.core_of(notice.question) not in (None, notice.core):
                raise Refused("declined", "a release is shown for a question that was another one here")
            asked = state.question_of(notice.core)
            if asked is None:
                continue  # others answered it; it is listed because all holders get the same FINISH
            if asked != notice.question:
                raise Refused("declined", "a release is shown under another question than its plan")
            if (notice.release in attachments) == withheld:
                raise Refused("declined", "values are shown or withheld otherwise than the study says")
            released = Released(question=notice.question, core=notice.core, release=notice.release)
            if releases.setdefault(notice.core, released) != released:
                raise Refused("equivocation", "two releases of one plan are shown together")
            if state.released.get(notice.core, notice.release) != notice.release:
                self._second_release(state, notice.core, signed)
            if not withheld:
                values[notice.core] = _values(attachments, notice.core, notice.release)
        result = None if request.result is None else attached(attachments, request.result, "the result")
        return Shown(word=word, releases=releases, values=values, result=result)

    def record(self, request: FinishRequest, signed: Signed, shown: Shown, *, now: int) -> None:
        """Write a FINISH that was checked into the ledger, and what came with it onto the disk; twice does no harm."""
        state, word = self._ledger.state, shown.word
        if (word.run, word.made_by) not in state.results:
            accepted = ResultAccepted(study_digest=request.study, time=now, **word.model_dump())
            new = [fact for core, fact in shown.releases.items() if core not in state.released]
            self._ledger.record_result(accepted, new, [kept(signed, word.run)])
        self._folder.keep_witnesses(word.run, word.made_by, {self._holder})
        if shown.result is not None:
            self._folder.keep_result(word.run, shown.releases.values(), shown.values, shown.result)
            log.info("run %s: result recorded, fingerprint %s", word.run, result_fingerprint(word.result or ""))

    def _second_release(self, state: LedgerState, core: str, signed: Signed) -> NoReturn:
        """Two releases of one plan: evidence where the first was signed, too (not so before release 0.2)."""
        for word in self._words(state):
            first = self._finish_text(word)
            if first and any(notice.core == core for notice in FinishRequest.parse(Signed.parse(first).body).releases):
                self._evidence("result", first, signed, "another release of the same plan is recorded")
        raise Refused("equivocation", "another release of the same plan is recorded")

    # --- comparing with others -------------------------------------------------------------------------------------

    def compare(self, request: WitnessRequest) -> tuple[tuple[HandedOut, ...], tuple[str, ...]]:
        """Compare what others confirmed with what was handed out here, in the witness lap after a run.

        Returns:
            This holder's own word on the results that a run made, and the holders who were handed the same.

        Raises:
            Refused: if nothing of that run is recorded here, or somebody was handed something else.
        """
        own = tuple(self._words(self._ledger.state, made_by=request.made_by))
        if not own:
            raise Refused("stale", "no result of that run is recorded here")
        agreed = set()
        for signed in request.finished:
            said = signed.open(Finished, self._roster, signer=signed.signer)
            if said.holder != signed.signer or said.handed is None or said.handed.made_by != request.made_by:
                raise Refused("declined", "what a holder confirmed is shown for another run, or in another's name")
            self._agree(own, said.handed, signed)
            agreed.add(said.holder)
        for word in own:
            self._folder.keep_witnesses(word.run, word.made_by, agreed)
        self._tell(own[0])
        return own, tuple(sorted(agreed))

    def compare_hellos(self, hellos: Iterable[Signed]) -> None:
        """Compare results that others name in their HELLOs, because no lap confirmed them, with those known here.

        Args:
            hellos: statements whose signatures were checked.

        Raises:
            Refused: if somebody was handed something else.
        """
        for signed in hellos:
            hello = Hello.parse(signed.body)
            for theirs in hello.unwitnessed if hello.holder != self._holder else ():
                own = tuple(self._words(self._ledger.state, made_by=theirs.made_by))
                self._agree(own, theirs, signed)
                for word in own:
                    self._folder.keep_witnesses(word.run, word.made_by, {self._holder, hello.holder})

    def unwitnessed(self) -> tuple[HandedOut, ...]:
        """The newest results that not all who answered the study are known to have been handed, newest first."""
        state = self._ledger.state
        newest = list(reversed(state.results.values()))[:LOOKED_AT]
        open_ones = (fact for fact in newest if self._missing(state, fact))
        return tuple(_word(fact) for fact, _ in zip(open_ones, range(MAX_UNWITNESSED), strict=False))

    def _missing(self, state: LedgerState, fact: ResultAccepted) -> frozenset[str]:
        """Members who answered a result's study and are not known to have been handed the same."""
        known = self._folder.witnesses(fact.run, fact.made_by) | {self._holder}
        return (
            frozenset(state.holders_of(fact.study_digest) or self._roster.holders) & set(self._roster.holders) - known
        )

    def _agree(self, own: Iterable[HandedOut], theirs: HandedOut, signed: Signed) -> None:
        for word in own:
            if word.contradicts(theirs):
                self._evidence(
                    "result", self._finish_text(word), signed, f"{signed.signer} was handed another result of that run"
                )

    def _tell(self, word: HandedOut) -> None:
        state = self._ledger.state
        fact = state.results[word.run, word.made_by]
        agreed = len(self._folder.witnesses(word.run, word.made_by) | {self._holder})
        log.info(
            "run %s: the same result was confirmed by %d of %d holders",
            word.run,
            agreed,
            agreed + len(self._missing(state, fact)),
        )

    # --- helpers ---------------------------------------------------------------------------------------------------

    def _words(self, state: LedgerState, made_by: str | None = None) -> Iterator[HandedOut]:
        return (_word(fact) for fact in list(state.results.values()) if made_by in (None, fact.made_by))

    def _finish_text(self, word: HandedOut) -> str:
        statement = self._ledger.statement(word.finish)
        return statement.text if statement is not None else ""


def _word(fact: ResultAccepted) -> HandedOut:
    return HandedOut(run=fact.run, made_by=fact.made_by, finish=fact.finish, result=fact.result)


def _values(attachments: Mapping[str, str], core: str, release: str) -> str:
    text = ReleaseText.parse(attached(attachments, release, "a release"))
    if text.core != core:
        raise Refused("declined", "a release is shown for another plan")
    return text.values
