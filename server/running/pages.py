"""The pages and files that are made of a recorded result, each again at any time: nothing is asked for them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from privacy.results import StudyResult

if TYPE_CHECKING:
    from server.running.folder import CoordinatorFolder

REPORT = "report.html"

log = logging.getLogger("cohortium.coordinator")


def write_pages(result: StudyResult, folder: CoordinatorFolder) -> tuple[str, ...]:
    """Write the report, and what analyses leave beside a result, such as a signed model, where it was kept before.

    Returns:
        What could not be written, in words for the operator: no page stands between a release and its record.
    """
    target = folder.results.folder(result.study)
    failed = []
    for what, write in (("the report", _report), ("its other files", _files)):
        try:
            write(result, folder, target)
        except Exception as error:  # whatever is wrong with a page, the result is there
            log.exception("%s could not be written", what)
            failed.append(
                f"The result is kept, but {what} could not be written ({type(error).__name__}). "
                f"`cohortium study report {target}` writes it again; nothing is asked or spent"
            )
    return tuple(failed)


def _report(result: StudyResult, folder: CoordinatorFolder, target: Path) -> None:
    from server.report.render import render_report  # here: pictures are slow to import

    (target / REPORT).write_text(render_report(result), encoding="utf-8")


def _files(result: StudyResult, folder: CoordinatorFolder, target: Path) -> None:
    from server.analyses.catalogue import ANALYSES  # here: pictures are slow to import
    from server.analysis import ResultFolder

    place = ResultFolder(path=target, identity=folder.identity(), federation=folder.roster().federation)
    for analysis in ANALYSES:
        figures = analysis.figures(result)
        if figures is not None:
            analysis.files(figures, result, place)
