from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from flip_hub.audit_search import Wanted, search, subjects_of
from flip_hub.errors import DeniedError
from flip_hub.governance import cells
from flip_sdk.contract.cells import ExecutedCell, ExecutedCells
from flip_sdk.contract.records import digest


def told(*codes: str, lost: int = 0) -> ExecutedCells:
    made = [
        ExecutedCell(
            run=f"run-{number}",
            at=datetime(2026, 1, 2, 3, 4, number, tzinfo=UTC),
            kernel="k1",
            code_digest=digest(code.encode()),
            characters=len(code),
            code=code,
        )
        for number, code in enumerate(codes)
    ]
    return ExecutedCells(cells=tuple(made), lost=lost)


def test_each_cell_is_kept_once_however_often_it_is_sent(hub) -> None:
    hub.ready("cytology")
    inside = hub.who("ada", "cytology")
    cells.record(hub.office, inside, "cytology", told("1 + 1"))
    cells.record(hub.office, inside, "cytology", told("1 + 1", "2 + 2", lost=3))
    with hub.office.database.read() as session:
        kept = search(session, Wanted(event="cell.executed", subject="cells/cytology/"))
        lost = search(session, Wanted(event="cell.not_recorded"))
        seen_by_the_team = search(session, Wanted(), subjects_of(session, "cytology"))
    assert [json.loads(row.details)["code"] for row in kept] == ["2 + 2", "1 + 1"]
    assert {row.actor for row in kept} == {"ada"}
    assert [json.loads(row.details)["cells"] for row in lost] == [3]
    assert not [row for row in seen_by_the_team if row.event.startswith("cell.")]


@pytest.mark.parametrize(("who", "workspace"), [("ada", None), ("ada", "other"), ("rufus", None), ("olga", None)])
def test_nobody_but_the_projects_own_workspace_says_so(hub, who, workspace) -> None:
    hub.ready("cytology")
    hub.ready("other")
    with pytest.raises(DeniedError):
        cells.record(hub.office, hub.who(who, workspace), "cytology", told("1 + 1"))
