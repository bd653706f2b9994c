"""The examples run as they stand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def test_the_notebook_runs_and_its_study_is_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib

    matplotlib.use("Agg")
    notebook = json.loads((EXAMPLES / "first_study.ipynb").read_text(encoding="utf-8"))
    names: dict = {}
    for cell in notebook["cells"]:
        assert not cell.get("outputs"), "commit the notebook without outputs"
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    assert names["verdict"].passed
    assert sum(names["exact"]) == 12_500
    assert abs(names["result"].rfm.customers.value - 12_500) < 500


@pytest.mark.slow
@pytest.mark.flower
def test_global_electronics_runs_over_flower_with_six_holders(data_folder: Path, tmp_path: Path) -> None:
    """Natural holders, five currencies, overlapping customers; epsilon at the declared k and at all holders."""
    from privacy.kernel.canonical import read_toml
    from privacy.protocol.study import Study
    from simulations.worlds.local import Workspace, run_local

    names: dict = {"__name__": "example"}
    exec(compile((EXAMPLES / "global_electronics.py").read_text(encoding="utf-8"), "example", "exec"), names)
    sources = names["prepare"](data_folder / "global_electronics", tmp_path / "data")
    assert len(sources) == 6
    study = read_toml(tmp_path / "data" / "study.toml", Study)
    workspace = Workspace.create(tmp_path / "federation", sources, declared=2)
    result = run_local(study, workspace)
    assert result.transport == "flower"
    assert (len(result.participants), result.missing) == (6, ())
    spending = result.spending
    assert spending.k == 2
    assert 0 < spending.epsilon_own < spending.epsilon_person <= 1
    assert spending.epsilon_all_holders > 2 * spending.epsilon_person  # mu is three times as large
    assert result.rfm is not None
    # 11,887 customers, of whom 3,317 are at two holders: records, not persons. Six deviations are never left.
    assert abs(result.rfm.customers.value - (11_887 + 3_317)) < 3.1 * result.rfm.customers.margin
    for holder in result.participants:
        assert list((workspace.holder(holder).root / "labels").glob("*.csv"))
