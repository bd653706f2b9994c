"""docs/schedule.md as it is written: its script runs as cron runs it, and its units are what systemd accepts.

Asserts that the script works in cron's bare environment, that a second start meets the lock (10), that a later start
shows what was recorded and spends nothing, that a check says whose cut points a later month would keep, and that
systemd finds no fault in the two units.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from cohortium.study_file import study_template
from privacy.audit.ledger_view import view_ledger
from server.running.on_end import OnEnd
from simulations.worlds.generator import generate, study_toml
from simulations.worlds.local import Workspace

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "docs" / "schedule.md").read_text(encoding="utf-8")
HOME = "/srv/cohortium"
#: What cron gives a job on Debian.
BARE = {"HOME": "/", "LOGNAME": "nobody", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}


def block(telling: str) -> str:
    """The only code block of the document that contains these words."""
    found = [text for text in re.findall(r"^```\w*\n(.*?)^```$", DOCUMENT, re.M | re.S) if telling in text]
    assert len(found) == 1, telling
    return found[0]


def test_cron_and_systemd_start_the_same_script() -> None:
    script = f"{HOME}/monthly.sh"
    assert script in block(f"# {HOME}/monthly.sh:")
    assert re.search(rf"^10 4-6 1 \* \*  {script}$", block("10 4-6"), re.M)
    assert f"\nExecStart={script}\n" in block("[Service]")


@pytest.mark.parametrize(("outcome", "mails"), [("failed", 1), ("done", 0), ("recorded", 0)])
def test_the_script_that_is_told_mails_of_failures_alone(tmp_path: Path, outcome: str, mails: int) -> None:
    settings = OnEnd.model_validate(tomllib.loads(block("[on_end]"))["on_end"])
    assert settings.command[0] == f"{HOME}/told.sh"
    script, mail = tmp_path / "told.sh", tmp_path / "mail"
    script.write_text(block(f"# {HOME}/told.sh:"), encoding="utf-8")
    mail.write_text(f'#!/bin/sh\ncat >> "{tmp_path}/sent"\n', encoding="utf-8")
    for path in (script, mail):
        path.chmod(0o755)
    summary = {"study": "spring", "as_of": "2025-02-01", "outcome": outcome, "exit_code": 8, "report": None}
    subprocess.run(
        [script], input=json.dumps(summary), text=True, check=True, env=BARE | {"PATH": f"{tmp_path}:{BARE['PATH']}"}
    )
    sent = (tmp_path / "sent").read_text().splitlines() if (tmp_path / "sent").exists() else []
    assert [json.loads(line) for line in sent] == [summary] * mails


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("flock") is None, reason="no flock on this machine")
def test_the_script_as_cron_runs_it(tmp_path: Path) -> None:
    world = generate(tmp_path / "data", customers=600)
    study = tmp_path / "study.toml"
    study.write_text(study_toml(world), encoding="utf-8")
    workspace = Workspace.create(
        tmp_path / "federation", {name: world.folder / name for name in world.holders}, declared=world.most_holders
    )
    command = tmp_path / "venv" / "bin" / "cohortium"
    command.parent.mkdir(parents=True)
    # Without processes, so that the test is short; it waits a moment so that two starts surely meet.
    command.write_text(
        f'#!/bin/sh\nsleep 1\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m cohortium "$@" --transport in-process\n',
        encoding="utf-8",
    )
    command.chmod(0o755)
    script = tmp_path / "monthly.sh"
    script.write_text(block(f"# {HOME}/monthly.sh:").replace(HOME, str(tmp_path)), encoding="utf-8")
    script.chmod(0o755)

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["sh", "-c", str(script)], env=BARE, cwd="/", text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    first = start()
    time.sleep(0.3)
    second = start()
    assert second.wait(60) == 10
    printed, complaints = first.communicate(timeout=300)
    assert first.returncode == 0, complaints
    assert complaints == ""  # cron would mail it
    assert "spent epsilon" in printed
    ledgers = [workspace.coordinator.root / "ledger.sqlite", workspace.holder(world.holders[0]).state / "ledger.sqlite"]
    spent = [view_ledger(path) for path in ledgers]
    assert all(view.charges for view in spent)
    again = start()
    printed, complaints = again.communicate(timeout=300)
    assert again.returncode == 0, complaints
    assert "nothing was asked or spent" in printed
    assert [view_ledger(path) for path in ledgers] == spent
    # The same study a quarter later, with the cut points of that run, which the federation's folder knows.
    raw = tomllib.loads(study.read_text(encoding="utf-8"), parse_float=Decimal)
    ran = workspace.coordinator.results.named(raw["name"])[-1].study.as_of
    kept = study_template(raw["name"], str(ran + dt.timedelta(days=92)), "1", raw["currency"])
    kept = kept.replace('# cut_points = "new" ', 'cut_points = "previous" ').replace("window_days = 365", "#")
    study.write_text(kept, encoding="utf-8")
    check = [sys.executable, "-m", "cohortium", "study", "check", str(study), "--workspace", str(workspace.root)]
    done = subprocess.run(
        check, cwd=ROOT, capture_output=True, text=True, timeout=60, env=os.environ | {"COLUMNS": "200"}
    )
    assert f"cut points kept           of {ran}" in done.stdout, done.stderr
    assert f"Cut points of {ran} are not of the same month a year before" in done.stdout


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze on this machine")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    script = tmp_path / "monthly.sh"
    script.write_text(block(f"# {HOME}/monthly.sh:"), encoding="utf-8")
    script.chmod(0o755)
    units = []
    for kind, telling in (("service", "[Service]"), ("timer", "[Timer]")):
        unit = tmp_path / f"cohortium-study.{kind}"
        # This machine has neither that user nor that folder.
        text = block(telling).replace(f"{HOME}/monthly.sh", str(script)).replace("User=cohortium", "User=root")
        unit.write_text(text, encoding="utf-8")
        units.append(str(unit))
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    day = re.search(r"^OnCalendar=(.+)$", block("[Timer]"), re.M)
    assert day is not None
    done = subprocess.run(["systemd-analyze", "calendar", day[1]], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
