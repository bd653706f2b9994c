"""All ids of the person whom an id names: what has to go when a person is forgotten."""

from __future__ import annotations

from pathlib import Path

from clients.data.config import HolderConfig
from clients.data.named_sources import PERSON
from clients.data.origin import Origin, plain_study
from clients.data.several.keys import MARK
from clients.data.several.links import links_of
from clients.data.several.rooms import open_room
from clients.data.sources import fetch


def same_person(key: str, config: HolderConfig, base: Path) -> frozenset[str]:
    """Keys (``person:ID``, ``SOURCE:ID``) of whoever has this one, and of all their ids; the key itself among them.

    An id of several persons names all of them, as it does on an exclusion list.

    Args:
        key: as :func:`clients.data.several.keys.normal_key` has it.
        config: the holder's.
        base: the folder of ``holder.toml``.

    Raises:
        DataError: if it cannot be read who is who.
    """
    if not config.has_persons:
        return frozenset({key})
    origin = Origin(config, plain_study(config), base)
    with open_room(origin) as room:
        links = links_of(origin, room)
        if links is None:
            raise TypeError("somebody says who is who, and nothing is said")
        keys = links.select(key=links.source + MARK + links.customer, person=PERSON + MARK + links.person)
        hit = keys.filter((keys.key == key) | (keys.person == key))
        found = fetch(keys.semi_join(hit, "person"), what="looking for all ids of a person")
    return frozenset({key, *found["key"].to_pylist(), *found["person"].to_pylist()})
