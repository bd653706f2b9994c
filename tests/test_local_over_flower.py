"""Holders that train by themselves, over real Flower: what it cost, by losses that are computed here.

SuperLink, TLS, a process per holder, three and four of them. Each ledger has one training and one sum; their epsilon
together is that of distributions made here from what stands in the ledgers, and of Opacus' accountant; the report says
the same, and bundles pass the audit.
"""

from __future__ import annotations

import csv
import datetime as dt
import math
from pathlib import Path

import numpy as np
import pytest
from bundle_kit import export_all_of
from independent_losses import epsilon_of_losses
from workspaces import HOLDER

from privacy.accounting.sampled import MaskedAgain, SampledGaussian
from privacy.audit.verify import verify
from privacy.kernel.canonical import read_toml
from privacy.ledger import Ledger, Reserved
from privacy.protocol.study import Study
from simulations.worlds.kit import demo_policy
from simulations.worlds.local import Workspace, run_local

pytest.importorskip("flwr")
accountants = pytest.importorskip("opacus.accountants")

pytestmark = [pytest.mark.slow, pytest.mark.flower]

NAMES = ("east", "north", "south", "west")
DELTA = 1e-6

STUDY = """
name = "own-training"
as_of = 2024-06-01
currency = "EUR"
analyses = ["churn"]
holders = [{names}]

[budget]
epsilon = 1
delta = 1e-6
max_holders_per_customer = 1
size_class = 1000

[churn]
model = "prior"
training = "local"
size_classes = {{{classes}}}
"""

SLOTS = """
[[slots]]
rate = "0.1"
noise_multiplier = "3.93"
steps = 60
count = 2
"""


def source(folder: Path, name: str, seed: int) -> Path:
    """A holder's folder: 1,000 customers, some of whom stopped buying at some time in two years."""
    made = folder / name
    made.mkdir(parents=True)
    (made / "holder.toml").write_text(HOLDER.format(name=name, suffix="csv"))
    (made / "policy.toml").write_text(demo_policy(3) + SLOTS)
    rng = np.random.default_rng(seed)
    with (made / "sales.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["customer", "order", "time", "amount"])
        for customer in range(1000):
            pace, day = float(rng.uniform(10, 90)), float(rng.uniform(0, 400))
            while day < 720 and rng.random() > 0.08:
                at = dt.datetime(2024, 5, 31, 12) - dt.timedelta(days=720 - int(day))
                writer.writerow([f"c{customer}", f"o{customer}-{int(day)}", at.isoformat(sep=" "), 20 + customer % 90])
                day += 1 + float(rng.exponential(pace))
    return made


@pytest.mark.parametrize("names", [NAMES[:3], NAMES], ids=["three", "four"])
def test_a_training_of_each_holder_costs_what_independent_losses_say(names: tuple[str, ...], tmp_path: Path) -> None:
    sources = {name: source(tmp_path / "sources", name, seed) for seed, name in enumerate(names)}
    workspace = Workspace.create(tmp_path / "work", sources, declared=1)
    path = tmp_path / "study.toml"
    path.write_text(
        STUDY.format(
            names=", ".join(f'"{name}"' for name in names), classes=", ".join(f"{name} = 1000" for name in names)
        )
    )
    result = run_local(read_toml(path, Study), workspace)
    assert result.participants == names
    for owner in ("coordinator", *names):
        home = workspace.coordinator.root if owner == "coordinator" else workspace.holder(owner).state
        charges = [fact for fact in Ledger(home / "ledger.sqlite").facts() if isinstance(fact, Reserved)]
        trained = [fact.event for fact in charges if isinstance(fact.event, SampledGaussian)]
        sums = float(sum(fact.event.squared_mu() for fact in charges))
        assert [(str(one.rate), str(one.noise_multiplier), one.steps) for one in trained] == [("0.1", "3.93", 60)]
        assert not [fact for fact in charges if isinstance(fact.event, MaskedAgain)]
        assert sums > 0
        own = epsilon_of_losses(sums, [(0.1, 3.93, 60)], DELTA)
        assert own < result.spending.epsilon_person < own * 1.002
        accountant = accountants.PRVAccountant()
        accountant.history = [(3.93, 0.1, 60), (1 / math.sqrt(sums), 1.0, 1)]
        with np.errstate(divide="ignore"):
            assert accountant.get_epsilon(DELTA) == pytest.approx(own, abs=0.02)  # its own error is 0.01
    assert result.spending.epsilon_person <= 1
    page = (workspace.coordinator.root / "results" / "own-training-2024-06-01" / "report.html").read_text(
        encoding="utf-8"
    )
    assert "used up a slot of each holder" in page
    assert "各持有方自行训练" in page
    verdict = verify(sorted(export_all_of(workspace.root, names, tmp_path / "bundles").iterdir()))
    assert verdict.passed, [claim for claim in verdict.claims if claim.verdict == "FAIL"]
    assert any("took a slot that was stated before" in claim.claim for claim in verdict.claims)
    assert {round(spent.epsilon, 6) for spent in verdict.spent} == {round(result.spending.epsilon_person, 6)}
