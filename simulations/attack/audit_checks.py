"""Everything that ``audit test`` checks without guessing, with and without planted faults."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from privacy.audit.empirical import Checked
from privacy.mechanisms import Placement
from simulations.attack import audit_charges
from simulations.attack.audit_bytes import checked_bytes, faulty_bytes
from simulations.attack.audit_charges import checked_charges
from simulations.attack.audit_generators import checked_generators, faulty_generators


def checked_all(
    kinds: Sequence[str], placements: Sequence[Placement], *, whole: bool, faults: bool
) -> Iterator[Checked]:
    """One finding after the other.

    Args:
        kinds, placements: for which real nodes are asked.
        whole: also what belongs to no kind of statistic.
        faults: plant known faults as well, each in one kind of statistic.
    """
    yield from checked_charges(kinds, placements)
    if whole:
        yield from checked_generators()
        yield from checked_bytes()
    if faults:
        for fault in audit_charges.FAULTS:
            yield from checked_charges(kinds[:1], placements, fault)
        if whole:
            yield from faulty_generators()
            yield from faulty_bytes()
