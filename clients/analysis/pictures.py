"""The holder's picture: its own shares beside the consortium's, by group of customers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from clients.analysis.comparison import Compared
from clients.analysis.texts import text
from privacy.presentation import charts
from privacy.presentation.charts import Group, Panel, Series, share_mark
from privacy.presentation.pictures import EVERYONE, OWN, Form
from privacy.presentation.texts import Language

Share = Literal["customers", "revenue"]
_SHARES: tuple[Share, ...] = ("customers", "revenue")


class Pair(NamedTuple):
    """A group of customers, the holder's share beside the consortium's; None where it is not known."""

    name: str
    customers: Compared | None
    revenue: Compared | None


def compared_shares(
    pairs: Sequence[Pair], language: Language, *, hidden: str, form: Form, shares: Sequence[Share] = _SHARES
) -> str:
    """Own and consortium's share of customers and of revenue in each group; black lines: 95% of the noise.

    Args:
        pairs: the groups.
        language: of the words.
        hidden: what stands for a share of the consortium that is not shown.
        form: ``wide`` puts the two shares side by side, ``narrow`` below each other.
        shares: which are drawn.
    """
    panels = [
        Panel(
            [Group(pair.name, _bars(getattr(pair, share), hidden, language)) for pair in pairs],
            text(f"panel_{share}", language),
        )
        for share in shares
    ]
    series = (
        Series(text("legend_own", language), OWN, strong=True),
        Series(text("legend_everyone", language), EVERYONE),
    )
    return charts.bars(panels, series, form)


def _bars(compared: Compared | None, hidden: str, language: Language) -> tuple[charts.Mark | str | None, ...]:
    if compared is None:
        return (None, None)
    everyone = compared.shown
    # One's own share is exact: its margin is chance, which no line shows.
    own = share_mark(compared.own, language, exact=True)
    return (own, hidden if everyone is None else share_mark(everyone, language))
