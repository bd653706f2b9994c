"""Asking the federation: one question in, one release out, charged before anything is sent.

An analysis sees only :meth:`Federation.ask`. Here is who takes part, from joining to the end, and how often a question
is tried; one attempt is :mod:`server.running.asking`'s, and how bytes travel the transport's business.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from privacy.errors import BudgetError, ConfigError, NotEnoughHolders, ProtocolError
from privacy.ledger import Question
from privacy.ledger.losses import SILENCES
from privacy.protocol.charging import below_declarations
from privacy.protocol.code import analysis_codes, kernel_code
from privacy.protocol.messages import (
    PROTOCOL,
    FinishRequest,
    Hello,
    HelloRequest,
)
from privacy.protocol.study import Study
from privacy.protocol.transport import Transport
from privacy.results import LedgerDifference
from privacy.secure_sum.masks import MaskMismatch
from privacy.statistics import Statistic
from server.releases import Release
from server.running.asking import Asked, Asking
from server.running.attempts import Confirmed
from server.running.folder import Books
from server.running.handing_out import HandingOut
from server.running.line import Line
from server.running.progress import Progress, silent

#: Plans shown for one question at most. Plans cost nothing until they are answered; this only ends a loop.
MAX_PLANS = 20

#: Seconds that the end of a run without a result waits for holders' replies.
ENDING = 5.0


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to wait for holders, in seconds.

    Attributes:
        hello: for joining a run; a holder builds its customer table in this time.
        answer: for everything else, also for joining again in the middle of a run, when tables are built already.
    """

    hello: float
    answer: float

    @classmethod
    def of(cls, study: Study) -> Patience:
        """What the study says."""
        return cls(hello=float(study.waits.joining), answer=float(study.waits.answering))


#: What is said of a member that is not asked to take part, and why.
_SUSPENDED = {
    "false": "was proved false",
    "silent": f"was ready and then silent {SILENCES} times in this study",
}


class Federation:
    """The holders of one study, as its analyses see them.

    Attributes:
        invited: whom the study asks, as far as they may still take part.
        missing: whom it would ask, and who does not take part.
        counted: whose records are in the last answer; a second answer changes nothing of it.
        line: reaches those who do.
        differences, witnesses, unconfirmed: see :meth:`finish`.
    """

    def __init__(
        self,
        study: Study,
        books: Books,
        transport: Transport,
        *,
        patience: Patience | None = None,
        progress: Progress = silent,
        now: Callable[[], int] = lambda: int(time.time()),
    ) -> None:
        self.study = study
        self.roster = books.roster
        everyone = tuple(sorted(study.holders or books.roster.holders))
        # A study's set of holders may only shrink, over all its runs: holders refuse anything else.
        answered = books.ledger.answered_set(study.digest)
        self.books = books
        self.invited = tuple(
            holder for holder in everyone if (answered is None or holder in answered) and holder not in self._suspended
        )
        self.run = f"{study.name[:40]}-{secrets.token_hex(8)}".replace("_", "-")
        self.missing = [holder for holder in everyone if holder not in self.invited]
        self.counted: tuple[str, ...] = ()
        self.differences: list[LedgerDifference] = []
        self.witnesses: tuple[str, ...] = ()
        self.unconfirmed: tuple[str, ...] = ()
        self.line = Line(self.run, books, transport=transport, progress=progress, now=now)
        self._patience = patience or Patience.of(study)
        self._asking = Asking(study, books, self.line, patience=self._patience.answer, progress=progress)
        self._progress = progress
        self._round = 0
        self._spare = study.budget.spare_attempts
        self._busy: set[str] = set()  # holders that may keep a table in memory for this run
        self._shared: list[Release] = []

    @property
    def records(self) -> int:
        """Records that one person may have among the study's holders."""
        return self._asking.records

    @property
    def participants(self) -> tuple[str, ...]:
        """Holders that said HELLO and are still there, sorted."""
        return self.line.participants

    @property
    def _suspended(self) -> Mapping[str, str]:
        """Who is not asked to take part in this study, as the ledger says, until the operator readmits it."""
        return self.books.ledger.state.losses.suspended(self.study.digest)

    # --- joining -----------------------------------------------------------------------------------------------

    def join(self) -> None:
        """Invite all holders of the study; all must be ready, else nothing is asked or charged.

        Raises:
            NotEnoughHolders: naming who is not ready, and with which code where one came.
        """
        for holder, why in self._suspended.items():
            if holder in self.missing:
                self._progress.note(f"{holder} is not asked: it {_SUSPENDED[why]} (`cohortium coordinator readmit`)")
        unknown = sorted(set(self.invited) - set(self.roster.holders))
        if unknown:
            raise ConfigError(
                f"the study names {', '.join(unknown)}, not in the roster",
                hint=f"holders of this federation: {', '.join(self.roster.holders)}",
            )
        undeclared = below_declarations(self.study, self.roster)
        if undeclared:
            raise ConfigError(
                f"the study counts one person at {self.records} of its holders, and customers of "
                f"{', '.join(undeclared)} may be at more: they declare more, or nothing, which counts as all",
                hint="raise budget.max_holders_per_customer, or ask them to declare (`cohortium holder declare`)",
            )
        refused = self._greet(self.invited, self._patience.hello)
        if refused:
            listing = "; ".join(f"{holder}: {code}" for holder, code in sorted(refused.items()))
            raise NotEnoughHolders(
                f"not ready: {listing}. Nothing was asked and nothing was charged",
                hint="ask their operators what their node's log and `cohortium holder check` say, then run again",
            )

    def _greet(self, holders: tuple[str, ...], patience: float) -> dict[str, str]:
        """Say HELLO to these holders; returns those that do not join in time, with a code or ``no answer``."""
        request = self.books.identity.sign(
            HelloRequest(
                protocol=PROTOCOL,
                federation=self.roster.federation,
                roster=self.roster.digest,
                run=self.run,
                study=self.study,
                code=kernel_code(),
                expires=self.line.expiry(),
                analyses=analysis_codes(self.study.analyses),
            )
        )
        self.line.invitation = self.line.invitation or request
        self._progress.step("joining", holders)
        replies = self.line.exchange(dict.fromkeys(holders, request), patience)
        self._busy.update(holder for holder in holders if holder not in replies)  # it may still prepare its table
        failed: dict[str, str] = {}
        for holder in holders:
            try:
                signed, hello = self.line.statement(replies.get(holder), Hello, holder)
                self._busy.add(holder)
                if (hello.run, hello.study, hello.roster, hello.holder) != (
                    self.run,
                    self.study.digest,
                    self.roster.digest,
                    holder,
                ):
                    raise ProtocolError("declined")
                self.line.heads.joined(holder, signed, hello.checkpoint)
                self.line.hellos[holder] = signed
            except ProtocolError as error:
                failed[holder] = error.message
        return failed

    # --- asking ------------------------------------------------------------------------------------------------

    def ask(self, analysis: str, title: str, statistic: Statistic[Any], squared_mu: Fraction) -> Release:
        """Ask one question.

        Args:
            analysis: name of the analysis.
            title: the question's name, for people.
            statistic: what to sum, with all public parameters.
            squared_mu: price for one *person*, with all their records.

        Returns:
            The release: the sum over the participants plus noise. A release of the same question of the same
            study that is recorded already is returned again and costs nothing.

        Raises:
            BudgetError: if the study's budget does not suffice.
            NotEnoughHolders: if too few holders remain, or the attempts are used up.
        """
        recorded = self._recorded(title, statistic)
        if recorded is not None:
            self.counted = recorded.holders
            return recorded
        asked = Asked(analysis=analysis, title=title, statistic=statistic, squared_mu=squared_mu)
        for attempt in range(1, MAX_PLANS + 1):
            plan = self._asking.plan(asked, Question(run=self.run, round=self._round, attempt=attempt))
            if not isinstance(plan, Confirmed):
                self._without(plan)
                continue
            release = self._asking.attempt(plan)
            if release is not None:
                self._shared.append(release)
                self.counted = self.participants
                return release
            if self._spare == 0:
                raise NotEnoughHolders(
                    f"{title}: an attempt failed and the study has no spare attempt left",
                    hint="see who is missing above; run the study again when they are back "
                    "(questions already released are not asked again)",
                )
            self._spare -= 1
            self._back()
        raise NotEnoughHolders(
            f"{title}: holders kept dropping out between the plan and the answer",
            hint="see which nodes restart, and run the study again when they are stable",
        )

    def ask_again(
        self, analysis: str, title: str, first: Release, statistic: Statistic[Any], squared_mu: Fraction
    ) -> Release | None:
        """Ask those who answered a question once more, or a closer one, in one attempt; else the first answer stands.

        Args:
            analysis: name of the analysis.
            title: of the second answer: it is a question of its own.
            first: the answer that there is.
            statistic: what is asked: the same, or what is closer.
            squared_mu: price for one person; with 0 nothing is asked, but what is recorded is found.

        Returns:
            The release; None where there is none, since somebody is away or refuses, or the attempt failed (it stays
            charged).
        """
        recorded = self._recorded(title, statistic)
        if recorded is not None:
            return recorded if recorded.holders == first.holders else None
        if not squared_mu or self.participants != first.holders:
            return None
        asked = Asked(analysis=analysis, title=title, statistic=statistic, squared_mu=squared_mu)
        try:
            plan = self._asking.plan(asked, Question(run=self.run, round=self._round, attempt=1))
        except (BudgetError, MaskMismatch) as error:
            self._progress.note(f"{title}: not asked ({error.message}); the first answer stands")
            return None
        if not isinstance(plan, Confirmed):  # nobody is let go: the first answer is theirs, too
            for holder, code in plan.items():
                self._progress.note(
                    f"{title}: not asked, the first answer stands: {holder} does not take part ({code})"
                )
            return None
        release = self._asking.attempt(plan)
        if release is None:
            self._back()
        else:
            self._shared.append(release)
        return release

    def _recorded(self, title: str, statistic: Statistic[Any]) -> Release | None:
        """The release of a question that was answered before; each question has a round of its own, answered or not."""
        self._round += 1
        recorded = self.books.releases.find(self.study.digest, title, statistic.digest)
        if recorded is not None:
            self._progress.note(f"{title}: recorded earlier, nothing is spent")
            self._shared.append(recorded)
        return recorded

    def _back(self) -> None:
        """Greet those who did not answer: a node that was restarted may come back with a new HELLO."""
        suspended = self._suspended
        away = sorted(set(self.invited) - set(self.participants) - set(self.missing))
        gone = tuple(holder for holder in away if holder not in suspended)
        self.missing += [holder for holder in away if holder in suspended]
        if gone:
            refused = self._greet(gone, self._patience.answer)
            self.missing += [holder for holder in gone if holder in refused]

    def _without(self, lost: Mapping[str, str]) -> None:
        """Go on without these holders; one that only forgot the run may say HELLO again."""
        for holder, code in lost.items():
            self._progress.note(f"{holder} does not take part: {code}")
            if code == "stale" and (others := self.line.heads.ahead(holder)):
                self._progress.note(f"a later entry of the ledger of {holder} is remembered by {', '.join(others)}")
            del self.line.hellos[holder]
        restarted = tuple(holder for holder, code in lost.items() if code == "unknown_run")
        back = set(restarted) - set(self._greet(restarted, self._patience.answer)) if restarted else set()
        self.missing += [holder for holder in lost if holder not in back]

    # --- ending ------------------------------------------------------------------------------------------------

    def finish(self, result: str) -> tuple[str, ...]:
        """Show the releases and the result to the holders, who record them and label their customers.

        All holders get the same signed FINISH, and compare; where the study withholds totals, they get the releases'
        digests without their values. Holders that dropped out after they had answered get those that they are in.

        Returns:
            Holders that did not confirm (they can catch up when the study is run again; it costs nothing). Where the
            ledgers of the others differ from the coordinator's is in ``differences`` afterwards, and who compared the
            result with the others, and who did not, in ``witnesses`` and ``unconfirmed``.

        Raises:
            LedgerError: if this run handed out another result before.
        """
        ending = HandingOut(self.study, self.books, self.line, self._progress)
        heads = (*(self.line.heads.newest[holder] for holder in self.participants), self.line.heads.own())
        own = ending.sign(self.run, self._shared, result, heads)
        self._progress.step("handing out the results", self.participants)
        ending.hand_out(own, self.participants, self._shared, result, self._patience.hello)
        for run, holders in self._left_out().items():
            theirs = [release for release in self._shared if run in (self.run, release.question.run)]
            signed = own if run == self.run else ending.sign(run, theirs, result, heads)
            ending.hand_out(signed, holders, theirs, result, self._patience.answer)
        self._busy -= {*self.participants, *self._left_out().get(self.run, ())}
        self.end()
        ending.witness(self._patience.answer)
        self.differences = ending.differences
        self.witnesses = ending.witnesses
        self.unconfirmed = tuple(sorted(ending.holders - set(ending.witnesses)))
        return tuple(ending.silent)

    def end(self) -> None:
        """Tell holders that got no result of this run that it is over, so that they let go of what they keep for it.

        To be called however a run ends, also by an interrupt; no run fails of this, and it takes seconds at most.
        """
        left, self._busy = tuple(sorted(self._busy)), set()
        if not left:
            return
        over = self.books.identity.sign(
            FinishRequest(run=self.run, made_by=self.run, study=self.study.digest, releases=(), result=None, heads=())
        )
        try:
            self.line.exchange(dict.fromkeys(left, over), min(self._patience.answer, ENDING))
        except Exception as error:  # whatever ended the run is what its caller is told
            self._progress.note(f"the holders were not told that the run is over: {error}")

    def _left_out(self) -> dict[str, tuple[str, ...]]:
        """Holders that dropped out after they had answered, by the run in which they did, sorted."""
        found: dict[str, set[str]] = {}
        for release in self._shared:
            gone = set(release.holders) - self.line.hellos.keys()
            found.setdefault(release.question.run, set()).update(gone)
        return {run: tuple(sorted(holders)) for run, holders in found.items() if holders}
