"""The signed statements in a bundle: whose they are, what plans they show, which heads they witness."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from privacy.audit.entry_claims import SHARED
from privacy.audit.findings import Claim, judged
from privacy.audit.heads import Heads
from privacy.audit.roster_claims import History
from privacy.audit.scratch import Scratch
from privacy.errors import ConfigError, ProtocolError
from privacy.kernel.canonical import canonical_json
from privacy.ledger import Evidence, Question
from privacy.presentation.numbers import many
from privacy.protocol.charging import Payer, below_declarations, charge_for, is_studys_noise, records_per_person
from privacy.protocol.identity import Roster, Signed
from privacy.protocol.messages import (
    AnswerRequest,
    Checkpoint,
    Contribution,
    Finished,
    FinishRequest,
    HandedOut,
    Hello,
    HelloRequest,
    Opening,
    PlanCore,
    Ready,
    ReadyRequest,
    Refusal,
    Witnessed,
)
from privacy.protocol.study import Study
from privacy.secure_sum.masks import words_of

#: Protocol from which on a member that declares nothing counts as sharing its customers with all holders.
_SILENCE_COUNTS = 3


#: What a statement says of results: its words on what was handed out, and (core, release) of those that it lists.
_Said = tuple[tuple[HandedOut, ...], set[tuple[str, str]]]


def _word(signed: Signed, finish: FinishRequest) -> HandedOut:
    return HandedOut(run=finish.run, made_by=finish.made_by, finish=signed.digest, result=finish.result)


def _contradict(said: Mapping[str, _Said], fact: Evidence) -> bool:
    """Whether the statements that a fact names say different things of one result, or of one plan's release.

    Where one of them is not here, that is what is wrong.
    """
    if fact.first not in said or fact.second not in said:
        return True
    (ours, first), (theirs, second) = said[fact.first], said[fact.second]
    if any(one.contradicts(other) for one in ours for other in theirs):
        return True
    both = first | second
    return len({core for core, _ in both}) < len(both)


class Statements:
    """Takes the statements of one bundle and gathers what is wrong with them."""

    def __init__(
        self, party: str, history: History, scratch: Scratch, evidence: Sequence[tuple[int, Evidence]] = ()
    ) -> None:
        """Begin with none.

        Args:
            evidence: entry numbers and contradictions whose statements must be among those that follow.
        """
        self.party = party
        self._evidence = evidence
        self._named = {digest for _, fact in evidence for digest in (fact.first, fact.second)}
        self._contradicting = {fact.second for _, fact in evidence}
        self._shown: dict[str, tuple[Question, str] | None] = {}
        self._own_words: dict[str, Ready | Opening] = {}
        self._results: dict[str, _Said] = {}
        self.studies: dict[str, Study] = {}
        self._history = history
        self._scratch = scratch
        self._wrong: dict[str, list[str]] = {name: [] for name in ("signature", "plan", "declaration")}
        self._counts: Counter[str] = Counter()

    def take(self, value: Any) -> None:
        """Go on by one statement."""
        try:
            signed = Signed.model_validate(value)
            self._counts[signed.kind] += 1
            if self._named and self._only_evidence(signed):
                return
            match signed.kind:
                case "HelloRequest":
                    self._invitation(signed)
                case "ReadyRequest":
                    self._plan(signed)
                case "AnswerRequest":
                    self._confirmed(signed)
                case "Contribution":
                    self._contribution(signed)
                case "Finished":
                    self._finished(signed)
                case "FinishRequest":
                    self._finish(signed)
                case "Witnessed":
                    self._witnessed(signed)
                case "Checkpoint":
                    self._head(signed)
                case "Refusal":
                    self._refusal(signed)
                case "Heads":
                    self._told(signed)
                case _:
                    raise ProtocolError(f"a statement of an unknown kind, {signed.kind[:40]}")
        except ProtocolError as error:
            self._wrong["signature"].append(error.message)
        except ValueError:
            self._wrong["signature"].append("a statement is malformed")

    def _only_evidence(self, signed: Signed) -> bool:
        """Whether a statement is here to show what its signer did, and not because the owner took part in it.

        Of such a one the signature alone is checked: what a liar signed need not be right in any other way.
        """
        digest = signed.digest
        if digest not in self._named:
            return False
        about: tuple[Question, str] | None = None
        if signed.kind in (Ready.__name__, Opening.__name__):
            model: type[Ready | Opening] = Ready if signed.kind == Ready.__name__ else Opening
            self._own_words[digest] = self._history.open(signed, model, by=signed.signer)
            self._shown[digest] = None
            return True
        if signed.kind == ReadyRequest.__name__:
            core = self._history.open(signed, ReadyRequest, by="coordinator").core
            about = core.question, core.digest
        elif signed.kind == AnswerRequest.__name__:
            asked = self._history.open(signed, AnswerRequest, by="coordinator")
            about = asked.question, asked.core
        else:
            self._results[digest] = self._said_of_results(signed)
        self._shown[digest] = about
        if digest in self._contradicting:
            return True
        query = "SELECT 1 FROM charge WHERE party = ? AND core = ?"
        return about is not None and not self._scratch.one(query, self.party, about[1])

    def _said_of_results(self, signed: Signed) -> _Said:
        """What a statement says of results, whoever's it is; nothing where it is about something else."""
        if signed.kind == FinishRequest.__name__:
            finish = self._history.open(signed, FinishRequest, by="coordinator")
            return (_word(signed, finish),), {(notice.core, notice.release) for notice in finish.releases}
        if signed.kind == Finished.__name__:
            handed = self._history.open(signed, Finished).handed
            return () if handed is None else (handed,), set()
        if signed.kind == Hello.__name__:
            return self._history.open(signed, Hello).unwitnessed, set()
        return (), set()

    def _contradictions(self) -> list[str]:
        """What is wrong with the evidence that the ledger names."""
        wrong = []
        for position, fact in self._evidence:
            missing = [digest for digest in (fact.first, fact.second) if digest and digest not in self._shown]
            wrong += [f"the statement {digest[:12]} that entry {position} names is not here" for digest in missing]
            if fact.what == "check":
                if not missing and not self._proves(fact):
                    wrong.append(f"what entry {position} keeps does not prove {fact.blamed} false")
                continue
            first, second = self._shown.get(fact.first), self._shown.get(fact.second)
            alike = fact.what == "result" and not _contradict(self._results, fact)
            if alike or (first and second and (first[0] != second[0] or first[1] == second[1])):
                wrong.append(f"the two statements that entry {position} names do not contradict each other")
        return wrong

    def _proves(self, fact: Evidence) -> bool:
        """Whether a READY and an opening of one holder for one core contradict each other."""
        ready, opening = self._own_words.get(fact.first), self._own_words.get(fact.second)
        return (
            isinstance(ready, Ready)
            and isinstance(opening, Opening)
            and {ready.holder, opening.holder} == {fact.blamed}
            and ready.core == opening.core
            and words_of(fact.blamed, opening.keys) != ready.check
        )

    def _invitation(self, signed: Signed) -> None:
        request = self._history.open(signed, HelloRequest, by="coordinator")
        self.studies[request.study.digest] = request.study

    def _plan(self, signed: Signed) -> None:
        request = self._history.open(signed, ReadyRequest, by="coordinator")
        core, name = request.core, f"plan {request.core.digest[:12]}"
        roster, study = self._history.rosters.get(core.roster), self.studies.get(core.study)
        if roster is None:
            self._wrong["plan"].append(f"{name} is for a roster that is not in the history")
            return
        if study is None:
            self._wrong["plan"].append(f"{name} is for a study that nobody was invited to")
            return
        for hello in request.hellos:
            said = self._history.open(hello, Hello)
            self._head(said.checkpoint)
        shown = {hello.signer: hello.digest for hello in request.hellos}
        if shown != {participant.holder: participant.hello for participant in core.participants}:
            self._wrong["plan"].append(f"{name} does not come with the HELLOs that it names")
        for participant in core.participants:
            self._head(participant.checkpoint, owner=participant.holder)
        self._head(core.coordinator, owner=roster.coordinator)
        self._cost(core, study, roster, name)
        charge, _ = charge_for(core, study, Payer(software="", now=0))
        facts = charge.model_dump(mode="json", include=set(SHARED))
        self._scratch.put(
            "plan", self.party, core.digest, canonical_json(facts).decode(), " ".join(core.holders), core.protocol
        )

    def _cost(self, core: PlanCore, study: Study, roster: Roster, name: str) -> None:
        """What fixes the price follows from the study, the roster and this release's own catalogue."""
        wrong = self._wrong["plan"]
        if core.bound != core.statistic.bound:
            wrong.append(f"{name} states another bound than follows from its statistic")
        try:
            core.mechanism.check_range(core.bound)
        except ConfigError:
            wrong.append(f"{name} could overflow 64 bits")
        if not is_studys_noise(core, study):
            wrong.append(f"the noise of {name} is for another set of holders, placement or training than the study")
        if core.mechanism.colluding < study.budget.colluding_holders:
            wrong.append(f"{name} guards against fewer colluding holders than the study")
        if core.records != records_per_person(study, roster):
            wrong.append(f"{name} counts on {core.records} records of a person, the study on another number")
        if not set(core.holders) <= set(study.holders or roster.holders):
            wrong.append(f"{name} names a holder that the study does not")
        for holder, declared in below_declarations(study, roster).items():
            member = roster.member(holder)
            silent = member is None or member.declarations is None
            if silent and core.protocol < _SILENCE_COUNTS:
                continue
            self._wrong["declaration"].append(
                f"{name} counts on {many(core.records, 'holder')} for one person; "
                + (f"{holder} declares nothing" if silent else f"{holder} declared {declared}")
            )

    def _confirmed(self, signed: Signed) -> None:
        request = self._history.open(signed, AnswerRequest, by="coordinator")
        for one in request.readies:
            ready = self._history.open(one, Ready, by=one.signer)
            if ready.holder != one.signer or ready.core != request.core:
                raise ProtocolError(f"{one.signer} confirmed another plan than {request.core[:12]}")
            if ready.checkpoint is not None:
                self._head(ready.checkpoint, owner=one.signer)
            self._scratch.put("ready", self.party, request.core, one.signer, ready.check)

    def _contribution(self, signed: Signed) -> None:
        said = self._history.open(signed, Contribution)
        if said.holder != signed.signer:
            raise ProtocolError(f"{signed.signer} answered in the name of {said.holder}")
        point = self._head(said.checkpoint, owner=said.holder)
        self._scratch.put(
            "contribution", self.party, said.core, said.holder, said.payload, point.sequence, point.head, said.check
        )

    def _finished(self, signed: Signed) -> None:
        said = self._history.open(signed, Finished)
        self._head(said.checkpoint, owner=signed.signer)
        for head in said.heads:  # countersigned: this holder saw them
            self._scratch.put("head", head.member, head.sequence, head.head, signed.signer)
        if said.handed is not None:
            self._handed(said.handed, f"holder {signed.signer}", "Finished")

    def _finish(self, signed: Signed) -> None:
        request = self._history.open(signed, FinishRequest, by="coordinator")
        if request.says_nothing:
            return  # it ended a run and handed nothing out: a result of the same run contradicts nothing
        for one in request.heads:
            self._head(one)
        for notice in request.releases:
            self._scratch.put("told", self.party, signed.digest, notice.core, notice.release)
        self._handed(_word(signed, request), self.party, "FinishRequest")

    def _witnessed(self, signed: Signed) -> None:
        said = self._history.open(signed, Witnessed)
        if said.holder != signed.signer:
            raise ProtocolError(f"{signed.signer} confirmed results in the name of {said.holder}")
        for word in said.handed:
            self._handed(word, f"holder {signed.signer}", "Witnessed")

    def _handed(self, word: HandedOut, party: str, source: str) -> None:
        self._scratch.put("result", party, word.run, word.made_by, 0, word.finish, word.result or "", source)

    def _refusal(self, signed: Signed) -> None:
        if self._history.open(signed, Refusal).holder != signed.signer:
            raise ProtocolError(f"{signed.signer} refused in somebody else's name")

    def _told(self, signed: Signed) -> None:
        for one in self._history.open(signed, Heads).all:
            point = self._head(one)
            self._scratch.put("head", point.member, point.sequence, point.head, signed.signer)

    def _head(self, signed: Signed, owner: str | None = None) -> Checkpoint:
        point = self._history.open(signed, Checkpoint, by=owner)
        if point.member != signed.signer:
            raise ProtocolError(f"{signed.signer} signed a head of somebody else's ledger")
        self._scratch.put("head", point.member, point.sequence, point.head, self.party)
        if point.root:
            self._scratch.put("root", point.member, point.sequence, point.head, point.root)
        return point

    def claims(self) -> Iterator[Claim]:
        """What was checked, after the last statement."""
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(self._counts.items())) or "none"
        about, wrong = self.party, self._wrong
        yield judged(about, "every signed statement is its signer's", wrong["signature"], counts)
        if self._evidence:
            text = f"{len(self._evidence)} contradictions"
            yield judged(
                about, "what is kept as evidence is shown, and contradicts itself", self._contradictions(), text
            )
        yield judged(
            about,
            "plans cost what study, roster and catalogue say",
            wrong["plan"],
            f"bounds, shares and k of {self._counts['ReadyRequest']} plans computed again",
        )
        yield judged(
            about, "plans keep the holders' declarations", wrong["declaration"], "k is not below what members declared"
        )
