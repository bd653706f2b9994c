"""Running a study: join, ask, release, report, hand out. The same code for every transport."""

from __future__ import annotations

import datetime as dt
import fcntl
import importlib
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privacy.contract.canonical import sha256_hex
from privacy.contract.identity import Identity, Roster
from privacy.contract.results import StudyResult, Timing
from privacy.contract.study import Study
from privacy.contract.transport import Transport
from privacy.contract.version import software_version
from privacy.errors import Busy, CohortiumError, ConfigError
from privacy.ledger import Ledger, Opened
from privacy.mechanisms import SumMechanism
from privacy.member_folder import MemberFolder
from privacy.statistics import Statistic
from server.analyses.catalogue import CATALOGUE
from server.federation import Federation, Patience
from server.pages import write_pages
from server.planning import plan, planned_mechanism
from server.progress import JsonLines, Progress, Stopwatch, silent
from server.releases import Release, ReleaseStore
from server.renewal import Renewal
from server.spending import check_accountants, spending_of
from server.studies import Results


@contextmanager
def one_at_a_time(lock: Path, *, what: str = "another run of this coordinator is under way") -> Iterator[None]:
    """Hold a lock file; it is let go when the process ends, however it ends.

    Raises:
        Busy: if another run holds it.
    """
    descriptor = os.open(lock, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(what, hint="wait for it to end") from None
        yield
    finally:
        os.close(descriptor)


@dataclass(frozen=True, kw_only=True)
class CoordinatorFolder:
    """Where a coordinator keeps its things.

    Attributes:
        root: ``keys/signing.pem``, ``roster.json``, ``ledger.sqlite``, ``releases/`` and ``results/`` are in it.
    """

    root: Path

    @property
    def member(self) -> MemberFolder:
        """Its keys and rosters."""
        return MemberFolder(self.root)

    def roster(self) -> Roster:
        """The roster in force.

        Raises:
            ConfigError: if there is none.
        """
        roster = self.member.roster()
        if roster is None:
            raise ConfigError(
                f"there is no roster in {self.root}",
                hint="enrol the holders and publish one (`cohortium coordinator publish`)",
            )
        return roster

    def identity(self) -> Identity:
        """The coordinator's signing key."""
        return self.member.identity()

    def ledger(self) -> Ledger:
        """The coordinator's ledger, made when it is first needed."""
        name = self.roster().coordinator
        ledger = Ledger.open_or_create(self.root / "ledger.sqlite", Opened(owner=name, role="coordinator"))
        self.member.record_rosters(ledger, name)
        return ledger

    @property
    def results(self) -> Results:
        """Results of all studies."""
        return Results(self.root / "results", self.root / "ledger.sqlite")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for one run at a time.

        Raises:
            Busy: if another run holds it.
        """
        with one_at_a_time(self.root / ".lock"):
            yield


def run_study(
    study: Study,
    *,
    folder: CoordinatorFolder,
    transport: Transport,
    patience: Patience | None = None,
    progress: Progress = silent,
    earlier: tuple[Timing, ...] = (),
) -> StudyResult:
    """Run a study over a transport and leave result and report in the coordinator's folder.

    A study that was cut off goes on where it was: recorded releases are used again and cost nothing. In the place of
    another study nothing is asked (:meth:`Results.taken`).

    Args:
        earlier: steps that came before (starting the federation), for the timing table.

    Raises:
        ConfigError: if another study was run under its name, as-of day and repetition.
        NotEnoughHolders, BudgetError, ConfigError: see :meth:`Federation.ask`; what was charged stays charged.
    """
    # Pictures are slow to import; that is done while the holders prepare.
    threading.Thread(target=importlib.import_module, args=("matplotlib.figure",), daemon=True).start()
    study = folder.results.resolve(study)
    check_accountants(study)
    watch = Stopwatch(progress)
    with ExitStack() as ending:
        ending.enter_context(folder.locked())
        folder.results.check_free(study)
        roster = folder.roster()
        ledger = folder.ledger()
        federation = Federation(
            study=study,
            roster=roster,
            identity=folder.identity(),
            ledger=ledger,
            releases=ReleaseStore(folder.root / "releases"),
            transport=transport,
            patience=patience,
            progress=watch,
        )
        ending.callback(federation.end)
        prices = plan(study)
        everyone = len(study.holders or roster.holders)
        federation.join()
        Renewal(folder.root).note_joined(roster, federation.participants)
        outcomes: dict[str, Any] = {}
        for name in study.analyses:

            def ask(title: str, statistic: Statistic, name: str = name) -> Release:
                return federation.ask(name, title, statistic, prices[name, title])

            def planned(title: str, statistic: Statistic, name: str = name) -> SumMechanism:
                return planned_mechanism(study, prices[name, title], statistic, holders=everyone)

            outcomes[name] = CATALOGUE[name].run(study, ask, planned)
        before = folder.results.named(study.name)
        compared = tuple(
            run for name, found in outcomes.items() for run in CATALOGUE[name].earlier(study, found, before)
        )
        result = StudyResult(
            study=study,
            study_digest=study.digest,
            run=federation.run,
            finished=dt.datetime.now(dt.UTC).date().isoformat(),
            version=software_version(),
            participants=federation.participants,
            missing=tuple(sorted(federation.missing)),
            transport=transport.name,
            spending=spending_of(study, ledger, records=federation.records, holders=everyone),
            timings=(*earlier, *watch.timings()),
            earlier=compared,
            **outcomes,
        )
        handed_out = result.model_dump_json()
        uncompared = federation.finish(handed_out)
        result = result.model_copy(
            update={
                "timings": (*earlier, *watch.timings()),
                "differences": tuple(federation.differences),
                "uncompared": (*uncompared, *result.missing),
                "handed_out": sha256_hex(handed_out.encode()),
                "confirmed": federation.witnesses,
                "unconfirmed": federation.unconfirmed,
            }
        )
        folder.results.keep(result)
        for text in write_pages(result, folder):
            watch.note(text)
    return result


def run_over_transport(transport: Transport, settings: dict[str, Any]) -> None:
    """Run a study inside a carrier's server process; another process follows the file of events.

    Args:
        transport: reaches the holders.
        settings: ``study`` (canonical JSON), ``folder`` (the coordinator's), ``events`` (file to append to),
            ``earlier`` (list of (step, seconds)), ``hello_seconds`` and ``answer_seconds``.

    Raises:
        CohortiumError: after it was written to the file of events.
    """
    events = JsonLines(Path(settings["events"]))
    try:
        run_study(
            Study.parse(settings["study"]),
            folder=CoordinatorFolder(root=Path(settings["folder"])),
            transport=transport,
            patience=Patience(hello=settings["hello_seconds"], answer=settings["answer_seconds"]),
            progress=events,
            earlier=tuple(Timing(step=step, seconds=seconds) for step, seconds in settings["earlier"]),
        )
    except CohortiumError as error:
        events.write({"event": "error", "message": error.message, "hint": error.hint, "exit_code": error.exit_code})
        raise
    events.write({"event": "done"})
