"""Studies that withhold totals (``rfm.totals = "shares"``).

Asserted: the form depends on the totals by their class only and has no digit beyond its grid; a result that breaks this
cannot be built; nothing that the coordinator hands out or writes for people holds a total, with three holders or two;
a holder accepts values only where the study shows them; previous cut points, trend, pages and ``study check`` work; and
how precisely a reader can still infer the total.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import protocol_kit as kit
import pytest
from all_texts import text as report_text
from holder_kit import Earlier, holder_report
from holder_kit import text as holder_text
from holder_pages import table_of
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from report_pages import Page, chromium

from clients.analysis.actions import Actions
from privacy.analyses.catalogue import NAMES
from privacy.analyses.rfm.results import Distribution, RfmResult, TailFigures
from privacy.analyses.rfm.segment_totals import SegmentEstimate, SegmentTotals
from privacy.analyses.rfm.segments import CutPoints, SegmentRules
from privacy.figures.estimates import Estimate
from privacy.figures.public_grid import FINEST, bound_of, class_of, coarsened, is_coarse, rounded, rounded_up, step_of
from privacy.kernel.customers import CustomerColumns
from privacy.mechanisms import SumMechanism
from privacy.presentation.texts import LANGUAGES
from privacy.protocol.envelopes import Request
from privacy.protocol.messages import FinishRequest, release_digest
from privacy.protocol.study import Study
from privacy.results import StudyResult
from privacy.secure_sum.masks import unmask
from privacy.statistics import Statistic
from server.analyses.rfm import run as rfm
from server.analyses.rfm.figures import Tail, Tails, scheme_figures
from server.analyses.rfm.shares_only import earlier_shares_only, shares_only
from server.report.render import render_report
from server.running.check import check_study
from server.running.planning import plan, planned_mechanism
from server.running.run import run_study
from simulations.worlds.kit import MemoryFederation

# --- the grid ----------------------------------------------------------------------------------------------------

figure = st.floats(-1e9, 1e9, allow_nan=False)
margin = st.floats(0, 1e9, allow_nan=False)


@given(figure, margin)
def test_a_coarsened_figure_is_on_the_grid_and_covers_noise_and_rounding(value: float, wide: float) -> None:
    shown, around = coarsened(value, wide, finest=FINEST)
    step = step_of(around)
    assert is_coarse(shown, around)
    assert step <= around < 2.6 * step
    assert abs(shown - value) <= step / 2 * (1 + 1e-9)
    assert around**2 >= max(wide, FINEST) ** 2 + 1.96**2 * step**2 / 12 * (1 - 1e-9)
    assert around <= max(2.5 * max(wide, FINEST), 1e-9)
    assert coarsened(value, wide * 1.0001, finest=FINEST)[1] >= around


@given(figure, st.integers(-6, 6), st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 9]))
def test_what_is_finer_than_the_grid_is_seen(value: float, power: int, digit: int) -> None:
    around = digit * 10.0**power if power >= 0 else digit / 10.0**-power
    step = step_of(around)
    on = rounded(value, around)
    assert is_coarse(on, around)
    if abs(on) < 1e6 * step:  # else the difference drowns in the float
        assert not is_coarse(on + 0.3 * step, around)
    assert not is_coarse(on, around * 1.01)
    assert not is_coarse(on, 0.0)
    assert rounded_up(value, around) - value == pytest.approx(0, abs=step * (1 + 1e-6))
    assert rounded_up(value, around) >= value - 1e-6 * step


def test_classes_and_bounds_are_public_and_few() -> None:
    assert {class_of(total) for total in np.linspace(1000, 99_999, 5000)} == {1e3, 2e3, 5e3, 1e4, 2e4, 5e4}
    assert class_of(-5.0) == class_of(0.0) == 1.0
    assert {bound_of(part) for part in np.linspace(0, 1, 500)} == {0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0}


def test_margins_cover_the_truth_as_often_as_they_say() -> None:
    """Truth anywhere, noise of a given margin: at least 95% of 20,000 intervals hold it (0.5% allowed for chance)."""
    rng = np.random.default_rng(4)
    for wide in np.geomspace(0.0011, 0.011, 7):
        truth = rng.uniform(0, 1, 20_000)
        pairs = [coarsened(float(x), float(wide), finest=FINEST) for x in truth + rng.normal(0, wide / 1.96, 20_000)]
        hits = [abs(shown - true) <= around for (shown, around), true in zip(pairs, truth, strict=True)]
        assert np.mean(hits) > 0.945


# --- the form ----------------------------------------------------------------------------------------------------

CUTS = CutPoints(
    recency_days=(10, 30, 90, 200), orders=(2, 2, 3, 5), money=(1000, 2000, 5000, 9000), recency_high=60,
    orders_high=2, money_high=3000,
)  # fmt: skip
RULES = SegmentRules(cuts=CUTS, money_unit=100)
#: Standard deviations of the noise in one segment's customers, orders, cents.
NOISE = (23.0, 210.0, 2_300_000.0)
QUESTION = SegmentTotals(rules=RULES, schemes=("eight",), orders_cap=12, money_cap=200_000, form="centred")
TAILS = Tails(orders=Tail(0.01, 0.05), money=Tail(0.04, 0.2))


def full_result(total: float, seed: int, *, floor: int = 20, schemes: tuple[str, ...] = ("eight", "ten")) -> RfmResult:
    """A result with totals in proportion to ``total``: the proportions are the seed's, the noise is public."""
    return full_release(total, seed, floor=floor, schemes=schemes)[0]


def full_release(
    total: float, seed: int, *, floor: int = 20, schemes: tuple[str, ...] = ("eight", "ten")
) -> tuple[RfmResult, list[SegmentEstimate]]:
    """The same, and what it was made from."""
    rng = np.random.default_rng(seed)
    figures, estimates = [], []
    for scheme in schemes:
        cells = len(RULES.segments(scheme))
        customers = rng.dirichlet(np.full(cells, 0.8)) * total
        orders = customers * rng.uniform(1, 5, cells)
        estimate = SegmentEstimate(
            scheme=scheme,  # type: ignore[arg-type]
            customers=customers,
            orders=orders,
            money=orders * rng.uniform(2000, 9000, cells),
            customers_deviation=NOISE[0],
            orders_deviation=np.full(cells, NOISE[1]),
            money_deviation=np.full(cells, NOISE[2]),
            orders_middle=np.full(cells, 2.0),
            money_middle=np.full(cells, 9000.0),
        )
        estimates.append(estimate)
        figures.append(scheme_figures(estimate, QUESTION, TAILS, floor=floor))
    share = rng.dirichlet(np.ones(40))
    facts = Distribution(
        feature="money",
        upper=tuple(float(x) for x in range(1, 41)),
        share=tuple(float(x) for x in share),
        cuts=(8.0, 16.0, 24.0, 32.0),
        high=20.0,
        rank_margin=tuple(1.96 * sigma / total for sigma in (40.0, 50.0, 55.0, 45.0)),
    )
    result = RfmResult(
        rules=RULES,
        customers=Estimate(value=total, margin=60.0),
        distributions=(facts,),
        schemes=tuple(figures),
        money_cap=2000.0,
        orders_cap=12,
        revenue_above_cap=0.0312,
        form="centred",
        orders_tail=TailFigures(**TAILS.orders._asdict()),
        money_tail=TailFigures(**TAILS.money._asdict()),
    )
    return result, estimates


def withheld(release: tuple[RfmResult, list[SegmentEstimate]], *, floor: int = 20) -> RfmResult:
    form = shares_only(*release, QUESTION, TAILS, floor=floor)
    form.check_shares_only()
    return form


seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.sampled_from([1, 2, 5]), st.integers(1, 5), st.floats(0.001, 0.999), st.floats(0.001, 0.999))
def test_the_form_depends_on_the_total_by_its_class_only(seed, digit, power, first, second) -> None:
    """Two federations of one class, alike in proportions, have the very same form; every byte of it."""
    width = 2.5 if digit == 2 else 2.0
    totals = [digit * 10.0**power * (1 + part * (width - 1)) for part in (first, second)]
    one, other = (full_release(total, seed, floor=0) for total in totals)
    assert withheld(one, floor=20) == withheld(other, floor=20)


@given(seeds, st.floats(200, 1e6), st.integers(0, 2000))
def test_what_is_shown_passes_the_floor_and_stands_out_of_the_noise(seed: int, total: float, floor: int) -> None:
    full, estimates = full_release(total, seed, floor=floor)
    form = withheld((full, estimates), floor=floor)
    for before, after in zip(full.schemes, form.schemes, strict=True):
        for segment, left in zip(before.segments, after.segments, strict=True):
            if not left.suppressed:
                assert segment.customers is not None
                assert segment.customers.value >= max(floor, 1)
                assert left.share_of_customers is not None
                assert left.share_of_customers.value > left.share_of_customers.margin
                assert (left.customers, left.orders, left.revenue) == (None, None, None)


@given(seeds, st.floats(2000, 1e6))
def test_every_margin_covers_the_exact_one(seed: int, total: float) -> None:
    full, form = full_result(total, seed), withheld(full_release(total, seed))
    names = (
        "share_of_customers",
        "share_of_revenue",
        "orders_per_customer",
        "revenue_per_customer",
        "revenue_per_order",
    )
    for before, after in zip(full.schemes, form.schemes, strict=True):
        for segment, left in zip(before.segments, after.segments, strict=True):
            for name in names:
                exact, coarse = getattr(segment, name), getattr(left, name)
                if coarse is not None:
                    assert coarse.margin >= exact.margin
                    assert abs(coarse.value - exact.value) <= step_of(coarse.margin) / 2 * (1 + 1e-9)
    assert min(form.distributions[0].rank_margin) >= max(full.distributions[0].rank_margin)


@pytest.mark.parametrize(("totals", "tells"), [("full", True), ("shares", False)])
def test_the_caps_in_the_plan_do_not_tell_the_total(totals: str, tells: bool) -> None:
    """The plan of the second question is shown to every holder. Twice the customers, alike in everything, same class:
    the best cap is larger by a quarter or so; where totals are withheld the caps stay where they are (to two bins)."""
    shop_of = {count: _tiled(20_500, count) for count in (1, 2)}
    study = kit.small_study(rfm={"totals": totals})
    prices = plan(study)
    caps = []
    for table in shop_of.values():

        def planned(title: str, statistic: Statistic) -> SumMechanism:
            return planned_mechanism(study, prices["rfm", title], statistic, holders=3)

        def ask(title: str, statistic: Statistic, table: CustomerColumns = table) -> Any:
            exact = statistic.encode_sum(table)  # no noise: only what the size does is looked at
            return SimpleNamespace(array=exact, deviation=planned(title, statistic).released_deviation, closer=None)

        result = rfm.run(study, ask, planned)
        caps.append((result.money_cap, result.orders_cap))
    (money, orders), (more_money, more_orders) = caps
    assert (more_money / money > 1.15) == tells
    if not tells:
        assert 1 / 1.06 < more_money / money < 1.06
        assert abs(more_orders - orders) <= 1


def _tiled(count: int, times: int) -> CustomerColumns:
    one = shop(count, 3)
    names = ("recency_days", "orders", "money", "tenure_days")
    return CustomerColumns(**{name: np.tile(getattr(one, name), times) for name in names})


def test_where_noise_hides_the_class_nothing_is_shown() -> None:
    form = withheld(full_release(90.0, 1))
    assert all(segment.suppressed for scheme in form.schemes for segment in scheme.segments)
    assert all(scheme.orders_per_customer is None for scheme in form.schemes)


def test_the_form_is_made_once_and_from_a_full_result() -> None:
    with pytest.raises(ValueError, match="a total is missing"):
        withheld((withheld(full_release(9000.0, 1)), full_release(9000.0, 1)[1]))


# --- a result that tells more cannot be built --------------------------------------------------------------------


def shares_study(**changes: Any) -> Study:
    rfm = {"totals": "shares", **changes.pop("rfm", {})}
    return kit.small_study(rfm=rfm, **changes)


def shop(count: int, seed: int) -> CustomerColumns:
    """A shop whose customers spend about 90 on average, so that no average is near a total."""
    rng = np.random.default_rng(seed)
    orders = 1 + rng.negative_binomial(1, 0.35, count)
    return CustomerColumns(
        recency_days=np.minimum(rng.exponential(90, count), 700).astype(np.int64),
        orders=orders.astype(np.int64),
        money=(100 * orders * rng.lognormal(math.log(20 + 5 * seed), 0.8, count)).astype(np.int64),
        tenure_days=np.full(count, 700),
    )


class Run:
    """A real run over the real protocol with real noise, and everything that was sent to holders in it."""

    def __init__(self, root: Path, *, holders: tuple[str, ...], totals: str = "shares") -> None:
        policy = kit.lenient_policy(min_participants=2, min_hidden=1)
        sizes = dict(zip(holders, (17_231, 9_487, 4_919), strict=False))
        self.tables = {name: shop(count, seed) for seed, (name, count) in enumerate(sizes.items())}
        self.federation = MemoryFederation(root, self.tables, policy=policy, declared=1)
        self.study = kit.small_study(rfm={"totals": totals, "report": ["eight", "ten"]})
        self.sent: list[tuple[str, bytes]] = []
        self.notes = kit.Notes()

        def hook(holder: str, kind: str, count: int, request: bytes, forward: Any) -> bytes:
            self.sent.append((kind, request))
            return forward(request)

        self.result = run_study(
            self.study,
            folder=self.federation.folder,
            transport=kit.HookedTransport(self.federation, hook),
            progress=self.notes,
        )

    def columns(self) -> Iterator[tuple[float, float, float]]:
        """Exact customers, orders and revenue: of all, of each holder, and of each cell of each segmentation."""
        rules = self.result.rfm.rules
        everyone = list(self.tables.values())
        for tables in (everyone, *([table] for table in everyone)):
            yield _facts(tables, lambda table: np.ones(len(table), dtype=bool))
        for scheme in ("eight", "ten"):
            for cell in range(len(rules.segments(scheme))):
                yield _facts(everyone, lambda table, c=cell, s=scheme: rules.assign(s, table) == c)

    def released(self) -> list[int]:
        """Every value of every release."""
        paths = (self.federation.folder.root / "releases").glob("*.json")
        return [value for path in paths for value in json.loads(path.read_text())["values"]]

    def files(self) -> Iterator[tuple[str, bytes]]:
        """What is written for people or at holders: results and reports, all of the holders' folders, messages."""
        for folder in (self.federation.folder.root / "results", self.federation.root / "holders"):
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    yield str(path.relative_to(self.federation.root)), path.read_bytes()
        for kind, request in self.sent:
            yield f"message {kind}", request
        yield "progress", "\n".join(self.notes.notes + self.notes.steps).encode()
        for language in LANGUAGES:
            yield f"report {language}", " ".join(Page(render_report(self.result)).words[language]).encode()


def _facts(tables: list[Any], chosen: Any) -> tuple[float, float, float]:
    rows = [(table, chosen(table)) for table in tables]
    return (
        float(sum(mask.sum() for _, mask in rows)),
        float(sum(table.orders[mask].sum() for table, mask in rows)),
        float(sum(table.money[mask].sum() for table, mask in rows)) / 100,
    )


def numbers(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """All numbers in a JSON value, with where they stand."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from numbers(item, f"{path}.{key}")
    elif isinstance(value, list):
        for item in value:
            yield from numbers(item, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, float(value)


#: Numbers of a result that are no figures: what was agreed, what it cost, when, and the released cut points.
_NOT_FIGURES = (".study.", ".spending.", ".timings.", ".rfm.rules.", ".rfm.distributions.", "cap", ".repeat")


def leaks(run: Run) -> list[str]:
    """Where a total stands in what was handed out: a released value, a number near a total, or a total as text."""
    found = []
    released = {str(value).encode() for value in run.released() if abs(value) > 10**6}
    totals = [fact for facts in run.columns() for fact in facts if fact > 300]
    for name, data in run.files():
        if any(value in data for value in released):
            found.append(f"{name}: a released value")
    for path in [*(run.federation.folder.root / "results").rglob("result.json"),
                 *(run.federation.root / "holders").rglob("result.json")]:  # fmt: skip
        for where, number in numbers(json.loads(path.read_text())):
            near = any(abs(number - total) < 0.02 * total for total in totals)
            if near and not any(part in where for part in _NOT_FIGURES):
                found.append(f"{path.name}: {where}")
    for language in LANGUAGES:
        page = re.split(rf'<main id="[^"]*{language}"', render_report(run.result))[1].partition("</main>")[0]
        for number in re.findall(r'<span class="value">(-?[\d,.]+)</span>', page):
            shown = float(number.replace(",", ""))
            if any(abs(shown - total) < 0.02 * total for total in totals):
                found.append(f"report {language}: {number}")
    return found


@pytest.mark.parametrize("holders", [("alpha", "beta", "gamma"), ("alpha", "beta")])
def test_nothing_that_is_handed_out_holds_a_total(tmp_path: Path, holders: tuple[str, ...]) -> None:
    """Real noise, the real protocol: result files, reports, all messages, all of the holders' folders, progress."""
    run = Run(tmp_path, holders=holders)
    assert run.result.rfm is not None
    assert leaks(run) == []
    assert any(not segment.suppressed for segment in run.result.rfm.schemes[0].segments)
    for name in holders:
        folder = run.federation.root / "holders" / name / "state" / "runs" / run.result.run
        assert [notice["values"] for notice in json.loads((folder / "releases.json").read_text())] == [None] * 4
        told = json.loads((folder / "result.json").read_text())
        assert told["rfm"]["customers"] is None
        for scheme in told["rfm"]["schemes"]:
            assert {scheme[f"total_{fact}"] for fact in ("customers", "orders", "revenue")} == {None}
            for segment in scheme["segments"]:
                assert {segment[fact] for fact in ("customers", "orders", "revenue")} == {None}
    finishes = [Request.parse(data) for kind, data in run.sent if kind == "finish"]
    assert len(finishes) == len(holders)
    for request in finishes:
        shown = FinishRequest.parse(request.statement.body)
        assert len(shown.releases) == 4
        assert set(request.attachments) == {shown.result}, "digests of releases, and no values"
    # The coordinator's operator still has them; that is what the documents say.
    assert len(run.released()) > 100


def test_the_search_finds_the_totals_of_a_full_study(tmp_path: Path) -> None:
    found = leaks(Run(tmp_path, holders=("alpha", "beta", "gamma"), totals="full"))
    for place in ("releases.json", "message finish", "result.json: .rfm.customers.value", "report zh", "report en"):
        assert any(place in leak for leak in found), place


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("three"), holders=("alpha", "beta", "gamma"))


def test_a_result_that_tells_more_cannot_be_built_or_read(run: Run) -> None:
    """By the coordinator, or by a holder that reads what the coordinator sent."""
    told = run.result.model_dump(mode="json")
    assert StudyResult.model_validate(told) == run.result
    one = {"value": 31_637.2, "margin": 60.1}

    def changed(change: Any) -> dict[str, Any]:
        copy = json.loads(json.dumps(told))
        change(copy)
        return copy

    shown = next(i for i, row in enumerate(told["rfm"]["schemes"][0]["segments"]) if not row["suppressed"])
    cases = (
        lambda r: r["rfm"].update(customers=one),
        lambda r: r["rfm"]["schemes"][0].update(total_revenue=one),
        lambda r: r["rfm"]["schemes"][1]["segments"][shown].update(orders=one, suppressed=False),
        lambda r: r["rfm"]["schemes"][0]["segments"][shown]["share_of_customers"].update(margin=0.00123),
        lambda r: r["rfm"]["schemes"][0]["segments"][shown]["share_of_revenue"].update(value=0.123456),
        lambda r: r["rfm"]["schemes"][0]["orders_per_customer"].update(value=2.34567),
        lambda r: r["rfm"]["distributions"][0].update(rank_margin=[0.001, 0.002, 0.002, 0.002]),
        lambda r: r["rfm"]["distributions"][0]["share"].__setitem__(0, 0.0123456),
        lambda r: r.update(earlier=[earlier_of(customers=one)]),
        lambda r: r.update(earlier=[earlier_of(share={"value": 0.1234, "margin": 0.0012})]),
        lambda r: r["study"]["rfm"].update(totals="full"),
    )
    for change in cases:
        with pytest.raises(ValidationError, match="total"):
            StudyResult.model_validate(changed(change))


def earlier_of(customers: Any = None, share: Any = None) -> dict[str, Any]:
    shares = {"eight": {"important_value": share}} if share else {}
    return {"as_of": "2024-12-01", "repeat": 0, "customers": customers, "shares": shares, "revenue_shares": {},
            "epsilon_person": 0.5, "same_cuts": False}  # fmt: skip


# --- what a holder accepts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("totals", ["shares", "full"])
def test_a_holder_takes_values_only_where_the_study_shows_them(tmp_path: Path, totals: str) -> None:
    study = kit.small_study(rfm={"totals": totals})
    federation = kit.federation_at(tmp_path, *kit.HOLDERS)
    coordinator = kit.LyingCoordinator(federation, study)
    coordinator.greet()
    core = coordinator.core()
    readies = coordinator.readies(core)
    values = " ".join(map(str, unmask([coordinator.ask(name, core, readies).vector for name in kit.HOLDERS])))
    with_values = kit.ReleaseNotice(
        question=core.question, core=core.digest, release=release_digest(core.digest, values), values=values
    )
    without = with_values.model_copy(update={"values": None})
    right, wrong = (without, with_values) if totals == "shares" else (with_values, without)
    assert coordinator.finish("alpha", wrong).code == "declined"
    assert "released" not in kit.kinds(kit.holder_ledger(federation, "alpha"))
    assert coordinator.finish("alpha", right).code == "Finished"
    assert "released" in kit.kinds(kit.holder_ledger(federation, "alpha"))
    # A second release of the same plan is seen by its digest, with values or without.
    other = right.model_copy(update={"release": release_digest(core.digest, values + " 1")})
    assert coordinator.finish("alpha", other).code in ("equivocation", "declined")


# --- again next month --------------------------------------------------------------------------------------------


def test_previous_cut_points_and_the_trend_work_without_totals(tmp_path: Path) -> None:
    """A full run, then three that withhold totals: one finds cut points, one takes them, one finds its own again."""
    tables = {name: shop(count, seed) for seed, (name, count) in enumerate(zip("abc", (9000, 4000, 2500), strict=True))}
    federation = kit.federation_at(tmp_path, *tables, tables=tables)

    def month(number: int, **rfm: Any) -> StudyResult:
        study = kit.small_study(as_of=f"2025-{number:02d}-01", rfm=rfm)
        return run_study(study, folder=federation.folder, transport=federation.transport, pages=False)

    full, first = month(1), month(2, totals="shares")
    second, third = month(3, totals="shares", cut_points="previous"), month(4, totals="shares", floor=50)
    assert full.rfm is not None
    assert full.rfm.customers is not None
    assert first.rfm is not None
    assert second.rfm is not None
    assert second.rfm.rules == first.rfm.rules
    assert (second.rfm.customers, second.rfm.distributions) == (None, ())
    assert [len(result.earlier) for result in (first, second, third)] == [1, 2, 3]
    for result in (first, second, third):
        assert [run.customers for run in result.earlier] == [None] * len(result.earlier)
    assert second.earlier[1].shares["eight"] == {
        row.code: row.share_of_customers for row in first.rfm.schemes[0].segments if row.share_of_customers
    }
    assert earlier_shares_only(second.earlier[1]) == second.earlier[1]
    for result in (second, third):
        words = Page(render_report(result)).words
        for language in LANGUAGES:
            assert report_text("trend", language) in words[language]
    table = table_of(tables["a"])
    page = holder_report(
        holder="a", table=table, result=second, actions=Actions({}), earlier=Earlier(result=first, table=table)
    )
    assert holder_text("gain_not_asked", "en", origin="trial 2025-02-01") in " ".join(Page(page).words["en"])
    # Going back to totals works as well; earlier runs then have none.
    assert month(5).earlier[-1].customers is None


# --- pages and study check ---------------------------------------------------------------------------------------


def test_the_report_says_what_is_withheld_and_shows_no_column_of_totals(run: Run) -> None:
    words = Page(render_report(run.result)).words
    for language in LANGUAGES:
        for key in ("withheld_note", "margin_note_share", "withheld_limits", "totals_shares", "note_interval_share"):
            assert report_text(key, language) in words[language], key
        for key in ("customer_records", "note_totals", "margin_note", "note_interval"):
            assert report_text(key, language) not in words[language], key
        assert report_text("revenue_in", language, currency="EUR") not in words[language]
    english = " ".join(words["en"])
    scheme = run.result.rfm.schemes[0]
    if any(segment.suppressed for segment in scheme.segments):
        assert f"{100 * scheme.least_share:g}%" in english
    assert report_text("two_holders", "en") not in english


@pytest.mark.parametrize("holders", [("alpha", "beta", "gamma"), ("alpha", "beta")])
def test_the_holders_page_compares_shares_and_claims_no_total(run: Run, holders: tuple[str, ...]) -> None:
    result = run.result.model_copy(update={"participants": holders})
    own = shop(3000, 9)
    html = holder_report(holder="beta", table=table_of(own), result=result, actions=Actions({}))
    words = Page(html).words
    for language in LANGUAGES:
        for key in ("withheld_note", "limit_withheld", "note_both_margins_share", "yard_note_share"):
            assert holder_text(key, language) in words[language], key
        for key in ("part_of_customers", "part_of_revenue", "note_both_margins", "yard_note", "limit_two"):
            assert holder_text(key, language) not in words[language], key
        assert (holder_text("limit_two_share", language) in words[language]) == (len(holders) == 2)
        for key in ("better", "worse", "within_noise", "above", "below", "alike"):
            if holder_text(key, language) in words[language]:
                break
        else:
            pytest.fail("nothing is compared")
    assert "nan" not in html.lower().replace("nanum", "")


def test_study_check_says_what_is_hidden_from_whom() -> None:
    full, hidden = (check_study(study, holders=4) for study in (kit.small_study(), shares_study()))
    said = [warning for warning in hidden.warnings if 'totals = "shares"' in warning]
    assert len(said) == 1
    for word in ("operator", "order of magnitude", "holders", "factor of about 2"):
        assert word in said[0]
    assert not [warning for warning in full.warnings if 'totals = "shares"' in warning]
    assert {item.code for item in full.expectations} == {"rank_error", "records_margin"}
    expected = {item.code: item.value for item in hidden.expectations}
    assert set(expected) == {"rank_error", "share_margin"}
    assert all(is_coarse(0.0, value) for value in expected.values())


@pytest.mark.parametrize("other", [name for name in NAMES if name != "rfm"])
def test_an_analysis_that_would_tell_totals_cannot_be_asked_for_beside_it(other: str) -> None:
    with pytest.raises(ValidationError, match="totals"):
        shares_study(analyses=["rfm", other])


# --- what a reader can still infer -------------------------------------------------------------------------------


def test_what_a_reader_can_still_infer_of_the_total() -> None:
    """With all figures of one segmentation at hand: within 1% from a full study, within a factor of 2 to 2.5 here.

    The reader knows everything but the total, the unrounded proportions included. Margins that were each rounded up on
    a grid of their own would tell it within a few per cent: that is why there is one class for all of them.
    """
    rng = np.random.default_rng(8)
    full_factor, form_factor, naive_factor = [], [], []
    for seed in range(12):
        total = float(np.exp(rng.uniform(np.log(6000), np.log(90_000))))
        full, estimates = full_release(total, seed, floor=0, schemes=("eight",))
        estimate = full.schemes[0].total_customers
        assert estimate is not None
        full_factor.append(1 + 2 * estimate.margin / estimate.value)
        published = withheld((full, estimates))
        candidates = total * np.geomspace(1 / 4, 4, 81)  # steps of 3.5%, the total itself among them
        alike = [c for c in candidates if withheld(full_release(c, seed, floor=0, schemes=("eight",))) == published]
        form_factor.append(max(alike) / min(alike))
        margins = np.array(
            [row.share_of_customers.margin for row in full.schemes[0].segments if row.share_of_customers]
        )
        mine = _up(margins)
        naive = [c for c in candidates if np.array_equal(_up(margins * total / c), mine)]
        naive_factor.append(max(naive) / min(naive))
    assert np.median(full_factor) < 1.02
    assert min(form_factor) > 1.9
    assert max(form_factor) < 2.6
    assert np.median(naive_factor) < 1.9


def _up(values: np.ndarray) -> np.ndarray:
    """Each margin rounded up to 1, 2 or 5 times a power of ten."""
    grid = np.sort(np.outer(10.0 ** np.arange(-6, 3), (1, 2, 5)).ravel())
    return grid[np.searchsorted(grid, values * (1 - 1e-12))]


@pytest.mark.slow
def test_a_browser_draws_the_pages(run: Run, tmp_path: Path) -> None:
    """Both pages open offline, in a real browser, without a complaint."""
    import subprocess

    pages = {
        "report": render_report(run.result),
        "holder": holder_report(holder="beta", table=table_of(shop(3000, 9)), result=run.result, actions=Actions({})),
    }
    for name, html in pages.items():
        path = tmp_path / f"{name}.html"
        path.write_text(html, encoding="utf-8")
        done = subprocess.run(
            [chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
             "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND",
             f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--dump-dom", f"file://{path}"],
            capture_output=True, text=True, timeout=60, check=True, encoding="utf-8", errors="replace",
        )  # fmt: skip
        assert "CONSOLE" not in done.stderr
        assert "<svg" in done.stdout
