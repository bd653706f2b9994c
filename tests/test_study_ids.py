"""``[cleaning] ids``: one form of ids at all holders of a study, by declaration; who says otherwise refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from several_kit import ONLINE, PERSON, TILLS, of, omni, several
from source_kit import make_config, make_study

from clients.analysis import HolderContext
from clients.data.check import preflight
from clients.data.config import HolderConfig
from clients.data.origin import Origin
from clients.data.rows.customers import build_customer_table
from privacy.errors import ConfigError
from privacy.kernel.customers import CustomerRequest
from privacy.protocol.study import Study

BOTH = {"customer": {"form": ["email", "text"]}}


def study(*ids: str) -> Study:
    return make_study(cleaning={"ids": ids})


def config(*forms: str, **more: Any) -> HolderConfig:
    return make_config("sales.csv", read={"customer": {"form": list(forms)}} if forms else {}, **more)


@pytest.mark.parametrize(
    ("wanted", "own"),
    [
        ((), ()), ((), ("case",)), (("exact",), ()), (("exact",), ("exact",)), (("text", "email"), ("email", "text")),
        (("phone", "text"), ("text", "phone:DE")),
    ],
)  # fmt: skip
def test_the_same_forms_in_any_order_are_right(wanted: tuple[str, ...], own: tuple[str, ...]) -> None:
    config(*own).check_study(study(*wanted))


@pytest.mark.parametrize(
    ("wanted", "own", "line"),
    [
        (("email",), (), '[source.read.customer] form = ["email"]'),
        (("email",), ("email", "case"), 'form = ["email"]'),
        (("exact",), ("zeros",), "form = []"),
        (("phone",), ("zeros",), '"phone:CN"'),
    ],
)
def test_others_are_refused_with_the_line_to_write(wanted: tuple[str, ...], own: tuple[str, ...], line: str) -> None:
    with pytest.raises(ConfigError, match="brings ids together") as caught:
        config(*own).check_study(study(*wanted))
    assert line in caught.value.hint


def test_every_source_feed_and_the_key_to_persons_is_asked() -> None:
    def shop(**read: Any) -> HolderConfig:
        person = PERSON | ({"read": {"person": {"form": ["text", "email"]}}} if read.get("person") else {})
        parts = (of("online", "o.csv", ONLINE, read=BOTH), of("tills", "t.csv", TILLS, read=read.get("tills", {})))
        return several(*parts, person=person)

    for made, place in ((shop(), r"sources\.tills"), (shop(tills=BOTH), "person")):
        with pytest.raises(ConfigError, match=place):
            made.check_ids(study("text", "email"))
    shop(tills=BOTH, person=True).check_ids(study("text", "email"))
    feed = {"url": "w.csv", "columns": {"customer": "c", "time": "t"}, "read": {"customer": {"form": ["case"]}}}
    given = config("email").model_dump(mode="json") | {"events": {"session": feed}}
    with pytest.raises(ConfigError, match=r"events\.session"):
        HolderConfig.model_validate(given).check_ids(study("email"))


def test_nothing_is_read_or_charged_before(tmp_path: Path) -> None:
    context = HolderContext(origin=Origin(config(), study("email"), tmp_path))
    with pytest.raises(ConfigError, match="brings ids together"):
        context.rows(CustomerRequest())


def test_the_check_names_it_and_the_forms_count(tmp_path: Path) -> None:
    text = "customer,order,time,quantity,price\nA@x.org,1,2024-05-01,1,5\na@X.org,2,2024-05-02,1,5\n"
    (tmp_path / "sales.csv").write_text(text, encoding="utf-8")
    report = preflight(config(), study("email"), base=tmp_path)
    assert [item.code for item in report.problems] == ["refused"]
    report = preflight(config("email"), study("email"), base=tmp_path)
    assert report.problems == ()
    assert report.cleaning is not None
    assert (report.cleaning.customers, report.cleaning.several_spellings) == (1, 1)
    assert len(build_customer_table(Origin(config(), study(), tmp_path))) == 2


def test_a_study_without_it_is_written_as_before() -> None:
    assert "ids" not in make_study().model_dump(mode="json")["cleaning"]
    assert study("text", "email", "text").cleaning.ids == ("email", "text")
    for wrong in (("exact", "text"), ("soundex",), ("phone:CN",)):
        with pytest.raises(ValidationError):
            study(*wrong)
    omni().check_ids(make_study())
