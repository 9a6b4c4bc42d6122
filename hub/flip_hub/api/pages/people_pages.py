"""Pages of what people show: one's own records, everybody's standing, and a person's records to verify."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from flip_sdk.contract.people import DecidePersonRecord, NewPersonRecord
from flip_sdk.contract.records import Line
from flip_sdk.errors import NotAllowedError, PublicError
from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from flip_hub.api.pages.drawing import draw
from flip_hub.api.pages.forms import Sent
from flip_hub.api.sessions import Asking, At, Number, desk_of
from flip_hub.governance import records
from flip_hub.governance.office import Office
from flip_hub.governance.requirements import requirements
from flip_hub.policy import Subject

router = APIRouter()
Find = Annotated[str, Query(max_length=200)]
_FIELDS = {
    "kind": "Choose what the record is.",
    "reference": "Give its number, 3 to 200 characters.",
    "evidence": "The digest is sha256: and 64 digits of 0–9 and a–f, or nothing.",
    "issued_on": "Give its first day.",
    "expires_on": "Give its last day.",
}


@router.get("/records")
def my_records_page(request: Request, subject: Asking, office: At) -> Response:
    """One's own records, and a form for another."""
    return _mine(request, office, subject)


@router.post("/records")
def submit(request: Request, subject: Asking, office: At, form: Sent) -> Response:
    """Hand in a record of one's own."""
    try:
        records.submit(office, subject, NewPersonRecord.model_validate(_sent(form)))
    except ValidationError as error:
        wrong = {str(found["loc"][0]) for found in error.errors()}
        problems = {name: words for name, words in _FIELDS.items() if name in wrong}
        return _mine(request, office, subject, problems, form)
    except NotAllowedError:
        raise
    except PublicError as error:
        return _mine(request, office, subject, {"kind": f"{error.message} {error.mend}"}, form)
    return RedirectResponse(f"{desk_of(request).prefix}records", status_code=303)


@router.get("/people")
def people_page(request: Request, subject: Asking, office: At, find: Find = "", after: Find = "") -> Response:
    """Everybody, what waits to be verified, and whose records end."""
    found = records.everybody(office, subject, find.strip(), after)
    waiting = records.waiting(office, subject)
    more = found[-1].name if len(found) == records.PAGE else ""
    return draw(request, "people.html", people=found, find=find.strip(), after=after, more=more, waiting=waiting)


@router.get("/people/{name}")
def person_page(request: Request, subject: Asking, office: At, name: Line) -> Response:
    """One person's records, to verify."""
    return _one(request, office, subject, name)


@router.post("/people/{name}/records/{record_id}")
def decide(request: Request, subject: Asking, office: At, name: Line, record_id: Number, form: Sent) -> Response:
    """Verify a record, or refuse it."""
    try:
        sent = {"decision": form.get("decision"), "words": str(form.get("words", ""))}
        records.decide(office, subject, name, record_id, DecidePersonRecord.model_validate(sent))
    except ValidationError:
        return _one(request, office, subject, name, record_id, "Verify the record, or refuse it in up to 4,000 signs.")
    except NotAllowedError:
        raise
    except PublicError as error:
        return _one(request, office, subject, name, record_id, f"{error.message} {error.mend}")
    return RedirectResponse(request.url_for("person_page", name=name).path, status_code=303)


def _mine(
    request: Request,
    office: Office,
    subject: Subject,
    problems: dict[str, str] | None = None,
    sent: FormData | None = None,
) -> Response:
    return draw(
        request,
        "my_records.html",
        own_records=True,
        status=422 if problems else 200,
        person=records.standing(office, subject, subject.name),
        kinds=requirements().kinds,
        problems=problems or {},
        sent=sent or {},
    )


def _one(
    request: Request, office: Office, subject: Subject, name: str, record_id: int = 0, problem: str = ""
) -> Response:
    return draw(
        request,
        "person.html",
        status=422 if problem else 200,
        person=records.standing(office, subject, name),
        kinds=requirements().kinds,
        problem=problem,
        problem_at=record_id,
    )


def _sent(form: FormData) -> dict[str, Any]:
    values = {name: str(form.get(name, "")).strip() for name in _FIELDS}
    return {name: value for name, value in values.items() if value}
