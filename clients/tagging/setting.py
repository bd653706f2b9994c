"""What stands in a holder's files about tags, as of a day; and a first ``tags.toml``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from clients.analyses.catalogue import ANALYSES, RECIPES
from clients.answering.runs import RunFolder
from clients.data.config import HolderConfig
from clients.data.origin import Origin
from clients.data.rows.rules.columns import customers_of
from clients.labels.day_rows import DayRows
from clients.tags.config import NAME, Tag, TagsFile, read_tags
from clients.tags.evaluation import Evaluated, evaluate
from clients.tags.label_columns import with_labels
from clients.tags.library import file_text, fitting, library
from clients.tags.names import label_facts, vocabulary
from clients.tags.rules import Rule, needs, read_rules
from privacy.errors import ConfigError
from privacy.kernel.canonical import read_toml
from privacy.kernel.terms import Budget
from privacy.protocol.study import Study
from privacy.tags.reader import Vocabulary
from privacy.tags.tree import Leaf


@dataclass(frozen=True, kw_only=True)
class TagSetting:
    """What stands in a holder's files about tags, as of a day. Looks at no row.

    Attributes:
        root: the holder's folder.
        file: ``tags.toml``.
        origin: the holder's source, as the study that is named there looks at it, as of the day.
        words: what rules may name.
    """

    root: Path
    file: TagsFile
    origin: Origin
    words: Vocabulary

    @classmethod
    def read(cls, root: Path, day: dt.date | None = None, *, file: TagsFile | None = None) -> TagSetting:
        """The setting of a folder.

        Args:
            root: the holder's folder.
            day: of the run; today at the source if not given.
            file: in place of what ``tags.toml`` says.

        Raises:
            ConfigError: if a file is missing or wrong, or no run of the named study has ended here.
        """
        file = file or read_tags(root)
        config = read_toml(root / "holder.toml", HolderConfig)
        study = _study(root, file.like, config)
        study = study.model_copy(update={"as_of": day or today(study)})
        try:
            config.check_study(study)
        except ConfigError as error:
            if file.like is not None:
                raise
            hint = 'name a study that has rates, whose run has ended here: like = "STUDY" at the top of tags.toml'
            raise ConfigError(f"money in several currencies needs rates: {error.message}", hint=hint) from None
        words = vocabulary(config, study, like=file.like is not None)
        return cls(root=root, file=file, origin=Origin(config, study, root, RECIPES), words=words)

    @property
    def day(self) -> dt.date:
        """The day of the run: rows from it on are not seen."""
        return self.origin.study.as_of

    def rules(self) -> tuple[Rule, ...]:
        """All rules.

        Raises:
            ConfigError: for the first that is none.
        """
        return read_rules(self.file, self.words)

    def labels(self) -> tuple[DayRows[Any], ...]:
        """The newest labels of the named study up to the day, of every kind."""
        kinds = [each.history for each in ANALYSES if each.history is not None and each.facts]
        histories = [kind(self.root / "state" / "labels") for kind in kinds if self.file.like is not None]
        found = []
        for history in histories:
            days = [day for day in history.days(self.file.like or "") if day <= self.day]
            found += [history.rows(self.file.like or "", days[-1])] if days else []
        return tuple(found)

    def label_days(self) -> dict[str, dt.date | None]:
        """By fact that labels may say, of which day the newest are; None where none are kept."""
        found: dict[str, dt.date | None] = {name: None for name, _ in label_facts()}
        for rows in self.labels():
            names = rows.schema().names
            found |= {name: rows.snapshot.as_of for name, fact in label_facts() if fact.column in names}
        return found

    def evaluate(self, rules: Sequence[Rule], more: Sequence[Leaf] = ()) -> Evaluated:
        """Ask the holder's feeds, and work out rules.

        Args:
            rules: in their order.
            more: further facts that are asked for with theirs.

        Raises:
            DataError: if a feed cannot be read as described.
        """
        wanted = dict.fromkeys((*needs(tuple(rules)), *more))
        customers = with_labels(customers_of(self.origin, tuple(wanted)), wanted, self.labels())
        return evaluate(rules, customers, self.day)


def today(study: Study) -> dt.date:
    """Today in a study's zone."""
    import zoneinfo

    return dt.datetime.now(zoneinfo.ZoneInfo(study.time_zone)).date()


def begin_tags(root: Path, like: str | None = None) -> tuple[tuple[Tag, ...], tuple[str, ...]]:
    """Write a ``tags.toml`` with the tags of the library that a holder's feeds can answer.

    Args:
        root: the holder's folder.
        like: the study whose labels rules may name.

    Returns:
        The tags, and codes of those that were left out.

    Raises:
        ConfigError: if the file is there already, or no run of that study has ended here.
    """
    path = root / NAME
    if path.exists():
        raise ConfigError(f"{path} is there already", hint="give a CODE and --when to add a tag")
    tags = fitting(TagSetting.read(root, file=TagsFile(like=like)).words)
    path.write_text(file_text(tags, like), encoding="utf-8")
    return tags, tuple(one.tag.code for one in library() if one.tag not in tags)


def _study(root: Path, like: str | None, config: HolderConfig) -> Study:
    """The latest run of a study that ended here; or one with the usual cleaning, in the source's own money and zone."""
    if like is None:
        currencies = config.declared_currencies
        return Study(
            name="tags",
            as_of=dt.date(2000, 1, 1),
            currency=currencies[0] if currencies else "EUR",
            time_zone=config.source.time_zone,
            budget=Budget(epsilon=Decimal(1)),
        )
    runs = RunFolder(root / "state" / "runs")
    for run in reversed(runs.runs()):
        study = runs.study(run)
        if study.name == like and runs.released_plans(run):
            return study
    raise ConfigError(
        f"{NAME}: no run of the study {like!r} has ended here",
        hint="leave `like` out until one has, or name another study: `cohortium holder status` lists labels",
    )
