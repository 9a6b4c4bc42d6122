"""Projects: the list, one of them, its questions, and one job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import polars as pl
from fastapi import APIRouter, Query, Request
from flip_sdk.contract.jobs import AnySpec, EvaluateSpec, TrainSpec
from flip_sdk.contract.records import Name, Token
from flip_sdk.explaining import explain
from flip_sdk.graph_words import listing
from flip_sdk.pricing import epsilon_of
from starlette.responses import Response

from flip_sdk import asked_words
from flip_trust import seen
from flip_trust.cohort.omop import Omop
from flip_trust.console import audit_view, projects, spending, tasks_view
from flip_trust.console.desk import Asking, At, Desk
from flip_trust.console.drawing import draw
from flip_trust.console.overview import agent_of
from flip_trust.console.paging import ON_A_PAGE, Page
from flip_trust.console.words import EVENTS, what_epsilon_means
from flip_trust.errors import MissingError, SetupError
from flip_trust.ledger import queries, store

router = APIRouter()
COMPARED = 100
"""Questions before a page of them that those on it are compared with."""
Number = Annotated[int, Query(ge=1, le=1_000_000)]


@router.get("/projects")
def projects_page(request: Request, desk: At, person: Asking, page: Number = 1) -> Response:
    """Every project that asks for this Trust's data or that was decided on."""
    desk.policies.authorise(person, "view_projects")
    found = projects.every(desk.database, desk.clock())
    pages = Page(page, len(found), "/projects", {})
    agent = agent_of(desk.config.home, desk.clock())
    return draw(request, "projects.html", projects=pages.of(found), pages=pages, agent=agent)


@router.get("/projects/{project_id}")
def project_page(request: Request, desk: At, person: Asking, project_id: Name, page: Number = 1) -> Response:
    """What a project asks, what was decided, what was spent, and what ran."""
    desk.policies.authorise(person, "view_projects")
    project = projects.one(desk.database, project_id, desk.clock())
    total = tasks_view.count(desk.database, "project_id", project_id)
    pages = Page(page, total, f"/projects/{project_id}", {})
    record = project.told.record if project.told else None
    return draw(
        request,
        "project.html",
        project=project,
        record=record,
        means=what_epsilon_means(record.epsilon, record.delta) if record else [],
        forecast=_forecast(desk, project),
        tasks=tasks_view.of_project(desk.database, project_id, pages.offset),
        pages=pages,
        events=EVENTS,
        history=audit_view.of_subject(desk.database, f"project/{project_id}"),
    )


@router.get("/projects/{project_id}/questions")
def questions_page(request: Request, desk: At, person: Asking, project_id: Name, page: Number = 1) -> Response:
    """Every question of a project in words, and how near its cohort is to an earlier one's; for the steward alone."""
    desk.policies.authorise(person, "view_queries")
    project = projects.one(desk.database, project_id, desk.clock())
    total = int(desk.database.read("SELECT count(*) AS n FROM query WHERE project_id = ?", (project_id,))[0]["n"])
    pages = Page(page, total, f"/projects/{project_id}/questions", {})
    first = max(1, pages.offset + 1 - COMPARED)
    found = queries.queries(desk.database, project_id, first, pages.offset + 1 - first + ON_A_PAGE)
    near = list(queries.nearest(found, Omop(desk.config.omop), desk.clock().year))
    shown = pages.offset + 1 - first
    rows = [
        (query, " ".join(explain(query.cohort, _names(desk, query.cohort.model_dump(mode="json")))), other)
        for query, other in list(zip(found, near, strict=True))[shown:]
    ]
    floor = desk.config.floor
    return draw(request, "questions.html", project=project, rows=rows, pages=pages, floor=floor, compared=COMPARED)


@router.get("/jobs/{job_id}")
def job_page(request: Request, desk: At, person: Asking, job_id: Token, page: Number = 1) -> Response:
    """One job: what it asked, who asked, on how many persons, what it cost, its tasks and its model."""
    desk.policies.authorise(person, "view_projects")
    total = tasks_view.count(desk.database, "job_id", job_id)
    found = seen.job_of(desk.database, job_id)
    if not total and found is None:
        raise MissingError("There is no such job.", "Choose one from a project's page.")
    pages = Page(page, total, f"/jobs/{job_id}", {})
    tasks = tasks_view.of_job(desk.database, job_id, pages.offset)
    spec = found.job.spec if found else None
    return draw(
        request,
        "job.html",
        job_id=job_id,
        project_id=found.job.spec.project_id if found else tasks[0].project_id,
        found=found,
        asked=list(asked_words.in_words(spec, _names(desk, spec.model_dump(mode="json")))) if spec else [],
        epsilon=epsilon_of(spec) if spec else None,
        tasks=tasks,
        pages=pages,
        debits=store.lines_of(desk.database, job_id=job_id),
        model=_model(desk, spec),
    )


def _model(desk: Desk, spec: AnySpec | None) -> Any:
    if not isinstance(spec, TrainSpec | EvaluateSpec):
        return None
    graph = seen.graph_of(desk.database, spec.model.graph)
    return listing(graph) if graph else None


def _forecast(desk: Desk, project: projects.Project) -> spending.Forecast | None:
    if project.decided is None or project.decided.state == "left":
        return None
    return spending.forecast(desk.database, project.decided.terms.cap, desk.clock(), project.project_id)


def _names(desk: Desk, content: Any) -> Mapping[int, str]:
    """Names of the concepts that something mentions, out of this Trust's own table."""
    omop, wanted = Omop(desk.config.omop), sorted(set(asked_words.concepts_in(content)))
    try:
        if not wanted or not (omop.folder / "concept.parquet").exists():
            return {}
        rows = omop.table("concept").filter(pl.col("concept_id").is_in(wanted)).select("concept_id", "concept_name")
        return dict(rows.collect().iter_rows())
    except (SetupError, pl.exceptions.PolarsError):
        return {}
