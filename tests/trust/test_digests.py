"""Digests that stay: what a later release adds to a noun changes no byte of a value that does not use it."""

from __future__ import annotations

import pytest
from contract_examples import identities, roster_of

from privacy.contract.canonical import Noun, since
from privacy.contract.study import Budget, Study
from privacy.errors import ProtocolError


class Wish(Noun):
    """A noun as release 0.1.0 wrote it."""

    what: str
    many: int = 1


class Options(Noun):
    """A section that a later release added."""

    grid: int = 5
    finer: bool = since("0.4.0", False)


class LaterWish(Noun):
    """The same noun in a later release."""

    what: str
    many: int = 1
    urgent: bool = since("0.2.0", False)
    options: Options = since("0.3.0", Options())
    names: tuple[str, ...] = since("0.2.0", (), max_length=2)


LaterWish.__name__ = "Wish"  # the kind of a signed statement is the name of its class


def test_a_field_added_later_keeps_the_bytes_of_values_that_do_not_use_it() -> None:
    old, new = Wish(what="a"), LaterWish(what="a")
    assert new.canonical() == old.canonical() == b'{"many":1,"what":"a"}'  # fields of 0.1.0 are written always
    assert new.digest == old.digest
    assert LaterWish.parse(old.canonical()) == new
    assert LaterWish(what="a", options=Options(finer=True)).canonical() != new.canonical()


def test_a_field_added_later_is_written_and_hashed_where_it_is_used() -> None:
    used = LaterWish(what="a", urgent=True, names=("x",), options=Options(grid=7))
    assert used.canonical() == b'{"many":1,"names":["x"],"options":{"grid":7},"urgent":true,"what":"a"}'
    assert LaterWish.parse(used.canonical()) == used
    assert used.digest != LaterWish(what="a").digest
    with pytest.raises(ProtocolError):
        Wish.parse(used.canonical())  # an older release declines what it does not know


def test_rules_of_a_field_added_later_hold() -> None:
    with pytest.raises(ProtocolError):
        LaterWish.parse(b'{"many":1,"names":["x","y","z"],"what":"a"}')


def test_a_statement_signed_before_the_field_was_there_opens_after() -> None:
    keys = identities(["coordinator", "alpha"])
    signed = keys["alpha"].sign(Wish(what="a"))
    assert signed.open(LaterWish, roster_of(keys)) == LaterWish(what="a")
    spelt_out = signed.model_copy(update={"body": '{"many":1,"urgent":false,"what":"a"}'})
    with pytest.raises(ProtocolError):
        spelt_out.open(LaterWish, roster_of(keys))


class TrialOptions(Noun):
    """Options of an analysis that the next release may have."""

    within_days: int = 30


class NextStudy(Study):
    """The study of a release that has one more section."""

    repurchase: TrialOptions = since("9.0.0", TrialOptions())


def test_a_study_keeps_its_digest_when_a_release_adds_a_section() -> None:
    study = Study(name="spring", as_of="2025-01-01", budget=Budget(epsilon=1))
    assert NextStudy.parse(study.canonical()).digest == study.digest
    assert NextStudy(**{**dict(study), "repurchase": TrialOptions(within_days=60)}).digest != study.digest
