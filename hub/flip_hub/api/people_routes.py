"""The JSON API: what people show before they work, and who verifies it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from flip_sdk.contract.people import DecidePersonRecord, NewPersonRecord, PersonRecordView, PersonStanding
from flip_sdk.contract.records import Line

from flip_hub.api.sessions import Asking, At, Number
from flip_hub.governance import records

router = APIRouter()
Find = Annotated[str, Query(max_length=200)]


@router.get("/records")
def my_records(subject: Asking, office: At) -> PersonStanding:
    """What one's own roles need, and what one handed in."""
    return records.standing(office, subject, subject.name)


@router.post("/records", status_code=201)
def submit_record(subject: Asking, office: At, body: NewPersonRecord) -> PersonRecordView:
    """Hand in a record of one's own."""
    return records.submit(office, subject, body)


@router.get("/people")
def list_people(subject: Asking, office: At, find: Find = "", after: Find = "") -> list[PersonStanding]:
    """People by name, a hundred at a time, and how their records stand (governance reviewers and operators)."""
    return records.everybody(office, subject, find, after)


@router.get("/people/{name}/records")
def records_of(subject: Asking, office: At, name: Line) -> PersonStanding:
    """What somebody's roles need, and what they handed in."""
    return records.standing(office, subject, name)


@router.post("/people/{name}/records/{record_id}")
def decide_record(
    subject: Asking, office: At, name: Line, record_id: Number, body: DecidePersonRecord
) -> PersonRecordView:
    """Verify somebody's record, or refuse it."""
    return records.decide(office, subject, name, record_id, body)
