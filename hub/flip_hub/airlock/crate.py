"""A released file's provenance as a Five Safes RO-Crate 0.4 (https://w3id.org/5s-crate/0.4): a BagIt archive.

It says which project's people made the file out of which jobs on which Trusts, what that cost in privacy, and that it
was assessed. Checkers are not named: what leaves the environment tells that two people decided, not who they are.
"""

from __future__ import annotations

import hashlib
import io
import json
import mimetypes
import uuid
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.airlock.criteria import make_criteria
from flip_hub.database import Job, JobResultRow, Output, Person, Project
from flip_hub.governance.office import Office

if TYPE_CHECKING:
    from rocrate.model import ContextEntity, File
    from rocrate.rocrate import ROCrate

PROFILE = "https://w3id.org/5s-crate/0.4"
_SHP = "https://w3id.org/shp#"
_DONE = "http://schema.org/CompletedActionStatus"
_LICENCE = "#terms"
_EPOCH = (2020, 1, 1, 0, 0, 0)


def make_crate(office: Office, session: Session, output: Output, content: bytes) -> bytes:
    """The archive: the file under ``outputs/``, the criteria, and the metadata that ties them to their origin."""
    criteria = make_criteria(office, output)
    files = {f"outputs/{output.path}": content, "disclosure-criteria.json": criteria}
    jobs = list(session.scalars(select(Job).where(Job.job_id.in_(output.statement.jobs)).order_by(Job.job_id)))
    crate = _described(office, session, output, jobs, files)
    metadata = json.dumps(crate.metadata.generate(), ensure_ascii=False, indent=1).encode()
    return _bag(output.output_id, {"ro-crate-metadata.json": metadata, **files}, output.decided_at)


def _described(
    office: Office, session: Session, output: Output, jobs: Sequence[Job], files: dict[str, bytes]
) -> ROCrate:
    from rocrate.model import File
    from rocrate.rocrate import ROCrate

    crate = ROCrate(version="1.2")
    project = session.get_one(Project, output.project_id)
    at = _moment(output.decided_at)
    root = crate.root_dataset
    root["conformsTo"] = {"@id": PROFILE}
    root["name"] = output.statement.title
    root["description"] = (
        f"Released by the project “{project.application.title}” through the airlock of {office.config.title}."
    )
    root["datePublished"] = at
    _entity(crate, PROFILE, "Profile", name="Five Safes RO-Crate profile", version="0.4")
    root["publisher"] = _entity(crate, "#hub", "Organization", name=office.config.title, url=office.config.hub_url)
    terms = "Terms of the project's data access agreement; see its entry in the public register."
    root["license"] = _entity(crate, _LICENCE, "CreativeWork", name="Terms of use", description=terms)
    root["sourceOrganization"] = _project(crate, project)
    parts = [
        crate.add(File(crate, io.BytesIO(body), path, properties=_file(path, body))) for path, body in files.items()
    ]
    root["mainEntity"] = _workflow(crate, jobs)
    actions = [_run(crate, session, job, parts[0]) for job in jobs] or [_made(crate, session, output, parts[0])]
    root["mentions"] = [*actions, *_assessments(crate, output, parts)]
    return crate


def _project(crate: ROCrate, project: Project) -> ContextEntity:
    organisation = _entity(crate, "#applicant", "Organization", name=project.application.organisation)
    return _entity(
        crate, "#project", "Project", name=project.application.title, identifier=project.project_id, member=organisation
    )


def _file(path: str, body: bytes) -> dict[str, Any]:
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return {
        "name": path.rpartition("/")[2],
        "encodingFormat": kind,
        "contentSize": str(len(body)),
        "identifier": "sha256:" + hashlib.sha256(body).hexdigest(),
    }


def _workflow(crate: ROCrate, jobs: Sequence[Job]) -> ContextEntity:
    """What ran: FLIP's own jobs, by the digests of their specifications, which the Trusts verified."""
    return _entity(
        crate,
        "#workflow",
        "Dataset",
        name="FLIP jobs" if jobs else "Work in the project's workspace",
        description="Jobs under differential privacy, run by the Trusts' own code on signed orders.",
        identifier=[job.spec_digest for job in jobs],
    )


def _run(crate: ROCrate, session: Session, job: Job, result: File) -> ContextEntity:
    kept = session.get(JobResultRow, job.job_id)
    objects = [_entity(crate, f"#trust-{name}", "Organization", name=name) for name in job.trusts]
    objects.append(_value(crate, f"#spec-{job.job_id}", "spec digest", job.spec_digest))
    if kept is not None:
        objects.append(_value(crate, f"#epsilon-{job.job_id}", "epsilon", kept.content.epsilon))
        objects.append(_value(crate, f"#delta-{job.job_id}", "delta", kept.content.delta))
    return _entity(
        crate,
        f"#job-{job.job_id}",
        "CreateAction",
        name=f"{job.kind} job {job.job_id}",
        actionStatus=_DONE,
        agent=_person(crate, session, job.submitted_by),
        instrument={"@id": "#workflow"},
        object=objects,
        result=result,
        startTime=_moment(job.submitted_at),
        endTime=_moment(job.ended_at or job.submitted_at),
    )


def _made(crate: ROCrate, session: Session, output: Output, result: File) -> ContextEntity:
    """A file that names no job was made in the workspace by whoever asked for its release."""
    return _entity(
        crate,
        "#made",
        "CreateAction",
        name="Made in the project's workspace",
        actionStatus=_DONE,
        agent=_person(crate, session, output.request.requested_by),
        instrument={"@id": "#workflow"},
        result=result,
        endTime=_moment(output.request.requested_at),
    )


def _assessments(crate: ROCrate, output: Output, parts: Sequence[File]) -> list[ContextEntity]:
    """This environment's own, and no others: a submitter's were taken out when they came."""
    checked = output.request.checked_at or output.decided_at
    software = _entity(crate, "#checks", "SoftwareApplication", name="Automatic disclosure checks of the airlock")
    about = [{"@id": "./"}, *parts[:1]]
    made = [_assessment(crate, "#check-automatic", "Automatic disclosure check", software, checked, about, parts[1])]
    for number, row in enumerate(output.decisions, start=1):
        checker = _entity(
            crate, f"#checker-{number}", "Person", name=f"Output checker {number}", worksFor={"@id": "#hub"}
        )
        name = f"Disclosure check by an output checker: {'approved' if row.decision == 'approve' else 'withheld'}"
        made.append(_assessment(crate, f"#check-{number}", name, checker, row.decided_at, about, parts[1]))
    made.append(
        _assessment(
            crate,
            "#sign-off",
            "Release by agreement of two checkers: approved",
            {"@id": "#hub"},
            output.decided_at,
            about,
            parts[1],
            kind="SignOff",
        )
    )
    return made


def _assessment(
    crate: ROCrate,
    address: str,
    name: str,
    agent: ContextEntity | dict[str, str],
    at: datetime | None,
    about: list[Any],
    instrument: File,
    kind: str = "DisclosureCheck",
) -> ContextEntity:
    _entity(crate, _SHP + kind, "DefinedTerm", name=kind)
    return _entity(
        crate,
        address,
        "AssessAction",
        additionalType={"@id": _SHP + kind},
        name=name,
        endTime=_moment(at),
        object=about,
        instrument=instrument,
        agent=agent,
        actionStatus=_DONE,
    )


def _person(crate: ROCrate, session: Session, name: str) -> ContextEntity:
    person = session.get_one(Person, name)
    home = _entity(crate, "#organisation-of-the-agent", "Organization", name=person.organisation)
    return _entity(crate, "#agent", "Person", name=person.display_name, affiliation=home, memberOf={"@id": "#project"})


def _value(crate: ROCrate, address: str, name: str, value: str | float) -> ContextEntity:
    return _entity(crate, address, "PropertyValue", name=name, value=value)


def _entity(crate: ROCrate, address: str, kind: str, **properties: Any) -> ContextEntity:
    from rocrate.model import ContextEntity

    known = crate.get(address)
    return known or crate.add(ContextEntity(crate, address, properties={"@type": kind, **properties}))


def _moment(at: datetime | None) -> str:
    return (at or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="seconds")


def _bag(name: str, payload: dict[str, bytes], at: datetime | None) -> bytes:
    """A BagIt bag (RFC 8493) in one folder of a zip archive."""
    day = _moment(at)[:10]
    identifier = uuid.uuid5(uuid.NAMESPACE_URL, f"flip:output:{name}")
    tags = {
        "bagit.txt": b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
        "bag-info.txt": f"Bagging-Date: {day}\nExternal-Identifier: urn:uuid:{identifier}\n".encode(),
        "manifest-sha512.txt": "".join(
            f"{hashlib.sha512(body).hexdigest()}  data/{path}\n" for path, body in payload.items()
        ).encode(),
    }
    tags["tagmanifest-sha512.txt"] = "".join(
        f"{hashlib.sha512(body).hexdigest()}  {path}\n" for path, body in tags.items()
    ).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, body in (tags | {f"data/{path}": body for path, body in payload.items()}).items():
            archive.writestr(zipfile.ZipInfo(f"release-{name}/{path}", _EPOCH), body, zipfile.ZIP_DEFLATED)
    return packed.getvalue()
