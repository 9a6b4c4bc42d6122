"""The JSON API: emergency access, opened, ended and reviewed."""

from __future__ import annotations

from fastapi import APIRouter
from flip_sdk.contract.emergencies import EmergencyView, NewEmergency, ReviewEmergency
from flip_sdk.contract.records import Token

from flip_hub.api.sessions import Asking, At
from flip_hub.governance import emergencies

router = APIRouter()


@router.get("/emergencies")
def list_emergencies(subject: Asking, office: At) -> list[EmergencyView]:
    """Every emergency access; those that wait for a review first (operators and governance reviewers)."""
    return emergencies.listed(office, subject)


@router.post("/emergencies", status_code=201)
def open_emergency(subject: Asking, office: At, body: NewEmergency) -> EmergencyView:
    """Open emergency access (operators)."""
    return emergencies.open_(office, subject, body)


@router.get("/emergencies/{emergency_id}")
def show_emergency(subject: Asking, office: At, emergency_id: Token) -> EmergencyView:
    """One, with everything that was asked for while it was open."""
    return emergencies.show(office, subject, emergency_id)


@router.post("/emergencies/{emergency_id}/end")
def end_emergency(subject: Asking, office: At, emergency_id: Token) -> EmergencyView:
    """End one before its time."""
    return emergencies.end(office, subject, emergency_id)


@router.post("/emergencies/{emergency_id}/review")
def review_emergency(subject: Asking, office: At, emergency_id: Token, body: ReviewEmergency) -> EmergencyView:
    """Say whether it was justified, after it ended (never one's own)."""
    return emergencies.review(office, subject, emergency_id, body)
