"""Running a study: join, ask, release, report, hand out. The same code for every transport."""

from __future__ import annotations

import datetime as dt
import importlib
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from privacy.errors import CohortiumError, DataError
from privacy.kernel.canonical import sha256_hex
from privacy.kernel.version import software_version
from privacy.protocol.study import Study
from privacy.protocol.transport import Transport
from privacy.results import EarlierRun, StudyResult, Timing
from privacy.statistics import Statistic
from server.analyses.catalogue import CATALOGUE
from server.releases import Answer
from server.running.federation import Federation, Patience
from server.running.folder import CoordinatorFolder
from server.running.pages import write_pages
from server.running.progress import JsonLines, Progress, Stopwatch, silent
from server.running.renewal import Renewal
from server.running.reserve import Questions, Reserve, planned_by
from server.running.spending import check_accountants, spending_of
from server.running.stopping import StopRequest


def run_study(  # noqa: PLR0913  the study, its place, its way, and what callers watch
    study: Study,
    *,
    folder: CoordinatorFolder,
    transport: Transport,
    patience: Patience | None = None,
    progress: Progress = silent,
    earlier: tuple[Timing, ...] = (),
    pages: bool = True,
) -> StudyResult:
    """Run a study over a transport and leave result and report in the coordinator's folder.

    A study that was cut off goes on where it was: recorded releases are used again and cost nothing. In the place of
    another study nothing is asked (:meth:`Results.taken`).

    Args:
        earlier: steps that came before (starting the federation), for the timing table.
        pages: whether report and files beside the result are written; ``cohortium study report`` writes them too.

    Raises:
        ConfigError: if another study was run under its name, as-of day and repetition.
        NotEnoughHolders, BudgetError, ConfigError, Stopped: see :meth:`Questions.ask`; what was charged stays charged.
    """
    study = folder.results.resolve(study)
    check_accountants(study)
    if pages:
        _import_pictures()
    watch = Stopwatch(progress)
    with ExitStack() as ending:
        ending.enter_context(folder.locked())
        stop = ending.enter_context(StopRequest(folder).heard())
        folder.results.check_free(study)
        books = folder.books()
        federation = Federation(study, books, transport, patience=patience, progress=watch)
        ending.callback(federation.end)
        everyone = len(study.holders or books.roster.holders)
        reserve = _priced(study, everyone)
        federation.join()
        Renewal(folder.root).note_joined(books.roster, federation.participants)
        anew = folder.results.of(study) is None
        outcomes = _outcomes(Questions(reserve, federation, anew=anew, stop=stop), everyone, watch)
        result = StudyResult(
            study=study,
            study_digest=study.digest,
            run=federation.run,
            finished=dt.datetime.now(dt.UTC).date().isoformat(),
            version=software_version(),
            participants=federation.counted,
            missing=tuple(sorted(set(federation.missing) - set(federation.counted))),
            transport=transport.name,
            spending=spending_of(study, books.ledger, records=federation.records, holders=everyone),
            timings=(*earlier, *watch.timings()),
            earlier=_compared(study, outcomes, folder),
            **outcomes,
        )
        result = _handed_out(result, federation).model_copy(update={"timings": (*earlier, *watch.timings())})
        folder.results.keep(result)
        for text in write_pages(result, folder) if pages else ():
            watch.note(text)
    return result


def _import_pictures() -> None:
    """They are slow to import: that is done while the holders prepare."""
    threading.Thread(target=importlib.import_module, args=("matplotlib.figure",), daemon=True).start()


def _outcomes(questions: Questions, everyone: int, progress: Progress) -> dict[str, Any]:
    """What each analysis of the study finds, by its name; under ``untold`` why those have nothing to say that have not.

    Each sees its own questions and prices only. What was asked is charged whatever comes of it: that one analysis
    cannot be told from the noise takes no other's figures away.

    Raises:
        DataError: if no analysis has anything to say; the first one's.
    """
    reserve = questions.reserve
    found: dict[str, Any] = {}
    untold: dict[str, str] = {}
    failed: list[DataError] = []
    for name in reserve.study.analyses:

        def ask(title: str, statistic: Statistic[Any], name: str = name) -> Answer:
            return questions.ask(name, title, statistic)

        try:
            found[name] = CATALOGUE[name].run(reserve.study, ask, planned_by(reserve, name, holders=everyone))
        except DataError as error:
            failed.append(error)
            untold[name] = error.message
            progress.note(f"{name} has no figures: {error.message}. What was asked stays charged; {error.hint}")
    if not found:
        raise failed[0]
    return {**found, "untold": untold}


def _priced(study: Study, everyone: int) -> Reserve:
    """The prices of a study's questions; an analysis that would say nothing refuses it before anybody is asked."""
    reserve = Reserve.of(study)
    for name in study.analyses:
        CATALOGUE[name].refuse(study, planned_by(reserve, name, holders=everyone))
    return reserve


def _compared(study: Study, outcomes: Mapping[str, Any], folder: CoordinatorFolder) -> tuple[EarlierRun, ...]:
    """The earlier runs that the outcomes are shown beside."""
    before = folder.results.named(study.name)
    found = {name: outcomes[name] for name in study.analyses if name in outcomes}
    return tuple(run for name, figures in found.items() for run in CATALOGUE[name].earlier(study, figures, before))


def _handed_out(result: StudyResult, federation: Federation) -> StudyResult:
    """The result with what came of handing it to all holders."""
    text = result.model_dump_json()
    uncompared = federation.finish(text)
    return result.model_copy(
        update={
            "differences": tuple(federation.differences),
            "uncompared": (*uncompared, *result.missing),
            "handed_out": sha256_hex(text.encode()),
            "confirmed": federation.witnesses,
            "unconfirmed": federation.unconfirmed,
        }
    )


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
