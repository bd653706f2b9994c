"""One analysis that cannot be told from the noise takes no other's figures away; what it asked stays charged."""

from __future__ import annotations

from pathlib import Path

import pytest
from workspaces import HOLDERS, make_workspace, read_study
from workspaces import run as run_over

from clients.analyses.churn.analysis import _is_untold
from privacy.errors import DataError
from privacy.ledger import Ledger, Released
from privacy.protocol.study import Study
from privacy.results import StudyResult
from simulations.worlds.local import Workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_workspace(tmp_path_factory.mktemp("untold"))


def asked(root: Path, *analyses: str) -> Study:
    """Of holders with a few customers each, of whom a churn model can learn nothing."""
    raw = read_study(root).model_dump(mode="json")
    return Study.model_validate(raw | {"name": f"untold-{len(analyses)}", "analyses": list(analyses)})


def test_the_others_are_told_and_it_is_said_what_is_not(workspace: Workspace, tmp_path: Path) -> None:
    study = asked(tmp_path, "rfm", "churn")
    result = run_over(workspace, study, pages=True)
    assert set(result.figures) == {"rfm"}
    assert set(result.untold) == {"churn"}
    assert "told from the noise" in result.untold["churn"]
    facts = list(Ledger(workspace.coordinator.root / "ledger.sqlite").facts())
    assert any(isinstance(fact, Released) for fact in facts)
    page = (workspace.coordinator.results.folder(study) / "report.html").read_text(encoding="utf-8")
    assert "The analysis churn has no figures in this report" in page
    assert StudyResult.model_validate_json(result.model_dump_json()) == result


def test_a_study_without_any_figures_is_an_error(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="told from the noise"):
        run_over(workspace, asked(tmp_path, "churn"))


def test_nobody_is_scored_by_a_model_that_cannot_be_told(workspace: Workspace, tmp_path: Path) -> None:
    """The model was released, and the holder knows it: what the result says of it decides."""
    study = asked(tmp_path, "rfm", "churn")
    result = run_over(workspace, study.model_copy(update={"name": "labelled"}))
    context = workspace.holder(HOLDERS[0]).context(result.study, (), result.model_dump_json())
    assert _is_untold(context.stated)
    assert not _is_untold(result.model_copy(update={"untold": {}}).model_dump_json())
    assert not _is_untold(None)
