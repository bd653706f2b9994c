"""What the coordinator knows of the ledgers in a federation: their newest heads, and how they go on from earlier ones.

It remembers a head as the holders do, only with a path from the one before, and it carries the paths between them:
each holder hints at what it remembers of the others, each is asked to show how its ledger goes on from there, and each
gets the paths of the others that fit what it remembers. A hint is an entry's number, needs no signature, and can at
worst lead to a question that is not asked.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from privacy.errors import ProtocolError
from privacy.ledger import Head, HeadPath, Ledger, Statement
from privacy.protocol.checkpoints import Fault, Shown, compared, read_checkpoint, signed_checkpoint, taken
from privacy.protocol.envelopes import MOST_PATHS, Reply, Request
from privacy.protocol.identity import Identity, Roster, Signed
from privacy.protocol.messages import AnswerRequest, FinishRequest, ReadyRequest, WitnessRequest

#: Requests whose statement's heads the receiver may remember, and those after which it is asked to show paths.
_SHOWING = (AnswerRequest.__name__, WitnessRequest.__name__)
_ASKING = (ReadyRequest.__name__, FinishRequest.__name__)


class PeerHeads:
    """Heads of one run.

    Attributes:
        newest: each holder's newest signed checkpoint that was seen; plans show it.
    """

    def __init__(self, *, ledger: Ledger, identity: Identity, roster: Roster) -> None:
        self.newest: dict[str, Signed] = {}
        self._ledger = ledger
        self._identity = identity
        self._roster = roster
        self._heads: dict[str, Head] = {}  # of ``newest``
        self._known: dict[str, dict[str, int]] = {}  # by holder: what it remembers of the others
        self._paths: dict[str, dict[int, HeadPath]] = {}  # by owner and entry: beside its newest checkpoint
        self._ready: dict[str, Head] = {}  # by holder: what it stated when it was ready for the last plan
        self._greeted: set[str] = set()  # digests of HELLOs
        self._replies: dict[str, Reply] = {}  # by holder: the newest
        self._own = ledger.head

    def own(self) -> Signed:
        """The coordinator's word on its own ledger."""
        self._own = self._ledger.head
        return signed_checkpoint(self._identity, self._ledger, self._own)

    # --- what holders say ------------------------------------------------------------------------------------------

    def replied(self, holder: str, reply: Reply) -> None:
        """A holder replied: what follows is about a statement in this reply."""
        self._replies[holder] = reply

    def joined(self, holder: str, hello: Signed, checkpoint: Signed) -> None:
        """A holder said HELLO. Its head is compared and shown, and not remembered: it comes without a path.

        Raises:
            ProtocolError: if its ledger went back or changed.
        """
        shown = read_checkpoint(checkpoint, self._roster, holder)
        if hello.digest not in self._greeted:  # a process that is greeted again in a run says the same HELLO again
            _refuse(compared(self._ledger.peers().get(holder), shown.head))
        self._greeted.add(hello.digest)
        self._known[holder] = dict(self._replies[holder].since)
        self._newer(holder, checkpoint, shown.head)

    def ready(self, holder: str, checkpoint: Signed | None) -> None:
        """A holder is ready, and states its ledger. It is remembered when the plan is charged: :meth:`confirmed`.

        Raises:
            ProtocolError: if its ledger does not go on from what was seen of it.
        """
        if checkpoint is None:
            raise ProtocolError("declined")
        self._ready[holder] = self._take(holder, checkpoint).head
        self._newer(holder, checkpoint, self._ready[holder])

    def took(self, holder: str, signed: Signed, *statements: Statement) -> None:
        """A holder states its ledger after it wrote to it; that is remembered.

        Args:
            signed: its checkpoint.
            statements: what the checkpoint came with; kept.

        Raises:
            ProtocolError: if its ledger does not go on from what was seen of it.
        """
        shown = self._take(holder, signed)
        self._ledger.remember({holder: shown.head}, statements)
        self._newer(holder, signed, shown.head)

    def _take(self, holder: str, checkpoint: Signed) -> Shown:
        shown = read_checkpoint(checkpoint, self._roster, holder)
        before = self._ledger.peers().get(holder)
        paths = {path.sequence: path for path in self._replies[holder].paths}
        _refuse(taken(before, shown, paths.get(before.sequence) if before is not None else None))
        self._paths[holder] = paths
        return shown

    def _newer(self, holder: str, checkpoint: Signed, head: Head) -> None:
        if holder not in self._heads or self._heads[holder].sequence <= head.sequence:
            self.newest[holder], self._heads[holder] = checkpoint, head

    # --- plans -----------------------------------------------------------------------------------------------------

    def behind(self, holders: Iterable[str]) -> dict[str, str]:
        """Who cannot take part in a plan for which all are ready: somebody remembers an entry that no path leads from.

        Returns:
            Holder to ``stale``: the one that was asked for the path, or, where more were wanted than one can be asked
            for, the one that remembers an entry of its own.
        """
        names = tuple(holders)
        wanted = self._wanted(names)
        lost: dict[str, str] = {}
        for holder in names:
            for owner, sequence in self._known.get(holder, {}).items():
                if owner == holder or owner not in names or sequence == self._ready[owner].sequence:
                    continue
                if sequence not in self._paths[owner]:
                    lost[owner if sequence in wanted[owner] else holder] = "stale"
        return lost

    def confirmed(self, holders: Iterable[str]) -> dict[str, Head]:
        """The heads that holders stated when they were ready, to be remembered with the charge."""
        return {holder: self._ready[holder] for holder in holders}

    def answered(self, holder: str, holders: Iterable[str]) -> None:
        """A holder answered, and so remembers what all stated when they were ready, and the coordinator's head."""
        self._known[holder] |= {owner: self._ready[owner].sequence for owner in holders if owner != holder}
        self._known[holder][self._roster.coordinator] = self._own.sequence

    def ahead(self, owner: str) -> tuple[str, ...]:
        """Who remembers a later entry of a holder's ledger than it has shown itself."""
        shown = self._heads[owner].sequence if owner in self._heads else 0
        return tuple(sorted(holder for holder, known in self._known.items() if known.get(owner, 0) > shown))

    # --- requests --------------------------------------------------------------------------------------------------

    def carried(self, requests: Mapping[str, Request], holders: Iterable[str]) -> dict[str, Request]:
        """Requests by receiver, each with the hints or the paths that its receiver needs.

        Args:
            holders: who takes part.
        """
        asking = any(request.statement.kind in _ASKING for request in requests.values())
        wanted = self._wanted(tuple(holders)) if asking else {}
        found = dict(requests)
        for holder, request in requests.items():
            if request.statement.kind in _ASKING:
                found[holder] = request.model_copy(update={"since": wanted.get(holder, ())})
            elif request.statement.kind in _SHOWING:
                found[holder] = request.model_copy(update={"paths": self._fitting(holder)})
        return found

    def _wanted(self, holders: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
        """From which of its entries each is asked for paths: what the coordinator remembers, then what most do."""
        hints: dict[str, Counter[int]] = defaultdict(Counter)
        for holder in holders:
            for owner, sequence in self._known.get(holder, {}).items():
                hints[owner][sequence] += owner != holder
        first = {owner: head.sequence for owner, head in self._ledger.peers().items()}
        for owner, sequence in first.items():
            hints[owner][sequence] += len(holders)
        return {
            owner: tuple(sorted(sequence for sequence, _ in counts.most_common(MOST_PATHS)))
            for owner, counts in hints.items()
        }

    def _fitting(self, holder: str) -> dict[str, HeadPath]:
        """Paths from what a holder remembers of each other party."""
        known = self._known.get(holder, {})
        found = {
            owner: self._paths[owner][sequence]
            for owner, sequence in known.items()
            if sequence in self._paths.get(owner, {})
        }
        own = self._roster.coordinator
        for path in self._ledger.paths([known.get(own, 0)], self._own.sequence):
            found[own] = path
        return found


def _refuse(fault: Fault | None) -> None:
    match fault:
        case "older" | "other":
            raise ProtocolError("its ledger is older than it was, or was changed")
        case "unproved":
            raise ProtocolError("its ledger does not show that it goes on from what was seen of it")
