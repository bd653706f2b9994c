"""Value by activity on the holder's page: its own four groups are sums of its own eight, beside the released ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from workspaces import HOLDERS, make_workspace, read_study
from workspaces import run as run_over

from clients.analyses.rfm.own import compared_segments
from clients.data.origin import Origin
from clients.data.rows.customers import build_customer_table
from privacy.analyses.rfm.results import RfmResult
from privacy.analyses.rfm.segments import VALUE_ACTIVITY


def test_the_four_groups_are_sums_of_the_eight(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    result = run_over(workspace, read_study(tmp_path))
    rfm = result.of(RfmResult)
    assert rfm is not None
    home = workspace.holder(HOLDERS[0])
    table = build_customer_table(Origin(home.config(), result.study, home.root))
    eight, *_, four = compared_segments(table, rfm, result).segments
    assert [line.figures.code for line in four[1]] == [segment.code for segment, _ in VALUE_ACTIVITY]
    for line, (_, parts) in zip(four[1], VALUE_ACTIVITY, strict=True):
        of = [eight[1][place] for place in parts]
        assert line.customers == sum(one.customers for one in of)
        assert line.revenue == pytest.approx(sum(one.revenue for one in of))
        assert line.share_of_customers.own.value == pytest.approx(sum(one.share_of_customers.own.value for one in of))
        counted = [one.share_of_revenue.own.value for one in of if one.share_of_revenue is not None]
        assert line.share_of_revenue is not None
        assert line.share_of_revenue.own.value == pytest.approx(sum(counted))
