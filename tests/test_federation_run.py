"""A study from end to end over holders' folders with real files, in process: what is left behind, and what stops it.

Asserted: labels at every holder, result and report at the coordinator, ledgers that agree; a study that was cut off
goes on at no further cost; every foreseeable mistake ends with a clear error of the documented exit code, before
anything is charged anywhere.
"""

from __future__ import annotations

import csv
import json
import multiprocessing
import stat
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import protocol_kit as kit
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from workspaces import CUSTOMERS, HOLDERS, STUDY, make_holder, make_workspace, read_study, run, sales

from clients.answering.folder import HolderFolder
from privacy.accounting.events import squared_cap
from privacy.errors import BudgetError, CohortiumError, ConfigError, DataError, NotEnoughHolders
from privacy.kernel.canonical import read_toml
from privacy.ledger import Ledger, Released, Reserved
from privacy.protocol.study import Study
from privacy.protocol.transport import Handler
from privacy.results import StudyResult
from server.running.run import run_study
from simulations.worlds.inprocess import InProcessTransport
from simulations.worlds.kit import MemoryFederation, NoWaiting
from simulations.worlds.local import Workspace, run_local


def charges(ledger: Ledger) -> list[Reserved]:
    return [fact for fact in ledger.facts() if isinstance(fact, Reserved)]


def nothing_charged(workspace: Workspace) -> bool:
    """Whether no ledger in a workspace has a charge (or there is no ledger)."""
    paths = [*workspace.root.rglob("ledger.sqlite")]
    return all(not charges(Ledger(path)) for path in paths)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Study, StudyResult]:
    root = tmp_path_factory.mktemp("done")
    workspace, study = make_workspace(root), read_study(root)
    return workspace, study, run(workspace, study, pages=True)


# --- what a run leaves -------------------------------------------------------------------------------------------


def test_result_and_report_are_there(done: tuple[Workspace, Study, StudyResult]) -> None:
    workspace, study, result = done
    folder = workspace.coordinator.root / "results" / "spring-2024-06-01"
    assert StudyResult.model_validate_json((folder / "result.json").read_bytes()) == result
    assert "<html" in (folder / "report.html").read_text(encoding="utf-8")
    assert result.participants == HOLDERS
    assert result.missing == ()
    assert result.study_digest == study.digest
    # 360 customers; the margin is the released one, seven of its deviations are beyond 1e-11.
    assert abs(result.rfm.customers.value - 360) < 7 / 1.96 * result.rfm.customers.margin


def test_every_holder_labelled_its_own_customers(done: tuple[Workspace, Study, StudyResult]) -> None:
    workspace, _, result = done
    cuts = result.rfm.rules.cuts
    for seed, name in enumerate(HOLDERS):
        path = workspace.holder(name).root / "labels" / "spring-2024-06-01.csv"
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        assert {row["customer_id"] for row in rows} == {f"c{seed}-{number}" for number in range(CUSTOMERS)}
        for row in rows:
            assert (row["study"], row["as_of"]) == ("spring", "2024-06-01")
            assert int(row["r"]) == 5 - sum(int(row["recency_days"]) > cut for cut in cuts.recency_days)
            assert int(row["f"]) == 1 + sum(int(row["orders"]) >= cut for cut in cuts.orders)
            cents = int(Decimal(row["money"]) * 100)
            assert int(row["m"]) == 1 + sum(cents > cut for cut in cuts.money)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_ledgers_agree(done: tuple[Workspace, Study, StudyResult]) -> None:
    """Coordinator and holders charged the same questions at the same price, and saw the same releases."""
    workspace, study, _ = done
    own = workspace.coordinator.ledger()
    facts = ("question", "study_digest", "core", "statistic_digest", "event", "records", "holders", "colluding")
    expected = [[getattr(charge, name) for name in facts] for charge in charges(own)]
    assert len(expected) == 4
    released = [(f.core, f.release) for f in own.facts() if isinstance(f, Released)]
    for name in HOLDERS:
        ledger = workspace.holder(name).ledger()
        assert [[getattr(charge, fact) for fact in facts] for charge in charges(ledger)] == expected
        assert [(f.core, f.release) for f in ledger.facts() if isinstance(f, Released)] == released
        assert ledger.spent() == own.spent() == ledger.spent(study.digest)
    # No attempt failed: what was kept for one bought second answers, and nothing is left.
    cap = squared_cap(float(study.budget.epsilon), float(study.budget.effective_delta))
    assert cap >= own.spent() > cap * 999 / 1000


def test_holders_keep_the_study_and_the_result(done: tuple[Workspace, Study, StudyResult]) -> None:
    workspace, study, result = done
    for name in HOLDERS:
        folder = workspace.holder(name).state / "runs" / result.run
        assert Study.parse((folder / "study.json").read_bytes()) == study
        shown = StudyResult.model_validate_json((folder / "result.json").read_bytes())
        assert shown.rfm == result.rfm
        assert len(list(folder.glob("plan-*.json"))) == 4


def test_nothing_private_is_readable_by_others_or_stands_with_the_coordinator(
    done: tuple[Workspace, Study, StudyResult],
) -> None:
    workspace, _, _ = done
    for name in HOLDERS:
        for path in workspace.holder(name).state.rglob("*"):
            if path.is_file():
                assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    for path in workspace.coordinator.root.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not [number for number in range(CUSTOMERS) if f'c0-{number}"'.encode() in data], path


# --- going on ----------------------------------------------------------------------------------------------------


def test_running_again_costs_nothing_and_gives_the_same(tmp_path: Path) -> None:
    workspace, study = make_workspace(tmp_path), read_study(tmp_path)
    first = run(workspace, study)
    before = {path: Ledger(path).spent() for path in workspace.root.rglob("ledger.sqlite")}
    labels = {path: path.read_bytes() for path in workspace.root.glob("holders/*/labels/*.csv")}
    assert len(labels) == 3
    for path in labels:
        path.unlink()
    second = run(workspace, study)
    assert second.rfm == first.rfm
    assert second.run != first.run
    assert second.spending == first.spending
    assert {path: Ledger(path).spent() for path in before} == before
    assert {path: path.read_bytes() for path in labels} == labels


#: All questions of a study in which no attempt fails.
ALL_QUESTIONS = ["cut points", "cut points again", "segments", "segments again"]


class Cut(BaseException):
    """Ends a run as a kill would."""


def test_a_run_cut_off_between_its_questions_goes_on(tmp_path: Path) -> None:
    class Cutting:
        def step(self, name: str, holders: tuple[str, ...]) -> None:
            if name == "segments: showing the plan":
                raise Cut

        def reply(self, holder: str) -> None: ...

        def note(self, text: str) -> None: ...

    workspace, study = make_workspace(tmp_path), read_study(tmp_path)
    with pytest.raises(Cut):
        run(workspace, study, progress=Cutting())
    assert [charge.title for charge in charges(workspace.coordinator.ledger())] == ["cut points", "cut points again"]
    assert not list(workspace.root.glob("holders/*/labels/*"))
    result = run(workspace, study)
    assert result.participants == HOLDERS
    for ledger in (workspace.coordinator.ledger(), *(workspace.holder(name).ledger() for name in HOLDERS)):
        assert [charge.title for charge in charges(ledger)] == ALL_QUESTIONS
    assert len(list(workspace.root.glob("holders/*/labels/*.csv"))) == 3
    assert {question.outcome for question in result.spending.questions} == {"released"}


#: Tables whose best cap would be another one among three holders than among four.
SEED = 0


def _second_question_loses(holder: str) -> kit.Hook:
    def hook(name: str, kind: str, count: int, request: bytes, forward: Handler) -> bytes | None:
        return None if (name, kind) == (holder, "ready") and count > 1 else forward(request)

    return hook


def test_running_again_after_a_dropout_costs_nothing(tmp_path: Path) -> None:
    """A holder is lost after the first question; the study ends without it. Run again: everything is recorded."""
    names = ("alpha", "beta", "delta", "gamma")
    study = kit.small_study()
    federation = MemoryFederation(
        tmp_path,
        {name: kit.table(400, seed + SEED) for seed, name in enumerate(names)},
        policy=kit.lenient_policy(),
        declared=1,
        sampler=kit.no_noise,
    )
    lossy = kit.HookedTransport(federation, _second_question_loses("beta"))
    first = run_study(study, folder=federation.folder, transport=lossy, pages=False)
    if (first.participants, first.missing) != (("alpha", "delta", "gamma"), ("beta",)):
        pytest.fail("the first run did not go as this test needs it")
    before = federation.folder.ledger().spent()
    second = run_study(study, folder=federation.folder, transport=federation.transport, pages=False)
    assert federation.folder.ledger().spent() == before
    assert second.rfm == first.rfm


# --- one run at a time -------------------------------------------------------------------------------------------


def _hold(root: str, ready: Any, end: Any) -> None:
    from server.running.folder import CoordinatorFolder

    with CoordinatorFolder(root=Path(root)).locked():
        ready.set()
        end.wait(30)


def test_two_runs_of_one_coordinator_are_refused(tmp_path: Path) -> None:
    """Another process holds the coordinator's folder; once it has ended, however it did, the way is free."""
    workspace, study = make_workspace(tmp_path), read_study(tmp_path)
    context = multiprocessing.get_context("spawn")
    ready, end = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(str(workspace.coordinator.root), ready, end))
    other.start()
    try:
        assert ready.wait(30)
        with pytest.raises(CohortiumError, match="another run of this coordinator is under way"):
            run(workspace, study)
        assert nothing_charged(workspace)
    finally:
        other.kill()
        other.join(10)
    assert run(workspace, study).participants == HOLDERS


# --- mistakes ----------------------------------------------------------------------------------------------------


def edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    """Change a holder's ``holder.toml`` before the workspace is made."""

    def change(sources: Path) -> None:
        path = sources / name / "holder.toml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return change


def overwrite(name: str, file: str, data: bytes) -> Callable[[Path], None]:
    """Replace a holder's data before the workspace is made."""
    return lambda sources: (sources / name / file).write_bytes(data) and None


def with_currencies(declared: str, row: str) -> Callable[[Path], None]:
    """One holder's rows have a currency column, with one row in another currency than EUR."""

    def change(sources: Path) -> None:
        rows = [line | {"currency": "EUR"} for line in sales(0)]
        rows[3]["currency"] = row
        pq.write_table(pa.Table.from_pylist(rows), sources / "north" / "sales.parquet")
        edit("north", 'currency_code = "EUR"', f"currencies = {declared}")(sources)
        edit("north", 'amount = "amount"', 'amount = "amount"\ncurrency = "currency"')(sources)

    return change


#: A holder's data that cannot be used; it is told to the coordinator as a code, and to the holder in words.
BAD_DATA: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "missing column": ("north", edit("north", 'amount = "amount"', 'amount = "amuont"'), "amuont"),
    "no file": ("north", edit("north", "sales.parquet", "elsewhere.parquet"), "elsewhere.parquet"),
    "not a Parquet file": ("north", overwrite("north", "sales.parquet", b"customer 4711 of Mrs Example"), "Parquet"),
    "not text": ("online", overwrite("online", "sales.csv", b"\xff\xfe\x00,4711\n" * 9), "sales.csv cannot be read"),
    "unknown currency": ("north", with_currencies('["CHF", "EUR"]', "EUR"), "CHF"),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_a_holder_whose_data_cannot_be_used_is_not_ready(tmp_path: Path, case: str) -> None:
    holder, change, word = BAD_DATA[case]
    workspace, study = make_workspace(tmp_path, change), read_study(tmp_path)
    folder = workspace.holder(holder)
    from clients.answering.folder import SourceData

    with pytest.raises((DataError, ConfigError)) as told:  # unreadable lines and rows are dropped and counted
        SourceData(folder).tables(study)
    assert told.value.exit_code == (3 if case == "unknown currency" else 4)
    assert word in told.value.message
    assert told.value.hint
    assert "4711" not in told.value.message
    with pytest.raises(NotEnoughHolders) as caught:
        run(workspace, study)
    assert caught.value.exit_code == 8
    assert f"{holder}: " in caught.value.message
    assert "4711" not in caught.value.message
    assert nothing_charged(workspace)


def test_a_row_in_a_currency_that_nobody_declared_changes_nothing_outside(tmp_path: Path) -> None:
    """Which currencies rows are in is private: such a row is left out, and the run goes through all the same."""
    workspace = make_workspace(tmp_path, with_currencies('["EUR"]', "CHF"))
    assert run(workspace, read_study(tmp_path)).participants == HOLDERS


def test_as_of_before_the_data_is_an_empty_table_and_not_an_error(tmp_path: Path) -> None:
    """The day is the study's; how many rows lie before it is nobody's business, so the run goes through."""
    workspace = make_workspace(tmp_path)
    study = read_study(tmp_path, STUDY.replace("2024-06-01", "2001-01-01"))
    result = run(workspace, study)
    # Nobody there: the released count is noise, at least 1, and within 7 deviations of 0 (1e-11).
    assert result.rfm.customers.value < 1 + 7 / 1.96 * result.rfm.customers.margin
    for name in HOLDERS:
        path = workspace.holder(name).root / "labels" / "spring-2001-01-01.csv"
        assert len(path.read_text(encoding="utf-8-sig").splitlines()) == 1, "only the heading"


BAD_STUDIES: dict[str, tuple[str, str, str]] = {
    "unknown analysis": ('currency = "EUR"', 'analyses = ["spying"]\ncurrency = "EUR"', "unknown analysis 'spying'"),
    "duplicate holder": ('currency = "EUR"', 'holders = ["north", "north"]\ncurrency = "EUR"', "duplicate holder"),
    "epsilon of zero": ("epsilon = 1", "epsilon = 0", "budget.epsilon"),
    "epsilon negative": ("epsilon = 1", "epsilon = -1", "budget.epsilon"),
    "epsilon too large": ("epsilon = 1", "epsilon = 21", "budget.epsilon"),
    "epsilon infinite": ("epsilon = 1", "epsilon = inf", "budget.epsilon"),
    "epsilon not a number": ("epsilon = 1", 'epsilon = "four"', "budget.epsilon"),
    "no epsilon": ("epsilon = 1", "", "budget.epsilon"),
    "delta of zero": ("delta = 1e-6", "delta = 0", "budget.delta"),
    "delta too large": ("delta = 1e-6", "delta = 0.01", "budget.delta"),
    "delta above one customer in all": ("delta = 1e-6", "delta = 0.001\nspare_attempts = 1", ""),
    "as-of is no day": ("2024-06-01", "2024-06-31", ""),
    "as-of with a time": ("2024-06-01", "2024-06-01T12:00:00", "as_of"),
    "currency that is none": ('currency = "EUR"', 'currency = "euro"', "currency"),
    "a field misspelt": ("epsilon = 1", "epsilon = 1\nepsilom = 4", "budget.epsilom"),
    "noise turned off": ("epsilon = 1", "epsilon = 1\nnoise = false", "budget.noise"),
    "a placement without noise": ('currency = "EUR"', 'placement = "none"\ncurrency = "EUR"', "placement"),
    "not TOML": ("[budget]", "[budget", ""),
}


@pytest.mark.parametrize("case", BAD_STUDIES)
def test_a_wrong_study_file_is_told_by_field(tmp_path: Path, case: str) -> None:
    old, new, word = BAD_STUDIES[case]
    assert old in STUDY
    text = STUDY.replace(old, new)
    if case == "delta above one customer in all":
        text = text.replace("size_class = 1000", "size_class = 10000")
    with pytest.raises(ConfigError) as caught:
        read_study(tmp_path, text)
    assert caught.value.exit_code == 3
    assert word in caught.value.message
    assert "study.toml" in caught.value.message
    assert caught.value.hint


def test_a_missing_study_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        read_toml(tmp_path / "none.toml", Study)


def test_a_study_that_names_an_unknown_holder_asks_nobody(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    study = read_study(tmp_path, STUDY.replace('currency = "EUR"', 'holders = ["north", "west", "south"]'))
    with pytest.raises(ConfigError, match="no holder west"):
        run_local(study, workspace, transport="in-process")
    nodes = {name: workspace.holder(name).node(NoWaiting()).handle for name in HOLDERS}
    with pytest.raises(ConfigError, match=r"the study names west, not in the roster"):
        run_study(study, folder=workspace.coordinator, transport=InProcessTransport(nodes))
    assert nothing_charged(workspace)


def test_a_lifetime_budget_that_does_not_suffice_is_found_before_any_charge(tmp_path: Path) -> None:
    """One holder's cap is below the first question's price: it says so by code, at no cost to anybody.

    The two others are fewer than their policies ask for, so the study ends.
    """
    sources = {name: make_holder(tmp_path / "sources", name, seed) for seed, name in enumerate(HOLDERS)}
    workspace = Workspace.create(tmp_path / "work", sources, declared=1)
    policy = workspace.holder("north").root / "policy.toml"
    policy.write_text(policy.read_text().replace("epsilon = 8", "epsilon = 0.3"))
    with pytest.raises(NotEnoughHolders) as caught:
        run(workspace, read_study(tmp_path))
    assert caught.value.exit_code == 8
    assert nothing_charged(workspace)


def test_a_further_study_that_the_lifetime_budget_does_not_cover_is_refused(tmp_path: Path) -> None:
    """A study of epsilon 1 uses all of its mu^2; so do two of them of a lifetime cap that is about the root of two."""
    sources = {name: make_holder(tmp_path / "sources", name, seed) for seed, name in enumerate(HOLDERS)}
    workspace = Workspace.create(tmp_path / "work", sources, lifetime_epsilon="1.5", declared=1)
    for name in ("one", "two"):
        run(workspace, read_study(tmp_path, STUDY.replace('"spring"', f'"{name}"')))
    spent = [workspace.holder(holder).ledger().spent() for holder in HOLDERS]
    with pytest.raises(CohortiumError) as caught:
        run(workspace, read_study(tmp_path, STUDY.replace('"spring"', '"three"')))
    assert caught.value.exit_code in (BudgetError.exit_code, NotEnoughHolders.exit_code)
    assert [workspace.holder(holder).ledger().spent() for holder in HOLDERS] == spent


def test_a_study_that_the_default_policy_allows_can_be_run(tmp_path: Path) -> None:
    """``simulations.worlds.kit.policy_toml``: lifetime epsilon 8, largest epsilon of a study 4."""
    run(make_workspace(tmp_path), read_study(tmp_path, STUDY.replace("epsilon = 1", "epsilon = 4")))


def test_an_epsilon_above_the_policies_is_refused_by_code(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    with pytest.raises(NotEnoughHolders, match="north: policy; online: policy; south: policy"):
        run(workspace, read_study(tmp_path, STUDY.replace("epsilon = 1", "epsilon = 5")))
    assert nothing_charged(workspace)


def test_a_holder_that_is_not_there_is_named(tmp_path: Path) -> None:
    workspace, study = make_workspace(tmp_path), read_study(tmp_path)
    nodes = {name: workspace.holder(name).node(NoWaiting()).handle for name in ("north", "south")}
    with pytest.raises(NotEnoughHolders, match=r"not ready: online: no answer\. Nothing was asked and"):
        run_study(study, folder=workspace.coordinator, transport=InProcessTransport(nodes))
    assert nothing_charged(workspace)


BROKEN_FOLDERS: dict[str, tuple[Callable[[HolderFolder], None], str]] = {
    "no policy": (lambda f: (f.root / "policy.toml").unlink(), "policy.toml does not exist"),
    "a policy without a lifetime budget": (lambda f: (f.root / "policy.toml").write_text("[allow]\n"), "lifetime"),
    "no roster": (lambda f: (f.root / "roster.json").unlink(), "there is no roster"),
    "no signing key": (lambda f: (f.root / "keys" / "signing.pem").unlink(), "there is no signing key"),
    "a signing key that others may read": (lambda f: (f.root / "keys" / "signing.pem").chmod(0o644), "others may read"),
    "another holder's name": (
        lambda f: (f.root / "holder.toml").write_text((f.root / "holder.toml").read_text().replace("north", "south")),
        "the keys here are those of north",
    ),
    "not a holder.toml": (lambda f: (f.root / "holder.toml").write_text("[source]\n"), "holder.toml"),
}


@pytest.mark.parametrize("case", BROKEN_FOLDERS)
def test_a_holder_whose_folder_is_wrong_does_not_start(tmp_path: Path, case: str) -> None:
    workspace = make_workspace(tmp_path)
    change, word = BROKEN_FOLDERS[case]
    change(workspace.holder("north"))
    with pytest.raises(ConfigError) as caught:
        workspace.holder("north").node(NoWaiting())
    assert word in caught.value.message
    assert caught.value.exit_code == 3
    assert nothing_charged(workspace)


def test_a_workspace_needs_two_holders_and_is_not_made_twice(tmp_path: Path) -> None:
    source = make_holder(tmp_path, "north", 1)
    with pytest.raises(ConfigError, match="at least two"):
        Workspace.create(tmp_path / "work", {"north": source})
    workspace = make_workspace(tmp_path / "again")
    with pytest.raises(ConfigError, match="holds a federation already"):
        Workspace.create(workspace.root, {"north": source, "south": source})


def test_an_unknown_transport_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown transport"):
        run_local(read_study(tmp_path), make_workspace(tmp_path), transport="pigeons")


def test_a_clean_exit_leaves_a_result_that_scripts_can_read(done: tuple[Workspace, Study, StudyResult]) -> None:
    workspace, _, result = done
    path = workspace.coordinator.root / "results" / "spring-2024-06-01" / "result.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    assert told["spending"]["epsilon_person"] <= told["spending"]["epsilon_promised"] == 1
    assert [one["question"] for one in told["spending"]["questions"]] == ALL_QUESTIONS
    assert told["transport"] == result.transport == "in-process"
