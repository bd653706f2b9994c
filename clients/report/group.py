"""A holder's page of one group of customers: the same sections, of these customers alone, beside the consortium's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clients.analysis import HolderContext
from clients.data.rows.kinds import OwnRows
from clients.tagging.setting import TagSetting
from clients.tags.config import read_tags
from privacy.errors import ConfigError, DataError
from privacy.protocol.study import Study


@dataclass(frozen=True, kw_only=True)
class GroupShown:
    """A group of ``tags.toml`` on a day.

    Attributes:
        code, en, zh: its code, and what people call it.
        ids: its customers.
        of: how many customers the holder has.
    """

    code: str
    en: str
    zh: str
    ids: frozenset[str]
    of: int

    def __repr__(self) -> str:
        return f"GroupShown({self.code!r}, <private>)"


@dataclass(frozen=True, kw_only=True)
class GroupContext(HolderContext):
    """What a room may ask of some of a holder's customers. Of what was before nothing is known of them as a group."""

    ids: frozenset[str] = frozenset()

    @property
    def of_all(self) -> bool:
        """See :meth:`HolderContext.of_all`."""
        return False

    def rows(self, request: Any) -> OwnRows[Any]:
        """See :meth:`HolderContext.rows`."""
        rows = super().rows(request)
        return rows.of(np.fromiter((one in self.ids for one in rows.ids), dtype=np.bool_, count=len(rows.ids)))

    def history(self, kind: Any) -> Any:
        """One without a day."""
        return kind(self.state / "labels" / ".of-no-group")


def group_of(root: Path, study: Study, code: str) -> GroupShown:
    """Who is in a group on a study's day.

    Raises:
        ConfigError: if there is no such group, or a rule is none.
        DataError: if a feed cannot be read, or nobody is in the group.
    """
    groups = {group.code: group for group in read_tags(root).group}
    if code not in groups:
        hint = f"there is: {', '.join(groups)}" if groups else "a [[group]] of tags.toml chooses customers by a rule"
        raise ConfigError(f"tags.toml has no group {code!r}", hint=hint)
    setting = TagSetting.read(root, study.as_of)
    evaluated = setting.evaluate(setting.rules())
    ids = np.asarray(evaluated.customers.ids.to_pylist(), dtype=object)
    there = evaluated.values[code] > 0
    if not there.any():
        hint = f"look at its rule: `cohortium holder tags preview {code}`"
        raise DataError(f"nobody is in group {code} on {study.as_of}", hint=hint)
    group = groups[code]
    return GroupShown(
        code=code, en=group.en or code, zh=group.zh or code, ids=frozenset(ids[there].tolist()), of=len(ids)
    )
