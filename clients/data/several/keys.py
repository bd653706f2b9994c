"""Ids that say which source they are of: ``SOURCE:ID``, and ``person:ID`` of a person."""

from __future__ import annotations

from clients.data.cleaning.ids import normal_id
from clients.data.config import HolderConfig
from clients.data.named_sources import PERSON, NamedSource
from privacy.errors import ConfigError

#: Between the name of a source, or ``person``, and an id: names have no such sign.
MARK = ":"


def named_person(spelling: str) -> str | None:
    """The id of a person that ``person:ID`` names; None where it names none."""
    name, mark, own = spelling.strip().partition(MARK)
    return own.strip() if name == PERSON and mark and own.strip() else None


def of_source(spelling: str, config: HolderConfig) -> tuple[NamedSource, str]:
    """The source that an id is of, and the id as it stands there.

    Raises:
        ConfigError: if it names none.
    """
    name, mark, own = spelling.strip().partition(MARK)
    found = next((source for source in config.sources if source.name == name), None)
    if found is None or not mark or not own.strip():
        names = ", ".join(f"{source.name}{MARK}ID" for source in config.sources)
        raise ConfigError("the id does not say which source it is of", hint=f"write one of: {names}, {PERSON}{MARK}ID")
    return found, own.strip()


def normal_key(spelling: str, config: HolderConfig) -> str:
    """A customer's id in the one form that tables and labels have it in, of any of its spellings.

    Raises:
        ConfigError: if several sources are put together by persons, and it names neither of these nor a person.
    """
    if not config.has_persons:
        return normal_id(spelling, config)
    person = named_person(spelling)
    if person is not None:
        return f"{PERSON}{MARK}{normal_id(person, config.of_person)}"
    source, own = of_source(spelling, config)
    return f"{source.name}{MARK}{normal_id(own, config.of_source(source))}"
