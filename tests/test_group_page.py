"""The holder's page of one group: the same sections, of these customers alone."""

from __future__ import annotations

import re

import numpy as np
import pyarrow.parquet as pq
import pytest
from workspaces import make_workspace, read_study, run

from clients.answering.folder import HolderFolder
from clients.data.rows.customers import build_customer_table
from clients.data.spellings import Spellings
from clients.report.files import write_holder_report
from privacy.errors import ConfigError, DataError

TAGS = """
like = "spring"

[[group]]
code = "twice"
when = "orders >= 2"
en = "Came again"

[[group]]
code = "nobody"
when = "orders > 100000"
"""


@pytest.fixture(scope="module")
def holder(tmp_path_factory: pytest.TempPathFactory) -> HolderFolder:
    root = tmp_path_factory.mktemp("federation")
    workspace = make_workspace(root)
    run(workspace, read_study(root))
    found = workspace.holder("north")
    (found.root / "tags.toml").write_text(TAGS, encoding="utf-8")
    return found


def test_only_the_group_is_on_it_and_is_counted_as_the_customer_table_counts(holder: HolderFolder) -> None:
    path = write_holder_report(holder, group="twice")
    assert path.name == "spring-2024-06-01-twice.html"
    page = path.read_text(encoding="utf-8")
    labels = pq.read_table(holder.state / "labels" / "spring" / "2024-06-01.parquet").to_pandas()
    group = labels[labels["orders"] >= 2]
    assert 0 < len(group) < len(labels)
    told = f"This page is of the group &#34;Came again&#34; alone: {len(group):,} of your {len(labels):,} customers."
    assert told in page or told.replace("&#34;", '"') in page
    shown = {one for one in labels["customer_id"] if re.search(rf"[>\s]{re.escape(one)}[<\s]", page)}
    assert shown
    assert shown <= set(group["customer_id"])


def test_what_is_wrong_is_told(holder: HolderFolder) -> None:
    with pytest.raises(ConfigError, match="no group 'thrice'") as told:
        write_holder_report(holder, group="thrice")
    assert told.value.hint == "there is: twice, nobody"
    with pytest.raises(DataError, match="nobody is in group nobody on 2024-06-01"):
        write_holder_report(holder, group="nobody")


def test_customers_keep_their_spellings_when_others_are_left_out(holder: HolderFolder) -> None:
    table = build_customer_table(holder.context(read_study(holder.root.parents[1])).origin)
    odd = Spellings(rows=np.array([0, 2, 2, len(table) - 1]), source_ids=np.array(["a", "b", "c", "d"], dtype=object))
    keep = np.ones(len(table), dtype=bool)
    keep[:2] = False
    some = odd.of(keep)
    assert (some.rows.tolist(), some.source_ids.tolist()) == ([0, 0, len(table) - 3], ["b", "c", "d"])
    fewer = table.of(keep)
    assert fewer.ids.tolist() == table.ids[2:].tolist()
    assert fewer.source_ids.tolist() == table.source_ids[2:].tolist()
    assert fewer.columns.orders.tolist() == table.columns.orders[2:].tolist()
