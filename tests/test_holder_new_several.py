"""``holder new`` with several sources: each guessed by itself, and whether their ids say who is who."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from clients.data.check import preflight
from clients.data.config import HolderConfig
from clients.data.guess.guess import Said
from clients.data.guess.several import names_of, new_holder_of_several
from clients.data.origin import Origin
from clients.data.rows.customers import build_customer_table
from privacy.errors import ConfigError
from privacy.kernel.canonical import read_toml
from privacy.protocol.study import Study

STUDY = Study.model_validate({"name": "s", "as_of": dt.date(2025, 1, 1), "budget": {"epsilon": "1"}})


def shop(folder: Path, card: str = "m{}") -> list[str]:
    """A web shop in ISO and points, and tills in German: 40 members buy at both."""
    online, tills = ["member_id,order_id,order_date,amount"], ["Kundennummer;Bon;Datum;Menge;Preis"]
    for i in range(160):
        day = dt.date(2024, 1, 1) + dt.timedelta(days=i)
        online.append(f"m{i % 80},W{i},{day}T10:{i % 60:02d}:00,{10 + i}.50")
        tills.append(f"{card.format(40 + i % 80)};{9000 + i};{day:%d.%m.%Y} 12:30;{1 + i % 3};{i},25")
    (folder / "online.csv").write_text("\n".join(online) + "\n", encoding="utf-8")
    (folder / "kasse.csv").write_text("\n".join(tills) + "\n", encoding="cp1252")
    return [str(folder / "online.csv"), str(folder / "kasse.csv")]


def said(**more: Any) -> Said:
    return Said(holder="shop", answers={"currency": "EUR"}, **more)


def test_two_files_become_two_sources_of_one_customer_table(tmp_path: Path) -> None:
    output = tmp_path / "holder.toml"
    new_holder_of_several(shop(tmp_path), output=output, said=said())
    config = read_toml(output, HolderConfig)
    assert [(source.name, source.columns.customer) for source in config.sources] == [
        ("online", "member_id"), ("kasse", "Kundennummer"),
    ]  # fmt: skip
    assert "40 of 120 ids are at several sources" in output.read_text(encoding="utf-8")
    table = build_customer_table(Origin(config, STUDY, tmp_path))
    assert len(table) == 120
    assert int(table.columns.orders.sum()) == 320
    spent = sum(10 + i + 0.5 for i in range(160)) + sum((1 + i % 3) * (i + 0.25) for i in range(160))
    assert int(table.columns.money.sum()) == round(100 * spent)
    report = preflight(config, STUDY, base=tmp_path)
    assert report.problems == ()
    assert report.persons is not None
    assert report.persons.at == {1: 80, 2: 40}


def test_ids_that_do_not_meet_ask_for_a_key_to_persons(tmp_path: Path) -> None:
    output = tmp_path / "holder.toml"
    new_holder_of_several(shop(tmp_path, card="K-{}"), output=output, said=said())
    text = output.read_text(encoding="utf-8")
    assert "PLEASE CHECK: 0 of 160 ids are at several sources" in text
    key = text[text.index("# [person]") :]
    (tmp_path / "links.csv").write_text("who,web,card\n" + "".join(f"{i},m{i},K-{i}\n" for i in range(120)))
    lines = [line.removeprefix("# ") for line in key.splitlines()[:3]]
    filled = "\n".join(lines).replace('url = "..."', 'url = "links.csv"')
    for column in ("who", "web", "card"):
        filled = filled.replace('"..."', f'"{column}"', 1)
    output.write_text(text + "\n" + filled + "\n", encoding="utf-8")
    assert len(build_customer_table(Origin(read_toml(output, HolderConfig), STUDY, tmp_path))) == 120


def test_answers_are_of_all_sources_or_of_one(tmp_path: Path) -> None:
    urls, output = shop(tmp_path), tmp_path / "holder.toml"
    one = Said(holder="shop", answers={"online.currency": "EUR", "kasse.currency": "CHF"})
    config = new_holder_of_several(urls, output=output, said=one)
    assert [source.currency_code for source in config.sources] == ["EUR", "CHF"]
    with pytest.raises(ConfigError, match="--table is of one source"):
        new_holder_of_several(urls, output=output, said=Said(table="x"), overwrite=True)
    with pytest.raises(ConfigError, match="exists"):
        new_holder_of_several(urls, output=output, said=said())


def test_the_command_takes_several(tmp_path: Path, command: Any) -> None:
    output = tmp_path / "h" / "holder.toml"
    done = command("holder", "new", *shop(tmp_path), "-o", output, "--holder", "shop", "--currency", "EUR", "--yes")
    assert done.code == 0, done.err
    checked = command("holder", "check", output)
    assert checked.code == 0, checked.out + checked.err
    assert "who bought at 2 sources" in checked.out


def test_names_of_sources() -> None:
    urls = ["a/sales.csv", "b/sales.csv", "postgresql://me@host/shop", "tills/*.csv"]
    assert names_of(urls) == ["sales", "sales-2", "shop", "tills"]
