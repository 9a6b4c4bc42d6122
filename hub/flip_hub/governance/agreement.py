"""The data access agreement: fixed clauses in a version, annexes made from the application; signed by each member."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from flip_sdk.contract.applications import Application, NewSignature, SignatureView
from flip_sdk.contract.filling import raw_of
from flip_sdk.contract.form import SECTIONS
from flip_sdk.contract.records import digest
from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.database import Entry, Project, Signature, now, once
from flip_hub.errors import ConfigError, ConflictError
from flip_hub.governance.access import permit
from flip_hub.governance.office import Office
from flip_hub.governance.submissions import lines_of, words_of
from flip_hub.policy import Subject

CLAUSES = "data-access.v1"
"""The clauses that are signed from now on; earlier ones stay beside them."""
_INSTALLED = Path(__file__).parents[1] / "agreements"
_REPOSITORY = Path(__file__).parents[3] / "policies" / "agreements"
_LISTS = frozenset({"choices", "people", "trusts", "lines", "entries"})


@dataclass(frozen=True)
class Agreement:
    """One project's agreement.

    Attributes:
        text: all of it, in Markdown: what is signed, to the byte.
    """

    project_id: str
    version: int
    clauses: str
    text: str

    @property
    def digest(self) -> str:
        """Of the text."""
        return digest(self.text.encode())


def agreement_of(project: Project) -> Agreement:
    """A project's agreement as it is now: a new submission or new clauses make another one."""
    version = project.version
    text = (
        clauses(CLAUSES)
        .replace("{project_id}", project.project_id)
        .replace("{title}", project.application.title)
        .replace("{version}", str(version))
    )
    annexes = "\n".join(_annexes(project.owner, project.application))
    return Agreement(project.project_id, version, CLAUSES, f"{text.rstrip()}\n\n{annexes}\n")


def sign(office: Office, subject: Subject, project_id: str, wanted: NewSignature) -> SignatureView:
    """Put a person's name under the agreement that they were shown.

    Raises:
        DeniedError: not on the team.
        NotNowError: the project is not submitted, or over.
        ConflictError: the agreement is another one by now.
    """
    entry = Entry(subject.name, "project.agreement_signed", f"project/{project_id}")
    with office.database.write(entry) as session:
        project = permit(office, session, subject, "sign_agreement", project_id)
        present = agreement_of(project)
        if wanted.agreement != present.digest:
            raise ConflictError("The agreement has changed since you read it.", "Read it again, and sign it then.")
        entry.details.update(agreement=present.digest, version=present.version, clauses=present.clauses)
        entry.details.update(typed_name=wanted.typed_name)
        row = next((row for row in _rows(session, project, present) if row.person == subject.name), None)
        if row is None:
            row = Signature(
                project_id=project_id,
                person=subject.name,
                agreement=present.digest,
                version=present.version,
                clauses=present.clauses,
                typed_name=wanted.typed_name.strip(),
                signed_at=now(),
            )
            session.add(row)
        return _view(row)


def signatures(session: Session, project: Project) -> list[SignatureView]:
    """Who signed the agreement as it is now."""
    return [_view(row) for row in _rows(session, project, agreement_of(project))]


def unsigned(session: Session, project: Project) -> frozenset[str]:
    """The members who have not signed the agreement as it is now."""

    def look() -> frozenset[str]:
        signed = {row.person for row in _rows(session, project, agreement_of(project))}
        return frozenset(project.members) - signed

    return once(session, ("unsigned", project.project_id), look)


@cache
def clauses(name: str) -> str:
    """A version of the fixed clauses.

    Raises:
        ConfigError: the file is not there.
    """
    folder = _INSTALLED if _INSTALLED.is_dir() else _REPOSITORY
    try:
        return (folder / f"{name}.md").read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"There are no clauses {name} in {folder}.", "Install flip-hub again.") from error


def _rows(session: Session, project: Project, agreement: Agreement) -> list[Signature]:
    chosen = select(Signature).where(
        Signature.project_id == project.project_id, Signature.agreement == agreement.digest
    )
    return list(session.scalars(chosen.order_by(Signature.signature_id)))


def _annexes(owner: str, application: Application) -> list[str]:
    """Every field that Trusts may see, under the Five Safes, as annexes."""
    raw, lines = raw_of(application), [f"Applicant: {owner}", ""]
    for letter, section in zip("ABCDE", SECTIONS, strict=True):
        lines += [f"## Annex {letter}: {section.title}", ""]
        for field in section.fields:
            value = raw[field.name]
            if field.readers == "reviewers" or not value:
                continue
            told = lines_of(field, value) if field.kind in _LISTS else words_of(field, value).splitlines()
            # what people wrote is quoted, so that it can never read as a clause
            lines += [f"**{field.label}**", "", *(f"> {' '.join(one.split())}".rstrip() for one in told), ""]
    return lines


def _view(row: Signature) -> SignatureView:
    return SignatureView(person=row.person, typed_name=row.typed_name, agreement=row.agreement, signed_at=row.signed_at)
