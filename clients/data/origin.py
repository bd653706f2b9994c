"""Where rows of a study come from at a holder: what every step from its source to a table needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clients.data.config import HolderConfig
from clients.data.recipes.common import COMMON
from clients.data.recipes.facts import Recipe
from privacy.protocol.study import Study


@dataclass(frozen=True)
class Origin:
    """A holder's source, as one study looks at it.

    Attributes:
        config: ``holder.toml``.
        study: whose rules clean the rows, and which sees no row from its as-of day on.
        base: the folder of ``holder.toml``.
        recipes: the features that can be worked out, by name: the common ones, and those that rooms bring.
    """

    config: HolderConfig
    study: Study
    base: Path
    recipes: Mapping[str, Recipe] = field(default_factory=lambda: COMMON)

    @property
    def state(self) -> Path:
        """Where the holder's private state is."""
        return self.base / "state"


def plain_study(config: HolderConfig) -> Study:
    """A study that sees all rows, for who asks of ids and times without one."""
    currency = config.source.currency_code or next(iter(config.source.currencies), "EUR")
    fields = {"name": "plain", "as_of": "9999-01-01", "currency": currency, "budget": {"epsilon": "1"}}
    return Study.model_validate(fields)
