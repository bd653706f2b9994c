"""The commands around the budget as operators and auditors type them, on one small federation, in this process."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import protocol_kit as kit
import pytest
from protocol_kit import federation_at

import cohortium

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command; its exit code, and both its streams with white space made plain."""

    def call(*words: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["cohortium", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            cohortium.main()
        said = capsys.readouterr()
        return int(end.value.code or 0), " ".join((said.out + said.err).split())

    return call


def test_from_backup_and_export_to_report_and_recovery(run: Run, tmp_path: Path) -> None:
    federation = federation_at(tmp_path / "federation", policy=kit.lenient_policy(epsilon="1.1"))
    alpha, beta = (federation.root / "holders" / name for name in ("alpha", "beta"))
    for name in ("first", "second"):
        if name == "second":
            assert run("ledger", "backup", alpha, "-o", tmp_path / "backup")[0] == 0
        coordinator = kit.coordinator_of(federation, kit.lean_study(name=name, budget={"epsilon": "0.9"}))
        coordinator.join()
        coordinator.ask("rfm", "cut points", kit.STATISTIC, kit.price(coordinator.study) * 2)
        coordinator.finish("{}")

    bundles = []
    for home in (federation.folder.root, alpha, beta):
        bundles.append(tmp_path / f"{home.name}.bundle")
        code, said = run("audit", "export", home, "-o", bundles[-1], "--json")
        assert (code, json.loads(said)["owner"]) == (0, home.name)
    code, said = run("audit", "verify", "--quiet", *bundles)
    assert code == 0
    assert "FAIL" not in said
    assert "It does not prove that the noise was added" in said
    code, said = run("audit", "report", *bundles, "-o", tmp_path / "audit.html", "--quiet")
    assert (code, "all claims pass" in said) == (0, True)

    code, said = run("budget", "plan", alpha, "--epsilon", "0.1")
    assert code == 0
    assert re.search(r"Studies of epsilon 0.1 at delta 1e-06: \d+ fit now", said)
    assert "Warning: 8" in said or "Warning: 9" in said
    code, said = run("budget", "plan", federation.folder.root)
    assert (code, "states no cap" in said) == (3, True)

    for home in (beta, federation.folder.root):
        assert run("audit", "heads", home, "-o", tmp_path / f"{home.name}.json")[0] == 0
    assert run("ledger", "restore", alpha, tmp_path / "backup")[0] == 9, "the ledger in place is whole and longer"
    (alpha / "state" / "ledger.sqlite").write_bytes(b"damaged")
    code, said = run("ledger", "restore", alpha, tmp_path / "backup")
    assert (code, "counts as spent" in said) == (0, True)
    heads = [word for home in (beta, federation.folder.root) for word in ("--heads", tmp_path / f"{home.name}.json")]
    assert run("holder", "recover", alpha, *heads)[0] == 3, "entries are lost, and no bundle says what they charged"
    code, said = run("holder", "recover", alpha, *heads, "--bundle", bundles[2], "--bundle", bundles[0], "--json")
    assert (code, json.loads(said)["charges"]) == (0, 1)
    assert run("audit", "export", alpha, "-o", bundles[1])[0] == 0
    code, said = run("audit", "verify", "--quiet", *bundles, tmp_path / "beta.json")
    assert code == 0, said
    assert "To ask about: holder alpha restored a backup" in said


def test_an_auditor_keeps_heads_and_shows_them(run: Run, tmp_path: Path) -> None:
    from privacy.member_folder import MemberFolder
    from privacy.protocol.membership import fingerprint
    from server.running.enrolment import Enrolment

    federation = federation_at(tmp_path / "federation")
    hub, auditor = Enrolment(federation.folder.root), MemberFolder(tmp_path / "audit")
    hub.take(auditor.create("demo", "auditor", "auditor"))
    signed, update = hub.publish()
    auditor.accept(signed, fingerprint(update.roster.digest))
    code, said = run("auditor", "heads", tmp_path / "audit", "-o", tmp_path / "none.json")
    assert (code, "sent heads yet" in said) == (3, True)
    alpha = federation.root / "holders" / "alpha"
    assert run("audit", "heads", alpha, "-o", tmp_path / "alpha.json")[0] == 0
    code, said = run("auditor", "remember", tmp_path / "audit", tmp_path / "alpha.json")
    assert (code, "Kept what alpha sent" in said) == (0, True)
    assert run("auditor", "heads", tmp_path / "audit", "-o", tmp_path / "all.json")[0] == 0
    assert json.loads((tmp_path / "all.json").read_bytes())["kind"] == "Heads"
