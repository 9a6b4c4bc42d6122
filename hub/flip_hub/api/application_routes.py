"""The JSON API: comments, conditions, versions, the agreement and the certificate of a project."""

from __future__ import annotations

from fastapi import APIRouter
from flip_sdk.contract.applications import (
    AgreementView,
    Application,
    CommentView,
    ConditionView,
    NewComment,
    NewSignature,
    SignatureView,
)
from flip_sdk.contract.closing import SignedCertificate
from flip_sdk.contract.records import Name, Record, Text

from flip_hub.api.sessions import Asking, At, Number
from flip_hub.governance import access, agreement, closing, comments, conditions, submissions

router = APIRouter()


class Resolved(Record):
    """Whether a thread is resolved."""

    resolved: bool


class Met(Record):
    """What shows that a condition is met."""

    how: Text


@router.get("/projects/{project_id}/versions/{version}")
def show_version(subject: Asking, office: At, project_id: Name, version: Number) -> Application:
    """An application as it was submitted."""
    with office.database.read() as session:
        project = access.visible(office, session, subject, project_id)
        return submissions.submitted(session, project, version).application


@router.get("/projects/{project_id}/comments")
def list_comments(subject: Asking, office: At, project_id: Name) -> list[CommentView]:
    """Every comment on a project's application, and its answers."""
    with office.database.read() as session:
        project = access.visible(office, session, subject, project_id)
        threads = [one for found in comments.threads_of(session, project).values() for one in found]
        return sorted((c for one in threads for c in (one.first, *one.answers)), key=lambda one: one.comment_id)


@router.post("/projects/{project_id}/comments", status_code=201)
def comment(subject: Asking, office: At, project_id: Name, body: NewComment) -> CommentView:
    """Comment on a field, or answer a comment."""
    return comments.comment(office, subject, project_id, body)


@router.put("/projects/{project_id}/comments/{comment_id}/resolved")
def resolve(subject: Asking, office: At, project_id: Name, comment_id: Number, body: Resolved) -> CommentView:
    """Close a thread, or open it again."""
    return comments.resolve(office, subject, project_id, comment_id, resolved=body.resolved)


@router.post("/projects/{project_id}/conditions/{condition_id}")
def confirm(subject: Asking, office: At, project_id: Name, condition_id: Number, body: Met) -> ConditionView:
    """A reviewer confirms that a condition is met."""
    return conditions.confirm(office, subject, project_id, condition_id, body.how)


@router.get("/projects/{project_id}/agreement")
def show_agreement(subject: Asking, office: At, project_id: Name) -> AgreementView:
    """The data access agreement as it is now, and who signed it."""
    with office.database.read() as session:
        project = access.visible(office, session, subject, project_id)
        submissions.submitted(session, project)
        found = agreement.agreement_of(project)
        return AgreementView(
            version=found.version,
            clauses=found.clauses,
            agreement=found.digest,
            text=found.text,
            signatures=tuple(agreement.signatures(session, project)),
            missing=tuple(sorted(agreement.unsigned(session, project))),
        )


@router.post("/projects/{project_id}/agreement", status_code=201)
def sign(subject: Asking, office: At, project_id: Name, body: NewSignature) -> SignatureView:
    """Put one's name under the agreement whose digest is given."""
    return agreement.sign(office, subject, project_id, body)


@router.get("/projects/{project_id}/certificate")
def show_certificate(subject: Asking, office: At, project_id: Name) -> SignedCertificate:
    """What was purged where and when of a closed project, signed."""
    return closing.certificate(office, subject, project_id)
