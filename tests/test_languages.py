"""A language is an entry and a column of data, no code: pages in a made-up third language, and what languages do.

The product is copied; the copy gets a language whose words are the English ones in full-width letters. Pages are made
from the copy in a process of its own, and what stands on them in plain letters must be a name, not a text.
"""

from __future__ import annotations

import datetime as dt
import html
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from clients.analysis.actions import default_actions_toml
from privacy.analyses.rfm.segments import EIGHT, SCHEMES
from privacy.kernel.features import FEATURES
from privacy.kernel.terms import DEFAULT_NULL_IDS
from privacy.presentation.numbers import day_text
from privacy.presentation.texts import LANGUAGES, SPOKEN, Spoken, Text, of_its_own, read_texts

ROOT = Path(__file__).resolve().parents[1]
#: Files beside those of texts.
NO_TEXTS = {"languages.toml", "options.toml", "actions.toml", "library.toml", "pyproject.toml"}
ENTRY = """
[xx]
tag = "x-wide"
name = "ＷＩＤＥ"
day = "{year}.{number}.{day}"
months = []
forms = ["one", "few", "other"]
plural = "n == 1 ? 0 : n < 5 ? 1 : 2"
"""
PAGES = """
import json, sys
from pathlib import Path
import churn_pages, cluster_pages, holder_pages, report_pages
print(json.dumps({
    "report": report_pages.rendered("trend"),
    "withheld totals and a holder that left": report_pages.rendered("large"),
    "churn": churn_pages.html("missing"),
    "model card": churn_pages.html("card"),
    "clusters": cluster_pages.html("moves"),
    "holder": holder_pages.page_of("odd"),
}))
"""
#: What is the same in every language; nouns that bring their names with them (``of_its_own``) come from the product.
NAMES = {
    "Cohortium", "cohortium", "Europe", "Berlin", "mask", "spring", "review", "autumn", "online", "shop", "flower",
    "SuperLink", "POST", "store", "Other", "Regulars", "alert", "script",
}  # fmt: skip


def wide(words: str) -> str:
    """Words in full-width letters; fields in braces stay."""
    parts = re.split(r"(\{[^}]*\})", words)
    return "".join(
        part if part.startswith("{") else re.sub("[A-Za-z]", lambda m: chr(ord(m[0]) + 0xFEE0), part) for part in parts
    )


def add_language(root: Path) -> None:
    """Give a copy of the product the language ``xx``."""
    entry = root / "privacy/presentation/languages.toml"
    entry.write_text(entry.read_text(encoding="utf-8") + ENTRY, encoding="utf-8")
    for path in root.rglob("*.toml"):
        if path.name in NO_TEXTS or path.parent.name == "catalogue":  # declared tables, not texts
            continue
        text = path.read_text(encoding="utf-8")
        for key, table in tomllib.loads(text).items():
            said = table["en"] if isinstance(table["en"], str) else table["en"]["other"]
            column = json.dumps(wide(said), ensure_ascii=False)
            text = text.replace(f"[{key}]\n", f"[{key}]\nxx = {column}\n", 1)
        path.write_text(text, encoding="utf-8")


def test_a_third_language_needs_no_code(tmp_path: Path) -> None:
    for part in ("privacy", "server", "clients", "simulations"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    add_language(tmp_path)
    path = os.pathsep.join([str(tmp_path), str(ROOT / "tests"), str(ROOT / "tests" / "support")])
    done = subprocess.run(
        [sys.executable, "-c", PAGES],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    nouns = " ".join(item.en for item in (*FEATURES.values(), *EIGHT, *SCHEMES["eleven"].segments(None)))
    known = NAMES | set(DEFAULT_NULL_IDS) | set(re.findall("[A-Za-z]+", nouns + default_actions_toml()))
    untold = {}
    for name, page in json.loads(done.stdout).items():
        assert re.search('<label for="lang-xx" lang="x-wide">ＷＩＤＥ</label>', page), name
        assert "#lang-xx:checked ~ #page-en { display: none; }" in page, name
        main = page.split('<main id="page-xx"')[1].split("</main>")[0]
        said = html.unescape(" ".join(re.findall(r">([^<]+)<", main)))
        assert len(re.findall("[Ａ-ｚ]{3,}", said)) > 100, name
        plain = {word for word in re.findall(r"(?<![\w.])[A-Za-z]{4,}(?![\w.])", said)} - known
        untold[name] = sorted(plain)
    assert untold.pop("model card"), "the uses of a model are signed into its file in two languages"
    assert {name: words for name, words in untold.items() if words} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_months_and_forms_are_whole(language: str) -> None:
    spoken = SPOKEN[language]
    assert len(spoken.months) in (0, 12)
    assert {spoken.form(count) for count in range(200)} <= set(spoken.forms)
    assert spoken.forms[-1] == "other"


def test_days_are_written_as_people_write_them() -> None:
    days = [dt.date(2025, 1, 31), dt.date(2024, 12, 1)]
    assert [day_text(day, "en") for day in days] == ["31 January 2025", "1 December 2024"]
    assert [day_text(day, "zh") for day in days] == ["2025年1月31日", "2024年12月1日"]


def test_a_number_picks_its_form() -> None:
    text = Text(
        {"en": {"one": "{count} holder", "other": "{count} holders"}, "zh": {"=1": "独家", "other": "{count} 家"}}
    )
    assert [text.form("en", count) for count in (0, 1, 2)] == ["{count} holders", "{count} holder", "{count} holders"]
    assert [text.form("zh", count) for count in (1, 2)] == ["独家", "{count} 家"]
    assert (text["en"], text["zh"]) == ("{count} holders", "{count} 家")
    polish = Spoken(
        tag="pl", name="polski", day="", months=(), forms=("one", "few", "other"),
        plural="n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2",
    )  # fmt: skip
    assert [polish.form(count) for count in (1, 2, 5, 12, 22)] == ["one", "few", "other", "other", "few"]


def test_what_is_not_translated_is_said_in_the_first_language() -> None:
    assert Text({"en": "yes"})["zh"] == "yes"
    assert of_its_own(EIGHT[0], "xx") == EIGHT[0].en


def test_files_of_texts_can_be_read_alone() -> None:
    assert read_texts("privacy.analyses.clusters", "traits.toml")["orders_low"]["en"] == "{degree}few orders"
