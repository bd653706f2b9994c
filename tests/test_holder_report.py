"""The holder's own page: exact figures beside released ones, claims that margins support, movement, nothing sent."""

from __future__ import annotations

import datetime as dt
import re
import stat
import subprocess
import tomllib
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd
import pytest
from holder_kit import TEXTS, Earlier, holder_report, text
from holder_pages import ALL_SCHEMES, VIP, own_rows, page_of, result_of, table_of
from report_pages import Page, chromium, customers, earlier_run, with_earlier, with_known_cuts
from workspaces import run as run_over

from clients.analyses.churn.bands import BANDS
from clients.analyses.rfm.comparison import MEASURES, measures, segment_lines, standing
from clients.analyses.rfm.findings import findings
from clients.analyses.rfm.movement import movement
from clients.analyses.rfm.own import own_customers
from clients.analyses.rfm.yardstick import own_cuts, yardstick
from clients.analysis.actions import Actions, default_actions_toml, parse_actions
from clients.analysis.comparison import compare
from clients.answering.folder import HolderFolder
from clients.answering.runs import RunFolder
from clients.data.rows.customers import CustomerTable
from clients.report.files import recorded_result, write_holder_report
from privacy.analyses.rfm.ageing import ageing_findings
from privacy.analyses.rfm.segments import OUTSIDE, SCHEMES, CutPoints, SegmentRules, ThresholdRule
from privacy.errors import ConfigError, DataError, ProtocolError
from privacy.figures.estimates import Estimate, strictness
from privacy.kernel.customers import CustomerColumns
from privacy.presentation.texts import LANGUAGES
from privacy.protocol.membership import result_fingerprint
from privacy.protocol.study import Study
from privacy.results import StudyResult
from simulations.worlds.generator import generate, study_toml
from simulations.worlds.local import Workspace

WINDOW = 180
MONTHS = (dt.date(2024, 12, 1), dt.date(2025, 1, 1))


# --- a small table and results made without a federation ---------------------------------------------------------


PAGES = ["plain", "odd"]


# --- the page as a whole -----------------------------------------------------------------------------------------


def test_same_input_same_bytes() -> None:
    first = page_of("plain")
    page_of.cache_clear()
    assert page_of("plain") == first


@pytest.mark.parametrize("name", PAGES)
def test_the_page_refers_to_nothing_outside_and_is_well_formed(name: str) -> None:
    html = page_of(name)
    page = Page(html)
    for tag, attributes in page.elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "form")
        assert not {"src", "srcset", "action"} & set(attributes)
        assert not any(attribute.startswith("on") for attribute in attributes)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        for reference in ("aria-labelledby", "for"):
            assert attributes.get(reference, ids[0]) in ids
    assert "http:" not in html
    assert "https:" not in html
    assert "default-src 'none'" in html


@pytest.mark.parametrize("name", PAGES)
def test_it_says_that_it_is_private_and_free(name: str) -> None:
    words = Page(page_of(name)).words
    for language in LANGUAGES:
        assert text("private_note", language) in words[language]


@pytest.mark.parametrize("name", PAGES)
def test_each_language_stands_alone(name: str) -> None:
    words = Page(page_of(name)).words
    chinese = " ".join(words["zh"])
    left = set(re.findall(r"(?<![0-9a-z])[A-Za-z]{3,}(?![0-9a-z])", chinese))
    allowed = {"Cohortium", "RFM", "EUR", "spring", "review", "online", "store", "shop", "actions", "toml", "cohortium"}
    allowed |= {"source", "script", "alert", "nosuch"}  # a source checkout's version; the operator's own words
    assert left <= allowed
    assert not re.search(r"[一-鿿]", " ".join(words["en"]).replace("无", ""))


def test_hostile_names_ids_and_actions_are_text() -> None:
    html = page_of("odd")
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert "<i>0" not in html
    assert "Regulars <b>" not in html


def test_what_is_hidden_missing_or_unknown_is_said() -> None:
    words = " ".join(Page(page_of("odd")).words["en"])
    assert text("missing_others", "en", holders="shop-9") in words
    assert text("note_hidden", "en", floor=600) in words
    assert text("not_shown", "en") in words
    assert text("limit_two", "en") in words
    assert text("act_unknown", "en", file="actions.toml", codes="nosuch") in words
    assert text("act_none", "en", file="actions.toml", code="vip") not in words  # the first scheme has no such segment


def test_cut_points_that_have_aged_are_told_to_who_labels_with_them() -> None:
    then = earlier_run("2024-12-01", {"important_value": 0.04, "general_value": 0.04}, same_cuts=True)
    result = with_known_cuts(with_earlier(then))
    html = holder_report(holder="online", table=table_of(own_rows()), result=result, actions=Actions({}))
    for language in LANGUAGES:
        (sentence,) = ageing_findings(result.study.rfm, result.rfm, result.earlier, language)
        assert "spring-review 2024-12-01" in sentence
        assert sentence in Page(html).words[language]


def test_a_holder_that_left_is_told() -> None:
    result = result_of(missing=("online",), holders=("store-1", "store-2", "store-3"))
    html = holder_report(holder="online", table=table_of(own_rows()), result=result, actions=Actions({}))
    assert text("missing_self", "en") in Page(html).words["en"]


@pytest.mark.parametrize("k", [1, 3])
def test_that_high_is_safe_and_low_is_not_is_said_where_persons_may_have_several_records(k: int) -> None:
    result = result_of()
    result = result.model_copy(update={"spending": result.spending.model_copy(update={"k": k})})
    html = holder_report(holder="online", table=table_of(own_rows()), result=result, actions=Actions({}))
    for language in ("en", "zh"):
        words = " ".join(Page(html).words[language])
        assert (text("high_is_safe", language) in words) == (k > 1)
        assert (text("record_is_no_person", language, count=k) in words) == (k > 1)
        assert text("limit_records", language, count=k) in words


def test_no_segments_or_no_customers_is_an_error() -> None:
    table = table_of(own_rows())
    with pytest.raises(ConfigError, match="measured nothing"):
        holder_report(
            holder="online", table=table, result=result_of().model_copy(update={"rfm": None}), actions=Actions({})
        )
    with pytest.raises(DataError, match="no customer"):
        holder_report(holder="online", table=table_of(own_rows(0)), result=result_of(), actions=Actions({}))
    with pytest.raises(ConfigError, match="no earlier run"):
        holder_report(
            holder="online", table=table, result=result_of(), actions=Actions({}),
            earlier=Earlier(result=result_of(), table=table),
        )  # fmt: skip


@pytest.mark.parametrize("count", [1, 2, 30])
def test_tiny_holders_get_a_page(count: int) -> None:
    html = holder_report(holder="online", table=table_of(own_rows(count)), result=result_of(), actions=Actions({}))
    assert "nan" not in html.lower().replace("nanum", "")
    assert "inf" not in Page(html).words["en"]


# --- figures -----------------------------------------------------------------------------------------------------


def test_own_figures_are_exact_and_capped_like_the_release() -> None:
    columns, rfm = own_rows(), result_of().rfm
    assert rfm is not None
    frame = pd.DataFrame({"r": columns.recency_days, "f": columns.orders, "m": columns.money / 100})
    capped = frame["m"].clip(-rfm.money_cap, rfm.money_cap)
    orders = frame["f"].clip(upper=rfm.orders_cap)
    stand = standing(columns, rfm, rfm.schemes[0], complete=True)
    assert stand.customers == 3000
    assert stand.revenue == pytest.approx(frame["m"].sum())
    assert stand.share_of_customers is not None
    assert stand.share_of_customers.value == pytest.approx(3000 / rfm.customers.value)
    ends = tuple(3000 / (rfm.customers.value + side * rfm.customers.margin) for side in (1, -1))
    assert stand.share_of_customers.interval == pytest.approx(ends)  # an exact number over a noisy one
    assert stand.share_of_revenue is not None
    assert stand.share_of_revenue.value == pytest.approx(capped.sum() / rfm.schemes[0].total_revenue.value)
    found = measures(columns, rfm, rfm.schemes[0], complete=True, weight=stand.weight)
    cuts = rfm.rules.cuts
    expected = {
        "repurchase": (frame["f"] >= 2).mean(),
        "orders_per_customer": orders.mean(),
        "revenue_per_order": capped.sum() / orders.sum(),
        "revenue_per_customer": capped.mean(),
        "top_spenders": (frame["m"] * 100 > cuts.money[3]).mean(),
        "recent_five": (frame["r"] <= cuts.recency_days[0]).mean(),
        "recent_four": (frame["r"] <= cuts.recency_days[1]).mean(),
    }
    assert set(found) == set(expected) == set(MEASURES)
    for name, value in expected.items():
        assert found[name].own.value == pytest.approx(value), name
    everyone = found["revenue_per_order"].everyone
    assert everyone is not None
    scheme = rfm.schemes[0]
    assert everyone.value == pytest.approx(scheme.total_revenue.value / scheme.total_orders.value)


def test_segment_lines_add_up_and_carry_the_releases_margins() -> None:
    columns, rfm = own_rows(), result_of(schemes=ALL_SCHEMES, thresholds=(VIP,)).rfm
    assert rfm is not None
    for scheme in rfm.schemes:
        lines = segment_lines(columns, rfm, scheme, weight=0.3)
        assert sum(line.customers for line in lines) == len(columns)
        assert sum(line.revenue for line in lines) == pytest.approx(columns.money.sum() / 100)
        assert sum(line.share_of_revenue.own.value for line in lines if line.share_of_revenue) == pytest.approx(1)
        for line in lines:
            assert line.share_of_customers.everyone == line.figures.share_of_customers


def test_where_the_noise_hides_the_totals_the_share_is_not_known() -> None:
    result = result_of()
    assert result.rfm is not None
    scheme = result.rfm.schemes[0]
    hidden = scheme.model_copy(update={"total_revenue": Estimate(value=100.0, margin=500.0)})
    rfm = result.rfm.model_copy(update={"schemes": (hidden,), "customers": Estimate(value=5.0, margin=50.0)})
    html = holder_report(
        holder="online", table=table_of(own_rows()), result=result.model_copy(update={"rfm": rfm}), actions=Actions({})
    )
    assert Page(html).words["en"].count(text("not_known", "en")) >= 2


def test_strictness_is_bonferroni() -> None:
    assert strictness(1) == pytest.approx(1)
    assert strictness(7) == pytest.approx(2.690 / 1.95996, abs=2e-3)
    assert [compare(Estimate(value=v, margin=0.3), Estimate(value=1.0, margin=0.4), weight=0, comparisons=1).verdict
            for v in (0.49, 0.51, 1.49, 1.51)] == ["lower", "alike", "alike", "higher"]  # fmt: skip
    assert compare(Estimate(value=1.0, margin=0.1), None, weight=0, comparisons=1).verdict == "unknown"


@pytest.mark.parametrize("weight", [0.05, 0.5])
def test_verdicts_are_wrong_as_rarely_as_they_say(weight: float) -> None:
    """Own customers from the same population as the rest: a verdict is an error, and happens in 5% of worlds."""
    rng = np.random.default_rng(20250101)
    worlds, count = 4000, 400
    others = round(count * (1 - weight) / weight)
    own = rng.binomial(count, 0.3, worlds)
    together = (own + rng.binomial(others, 0.3, worlds)) / (count + others)
    deviation = 0.01
    released = together + rng.normal(0, deviation, worlds)
    wrong = 0
    for mine, everyone in zip(own, released, strict=True):
        share = mine / count
        margin = 1.96 * np.sqrt(share * (1 - share) / count)
        verdict = compare(
            Estimate(value=share, margin=margin),
            Estimate(value=float(everyone), margin=1.96 * deviation),
            weight=weight,
            comparisons=1,
        ).verdict
        wrong += verdict != "alike"
    # Binomial(4000, 0.05) lies within 150 to 250 but for one case in 3,000.
    assert 145 <= wrong <= 255


def test_findings_claim_only_what_stands() -> None:
    rfm = result_of().rfm
    assert rfm is not None
    everyone = Estimate(value=0.4, margin=0.01)

    def told(own: float) -> list[str]:
        compared = compare(Estimate(value=own, margin=0.02), everyone, weight=0, comparisons=1)
        lines = segment_lines(own_rows(), rfm, rfm.schemes[0], weight=0.3)
        return findings({"repurchase": compared}, lines, None, "en", cuts=rfm.rules.cuts, currency="EUR")

    assert told(0.5)[0].startswith("You are ahead: 50.0%")
    assert told(0.3)[0].startswith("You are behind: 30.0%")
    assert told(0.41)[0] == text("nowhere", "en", count=1)
    assert 2 <= len(told(0.5)) <= 3


# --- the yardstick -----------------------------------------------------------------------------------------------


def test_own_cut_points_follow_the_rules_of_the_analysis() -> None:
    columns = CustomerColumns(
        recency_days=np.arange(10), orders=np.array([1] * 6 + [2, 2, 3, 4]), money=np.arange(10) * 100,
        tenure_days=np.arange(10),
    )  # fmt: skip
    result = result_of()
    assert result.rfm is not None
    cuts = own_cuts(columns, result.rfm.rules.cuts, result.study)
    assert cuts.recency_days == (1, 3, 5, 7)
    assert cuts.orders == (2, 2, 2, 3)  # no cut splits the six with one order
    assert cuts.money == (100, 300, 500, 700)
    assert (cuts.recency_high, cuts.orders_high, cuts.money_high) == (4, 2, 400)


def test_small_holders_gain_sharpness_and_large_ones_do_not() -> None:
    result = result_of()
    assert result.rfm is not None
    small = yardstick(own_rows(500), result.rfm, result.study, scheme="eight")
    assert all(line.together_tighter for line in small.lines)
    sharp = result.rfm.model_copy(update={"customers": Estimate(value=300_000.0, margin=10.0)})
    many = own_rows(9000)
    columns = CustomerColumns(
        **{name: np.tile(getattr(many, name), 30) for name in ("recency_days", "orders", "money", "tenure_days")}
    )
    large = yardstick(columns, sharp, result.study, scheme="eight")
    assert not any(line.together_tighter for line in large.lines)
    for line in (*small.lines, *large.lines):
        assert line.own_interval[0] <= line.own <= line.own_interval[1]
        assert line.everyone_interval[0] <= line.everyone <= line.everyone_interval[1]
    html = holder_report(holder="online", table=table_of(own_rows(500)), result=result, actions=Actions({}))
    assert "times as sharp" in html


def test_own_intervals_cover_the_markets_cut() -> None:
    """From 500 customers of one market, the interval of every cut holds the market's own cut in 95% of cases."""
    result = result_of()
    assert result.rfm is not None
    market = customers()
    rng = np.random.default_rng(11)
    true = {name: np.quantile(getattr(market, name), (0.2, 0.4, 0.6, 0.8)) for name in ("recency_days", "money")}
    hits = total = 0
    for _ in range(150):
        sample = market.take(rng.choice(len(market), 500, replace=True))
        for line in yardstick(sample, result.rfm, result.study, scheme="eight").lines:
            position = (0.2, 0.4, 0.6, 0.8).index(line.rank)
            market_cut = true[line.feature][position] / (100 if line.feature == "money" else 1)
            hits += line.own_interval[0] <= market_cut <= line.own_interval[1]
            total += 1
    assert hits / total > 0.92


# --- actions -----------------------------------------------------------------------------------------------------


def test_the_default_file_covers_every_segment_in_both_languages() -> None:
    actions = parse_actions(default_actions_toml())
    rules = SegmentRules(
        cuts=CutPoints(recency_days=(1, 2, 3, 4), orders=(1, 2, 3, 4), money=(1, 2, 3, 4), recency_high=1,
                       orders_high=1, money_high=1), money_unit=1,
    )  # fmt: skip
    codes = {segment.code for scheme in SCHEMES.values() for segment in scheme.segments(rules)}
    codes |= {band.code for band in BANDS}
    assert codes <= actions.codes
    for code in actions.codes:  # of all rooms
        action = actions.of(code)
        assert action is not None
        assert re.search(r"[一-鿿]", action.zh)
        assert re.search(r"[A-Za-z]{3}", action.en)


def test_operators_words_replace_the_suggestions_one_language_is_enough() -> None:
    actions = parse_actions('[champions]\nen = "Invite them"\n[vip]\nzh = "拜访"')
    champions, vip, other = actions.of("champions"), actions.of("vip"), actions.of("lost")
    assert champions is not None
    assert (champions.text("en"), champions.text("zh")) == ("Invite them", "Invite them")
    assert vip is not None
    assert vip.text("en") == "拜访"
    assert other == parse_actions(default_actions_toml()).of("lost")
    assert Actions({}).of("nosuch") is None


@pytest.mark.parametrize(
    "wrong", ["[champions", '[champions]\nde = "x"', "[champions]", "champions = 3", '[champions]\nen = "  "']
)
def test_a_wrong_file_is_named_with_what_to_do(wrong: str) -> None:
    with pytest.raises(ConfigError, match=r"actions\.toml") as caught:
        parse_actions(wrong)
    assert caught.value.hint


# --- movement ----------------------------------------------------------------------------------------------------

RULES = SegmentRules(
    cuts=CutPoints(
        recency_days=(10, 30, 90, 200), orders=(2, 2, 3, 5), money=(1000, 2000, 5000, 9000), recency_high=60,
        orders_high=2, money_high=3000,
    ),
    thresholds=(ThresholdRule(code="regulars", when="R<90, F>=3, M>=50"), ThresholdRule(code="recent", when="R<30")),
    money_unit=100,
)  # fmt: skip


def two_tables(seed: int = 4) -> tuple[CustomerTable, CustomerTable]:
    """Two days of a shop: recency grows or restarts, orders and money grow, some are new and some gone."""
    rng = np.random.default_rng(seed)
    count = 800
    ids = np.array(sorted(f"k{n}" for n in rng.choice(9999, count, replace=False)), dtype=object)
    recency, orders = rng.integers(0, 300, count), rng.integers(1, 7, count)
    money = rng.integers(-500, 12_000, count)
    bought = rng.random(count) < 0.2
    then = rng.random(count) < 0.9
    now = rng.random(count) < 0.97

    def table(days: np.ndarray, counts: np.ndarray, spent: np.ndarray, rows: np.ndarray) -> CustomerTable:
        columns = CustomerColumns(
            recency_days=days[rows], orders=counts[rows], money=spent[rows], tenure_days=days[rows]
        )
        return table_of(columns, list(ids[rows]))

    later = np.where(bought, rng.integers(0, 30, count), recency + 30)
    return (
        table(later, orders + bought, money + bought * rng.integers(0, 9000, count), now),
        table(recency, orders, money, then),
    )


def frame_of(table: CustomerTable, rules: SegmentRules, scheme: str) -> pd.DataFrame:
    """Segment and level of each customer, computed row by row from the definitions."""
    cuts = rules.cuts
    names = [segment.code for segment in rules.segments(scheme)]
    rows = []
    for index, (r, f, m) in enumerate(
        zip(*(getattr(table.columns, c).tolist() for c in ("recency_days", "orders", "money")), strict=True)
    ):
        highs = (r <= cuts.recency_high, f >= cuts.orders_high, m > cuts.money_high)
        scores = (5 - sum(r > cut for cut in cuts.recency_days), 1 + sum(f >= cut for cut in cuts.orders))
        code = names[int(rules.assign(scheme, table.columns.take(slice(index, index + 1)))[0])]
        level = {"eight": sum(highs), "rules": -names.index(code)}.get(scheme, sum(scores))
        rows.append((str(table.ids[index]), code, level))
    return pd.DataFrame(rows, columns=["id", "segment", "level"])


@pytest.mark.parametrize("scheme", ALL_SCHEMES)
def test_movement_is_what_pandas_counts(scheme: str) -> None:
    now, then = two_tables()
    other = RULES.model_copy(update={"cuts": RULES.cuts.model_copy(update={"recency_high": 80, "money_high": 3500})})
    moves = movement(scheme, now=now, then=then, rules=RULES, rules_then=other)
    codes = [segment.code for segment in RULES.segments(scheme)]
    both = frame_of(then, RULES, scheme).merge(frame_of(now, RULES, scheme), on="id", how="outer", indicator=True)
    stayed = both[both["_merge"] == "both"]
    matrix = pd.crosstab(stayed["segment_x"], stayed["segment_y"]).reindex(index=codes, columns=codes, fill_value=0)
    np.testing.assert_array_equal(moves.matrix, matrix.to_numpy())
    new = both[both["_merge"] == "right_only"]["segment_y"].value_counts().reindex(codes, fill_value=0)
    gone = both[both["_merge"] == "left_only"]["segment_x"].value_counts().reindex(codes, fill_value=0)
    np.testing.assert_array_equal(moves.new, new)
    np.testing.assert_array_equal(moves.gone, gone)
    changed = stayed[stayed["segment_x"] != stayed["segment_y"]]
    step = changed["level_y"] - changed["level_x"]
    assert (moves.up, moves.down, moves.level) == ((step > 0).sum(), (step < 0).sum(), (step == 0).sum())
    assert moves.changed == len(changed) > 0
    assert moves.stayed + moves.changed == len(stayed)
    if scheme == "rules":
        assert moves.changed_own_cuts is None
    else:
        labelled = frame_of(then, other, scheme).merge(frame_of(now, RULES, scheme), on="id")
        assert moves.changed_own_cuts == (labelled["segment_x"] != labelled["segment_y"]).sum()
    money = dict(zip(now.ids.tolist(), now.columns.money.tolist(), strict=True))
    fell = changed[step < 0]["id"]
    assert {m.customer_id for m in moves.fallen} <= set(fell)
    assert [m.money for m in moves.fallen] == sorted((money[i] for i in fell), reverse=True)[:10]


def test_the_same_cut_points_leave_nothing_to_explain() -> None:
    now, then = two_tables()
    assert movement("eight", now=now, then=then, rules=RULES, rules_then=RULES).changed_own_cuts is None
    nobody = movement("eight", now=now, then=now, rules=RULES, rules_then=RULES)
    assert (nobody.changed, int(nobody.new.sum()), int(nobody.gone.sum())) == (0, 0, 0)


# --- a real federation, two months -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Months:
    """A workspace in which one study ran for two as-of days, and its holder ``online``."""

    workspace: Workspace
    results: tuple[StudyResult, StudyResult]

    @property
    def online(self) -> HolderFolder:
        return self.workspace.holder("online")


@pytest.fixture(scope="module")
def months(tmp_path_factory: pytest.TempPathFactory) -> Months:
    root = tmp_path_factory.mktemp("two-months")
    world = generate(root / "data", customers=3000, stores=2)
    raw = tomllib.loads(study_toml(world), parse_float=Decimal)
    raw["rfm"] |= {"report": ["eight", "ten"], "window_days": WINDOW}
    workspace = Workspace.create(
        root, {name: root / "data" / name for name in world.holders}, lifetime_epsilon="20", declared=world.most_holders
    )
    results = tuple(run_over(workspace, Study.model_validate({**raw, "as_of": day})) for day in MONTHS)
    return Months(workspace=workspace, results=results)  # type: ignore[arg-type]


def test_the_page_of_a_real_run_costs_nothing_and_is_the_owners(months: Months, tmp_path: Path) -> None:
    folder = months.online
    before = [(entry.stat().st_size, entry.read_bytes()) for entry in sorted(folder.state.glob("ledger.sqlite*"))]
    path = write_holder_report(folder)
    assert path == folder.root / "report" / "demo-rfm-2025-01-01.html"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [(e.stat().st_size, e.read_bytes()) for e in sorted(folder.state.glob("ledger.sqlite*"))] == before
    assert (folder.root / "actions.toml").read_text(encoding="utf-8") == default_actions_toml()
    words = " ".join(Page(path.read_text(encoding="utf-8")).words["en"])
    table = own_customers(folder.context(months.results[1].study))
    for language in ("en", "zh"):
        said = " ".join(Page(path.read_text(encoding="utf-8")).words[language])
        assert text("limit_window", language, days=WINDOW) in said
        assert text("window_moves", language, days=WINDOW) in said
    assert f"{len(table):,}" in words
    assert text("limit_stated", "en") in words
    assert text("movement", "en", day="1 December 2024") in words
    richest = table.ids[int(np.argmax(table.columns.money))]
    assert richest in words
    assert result_fingerprint(str(months.results[1].handed_out)) in words
    everyone = len(months.results[1].participants)
    for language in ("en", "zh"):
        confirmed = text("confirmed_by", language, count=everyone, total=everyone)
        assert confirmed in " ".join(Page(path.read_text(encoding="utf-8")).words[language])
    (folder.root / "actions.toml").write_text('[important_value]\nen = "Bake them a cake."\n', encoding="utf-8")
    other = write_holder_report(folder, months.results[1].run, tmp_path / "mine.html")
    assert other == tmp_path / "mine.html"
    assert "Bake them a cake." in other.read_text(encoding="utf-8")
    (folder.root / "actions.toml").unlink()


def test_movement_of_a_real_run_agrees_with_the_labels_that_were_written(months: Months) -> None:
    folder = months.online
    tables = [own_customers(folder.context(result.study)) for result in months.results]
    rules = [result.rfm.rules for result in months.results if result.rfm]
    labels = [
        pd.read_csv(folder.root / "labels" / f"demo-rfm-{day}.csv", dtype={"customer_id": str}, encoding="utf-8-sig")
        for day in MONTHS
    ]
    away = [day[day["eight"] == OUTSIDE] for day in labels]
    assert set(away[0]["customer_id"])
    assert set(away[1]["customer_id"]) - set(away[0]["customer_id"])
    for day, table in zip(away, tables, strict=True):
        assert (day["ten"] == OUTSIDE).all()
        assert (day["recency_days"] >= WINDOW).all()
        assert day[["r", "f", "m"]].isna().all(axis=None)
        assert (day[["orders", "money"]] == 0).all(axis=None)
        assert not set(day["customer_id"]) & set(table.ids)
    labels = [day[day["eight"] != OUTSIDE] for day in labels]
    for scheme in ("eight", "ten"):
        moves = movement(scheme, now=tables[1], then=tables[0], rules=rules[1], rules_then=rules[0])
        merged = labels[0].merge(labels[1], on="customer_id", how="outer", indicator=True)
        both = merged[merged["_merge"] == "both"]
        assert moves.changed_own_cuts == (both[f"{scheme}_x"] != both[f"{scheme}_y"]).sum()
        codes = [segment.code for segment in moves.segments]
        now = labels[1][scheme].value_counts().reindex(codes, fill_value=0)
        np.testing.assert_array_equal(moves.matrix.sum(axis=0) + moves.new, now)
        assert moves.new.sum() == (merged["_merge"] == "right_only").sum() > 0
        assert moves.gone.sum() == (merged["_merge"] == "left_only").sum()


def test_the_first_month_has_no_movement(months: Months, tmp_path: Path) -> None:
    path = write_holder_report(months.online, months.results[0].run, tmp_path / "first.html")
    assert "matrix" not in {a.get("class") for _, a in Page(path.read_text(encoding="utf-8")).elements}


def test_runs_that_are_not_there_or_were_tampered_with(months: Months, tmp_path: Path) -> None:
    folder = months.online
    with pytest.raises(ConfigError, match="no run nosuch"):
        write_holder_report(folder, "nosuch", tmp_path / "x.html")
    run = months.results[1].run
    kept = folder.state / "runs" / run / "result.json"
    original = kept.read_bytes()
    runs = RunFolder(folder.state / "runs")
    try:
        result = months.results[1]
        assert result.rfm is not None
        cuts = result.rfm.rules.cuts
        shifted = cuts.model_copy(update={"recency_high": cuts.recency_high + 1})
        rules = result.rfm.rules.model_copy(update={"cuts": shifted})
        for changed in (
            result.model_copy(update={"rfm": result.rfm.model_copy(update={"rules": rules})}),
            result.model_copy(update={"study": months.results[0].study}),
            result.model_copy(update={"run": months.results[0].run}),
        ):
            kept.write_text(changed.model_dump_json(), encoding="utf-8")
            with pytest.raises(ProtocolError, match="does not fit"):
                recorded_result(runs, run)
        kept.write_text("{}", encoding="utf-8")
        with pytest.raises(ProtocolError, match="cannot be read"):
            recorded_result(runs, run)
        kept.unlink()
        with pytest.raises(ConfigError, match="no result"):
            recorded_result(runs, run)
    finally:
        kept.write_bytes(original)
    assert recorded_result(runs, run).run == run


def test_without_a_run_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no run has ended"):
        write_holder_report(HolderFolder(tmp_path))


# --- real data, and a real browser -------------------------------------------------------------------------------

RETAIL = (dt.date(2011, 10, 31), dt.date(2011, 11, 30))


@pytest.mark.slow
def test_two_months_of_online_retail_against_a_direct_computation(data_folder: Path, tmp_path: Path) -> None:
    """Three holders by customer id modulo 3; the movement matrix of each against pandas on the raw rows."""
    source = data_folder / "online_retail_ii" / "online_retail_ii.parquet"
    sources = {}
    for part in range(3):
        home = tmp_path / "data" / f"shop-{part}"
        home.mkdir(parents=True)
        (home / "holder.toml").write_text(
            f'''holder = "shop-{part}"
[source]
url = "{source}"
where = "cast(customer_id as bigint) % 3 = {part}"
currency_code = "GBP"
[columns]
customer = "customer_id"
order = "invoice"
time = "invoice_date"
quantity = "quantity"
price = "price"
product = "stock_code"
''',
            encoding="utf-8",
        )
        sources[f"shop-{part}"] = home
    workspace = Workspace.create(tmp_path, sources, lifetime_epsilon="20", declared=1)
    results = []
    for day in RETAIL:
        study = Study.model_validate(
            {
                "name": "gifts", "as_of": day, "currency": "GBP", "holders": tuple(sources),
                "budget": {"epsilon": "4", "max_holders_per_customer": 1, "size_class": 10_000},
                "cleaning": {"cancellation_prefix": "C", "returns": "drop"},
            }
        )  # fmt: skip
        results.append(run_over(workspace, study))
    rfm = results[1].rfm
    assert rfm is not None
    raw = pd.read_parquet(source)
    raw = raw[raw["customer_id"].notna() & (raw["customer_id"].astype(str).str.strip() != "")]
    raw = raw[~raw["invoice"].astype(str).str.startswith("C") & (raw["quantity"] > 0) & (raw["price"] >= 0)]
    raw = raw.drop_duplicates(["customer_id", "invoice", "invoice_date", "quantity", "price", "stock_code"])
    raw["part"] = raw["customer_id"].astype(float).astype(int) % 3
    for part, name in enumerate(sources):
        frames = []
        for day in RETAIL:
            rows = raw[(raw["part"] == part) & (raw["invoice_date"] < pd.Timestamp(day))]
            spent = (rows["quantity"] * rows["price"]).groupby(rows["customer_id"]).sum()
            by = rows.groupby("customer_id")
            days = (pd.Timestamp(day) - by["invoice_date"].max()) // pd.Timedelta(days=1)
            cuts = rfm.rules.cuts
            r, f = days <= cuts.recency_high, by["invoice"].nunique() >= cuts.orders_high
            m = (spent * 100).round() > cuts.money_high
            frames.append((~m) * 4 + (~r) * 2 + (~f) * 1)
        both = pd.concat(frames, axis=1, keys=["then", "now"])
        stayed = both.dropna().astype(int)
        expected = pd.crosstab(stayed["then"], stayed["now"]).reindex(index=range(8), columns=range(8), fill_value=0)
        folder = workspace.holder(name)
        now, then = (own_customers(folder.context(result.study)) for result in reversed(results))
        earlier = results[0].rfm
        assert earlier is not None
        moves = movement("eight", now=now, then=then, rules=rfm.rules, rules_then=earlier.rules)
        np.testing.assert_array_equal(moves.matrix, expected.to_numpy())
        new = both[both["then"].isna()]["now"].astype(int).value_counts().reindex(range(8), fill_value=0)
        np.testing.assert_array_equal(moves.new, new)
        assert moves.gone.sum() == both["now"].isna().sum() == 0
        assert moves.changed > 50
        html = write_holder_report(folder).read_text(encoding="utf-8")
        assert text("movement", "en", day="31 October 2011") in " ".join(Page(html).words["en"])


@pytest.mark.slow
@pytest.mark.parametrize(("accepted", "expected"), [("en-US", "en"), ("zh-CN", "zh-Hans")])
def test_a_browser_opens_it_offline_without_complaint(tmp_path: Path, accepted: str, expected: str) -> None:
    path = tmp_path / "holder 1.html"
    path.write_text(page_of("odd"), encoding="utf-8")
    done = subprocess.run(
        [
            chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
            "--disable-background-networking", "--disable-component-update",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={tmp_path / 'profile'}", f"--accept-lang={accepted}", "--enable-logging=stderr",
            "--dump-dom", f"file://{quote(str(path))}",
        ],
        capture_output=True, text=True, timeout=60, check=True, encoding="utf-8", errors="replace",
    )  # fmt: skip
    assert "CONSOLE" not in done.stderr
    assert f'<html lang="{expected}">' in done.stdout[:6000]
    title = TEXTS["holder_title"]["zh" if accepted == "zh-CN" else "en"]
    assert f"<title>{title} · online · spring-review</title>" in done.stdout[:30000]
