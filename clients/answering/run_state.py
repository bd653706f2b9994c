"""What a process remembers of the runs that it takes part in."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clients.answering.admission import Accepted, Refused
from clients.answering.engines import encode_sum
from clients.answering.under_way import Moment, jumped, longest_idle
from privacy.kernel.limits import MOST_WORDS
from privacy.ledger import Question
from privacy.protocol.identity import Signed
from privacy.protocol.messages import PlanCore
from privacy.protocol.study import Study
from privacy.secure_sum.masks import MaskKey
from privacy.statistics import Rows

log = logging.getLogger("cohortium.holder")

#: Runs that a process takes part in at once; each keeps a customer table in memory.
MAX_RUNS = 4


@dataclass(kw_only=True)
class Run:
    """One run; gone when it ends, and with it the mask key.

    Attributes:
        study: what is asked.
        invitation: the coordinator's HelloRequest, as it came.
        hello: this holder's HELLO.
        mask_key: of this run alone.
        tables: what each analysis reads, by the analysis' name.
        expires: when the HELLO does, in seconds since 1970.
        began, used, asked: see :class:`clients.answering.under_way.UnderWay`.
        plans: those shown, with the text as it came.
        noise: drawn for them, by the core's digest.
        updates: outcomes of this holder's own trainings, by the core's digest; masked again where an attempt fails.
        opened: cores whose check keys were shown. They are never answered: not by this process, which remembers them
            as long as its mask key, and not by another, which has no key for them.
    """

    study: Study
    invitation: Signed
    hello: Signed
    mask_key: MaskKey
    tables: Mapping[str, Rows]
    expires: int
    began: Moment
    used: float
    asked: bool = False
    plans: dict[Question, tuple[Accepted, Signed]] = field(default_factory=dict)
    noise: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    updates: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    opened: set[str] = field(default_factory=set)

    def make_room(self, core: PlanCore, signed: Signed) -> None:
        """Whether the noise and the text of one more plan fit into what a run may keep; answered ones are let go.

        Raises:
            Refused: if they do not.
        """
        if core.question in self.plans:
            return
        kept_words = sum(len(noise) for noise in self.noise.values())
        kept_bytes = sum(len(text.body) for _, text in self.plans.values())
        if kept_words + core.statistic.dim + (kept_bytes + len(signed.body)) // 8 > MOST_WORDS:
            raise Refused("busy", f"plans and their noise take more than {MOST_WORDS} words of one run")

    def exact(self, core: PlanCore, digest: str, holder: str) -> NDArray[np.int64]:
        """What a holder adds to a sum, before noise; or the outcome of an earlier training, where that is asked.

        Noise that was drawn for a training is in no other answer: the same outcome is masked again, or a new one made.
        """
        if core.updates_of:
            return self.updates[core.updates_of]
        found = encode_sum(core.statistic, self.rows(core), holder=holder)
        if core.statistic.training is not None:
            self.updates[digest] = found
        return found

    def check_updates(self, core: PlanCore) -> None:
        """Whether the training is here that a plan wants to have masked again.

        Raises:
            Refused: if it is not: this process has not made it.
        """
        if core.updates_of and core.updates_of not in self.updates:
            raise Refused("stale", "the training that is asked for again was not made by this process")

    def rows(self, core: PlanCore) -> Any:
        """What a question's statistic reads.

        Raises:
            Refused: if the analysis has no table of that kind (which admission has ruled out).
        """
        rows = self.tables[core.analysis]
        if not isinstance(rows, core.statistic.reads):
            raise Refused("declined", "the question reads another table than its analysis has")
        return rows


class Runs(dict[str, Run]):
    """The runs of one process, by id."""

    def of(self, run: str, monotonic: float) -> Run:
        """A run that something is asked in.

        Raises:
            Refused: if this process does not take part in it.
        """
        if run not in self:
            raise Refused("unknown_run", "this process said no HELLO in that run")
        self[run].used = monotonic
        return self[run]

    def plan_of(self, core: str) -> tuple[Run, Accepted]:
        """The plan with this digest, and its run.

        Raises:
            Refused: if it was not shown.
        """
        for run in self.values():
            for accepted, _ in run.plans.values():
                if accepted.digest == core:
                    return run, accepted
        raise Refused("stale", "this plan was not shown before")

    def make_room(self, study: Study, now: Moment) -> None:
        """Let those go that are over, one of the same study that was cut off, and an idle one where there are many.

        Raises:
            Refused: if the coordinator may still come back to each.
        """
        for name in [name for name, run in self.items() if run.expires <= now.wall or run.study == study]:
            del self[name]
        if len(self) < MAX_RUNS:
            return
        idle = longest_idle(self, now.monotonic)
        if idle is None:
            raise Refused("busy", f"{MAX_RUNS} runs are under way")
        log.warning("run %s makes room for another: nothing was asked in it for longer than its study waits", idle)
        del self[idle]

    def end_those_of_another_time(self, now: Moment) -> None:
        """Let those go since whose beginning the clock was set."""
        for name in [name for name, run in self.items() if jumped(run, now)]:
            log.warning("run %s ends here: this machine's clock was set, or it slept", name)
            del self[name]
