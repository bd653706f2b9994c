"""Drawing up a list, of those with most at risk or of a group of tags, and keeping who is on it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clients.data.campaigns import Campaign, path_of
from clients.labelling import contacts_of, write_contact_list
from clients.labels.config import FileTarget, Labels
from clients.labels.contacts import PLACES, in_arms, list_path
from clients.labels.control import PARTS, control_key, group_draw
from clients.labels.files import write_table
from clients.tagging.setting import TagSetting, today
from clients.tags.files import held_out, in_order, what_to_do
from privacy.errors import ConfigError
from privacy.locks import one_at_a_time
from privacy.protocol.study import Study

_CODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Begun:
    """A list, and what is kept of it.

    Attributes:
        campaign: everybody who was on a list of this campaign.
        table: this list, with ``place`` and ``control``.
        path: where it was written.
    """

    campaign: Campaign
    table: pa.Table
    path: Path

    def count(self, place: str) -> tuple[int, int]:
        """How many there are in a place, and how many of them are left alone."""
        there = self.table.filter(pc.equal(self.table["place"], place))
        return len(there), int(pc.sum(pc.cast(there["control"], pa.int64())).as_py() or 0)


def begin(
    root: Path,
    study: Study,
    labels: Labels,
    *,
    code: str | None = None,
    day: dt.date | None = None,
    output: Path | None = None,
) -> Begun:
    """Draw up the list of whom to contact first by a study's labels, and keep who is on it and who is left alone.

    Doing it again for the same campaign adds who is new, from that day on; nobody moves from one arm to the other.

    Args:
        root: the holder's folder.
        study: whose newest labels rank customers.
        labels: of ``labels.toml``: how long the list is, how many are left alone, and how it is written.
        code: of the campaign; the study's name and as-of day if not given.
        day: from which on it is worked through; today if not given.
        output: file to write.

    Raises:
        ConfigError: if the code is none, the campaign is another study's, or its share of those left alone has changed.
        DataError: if a file is damaged.
    """

    code = code or f"{study.name}-{study.as_of.isoformat()}"
    with _drawing(root, code):
        kept = _kept(root, code, study.name, labels.contacts.control)
        share = labels.contacts.control if kept is None else kept.share / PARTS
        settings = labels.contacts.model_copy(update={"control": share})
        drawn = contacts_of(root, study.name, study.as_of, labels.model_copy(update={"contacts": settings}))
        campaign = kept or Campaign.begun(code, study.name, drawn.share)
        campaign = _joined(root, campaign, drawn.table, day or today(study))
        drawn = drawn.with_arms(campaign.table)
        path = write_contact_list(root, drawn, labels, code, output)
        return Begun(campaign=campaign, table=drawn.table, path=path)


def begin_group(
    setting: TagSetting, group: str, labels: Labels, *, code: str | None = None, output: Path | None = None
) -> Begun:
    """Draw up a group of tags as a list, in its order, and keep who is on it and who is left alone.

    Args:
        setting: of the day on which it is worked through.
        group: its code in ``tags.toml``.
        labels: how many are called and written to; whoever comes after them is not on the list.
        code: of the campaign; the group's code and the month if not given.
        output: file to write.

    Raises:
        ConfigError: if there is no such group, a rule is none, or the campaign's share of those left alone has changed.
        DataError: if a feed cannot be read.
    """
    rules = setting.rules()
    groups = [rule.code for rule in rules if rule.is_group]
    if group not in groups:
        there = f"there is: {', '.join(groups)}" if groups else "a [[group]] of tags.toml chooses customers by a rule"
        raise ConfigError(f"tags.toml has no group {group!r}", hint=there)
    evaluated, settings = setting.evaluate(rules), labels.contacts
    chosen = next(item for item in setting.file.group if item.code == group)
    code, root = code or f"{group}-{setting.day:%Y-%m}", setting.root
    everybody = in_order(evaluated, group)
    stated = None if chosen.hold_out is None else float(chosen.hold_out)
    with _drawing(root, code):
        kept = _kept(root, code, setting.file.like, stated)
        campaign = kept or Campaign.begun(code, setting.file.like, held_out(chosen, len(everybody)))
        there = pa.array(everybody[: settings.call + settings.write])
        ids = evaluated.customers.ids.take(there)
        place = np.where(np.arange(len(ids)) < settings.call, 0, 1)
        alone = group_draw(control_key(root / "state"), group, setting.day).of(ids.to_pylist(), campaign.share)
        table = pa.table({
            "place": pa.array(PLACES).take(pa.array(place)),
            "number": pa.array(1 + np.arange(len(ids)) - place * settings.call),
            "customer_id": ids,
            "source_id": evaluated.customers.source_ids.take(there),
            "control": pa.array(alone),
            **what_to_do(chosen, setting.day, len(ids)),
        })  # fmt: skip
        campaign = _joined(root, campaign, table, setting.day)
        table = in_arms(table, campaign.table)
        target = next((item for item in labels.file if item.format == "csv"), FileTarget())
        path = output or list_path(root, target, code)
        write_table(path, table.schema, target, iter(table.to_batches()))
        return Begun(campaign=campaign, table=table, path=path)


@contextmanager
def _drawing(root: Path, code: str) -> Iterator[None]:
    """One list at a time, of a campaign that can be called so."""
    if not _CODE.fullmatch(code):
        raise ConfigError(
            f"a campaign cannot be called {code!r}", hint="lower-case letters, digits, - and _, as in spring-recall"
        )
    folder = path_of(root, code).parent
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with one_at_a_time(folder / ".lock", what="a list is being drawn up here"):
        yield


def _kept(root: Path, code: str, study: str | None, control: float | None) -> Campaign | None:
    """A campaign that was begun already; its study and the share that is left alone cannot change."""
    if not path_of(root, code).exists():
        return None
    kept = Campaign.load(root, code)
    if kept.study != study:
        raise ConfigError(f"campaign {code} is of study {kept.study}", hint="give --campaign another name")
    if control is not None and round(PARTS * control) != kept.share:
        raise ConfigError(
            f"campaign {code} leaves {kept.share / PARTS:.1%} alone, and another share is stated now",
            hint="arms stay as they were drawn: give --campaign another name, or put the share back",
        )
    return kept


def _joined(root: Path, campaign: Campaign, drawn: pa.Table, day: dt.date) -> Campaign:
    """The campaign with who is new on its list, kept if anybody is in it."""
    campaign = campaign.joined(drawn, day)
    if len(campaign.table):
        campaign.save(root)
    return campaign
