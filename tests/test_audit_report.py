"""The auditor's report and the budget plan: what they say follows from the records, in both languages."""

from __future__ import annotations

import ast
import datetime as dt
import re
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import protocol_kit as kit
import pytest
from bundle_kit import Forger, export_all
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_charges import OPENED, charge
from protocol_kit import federation_at, small_study

from privacy import audit
from privacy.accounting.events import epsilon_spent, squared_cap
from privacy.audit.budget import budget_left, plan_budget, use_of_caps
from privacy.audit.budget_words import budget_in_words
from privacy.audit.report.render import render_audit
from privacy.audit.report.texts import CLAIMS
from privacy.audit.timeline import read_story
from privacy.audit.verify import verify
from privacy.errors import ConfigError
from privacy.ledger import Ledger, LedgerState, Opened, PeriodCap
from privacy.presentation.texts import LANGUAGES


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bundles of three holders and the coordinator after two studies."""
    root = tmp_path_factory.mktemp("report")
    federation = federation_at(root / "federation", policy=kit.lenient_policy(epsilon="1.2"))
    for name in ("spring", "autumn"):
        coordinator = kit.coordinator_of(federation, small_study(name=name, budget={"epsilon": "0.9"}))
        coordinator.join()
        coordinator.ask("rfm", "cut points", kit.STATISTIC, kit.price(coordinator.study))
        coordinator.finish("{}")
    return export_all(federation, root / "bundles")


def page_of(paths: list[Path]) -> str:
    verdict = verify(paths, third=False)
    return render_audit([read_story(path) for path in paths], verdict, made=dt.date(2026, 1, 2))


def test_the_report_says_what_the_records_say_in_both_languages(bundles: Path) -> None:
    paths = sorted(bundles.glob("*.bundle"))
    page = page_of(paths)
    english, chinese = page.split('id="page-zh"')
    spent = next(spent for spent in verify(paths, third=False).spent if spent.owner == "alpha")
    shown = f"{spent.epsilon:.4f}"[:4]
    told = (english, ("claims pass", "Annex: GDPR", "2 January 2026")), (chinese, ("附录", "2026年1月2日"))
    for part, words in told:
        for word in (*words, "alpha", "beta", "gamma", "spring", "autumn", shown):
            assert word in part, word
    assert "SOME" not in page
    for day in ("spring 2025-01-01", "autumn 2025-01-01"):
        assert page.count(day) == 2, "studies of two months have one name"
    assert "哈希链完整（the chain is intact）" in chinese
    assert ">the chain is intact<" in english
    assert "retailer(s)" not in page
    assert not re.search(r"(src|href)=[\"']?(http|//)", page)
    assert page_of(paths) == page, "the same records give the same bytes"


def test_every_claim_has_a_name_in_chinese() -> None:
    """Those that pass and those that cheating makes fail; and no name is kept of a claim that is none any more."""
    modules = sorted(Path(audit.__path__[0]).glob("*.py"))
    source = "".join(path.read_text(encoding="utf-8") for path in modules)
    for name in CLAIMS:
        assert f'"{name}"' in source, name
    made = claims_in(modules)
    assert len(made) > 30
    assert made <= set(CLAIMS)


def claims_in(modules: Iterable[Path]) -> set[str]:
    """The names that are written where a claim is judged."""
    return {
        call.args[1].value
        for path in modules
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "judged"
        and isinstance(call.args[1], ast.Constant)
    }


def test_the_auditors_page_says_what_is_left_as_the_holders_own_screens_do(bundles: Path) -> None:
    """The same sentences, from the same facts; spent epsilon is no fraction of the cap."""
    paths = sorted(bundles.glob("*.bundle"))
    stories = {story.owner: story for story in map(read_story, paths)}
    page = page_of(paths)
    most = stories["alpha"]
    left = most.left()
    assert left is not None
    ledger = Ledger(bundles.parent / "federation" / "holders" / "alpha" / "state" / "ledger.sqlite")
    assert left == budget_left(ledger, most.last_time, holders=most.holders)
    for language in LANGUAGES:
        assert budget_in_words(left, language) in page
    assert f"{left.used:.0%}" in page
    assert stories["coordinator"].left() is None


def test_a_study_is_priced_at_the_delta_of_its_promise(tmp_path: Path) -> None:
    """At the holders' smaller delta a study that keeps its promise would stand above it."""
    federation = federation_at(tmp_path / "federation", policy=kit.lenient_policy(epsilon="4"))
    study = small_study(budget={"epsilon": "1", "size_class": 1000, "delta": "0.0001"})
    coordinator = kit.coordinator_of(federation, study)
    coordinator.join()
    coordinator.ask("rfm", "cut points", kit.STATISTIC, kit.price(coordinator.study))
    coordinator.finish("{}")
    page = page_of(sorted(export_all(federation, tmp_path / "bundles").glob("*.bundle")))
    row = re.search(rf"<tr><th[^>]*>{study.name} {study.as_of}</th>(.*?)</tr>", page, re.S)
    assert row is not None
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", row[1])
    story = read_story(tmp_path / "bundles" / "alpha.bundle")
    (spent,) = story.studies.values()
    assert float(cells[2]) == pytest.approx(spent.person.epsilon(1e-4), rel=0.01)
    assert float(cells[2]) <= float(cells[3]) == 1
    assert story.epsilon(spent.person) > 1.1 * spent.person.epsilon(1e-4)


def test_failures_stand_first_and_names_are_escaped(bundles: Path, tmp_path: Path) -> None:
    import shutil

    copied = Path(shutil.copytree(bundles, tmp_path / "bundles"))
    root = bundles.parent / "federation"

    def quieter(facts: list[dict]) -> list[dict]:
        for fact in facts:
            if fact["kind"] == "reserved":
                fact["study"] = "<script>alert(1)</script>"
        return facts

    Forger(copied, root, "alpha").rechain(quieter).write()
    page = page_of(sorted(copied.glob("*.bundle")))
    assert 'class="alarm"' in page
    assert "<script>alert" not in page


def test_a_report_needs_a_holder(bundles: Path) -> None:
    with pytest.raises(ConfigError, match="holder"):
        page_of([bundles / "coordinator.bundle"])


# --- budget ------------------------------------------------------------------------------------------------------


def state_of(opened: Opened, charges: int) -> LedgerState:
    state = LedgerState()
    state.take(opened)
    for number in range(charges):
        state.take(charge(number + 1, study=f"study {number // 5}"))
    return state


NOW = 1_700_000_000


@settings(max_examples=25, deadline=None)
@given(charges=st.integers(0, 20), epsilon=st.floats(0.05, 3), delta=st.sampled_from([1e-6, 1e-8]))
def test_what_fits_fits_and_one_more_does_not(charges: int, epsilon: float, delta: float) -> None:
    state = state_of(OPENED, charges)
    plan = plan_budget(state, epsilon=epsilon, delta=delta, now=NOW, counted=1)
    cap, price = squared_cap(2, 1e-6), squared_cap(epsilon, delta)
    assert state.total.squared_mu + plan.fit_now * price <= cap < state.total.squared_mu + (plan.fit_now + 1) * price
    assert plan.after <= 2
    (life,) = plan.caps
    assert life.warn == (10 * state.total.squared_mu >= 8 * cap)


def test_a_period_limits_what_fits_now_and_periods_add_up_by_the_root() -> None:
    period = PeriodCap(epsilon=Decimal("0.5"), delta=Decimal("0.000001"), days=90, start=dt.date(2023, 10, 1))
    state = state_of(OPENED.model_copy(update={"period": period}), 1)
    plan = plan_budget(state, epsilon=0.3, delta=1e-6, now=NOW, counted=1)
    life, now = use_of_caps(state, NOW, counted=1)
    assert (life.until, now.until) == (None, dt.date(2023, 12, 30))
    assert plan.fit_now < plan.fit_later < plan.fit_life
    full = squared_cap(0.5, 1e-6)
    assert plan.periods == (squared_cap(2, 1e-6) - state.total.squared_mu) // full
    assert epsilon_spent(4 * full, 1e-6) == pytest.approx(epsilon_spent(full, 1e-6) * 2, rel=0.15)  # mu doubles


def test_a_coordinator_has_no_plan() -> None:
    with pytest.raises(ValueError, match="no lifetime cap"):
        plan_budget(state_of(Opened(owner="c", role="coordinator"), 0), epsilon=1, delta=1e-6, now=NOW, counted=1)
