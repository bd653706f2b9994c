"""One contract per analysis, one tuple: what studies, admission and policies know of analyses follows."""

from __future__ import annotations

import ast
import dataclasses
import re
import tomllib
from decimal import Decimal
from importlib import import_module, resources
from pathlib import Path
from types import ModuleType
from typing import Any

import contract_examples as examples
import protocol_kit as kit
import pytest

import privacy.analyses
from privacy.analyses import ANALYSES
from privacy.analyses.catalogue import BY_NAME, CATALOGUE, NAMES, STATISTICS_OF, columns_of, option_tables
from privacy.analyses.contract import AnalysisContract
from privacy.kernel.canonical import Noun
from privacy.kernel.features import FEATURES
from privacy.kernel.terms import Terms
from privacy.protocol.study import Study, _section
from privacy.results import StudyResult

each_analysis = pytest.mark.parametrize("analysis", ANALYSES, ids=lambda analysis: analysis.name)


def study_of(analysis: AnalysisContract[Any]) -> Study:
    """A small study with the analysis; one that asks nothing unless it is told what says so in its example."""
    options = dict(import_module(f"privacy.analyses.{analysis.name}.example").OPTIONS)
    return kit.small_study(analyses=(analysis.name,), **{analysis.name: options})


def test_the_tuple_stands_alone() -> None:
    """The one line of a new analysis: imports, and the tuple."""
    body = ast.parse(Path(str(privacy.analyses.__file__)).read_text(encoding="utf-8")).body
    assert isinstance(body[0], ast.Expr)
    assert all(isinstance(node, ast.Import | ast.ImportFrom) for node in body[1:-1])
    assert isinstance(body[-1], ast.AnnAssign)
    assert ast.unparse(body[-1].target) == "ANALYSES"


@each_analysis
def test_a_room_bears_the_name_of_its_analysis_on_every_side(analysis: AnalysisContract[Any]) -> None:
    room: ModuleType = import_module(f"privacy.analyses.{analysis.name}")
    assert room.CONTRACT is analysis
    for side in ("server", "clients"):
        assert import_module(f"{side}.analyses.{analysis.name}.analysis").ANALYSIS.name == analysis.name
    assert {analysis.name} <= set(Study.model_fields) & set(StudyResult.model_fields)
    assert analysis.name not in Terms.model_fields


@each_analysis
def test_an_analysis_asks_statistics_of_the_rows_that_it_reads(analysis: AnalysisContract[Any]) -> None:
    """Else a question could look at rows whose columns the policy never saw."""
    study = study_of(analysis)
    request = analysis.reads(study.of(analysis), study)
    assert {kind.reads for kind in analysis.statistics} == {request.rows}
    assert request.offers[0] <= set(FEATURES) | {feature.name for feature in analysis.features}
    assert columns_of(request), "a policy that names columns must see what every analysis looks at"
    assert study.columns == columns_of(request)


@each_analysis
def test_what_is_released_of_single_holders_needs_a_consent(analysis: AnalysisContract[Any]) -> None:
    asked = [each for kind in STATISTICS_OF[analysis.name] for each in examples.STATISTICS[kind]]
    assert analysis.consents(analysis.options()) <= {"overall"}, "at its defaults nothing needs a consent"
    if any(statistic.of_holders for statistic in asked):
        assert analysis.consents(analysis.options(figures="by_holder")) == {"by_holder"}


@each_analysis
def test_a_new_study_shows_every_option_at_its_default(analysis: AnalysisContract[Any]) -> None:
    """A commented table: without the comments it is one that can be read, and says nothing but the defaults.

    What is not commented out is what a new study had better say, and is none of them.
    """
    text = resources.files(f"privacy.analyses.{analysis.name}").joinpath("options.toml").read_text()
    lines = text.replace("\n#   ", "").splitlines()  # what is longer than a line goes on indented
    assert lines[0].split("#")[0].strip() == f"[{analysis.name}]"
    shown = dict(found.groups() for line in lines[1:] if (found := re.match(r"(?:# )?(?:\[\[\w+\.)?(\w+)(.*)", line)))
    assert set(shown) >= set(analysis.options.model_fields), "an option is not shown"
    for line in lines[1:]:
        found = re.match(r"# (\w+) = (.*?) *(#.*)?$", line)
        if found is None or found[1] not in analysis.options.model_fields or "for a feature" in line:
            continue
        given = analysis.options.model_validate(tomllib.loads(f"{found[1]} = {found[2]}", parse_float=Decimal))
        assert given == analysis.options(), line
    said = analysis.options.model_validate(tomllib.loads(text, parse_float=Decimal).get(analysis.name, {}))
    assert all(getattr(said, name) != getattr(analysis.options(), name) for name in said.model_fields_set)
    assert option_tables().count(f"[{analysis.name}]") == 1


def test_names_and_statistics_follow_from_the_tuple() -> None:
    assert tuple(BY_NAME) == NAMES == tuple(analysis.name for analysis in ANALYSES)
    assert len(set(NAMES)) == len(NAMES)
    assert list(CATALOGUE) == sorted(CATALOGUE)
    for analysis in ANALYSES:
        assert tuple(CATALOGUE[kind] for kind in STATISTICS_OF[analysis.name]) == analysis.statistics


class _Options(Noun):
    days: int = 30


def test_an_analysis_of_a_later_release_leaves_the_text_of_studies_as_it_is() -> None:
    """Where it is not used; else one more analysis would make every study run before spend again."""
    later = dataclasses.replace(BY_NAME["clusters"], name="later", since="0.3.0", options=_Options)
    kind, default = _section(later)
    grown = type("Study", (Study,), {"__annotations__": {"later": kind}, "later": default, "__module__": __name__})
    study = kit.small_study()
    text = study.canonical()
    assert grown.parse(text).canonical() == text
    used = grown.model_validate(study.model_dump() | {"later": {"days": 7}})
    assert b'"later":{"days":7}' in used.canonical()
    assert used.of(later) == _Options(days=7)
    with pytest.raises(ValueError, match=r"later\n.*Extra inputs"):
        Study.model_validate(study.model_dump() | {"later": {"days": 7}})


def test_every_part_of_a_room_knows_its_own_room_only() -> None:
    """Beside import-linter's contracts, for names in strings: halls find rooms through the tuple."""
    root = Path(str(privacy.analyses.__file__)).parents[2]
    for side in ("privacy", "server", "clients"):
        for name in NAMES:
            others = [f"analyses.{other}" for other in NAMES if other != name]
            for path in (root / side / "analyses" / name).rglob("*.py"):
                text = path.read_text(encoding="utf-8")
                assert not [other for other in others if other in text], path
