"""The report's section on clusters: who is in them, what sets them apart, and what changed since the earlier run.

Everything here is computed from released figures (:class:`privacy.analyses.clusters.results.ClusterResult`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

from privacy.analyses.clusters import CONTRACT
from privacy.analyses.clusters.options import ClusterOptions, KnownClusters
from privacy.analyses.clusters.results import ClusterFigures, ClusterMove, ClusterResult
from privacy.analyses.clusters.words import cluster_words
from privacy.figures.estimates import Estimate
from privacy.kernel.features import FeatureName
from privacy.kernel.terms import minor_digits
from privacy.presentation.cells import Cell, card, cell
from privacy.presentation.change import Change, change, signed
from privacy.presentation.features import feature_heading, feature_name, feature_value
from privacy.presentation.numbers import is_hidden
from privacy.presentation.pages import inline
from privacy.presentation.pictures import both
from privacy.presentation.texts import Language, join
from privacy.presentation.words import amount, percent, with_interval
from privacy.protocol.study import Study
from server.analyses.clusters import pictures
from server.analyses.clusters.numbers import chosen, proposed, scales, silhouette
from server.analyses.clusters.texts import text
from server.analysis.section import ReportSection, ReportView

#: With more features than this, typical values stand in a table with a row a feature, not a row a cluster.
_COLUMNS = 6
#: No such limit on activity is stated (``ClusterOptions.active_days``).
_ALWAYS = ClusterOptions().active_days
_MOVES = ("stayed", "moved", "new", "gone")


class Row(NamedTuple):
    """One row of a table: the name, a line under it, and the figures."""

    name: str
    words: str
    cells: list[Cell]


def cards(view: ReportView[ClusterResult]) -> list[Cell]:
    """How many clusters, and how many records where nothing else on the page says that."""
    clusters, study, language = view.figures, view.result.study, view.language
    found = []
    if not view.counted:
        found.append(card(text("customer_records", language), clusters.customers, language, decimals=0))
    label = text("card_clusters", language)
    found.append(Cell(label, str(len(clusters.figures)), text(f"card_clusters_{chosen(clusters, study)}", language)))
    return found


def findings(view: ReportView[ClusterResult]) -> list[str]:
    """The main findings of a run."""
    released = view.result.of(ClusterResult)
    return [] if released is None else cluster_findings(released, view.figures, view.result.study, view.language)


def cluster_findings(released: ClusterResult, clusters: ClusterResult, study: Study, language: Language) -> list[str]:
    """The main findings: the largest cluster, the one with most revenue, and what changed; one to three sentences.

    Args:
        released: what is tested: unbiased.
        clusters: the same as it is shown.
        study, language: as on the page.
    """
    words = cluster_words(clusters.figures, language, options=study.of(CONTRACT), currency=study.currency)
    shown_as = {figures.id: figures for figures in clusters.figures}
    sized = [(shown_as[one.id], one.share) for one in released.figures if one.share is not None]
    if not sized:
        return [text("clusters_finding_none", language)]

    def named(figures: ClusterFigures) -> str:
        return text("cluster_with_words", language, id=figures.id, words=words[figures.id])

    (largest, share), *others = sorted(sized, key=lambda item: -item[1].value)
    if others and not change(share, others[0][1]).beyond_noise:
        sentences = [
            text(
                "clusters_finding_largest_tie",
                language,
                first=named(largest),
                first_share=percent(largest.share or share, language),
                second=named(others[0][0]),
                second_share=percent(others[0][0].share or others[0][1], language),
            )
        ]
    else:
        sentences = [
            text(
                "clusters_finding_largest",
                language,
                cluster=named(largest),
                share=percent(largest.share or share, language),
            )
        ]
    earning = [(shown_as[one.id], one.revenue) for one in released.figures if one.share and one.revenue is not None]
    sentences += _revenue_finding(earning, named, study.currency, language)
    if chosen(clusters, study) == "divided":
        sentences.append(text("clusters_finding_divided", language))
    known = study.of(CONTRACT).centres
    if clusters.moves and isinstance(known, KnownClusters):
        sentences.append(_moves_finding(clusters, known, language))
    return sentences


def _revenue_finding(
    earning: Sequence[tuple[ClusterFigures, Estimate]],
    named: Callable[[ClusterFigures], str],
    currency: str,
    language: Language,
) -> list[str]:
    """The cluster with most revenue; nothing where revenue was not asked.

    Args:
        earning: clusters as they are shown, each with its revenue as it was released.
        named: a cluster's name in the sentence.
        currency, language: as on the page.
    """
    if not earning:
        return []
    (richest, most), *poorer = sorted(earning, key=lambda item: -item[1].value)
    if richest.revenue is None or richest.share is None:
        return []
    if poorer and not change(most, poorer[0][1]).beyond_noise:
        tie = {"first": named(richest), "second": named(poorer[0][0])}
        return [text("clusters_finding_revenue_tie", language, **tie)]
    return [
        text(
            "clusters_finding_revenue",
            language,
            cluster=named(richest),
            revenue=with_interval(richest.revenue, language, decimals=0),
            currency=currency,
            share=percent(richest.share, language),
        )
    ]


def cluster_section(clusters: ClusterResult, study: Study, language: Language) -> dict[str, Any]:
    """What the template ``clusters.html.j2`` needs."""
    say = partial(text, language=language)
    words = cluster_words(clusters.figures, language, options=study.of(CONTRACT), currency=study.currency)
    return {
        "facts": _facts(clusters, study, language),
        "sizes": _sizes(clusters, study, words, language),
        "notes": _notes(clusters, study, language),
        "typical": _typical(clusters, study, words, language),
        "typical_notes": _typical_notes(clusters, language),
        "heat": both(lambda width: pictures.heat_map(clusters, language, width=width)),
        "parallel": both(lambda width: pictures.parallel(clusters, language, width=width)),
        "map": inline(pictures.centre_map(clusters, language, currency=study.currency)) if _mappable(clusters) else "",
        "tree": inline(pictures.tree(clusters, language)) if clusters.tree else "",
        "silhouette": silhouette(clusters, language),
        "scales": scales(clusters, study, language),
        "proposals": proposed(clusters, study, language),
        "moves": _moves(clusters, study, words, language),
        "limits": [
            say(f"clusters_limit_{name}") for name in ("borders", "cause", "margins", "records", "people")
        ],
    }  # fmt: skip


def _mappable(clusters: ClusterResult) -> bool:
    return len(clusters.clusters.features) > 1


def _with_revenue(clusters: ClusterResult) -> bool:
    """Whether the study's features contain spend; revenue was not asked otherwise."""
    return any(figures.revenue is not None for figures in clusters.figures)


def _name(number: int, language: Language) -> str:
    return text("cluster_name", language, id=number)


def _facts(clusters: ClusterResult, study: Study, language: Language) -> list[tuple[str, str]]:
    say = partial(text, language=language)
    options = study.of(CONTRACT)
    origin = options.centres.origin if isinstance(options.centres, KnownClusters) else ""
    tried = clusters.silhouettes
    number = say(
        f"clusters_number_{chosen(clusters, study)}",
        k=len(clusters.figures),
        low=min(tried, default=0),
        high=max(tried, default=0),
        origin=origin,
    )
    everyone = options.active_days >= _ALWAYS
    who = say("clusters_who_all") if everyone else say("clusters_who_is", days=f"{options.active_days:,}")
    return [
        (
            say("clusters_by"),
            join([feature_name(item.name, language, of=item.of) for item in clusters.clusters.features], language),
        ),
        (say("clusters_number"), number),
        (say("clusters_who"), who),
    ]


# --- tables -----------------------------------------------------------------------------------------------------


def _sizes(clusters: ClusterResult, study: Study, words: dict[int, str], language: Language) -> dict[str, Any]:
    columns = {"customers": text("customer_records", language), "share": text("share_of_customers", language)}
    if _with_revenue(clusters):
        columns["revenue"] = text("revenue_in", language, currency=study.currency)
    form = {"customers": (0, 1), "share": (1, 100), "revenue": (0, 1)}
    rows = [
        Row(
            _name(figures.id, language),
            words[figures.id],
            [
                cell(label, getattr(figures, name), language, decimals=form[name][0], scale=form[name][1])
                for name, label in columns.items()
            ],
        )
        for figures in clusters.figures
    ]
    return {"columns": list(columns.values()), "rows": rows, "first": text("cluster", language)}


def _notes(clusters: ClusterResult, study: Study, language: Language) -> list[str]:
    notes = [text("cluster_note_words", language), text("note_records", language)]
    if _with_revenue(clusters):
        digits = minor_digits(study.currency)
        caps = [
            text(
                "cluster_cap",
                language,
                id=figures.id,
                money=amount(Decimal(repr(figures.cap)), digits),
                currency=study.currency,
            )
            for figures in clusters.figures
        ]
        notes.append(text("cluster_note_cap", language, caps=text("separator", language).join(caps)))
    totals = [total for figures in clusters.figures for total in (figures.customers, figures.revenue)]
    if any(is_hidden(total) for total in totals if total is not None):
        notes.append(text("note_weak", language))
    return notes


def _typical(clusters: ClusterResult, study: Study, words: dict[int, str], language: Language) -> dict[str, Any]:
    """Typical values; a row is a cluster where there are few features, else a feature."""
    currency = study.currency
    features = clusters.clusters.features
    names: list[FeatureName] = [feature.name for feature in features]
    headings = {item.name: feature_heading(item.name, language, currency=currency, of=item.of) for item in features}

    def value(figures: ClusterFigures, name: FeatureName, label: str) -> Cell:
        # Never weak: of a typical value the margin alone says little; zero orders a month is known as well as ten.
        return Cell(label, *feature_value(name, figures.typical[name], currency=currency))

    if len(names) <= _COLUMNS:
        rows = [
            Row(
                _name(figures.id, language),
                words[figures.id],
                [value(figures, name, headings[name]) for name in names],
            )
            for figures in clusters.figures
        ]
        return {"columns": list(headings.values()), "rows": rows, "first": text("cluster", language)}
    columns = [_name(figures.id, language) for figures in clusters.figures]
    rows = [
        Row(
            headings[name],
            "",
            [value(figures, name, column) for figures, column in zip(clusters.figures, columns, strict=True)],
        )
        for name in names
    ]
    return {"columns": columns, "rows": rows, "first": text("cluster_feature", language)}


#: Features that a customer with a single order does not have.
_OF_INTERVALS = ("interval_days", "interval_spread", "interval_variation", "recency_ratio", "overdue", "on_time")


def _typical_notes(clusters: ClusterResult, language: Language) -> list[str]:
    notes = [text("cluster_note_typical", language)]
    if any(feature.name in _OF_INTERVALS for feature in clusters.clusters.features):
        notes.append(text("cluster_note_missing", language))
    return notes


# --- since the earlier run --------------------------------------------------------------------------------------


def _moves_finding(clusters: ClusterResult, known: KnownClusters, language: Language) -> str:
    counts = {what: sum(move.what == what for move in clusters.moves) for what in _MOVES}
    changes = [Change(figures.change) for figures in clusters.figures if figures.change is not None]
    return text(
        "clusters_finding_moves",
        language,
        origin=known.origin,
        counts=join(
            [text(f"count_{what}", language, count=count) for what, count in counts.items() if count], language
        ),
        beyond=sum(item.beyond_noise for item in changes),
        of=len(changes),
    )


def _moves(clusters: ClusterResult, study: Study, words: dict[int, str], language: Language) -> dict[str, Any] | None:
    known = study.of(CONTRACT).centres
    if not clusters.moves or not isinstance(known, KnownClusters):
        return None
    columns = {
        "what": text("moves_what", language),
        "now": text("moves_now", language),
        "then": text("moves_then", language),
        "difference": text("trend_difference", language),
        "verdict": text("trend_verdict", language),
    }
    figures = {item.id: item for item in clusters.figures}
    order = sorted(clusters.moves, key=lambda move: (_MOVES.index(move.what), move.id))
    return {
        "title": text("cluster_moves", language, origin=known.origin),
        "columns": columns,
        "rows": [_move(move, figures.get(move.id), known, words, language) for move in order],
        "notes": [text("moves_note", language), text("trend_note_margin", language), text("trend_note_runs", language)],
    }


def _move(
    move: ClusterMove,
    figures: ClusterFigures | None,
    known: KnownClusters,
    words: dict[int, str],
    language: Language,
) -> dict[str, Any]:
    now = figures.share if figures is not None else None
    then = known.shares.get(move.id)
    before = Estimate(value=float(then[0]), margin=float(then[1])) if then is not None else None
    found = Change(figures.change) if figures is not None and figures.change is not None else None
    return {
        "name": _name(move.id, language),
        "words": words.get(move.id, ""),
        "what": text(f"moves_{move.what}", language),
        "now": cell("", now, language, decimals=1, scale=100) if now else None,
        "then": cell("", before, language, decimals=1, scale=100) if before else None,
        "difference": signed(found.difference, language) if found else None,
        "verdict": text(found.verdict, language) if found else None,
        "weak": found is not None and not found.beyond_noise,
    }


#: The section on clusters.
SECTION = ReportSection(
    package="server.analyses.clusters",
    text=text,
    title="title_clusters",
    cards=cards,
    findings=findings,
    body=lambda view: cluster_section(view.figures, view.result.study, view.language),
    notes=lambda view: [view.say("margin_note")],
)
