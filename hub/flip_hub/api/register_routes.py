"""The register for programs: no sign-in, versioned, cacheable, and readable from any other page."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from typing import Annotated

from fastapi import APIRouter, Query, Request
from flip_sdk.contract.logs import PublishedRoots
from flip_sdk.contract.records import Name, Record
from flip_sdk.contract.register import DataUse, DataUses
from sqlalchemy.orm import Session
from starlette.responses import Response

from flip_hub.api.sessions import At
from flip_hub.governance import witness
from flip_hub.register.entry import entry
from flip_hub.register.listing import Shelf

router = APIRouter()
SHELF = Shelf()
MAX_AGE = 300
Words = Annotated[str, Query(max_length=200)]
State = Annotated[str, Query(pattern="^(|approved|suspended|expired|closed)$")]
TrustName = Annotated[str, Query(pattern="^[a-z0-9-]{0,40}$")]
Page = Annotated[int, Query(ge=1, le=100_000)]


@router.get("/register", response_model=DataUses)
def register(
    request: Request, office: At, find: Words = "", trust: TrustName = "", state: State = "", page: Page = 1
) -> Response:
    """Approved projects, by HDR UK's Data Use Register standard; 25 a page."""
    with office.database.read() as session:
        found = SHELF.find(session, find, trust, state, page)
        return _json(request, DataUses(total=found.total, page=page, data=tuple(_entries(session, found.rows))))


@router.get("/register.csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
def register_csv(
    request: Request, office: At, find: Words = "", trust: TrustName = "", state: State = "", page: Page = 1
) -> Response:
    """The same as a table, the standard's fields as columns."""
    with office.database.read() as session:
        rows = _entries(session, SHELF.find(session, find, trust, state, page).rows)
    columns = [name for name in DataUse.model_fields if name not in {"federated", "schema_version"}]
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow([*columns, "state"])
    for row in rows:
        content = row.model_dump(mode="json")
        table.writerow([*(_cell(content[name]) for name in columns), row.federated.state])
    return _cached(request, text.getvalue().encode(), "text/csv; charset=utf-8")


@router.get(
    "/register/schema.json", response_class=Response, responses={200: {"content": {"application/schema+json": {}}}}
)
def register_schema(request: Request) -> Response:
    """JSON Schema of the register."""
    return _cached(request, json.dumps(DataUses.model_json_schema()).encode(), "application/schema+json")


@router.get("/register/audit/roots.json", response_model=PublishedRoots)
def audit_roots(request: Request, office: At) -> Response:
    """Daily roots of the audit logs, who countersigned them, and the keys to verify them with."""
    with office.database.read() as session:
        return _json(request, witness.published(office.config, session))


@router.get("/register/projects/{project_id}", response_model=DataUse)
def register_project(request: Request, office: At, project_id: Name) -> Response:
    """One approved project."""
    with office.database.read() as session:
        return _json(request, entry(session, project_id))


def _entries(session: Session, rows: tuple[object, ...]) -> list[DataUse]:
    return [entry(session, one.summary.project_id) for one in rows]  # type: ignore[attr-defined]


def _json(request: Request, record: Record) -> Response:
    return _cached(request, record.model_dump_json().encode(), "application/json")


def _cached(request: Request, content: bytes, media_type: str) -> Response:
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": f"public, max-age={MAX_AGE}", "access-control-allow-origin": "*"}
    if tag in {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)


def _cell(value: object) -> str:
    """A cell that a spreadsheet does not take for a formula."""
    text = "; ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text
