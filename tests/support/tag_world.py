"""A generated world with feeds, and its holders' tags as of the study's day."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from clients.analyses.catalogue import RECIPES
from clients.data.config import HolderConfig
from clients.data.origin import Origin
from clients.tagging.setting import TagSetting
from clients.tags.config import TagsFile
from clients.tags.evaluation import Evaluated
from clients.tags.names import vocabulary
from privacy.kernel.canonical import read_toml
from privacy.protocol.study import Study
from simulations.worlds.generator import GeneratedWorld

AS_OF = dt.date(2025, 1, 1)
STUDY = Study.model_validate({
    "name": "tags", "as_of": AS_OF, "budget": {"epsilon": "1"}, "rates": {"GBP": "1.17"},
    "cleaning": {"returns": "net", "cancellation_prefix": "C", "non_goods": ["POST", "FEE"]},
})  # fmt: skip


def setting(
    home: Path, tags: list[dict[str, Any]], *, study: Study = STUDY, config: HolderConfig | None = None, **more: Any
) -> TagSetting:
    """Tags of one holder, as a study that never ran looks at its rows."""
    config = config or read_toml(home / "holder.toml", HolderConfig)
    file = TagsFile.model_validate({"tag": tags, **more})
    origin = Origin(config, study, home, RECIPES)
    return TagSetting(root=home, file=file, origin=origin, words=vocabulary(config, study, like=False))


def evaluated(world: GeneratedWorld, holder: str, tags: list[dict[str, Any]]) -> Evaluated:
    found = setting(world.folder / holder, tags)
    return found.evaluate(found.rules())


def tagged(found: Evaluated, code: str) -> dict[str, int]:
    """Who has a tag, and its value."""
    values = found.values[code].tolist()
    return {customer: value for customer, value in zip(found.customers.ids.to_pylist(), values, strict=True) if value}
