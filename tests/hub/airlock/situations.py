"""One hub with every situation, everybody who may ask, and every route with the action that it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from flip_hub.airlock.access import item_of, request_item
from flip_hub.dashboards import versions
from flip_hub.dashboards.access import item
from flip_hub.database import DashboardLink, Ingress, Output, Project, Release, ReleaseRequest, now
from flip_hub.governance import dashboards, emergencies, links, people
from flip_hub.governance.access import object_of
from flip_hub.policy import Object, Subject
from flip_hub.testing import show_records
from flip_sdk.contract.api import PublishDashboard
from flip_sdk.contract.emergencies import NewEmergency
from flip_sdk.contract.ingress import NewIngress
from flip_sdk.contract.links import AskLink
from flip_sdk.contract.records import digest

from tests.hub.conftest import CONCEPTS

BASE = "/services/flip"
API = f"{BASE}/api"
SIGNED_IN = "signed in"
PUBLIC = "public"
REASON = {"reason": "A reason that is long enough."}

# route → what the policies call it, and on what
PROJECT = {
    "GET /projects/{project_id}": "view_project",
    "PUT /projects/{project_id}": "edit_project",
    "POST /projects/{project_id}/submit": "submit_project",
    "POST /projects/{project_id}/reviews": "review_project",
    "POST /projects/{project_id}/state": "change_project_state",
    "GET /projects/{project_id}/resources": "view_project",
    "PUT /projects/{project_id}/resources": "set_resources",
    "GET /projects/{project_id}/notices": "view_project",
    "GET /projects/{project_id}/budget": "view_project",
    "GET /projects/{project_id}/catalogue": "view_project",
    "GET /projects/{project_id}/versions/{version}": "view_project",
    "GET /projects/{project_id}/comments": "view_project",
    "POST /projects/{project_id}/comments": "comment_project",
    "PUT /projects/{project_id}/comments/{comment_id}/resolved": "comment_project",
    "POST /projects/{project_id}/conditions/{condition_id}": "confirm_condition",
    "GET /projects/{project_id}/agreement": "view_project",
    "POST /projects/{project_id}/agreement": "sign_agreement",
    "GET /projects/{project_id}/certificate": "view_project",
    "PUT /projects/{project_id}/blobs/{digest}": "upload",
    "GET /projects/{project_id}/blobs/{digest}": "download",
    "POST /projects/{project_id}/cells": "record_cells",
    "GET /projects/{project_id}/packages/simple/": "install_packages",
    "GET /projects/{project_id}/packages/simple/{package}/": "install_packages",
    "GET /projects/{project_id}/packages/files/{package}/{wheel}": "install_packages",
    "POST /projects/{project_id}/jobs": "submit_job",
    "GET /projects/{project_id}/jobs": "view_jobs",
    "GET /projects/{project_id}/changes": "view_jobs",
    "POST /projects/{project_id}/dashboards": "publish_dashboard",
    "GET /projects/{project_id}/dashboards": "view_dashboard",
    "GET /projects/{project_id}/dashboards/{board}/versions": "view_dashboard",
    "POST /projects/{project_id}/airlock/checks": "request_release",
    "POST /projects/{project_id}/airlock/requests": "request_release",
    "GET /projects/{project_id}/airlock/requests": "list_releases",
    "GET /projects/{project_id}/releases": "list_releases",
    "PUT /projects/{project_id}/ingress/uploads/{digest}": "request_ingress",
    "POST /projects/{project_id}/ingress": "request_ingress",
    "GET /projects/{project_id}/ingress": "view_project",
}
JOB = {
    "GET /jobs/{job_id}": "view_jobs",
    "GET /jobs/{job_id}/events": "view_jobs",
    "POST /jobs/{job_id}/cancel": "cancel_job",
    "POST /jobs/{job_id}/sign-off": "sign_off_job",
    "GET /jobs/{job_id}/result": "view_result",
}
ITEM = {
    "GET /airlock/requests/{request_id}": "view_release",
    "POST /airlock/requests/{request_id}/withdraw": "withdraw_release",
    "POST /airlock/requests/{request_id}/decisions": "review_release",
    "GET /airlock/outputs/{output_id}/content": "review_release",
    "POST /airlock/outputs/{output_id}/revoke": "revoke_release",
    "GET /releases/{release_id}": "download_release",
    "GET /releases/{release_id}/{part}": "download_release",
    "POST /projects/{project_id}/dashboards/{dashboard}/shown": "show_dashboard_version",
    "POST /projects/{project_id}/dashboards/{dashboard}/links": "share_dashboard",
    "GET /projects/{project_id}/dashboards/{dashboard}/links": "view_links",
    "POST /links/{link_id}/decision": "review_link",
    "POST /links/{link_id}/end": "end_link",
    "GET /ingress/{ingress_id}/content": "review_ingress",
    "POST /ingress/{ingress_id}/decision": "review_ingress",
    "POST /ingress/{ingress_id}/withdraw": "withdraw_ingress",
}
HUBS = {
    "POST /projects": "apply",
    "GET /people": "view_people",
    "GET /emergencies": "view_emergencies",
    "POST /emergencies": "open_emergency",
    "GET /usage": "view_usage",
    "GET /records": "view_records",
    "POST /records": "submit_record",
    "GET /airlock/requests": "check_outputs",
    "GET /links": "check_outputs",
    "GET /monitoring": "monitor",
    "GET /audit": "follow_audit",
    # each person's own: what was released for them
    "GET /dashboards": SIGNED_IN,
    "GET /me": SIGNED_IN,
    "GET /projects": SIGNED_IN,
    "GET /ingress": SIGNED_IN,
    # a check beforehand is its own researcher's alone: asked for by an id that nobody else was told
    "GET /airlock/checks/{check_id}": SIGNED_IN,
    "GET /openapi.json": SIGNED_IN,
    "GET /health": PUBLIC,
    "GET /register": PUBLIC,
    "GET /register.csv": PUBLIC,
    "GET /register/schema.json": PUBLIC,
    "GET /register/audit/roots.json": PUBLIC,
    "GET /register/projects/{project_id}": PUBLIC,
}
PERSON = {
    "GET /emergencies/{emergency_id}": "view_emergencies",
    "POST /emergencies/{emergency_id}/end": "end_emergency",
    "POST /emergencies/{emergency_id}/review": "review_emergency",
    "GET /people/{name}/records": "view_records",
    "POST /people/{name}/records/{record_id}": "verify_record",
}
ROUTES = PROJECT | JOB | ITEM | HUBS | PERSON
# the same for pages and what their forms send
PAGES = {
    "GET /": SIGNED_IN,
    "GET /session": SIGNED_IN,
    "POST /session": SIGNED_IN,
    "GET /oauth_callback": PUBLIC,
    "GET /logout": PUBLIC,
    "GET /register": PUBLIC,
    "GET /register/audit": PUBLIC,
    "GET /register/{project_id}": PUBLIC,
    "GET /released/{release_id}/{part}": PUBLIC,
    "GET /apply": "apply",
    "POST /apply": "apply",
    "GET /emergencies": "view_emergencies",
    "POST /emergencies": "open_emergency",
    "GET /emergencies/{emergency_id}": "view_emergencies",
    "POST /emergencies/{emergency_id}/end": "end_emergency",
    "POST /emergencies/{emergency_id}/review": "review_emergency",
    "GET /usage": "view_usage",
    "GET /usage/download.csv": "view_usage",
    "GET /audit": "view_audit",
    "GET /audit/download.{kind}": "view_audit",
    "GET /catalogue": "browse_catalogue",
    "GET /dashboards": SIGNED_IN,
    "GET /dashboards/{project_id}/{dashboard}": "view_released_dashboard",
    "GET /dashboards/{project_id}/{dashboard}/thumbnail": "view_released_dashboard",
    "POST /dashboards/{project_id}/{dashboard}/shown": "show_dashboard_version",
    "GET /dashboards/{project_id}/{dashboard}/links": "view_links",
    "POST /dashboards/{project_id}/{dashboard}/links": "share_dashboard",
    "GET /links": "check_outputs",
    "POST /links/{link_id}/decision": "review_link",
    "POST /links/{link_id}/end": "end_link",
    # nobody's but theirs whom it names
    "GET /links/open/{secret}": SIGNED_IN,
    "GET /records": "view_records",
    "POST /records": "submit_record",
    "GET /people": "view_people",
    "GET /people/{name}": "view_records",
    "POST /people/{name}/records/{record_id}": "verify_record",
    # each person sees what waits for them, and may be nothing
    "GET /airlock": SIGNED_IN,
    "GET /airlock/{request_id}": "view_release",
    "POST /airlock/{request_id}/decisions": "review_release",
    "POST /airlock/{request_id}/withdraw": "withdraw_release",
    "POST /airlock/outputs/{output_id}/revoke": "revoke_release",
    "GET /airlock/outputs/{output_id}/content": "review_release",
    "GET /airlock/outputs/{output_id}/image": "review_release",
    "GET /airlock/ingress/{ingress_id}": "review_ingress",
    "GET /airlock/ingress/{ingress_id}/content": "review_ingress",
    "POST /airlock/ingress/{ingress_id}/decision": "review_ingress",
    "POST /airlock/ingress/{ingress_id}/withdraw": "withdraw_ingress",
    "POST /projects/{project_id}/releases/{release_id}/revoke": "revoke_release",
    "GET /jobs/{job_id}": "view_jobs",
    "POST /jobs/{job_id}/cancel": "cancel_job",
    "GET /jobs/{job_id}/sign-off": "view_jobs",
    "POST /jobs/{job_id}/sign-off": "sign_off_job",
    "GET /projects/{project_id}": "view_project",
    "GET /projects/{project_id}/application": "view_project",
    "GET /projects/{project_id}/versions": "view_project",
    "GET /projects/{project_id}/agreement": "view_project",
    "GET /projects/{project_id}/agreement.md": "view_project",
    "POST /projects/{project_id}/agreement": "sign_agreement",
    "GET /projects/{project_id}/certificate": "view_project",
    "POST /projects/{project_id}/comments": "comment_project",
    "POST /projects/{project_id}/comments/{comment_id}": "comment_project",
    "GET /projects/{project_id}/audit": "view_audit",
    "GET /projects/{project_id}/audit/download.{kind}": "view_audit",
    "GET /projects/{project_id}/catalogue": "view_project",
    "GET /projects/{project_id}/edit": "edit_project",
    "POST /projects/{project_id}/edit": "edit_project",
    "POST /projects/{project_id}/draft/{name}": "edit_project",
    "POST /projects/{project_id}/submit": "submit_project",
    "POST /projects/{project_id}/reviews": "review_project",
    "POST /projects/{project_id}/conditions/{condition_id}": "confirm_condition",
    "POST /projects/{project_id}/state": "change_project_state",
    "POST /projects/{project_id}/resources": "set_resources",
    "GET /projects/{project_id}/incoming": "view_project",
    "POST /projects/{project_id}/incoming": "request_ingress",
    "GET /projects/{project_id}/releases": "list_releases",
}
# what may be missing though one may see it
MAY_BE_MISSING = (
    "certificate",
    "agreement",
    "/blobs/",
    "/checks/",
    "/comments/{",
    "/conditions/",
    "/versions",
    "/packages/",
    "{project_id}/application",
    "result",
    "/image",
    "/links/open/",
)
MAY_BE_MISSING += ("POST /projects/{project_id}/ingress", "POST /projects/{project_id}/dashboards")
# on which projects it is asked what a person may: on each where it could differ
EVERYBODY = ("ada", "alan", "bea", "nora", "rufus", "rita", "sam", "olga", "cora", "nina", "cleo")
EVERYBODY += ("ada@cytology", "ada@other")
ASKED_ON = {
    "cytology": EVERYBODY,
    "other": ("ada", "bea", "ada@cytology", "ada@other"),
    "draft": ("ada", "alan", "bea", "rufus", "olga", "ada@cytology"),
}


def routes(app) -> Iterator[tuple[str, str]]:
    """Each route's method and whole address."""
    for included in app.routes:
        if not (router := getattr(included, "original_router", None)):
            continue
        for route in router.routes:
            for method in route.methods:
                yield method, included.include_context.prefix + route.path


def key(method: str, path: str) -> str:
    """A route as the tables above name it."""
    return f"{method} {path.removeprefix(API).removeprefix(BASE)}"


@dataclass
class World:
    """One hub with every situation.

    Attributes:
        subjects: who asks, and with which client.
        objects: each project as the policies see it.
        items: what stands for the ids of an address: at the airlock, or a job; and as the policies see it.
    """

    airlock: Any
    subjects: list[tuple[str, Subject, Any]] = field(default_factory=list)
    objects: dict[str, Object] = field(default_factory=dict)
    items: dict[str, tuple[str, Object]] = field(default_factory=dict)


def every_situation(airlock: Any) -> World:
    """A hub with projects in several states, and something of everything at the airlock."""
    hub, made = airlock.hub, World(airlock)
    for trust in hub.trusts.values():
        hub.notice(trust.catalogue(*CONCEPTS))
        hub.notice(trust.consent("cytology"))
    hub.ready("other", owner="bea")
    hub.draft("draft")
    for name, role in (("cleo", "operator"), ("rita", "governance reviewer")):
        people.add_person(
            hub.office.database, name, display_name=name.title(), organisation="Elsewhere", roles=(role,), by="olga"
        )
    show_records(hub.office.database, "rita", "cleo")
    people.close_account(hub.office.database, "cleo", by="olga")
    _fill(made)
    for who in EVERYBODY:
        name, _, workspace = who.partition("@")
        made.subjects.append((who, hub.who(name, workspace or None), hub.client(name, workspace or None)))
    return made


def _fill(made: World) -> None:
    airlock, hub = made.airlock, made.airlock.hub
    waiting = airlock.checked()
    released = airlock.released({"b.csv": b"sex,persons\nfemale,150\nmale,170\n"})
    ada = hub.client("ada")
    job = ada.post(f"{API}/projects/cytology/jobs", json=hub.count().model_dump(mode="json")).json()["job_id"]
    _dashboard(airlock)
    wanted = AskLink(readers=("bea",), ends_at=now() + timedelta(days=9), reason="For the steering committee.")
    link = links.ask(hub.office, hub.who("ada"), "cytology", "report", wanted)
    content = b"a,b\n1,2\n"
    ada.put(f"{API}/projects/cytology/ingress/uploads/{digest(content)}", content=content)
    coming = NewIngress(
        path="in.csv", content=digest(content), purpose="To compare with.", source="Our own", idempotency_key="i1"
    )
    came = ada.post(f"{API}/projects/cytology/ingress", json=coming.model_dump(mode="json"))
    assert came.status_code == 201, came.text
    why = "The draft names a patient, somebody wrote to us."
    emergency = NewEmergency(scope="read", target="cytology", reason=why)
    opened = emergencies.open_(hub.office, hub.who("olga"), emergency)
    with hub.office.database.read() as session:
        for name in ("cytology", "other", "draft"):
            made.objects[name] = object_of(session, session.get_one(Project, name))
        target = request_item(session, session.get_one(ReleaseRequest, waiting.request_id))
        ingress = session.get_one(Ingress, came.json()["ingress_id"])
        entering = item_of(session, session.get_one(Project, "cytology"), ingress.ingress_id, ingress.requested_by)
        board = versions.newest(session, "cytology", "report")
        output = session.query(Output).filter_by(request_id=waiting.request_id).first()
        release = session.query(Release).filter_by(request_id=released.request_id).first()
        made.items = {
            "request_id": (waiting.request_id, target),
            "output_id": (output.output_id, target),
            "release_id": (release.release_id, replace(target, released=True, audience=release.audience)),
            "ingress_id": (ingress.ingress_id, entering),
            "dashboard": ("report", item(session, board)),
            "link_id": (link.link_id, links.target(session, session.get_one(DashboardLink, link.link_id))),
            "emergency_id": (opened.emergency_id, Object(emergency=opened.emergency_id, author="olga")),
            "name": ("ada", Object(person="ada")),
            "job_id": (job, made.objects["cytology"]),
        }


def _dashboard(airlock: Any) -> None:
    """A dashboard that is released to its team."""
    content = b'{"cells": []}'
    wanted = PublishDashboard(notebook=airlock.upload(content), name="report")
    dashboards.publish(airlock.hub.office, airlock.hub.who("ada"), "cytology", wanted)
    airlock.released({"report.txt": content}, **{"report.txt": {"dashboard": "report"}})


def bodies(world: World) -> dict[str, Any]:
    """For each route that takes one, a body that fits its schema."""
    hub = world.airlock.hub
    application = hub.application().model_dump(mode="json")
    wanted = world.airlock.wanted({"c.csv": b"sex,persons\nfemale,110\nmale,120\n"})
    outputs = [world.items["output_id"][0]]
    return {
        "POST /projects": {"project_id": "fresh", "application": application},
        "PUT /projects/{project_id}": application,
        "POST /projects/{project_id}/reviews": {"decision": "approve", "declares": "none", "comment": ""},
        "POST /projects/{project_id}/state": {"state": "approved"},
        "PUT /projects/{project_id}/resources": {"profiles": ["large"], "gpu_hours": 10},
        "POST /projects/{project_id}/comments": {"field": "title", "text": "Why?"},
        "PUT /projects/{project_id}/comments/{comment_id}/resolved": {"resolved": True},
        "POST /projects/{project_id}/conditions/{condition_id}": {"how": "Shown."},
        "POST /projects/{project_id}/agreement": {"agreement": digest(b"another"), "typed_name": "Ada"},
        "POST /projects/{project_id}/cells": {"cells": [], "lost": 0},
        "POST /projects/{project_id}/jobs": hub.count(key="k2").model_dump(mode="json"),
        "POST /projects/{project_id}/dashboards": {"notebook": digest(b"none"), "name": "d1"},
        "POST /projects/{project_id}/dashboards/{dashboard}/shown": {"version": 1},
        "POST /projects/{project_id}/dashboards/{dashboard}/links": {
            "readers": ["nora"],
            "ends_at": (now() + timedelta(days=9)).isoformat(),
            **REASON,
        },
        "POST /links/{link_id}/decision": {"agrees": True, **REASON},
        "POST /projects/{project_id}/airlock/checks": wanted.model_dump(mode="json"),
        "POST /projects/{project_id}/airlock/requests": wanted.model_dump(mode="json"),
        "POST /airlock/requests/{request_id}/decisions": {"outputs": outputs, "decision": "withhold", **REASON},
        "POST /airlock/outputs/{output_id}/revoke": REASON,
        "POST /projects/{project_id}/ingress": {
            "path": "in2.csv",
            "content": digest(b"none"),
            "purpose": "To compare with.",
            "source": "Our own",
            "idempotency_key": "i2",
        },
        "POST /emergencies": {"scope": "sessions", "target": "cleo", "reason": "Somebody found their password."},
        "POST /emergencies/{emergency_id}/review": {"finding": "justified", "words": "Read what was opened."},
        "POST /records": {
            "kind": "good_clinical_practice",
            "reference": "GCP 1",
            "issued_on": str(now().date()),
            "expires_on": str(now().date()),
        },
        "POST /people/{name}/records/{record_id}": {"decision": "verify"},
        "POST /ingress/{ingress_id}/decision": {"decision": "refuse", **REASON},
        "POST /jobs/{job_id}/sign-off": {"decision": "refuse", "declares": "none", **REASON},
    }
