"""The JSON API: what workspaces may use, what they used, and what their people are told."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from flip_sdk.contract.records import Name
from flip_sdk.contract.workspaces import NewResources, ResourcesView, UsageLine, WorkspaceNotice

from flip_hub.api.sessions import Asking, At
from flip_hub.governance import resources, usage_report

router = APIRouter()
Month = Annotated[str, Query(max_length=7)]


@router.get("/projects/{project_id}/resources")
def show_resources(subject: Asking, office: At, project_id: Name) -> ResourcesView:
    """What a project's workspaces may use, and what they used."""
    return resources.show(office, subject, project_id)


@router.put("/projects/{project_id}/resources")
def give_resources(subject: Asking, office: At, project_id: Name, body: NewResources) -> ResourcesView:
    """Say what a project's workspaces may use (operators and governance reviewers)."""
    return resources.give(office, subject, project_id, body)


@router.get("/projects/{project_id}/notices")
def notices(subject: Asking, office: At, project_id: Name) -> list[WorkspaceNotice]:
    """What a project's people are told of their workspaces now: its end, its quota."""
    return resources.notices(office, subject, project_id)


@router.get("/usage")
def usage(subject: Asking, office: At, first: Month = "", last: Month = "") -> list[UsageLine]:
    """What everybody used, by month, project and person (operators and governance reviewers)."""
    return usage_report.report(office, subject, first, last)
