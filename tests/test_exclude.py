"""``cohortium holder exclude``: ids on the list, once each; a file that names no list names one, and means the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clients.data.cleaning.ids import read_exclusion_list
from clients.data.config import HolderConfig
from privacy.kernel.canonical import read_toml

HOLDER = """\
holder = "shop"
[source]
url = "sales.csv"
currency_code = "EUR"
{line}
[columns]
customer = "card"
order = "receipt"
time = "sold"
quantity = "pieces"
price = "price"
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "holder.toml").write_text(HOLDER.format(line='# exclude = "opt-out.csv"       # one id a line'))
    return tmp_path


def listed(folder: Path) -> tuple[str, ...]:
    return read_exclusion_list(read_toml(folder / "holder.toml", HolderConfig), base=folder)


def test_a_first_id_makes_the_list_and_names_it(command, shop: Path) -> None:
    before = read_toml(shop / "holder.toml", HolderConfig)
    said = command("holder", "exclude", shop, "000099")
    assert said.code == 0, said.err
    assert "Excluded: 000099" in said.out
    assert listed(shop) == ("000099",)
    after = read_toml(shop / "holder.toml", HolderConfig)
    assert after.source.exclude == "opt-out.csv"
    assert after.source.model_copy(update={"exclude": None}) == before.source
    assert "# one id a line" in (shop / "holder.toml").read_text(), "comments stay"
    assert [path.name for path in shop.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("line", ["", "# nothing here", "where = \"card <> '7'\""])
def test_a_file_without_the_line_gets_one(command, shop: Path, line: str) -> None:
    (shop / "holder.toml").write_text(HOLDER.format(line=line))
    assert command("holder", "exclude", shop / "holder.toml", "a").code == 0
    assert listed(shop) == ("a",)


def test_each_id_stands_once_as_it_is_spelled(command, shop: Path) -> None:
    (shop / "opt-out.csv").write_text("already")
    ids = [' a"b ', "c,d", "already", "c,d"]
    told = json.loads(command("holder", "exclude", shop, *ids, "--json").out)
    assert told == {"list": str(shop / "opt-out.csv"), "added": ['a"b', "c,d"], "known": ["already"], "named": True}
    assert listed(shop) == ("already", 'a"b', "c,d")
    again = json.loads(command("holder", "exclude", shop, *ids, "--json").out)
    assert (again["added"], again["named"]) == ([], False)
    assert listed(shop) == ("already", 'a"b', "c,d")


def test_what_cannot_be_done_changes_nothing(command, shop: Path) -> None:
    text = (shop / "holder.toml").read_text()
    for ids, says in (([" "], "there is no id"), (["fine", "a\nb"], "line break")):
        said = command("holder", "exclude", shop, *ids)
        assert (said.code, says in said.err) == (3, True)
    (shop / "holder.toml").write_text(inline := text.replace("[source]", "[ source ]").replace("# exclude", "# no"))
    said = command("holder", "exclude", shop, "a")
    assert said.code == 3
    assert 'write exclude = "opt-out.csv" below [source]' in said.err
    assert (shop / "holder.toml").read_text() == inline
    assert not (shop / "opt-out.csv").exists()
