"""The ledger: spending over time as a picture and as tables, and every debit."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from flip_sdk.accounting.caps import Cap
from starlette.responses import Response

from flip_trust import consent
from flip_trust.console import spending
from flip_trust.console.chart import chart
from flip_trust.console.desk import Asking, At, Desk
from flip_trust.console.drawing import draw
from flip_trust.console.paging import ON_A_PAGE, Page
from flip_trust.console.projects import Project
from flip_trust.console.tables import event_words
from flip_trust.ledger import store

router = APIRouter()


@router.get("/ledger")
def ledger_page(
    request: Request,
    desk: At,
    person: Asking,
    project: Annotated[str, Query(max_length=40)] = "",
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> Response:
    """What was spent: of the whole data set, or of one project."""
    desk.policies.authorise(person, "view_ledger")
    of, reader, now = project or None, desk.database, desk.clock()
    cap = _cap(desk, project)
    points = spending.series(reader, cap.delta, now, of)
    pages = Page(page, store.count(reader, of), "/ledger", {"project": project})
    lines = store.lines_of(reader, project_id=of, most=ON_A_PAGE, offset=pages.offset)
    decided = consent.every(reader)
    return draw(
        request,
        "ledger.html",
        project=project,
        projects=[Project(reader, one.project_id, None, one, now) for one in decided],
        cap=cap,
        spent=store.spent(reader, cap.delta, of),
        alone=store.spent_alone(reader, cap.delta, of),
        points=_thinned(points),
        chart=chart(points, cap.epsilon),
        forecast=spending.forecast(reader, cap, now, of),
        debits=[(line, event_words(line.event)) for line in lines],
        pages=pages,
    )


def _cap(desk: Desk, project: str) -> Cap:
    decided = consent.standing(desk.database, project) if project else None
    return decided.terms.cap if decided else desk.config.total


def _thinned(points: list[spending.Point]) -> list[spending.Point]:
    """About a dozen of the points, with the first and the last, for the table beside the picture."""
    step = max(1, len(points) // 12)
    return [*points[:-1:step], points[-1]] if points else []
