"""The holder's exclusion list: ids that never take part, added to a file that ``holder.toml`` names."""

from __future__ import annotations

import csv
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from clients.data.cleaning.ids import read_exclusion_list
from clients.data.config import HolderConfig
from clients.data.place import Source
from clients.data.several.keys import named_person, of_source
from clients.data.sources.locations import resolve
from privacy.errors import ConfigError

#: What a list is called that ``holder.toml`` does not name yet; the commented line of ``holder new`` says the same.
LIST = "opt-out.csv"


@dataclass(frozen=True, kw_only=True)
class Excluded:
    """What was done.

    Attributes:
        path: the list.
        added: ids that are new on it, in order.
        known: ids that were on it already.
        named: whether ``holder.toml`` did not name the list before, and does now.
    """

    path: Path
    added: tuple[str, ...]
    known: tuple[str, ...]
    named: bool


def exclude(config_file: Path, config: HolderConfig, spellings: Iterable[str]) -> Excluded:
    """Put ids on the exclusion list; where ``holder.toml`` names none, it names ``opt-out.csv`` from now on.

    Args:
        config_file: ``holder.toml``.
        config: what stands in it.
        spellings: ids as the source spells them; where several sources are put together by persons, ``SOURCE:ID``, or
            ``person:ID``, which stands on a list as it is.

    Raises:
        ConfigError: if an id is empty or has a line break, or ``holder.toml`` cannot be made to name a list.
        DataError: if the list that is there cannot be read.
    """
    base = config_file.parent
    if config.sources:
        named, ids = _of_one_source(config, spellings)
        path, added, known = _put(named, ids, base)
        return Excluded(path=path, added=added, known=known, named=False)
    text = None if config.source.exclude is not None else _naming_a_list(config_file, config)
    named = config if text is None else config.model_copy(
        update={"source": config.source.model_copy(update={"exclude": LIST})}
    )  # fmt: skip
    path, added, known = _put(named, spellings, base)
    if text is not None:  # last: a list that is named and missing would stop the node
        _replace(config_file, text)
    return Excluded(path=path, added=added, known=known, named=text is not None)


def _put(config: HolderConfig, spellings: Iterable[str], base: Path) -> tuple[Path, tuple[str, ...], tuple[str, ...]]:
    """Put ids on the list that a source names: the list, which ids are new on it, and which were there."""
    path = resolve(base, config.source.exclude or LIST)
    ids = tuple(dict.fromkeys(checked_id(spelling) for spelling in spellings))
    listed = read_exclusion_list(config, base=base) if path.exists() else ()
    added = tuple(item for item in ids if item not in listed)
    if added or not path.exists():
        _append(path, added)
    return path, added, tuple(item for item in ids if item in listed)


def _of_one_source(config: HolderConfig, spellings: Iterable[str]) -> tuple[HolderConfig, list[str]]:
    """The source that ids are of, with them as they stand there.

    Raises:
        ConfigError: if that is none, or several, or it names no list.
    """
    ids = list(spellings)
    listing = [source for source in config.sources if source.exclude is not None]
    sources = listing[:1]  # an id on any list takes its customer out of all sources
    persons = [item for item in ids if named_person(item) is not None] if config.has_persons else []
    if config.has_persons and len(persons) < len(ids):
        if persons:
            raise ConfigError("these ids are of persons and of sources", hint="give those of persons by themselves")
        split = [of_source(checked_id(item), config) for item in ids]
        sources = list({source.name: source for source, _ in split}.values())
        ids = [item for _, item in split]
    if len(sources) > 1:
        raise ConfigError("these ids are of several sources", hint="give those of one source at a time")
    if not sources or sources[0].exclude is None:
        name = sources[0].name if sources else "one of the sources"
        raise ConfigError(f"[[sources]] {name} names no list", hint=f'write exclude = "{LIST}" into it')
    return config.of_source(sources[0]), ids


def checked_id(spelling: str) -> str:
    """An id as the list has it.

    Raises:
        ConfigError: if it is empty or has a line break.
    """
    if not spelling.strip():
        raise ConfigError("there is no id", hint="give the customer's id as your source spells it")
    if set(spelling.strip()) & set("\r\n"):
        raise ConfigError(
            "an id with a line break cannot stand on the exclusion list", hint="leave these rows out with source.where"
        )
    return spelling.strip()


def _append(path: Path, ids: Iterable[str]) -> None:
    known = path.read_text(encoding="utf-8-sig") if path.exists() else ""
    with path.open("a", encoding="utf-8", newline="") as file:
        file.write("" if not known or known.endswith("\n") else "\n")
        csv.writer(file, lineterminator="\n").writerows([item] for item in ids)


def _naming_a_list(config_file: Path, config: HolderConfig) -> str:
    """``holder.toml`` with the list in it: the commented line without its sign, else a line under ``[source]``."""
    text = config_file.read_text(encoding="utf-8")
    line = f'exclude = "{LIST}"'
    changed, found = re.subn(rf"^# *{re.escape(line)}", line, text, count=1, flags=re.M)
    if not found:
        changed = re.sub(r"^(\[source\][^\n]*)$", rf"\1\n{line}", text, count=1, flags=re.M)
    if _source(changed) != config.source.model_copy(update={"exclude": LIST}):
        raise ConfigError(f"{config_file} names no list", hint=f"write {line} below [source]")
    return changed


def _source(text: str) -> Source | None:
    try:
        return HolderConfig.model_validate(tomllib.loads(text, parse_float=Decimal)).source
    except ValueError:  # the commented line stood in another table
        return None


def _replace(path: Path, text: str) -> None:
    """Write over the file that a link leads to, if it is one; a reader sees the old text or the new one."""
    target = path.resolve()
    beside = target.with_name(f".{target.name}.new")
    beside.write_text(text, encoding="utf-8")
    beside.chmod(target.stat().st_mode)
    beside.replace(target)
