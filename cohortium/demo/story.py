"""What the demo does: two months of all analyses over four holders, an approval by hand, an audit, and the pages."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from rich.markup import escape

from clients.campaigns.lists import begin
from clients.labels.config import read_labels_config
from clients.report.files import write_holder_report
from clients.tagging.running import run_tags
from clients.tagging.setting import TagSetting, begin_tags
from cohortium.demo.page import Links, render_index
from privacy.analyses.catalogue import NAMES
from privacy.audit.export import export
from privacy.audit.report.render import render_audit
from privacy.audit.timeline import read_story
from privacy.audit.verify import verify
from privacy.errors import CohortiumError, NotEnoughHolders
from privacy.kernel.canonical import read_toml
from privacy.presentation.terminal import print_json, screen, status_line
from privacy.protocol.study import Study
from privacy.results import StudyResult
from server.running.federation import Patience
from server.running.progress import silent
from simulations.worlds.generator import GeneratedWorld, firsts_before, generate, study_toml
from simulations.worlds.local import Runner, Workspace, local_federation

_EPSILON = 3
_STUDY = "monthly"
_STEPS = 6


@dataclass
class _Story:
    folder: Path
    quiet: bool
    started: float = field(default_factory=time.monotonic)
    number: int = 0

    def say(self, text: str) -> None:
        """Begin the next step."""
        self.number += 1
        if not self.quiet:
            screen.print(f"[bold]{self.number} of {_STEPS}[/] {text}", soft_wrap=True)

    def working(self, text: str) -> AbstractContextManager[Callable[[str], None]]:
        """A line that says what is being done, while the block works."""
        return status_line(text, self.quiet)


class _Line:
    """Progress in one line: a run of all analyses has some forty steps."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._name, self._holders, self._replied = "", 0, 0

    def step(self, name: str, holders: tuple[str, ...]) -> None:
        self._name, self._holders, self._replied = name, len(holders), 0
        self._show()

    def reply(self, holder: str) -> None:
        self._replied += 1
        self._show()

    def note(self, text: str) -> None:
        self._tell(text)

    def _show(self) -> None:
        self._tell(f"{self._name} ({self._replied} of {self._holders})" if self._holders else self._name)


def tell(folder: Path, *, customers: int, transport: str, quiet: bool, as_json: bool) -> None:
    """Run all of it, and write ``folder/index.html``, which leads to everything.

    Args:
        folder: an empty one.
        customers: persons to generate.
        transport: see :func:`simulations.worlds.local.local_federation`.
        quiet: no progress.
        as_json: print what there is for scripts, and nothing else.
    """
    story = _Story(folder, quiet or as_json)
    if not story.quiet:
        screen.print("An online store and three shops, two months: one to three minutes. `--quick` is half a minute.")
    story.say("Generating what they sold")
    with story.working("generating"):
        world = generate(folder / "data", customers=customers, feeds=True)
    months = firsts_before(world.as_of, 3)
    sources = {name: folder / "data" / name for name in world.holders}
    workspace = Workspace.create(folder, sources, declared=world.most_holders)
    studies = _studies(folder, world, months)
    careful = workspace.holder(world.holders[-1])
    with (
        story.working("starting") as tell_line,
        local_federation(workspace, world.holders, transport=transport, progress=_Line(tell_line)) as run,
    ):
        progress = _Line(tell_line)
        story.say(f"{months[0]}: {', '.join(NAMES)}, all together")
        results = [run(studies[0], Patience.of(studies[0]), progress)]
        story.say(f"{months[1]}: {careful.config().holder} wants to see each study first, and approves this one")
        _approve_by_hand(careful.root / "policy.toml")
        second = _waits(run, workspace, studies[1])
        careful.approvals().decide(second, "approved", now=int(time.time()))
        results.append(run(second, Patience.of(second), progress))
        story.say(f"{months[2]} is asked for, and waits for the same approval: nothing is charged")
        waiting = _waits(run, workspace, studies[2])
    story.say("Each holder's own page, and the auditor's")
    with story.working("pages"):
        _tag(workspace, world, results[-1].study)
        links = _pages(workspace, world, results, _commands(folder, careful.root, waiting))
    story.say("The page that leads to everything")
    truth = json.loads(world.truth.read_text(encoding="utf-8"))["months"]
    index = folder / "index.html"
    index.write_text(render_index(links, results, truth), encoding="utf-8")
    if as_json:
        print_json({"index": str(index), "results": [str(path) for path in links.reports], "audit": str(links.audit)})
    else:
        _show_end(story, index, links)


def _studies(folder: Path, world: GeneratedWorld, months: list[dt.date]) -> list[Study]:
    """The study of each month; the first has no earlier run whose ids it could keep."""
    read = []
    for file, later in (("first.toml", False), ("monthly.toml", True)):
        text = study_toml(world, name=_STUDY, analyses=NAMES, epsilon=_EPSILON, later=later)
        (folder / file).write_text(text, encoding="utf-8")
        read.append(read_toml(folder / file, Study))
    first, monthly = read
    return [(first if month == months[0] else monthly).model_copy(update={"as_of": month}) for month in months]


def _approve_by_hand(policy: Path) -> None:
    """The holder's operator changes the policy; the running node takes it up."""
    text = policy.read_text(encoding="utf-8")
    policy.write_text(text.replace('# approval = "none"', 'approval = "by_hand" # "none"'), encoding="utf-8")


def _waits(run: Runner, workspace: Workspace, study: Study) -> Study:
    """Ask for a study that a holder has to approve first; returns it as it was asked for."""
    asked = workspace.coordinator.results.resolve(study)
    try:
        run(asked, Patience.of(asked), silent)
    except CohortiumError as error:  # of whichever kind ended the run's process
        if error.exit_code != NotEnoughHolders.exit_code:
            raise
        return asked
    raise CohortiumError("a study was answered that should have waited for an approval")


def _pages(workspace: Workspace, world: GeneratedWorld, results: list[StudyResult], commands: tuple[str, ...]) -> Links:
    """Holders' pages, bundles, and the auditor's page."""
    roots = {name: workspace.holder(name).root for name in world.holders}
    scored = [result.study for result in results if not result.untold]  # of few customers a month may say nothing
    drawn = {name: [_contacts(root, study) for study in scored] for name, root in roots.items()}
    pages = {name: write_holder_report(workspace.holder(name)) for name in world.holders}
    bundles = []
    for name, root in (
        ("coordinator", workspace.coordinator.root),
        *((name, workspace.holder(name).root) for name in world.holders),
    ):
        target = workspace.root / "audit" / f"{name}.bundle"
        target.parent.mkdir(exist_ok=True)
        export(root, target)
        bundles.append(target)
    verdict = verify(bundles, third=False)
    audit = workspace.root / "audit" / "audit.html"
    made = dt.datetime.now(dt.UTC).date()
    audit.write_text(render_audit([read_story(file) for file in bundles], verdict, made=made), encoding="utf-8")
    return Links(
        root=workspace.root,
        reports=tuple(workspace.coordinator.results.folder(result.study) / "report.html" for result in results),
        holders=pages,
        labels={name: workspace.holder(name).root / "labels" for name in world.holders},
        contacts={name: lists[-1] for name, lists in drawn.items() if lists},
        audit=audit,
        passed=verdict.passed,
        truth=world.truth,
        commands=commands,
    )


def _tag(workspace: Workspace, world: GeneratedWorld, study: Study) -> None:
    """Each holder's own tags: those of the library that its feeds and labels can answer, as of the newest labels."""
    for name in world.holders:
        root = workspace.holder(name).root
        begin_tags(root, study.name)
        run_tags(TagSetting.read(root, study.as_of))


def _contacts(root: Path, study: Study) -> Path:
    """A holder's list of whom to contact, of a month's labels; a month later its page says what that brought."""
    return begin(root, study, read_labels_config(root), day=study.as_of).path


def _commands(folder: Path, careful: Path, study: Study) -> tuple[str, ...]:
    """How the study that waits goes on, and what shows how things stand."""
    return (
        f"cohortium holder studies {careful}",
        f"cohortium holder approve {careful} {study.digest[:12]}",
        f"cohortium study run {folder}/monthly.toml --as-of {study.as_of} --workspace {folder}",
        f"cohortium study list --workspace {folder}",
        f"cohortium holder status {careful}",
        f"cohortium holder tags list {careful}",
    )


def _show_end(story: _Story, index: Path, links: Links) -> None:
    seconds = time.monotonic() - story.started
    screen.print(f"\nDone in {seconds:.0f} s. Open [bold]{escape(str(index))}[/] in a browser.", soft_wrap=True)
    screen.print(
        "\nThe next month's study waits for an approval. Look at it, approve it, run it, and see how things stand:"
    )
    for command in links.commands:
        screen.print(f"  {escape(command)}", soft_wrap=True)
