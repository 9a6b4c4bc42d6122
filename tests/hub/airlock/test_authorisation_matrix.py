"""Every role, every route, own and other projects: what the policies say is what the real API does.

The expected answers are not written here: the policies are asked. What is written here is which action each route is,
and a route without an action fails.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest
from flip_hub.airlock.access import item_of, request_item
from flip_hub.database import Ingress, Output, Project, Release, ReleaseRequest, now
from flip_hub.governance import people
from flip_hub.governance.access import HUB, object_of
from flip_hub.policy import Object, Subject, hub_policies
from flip_hub.testing import show_records
from flip_sdk.contract.ingress import NewIngress
from flip_sdk.contract.records import digest

from tests.hub.conftest import CONCEPTS

DATABASES = ("sqlite",)
API = "/services/flip/api"
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
    "POST /projects/{project_id}/jobs": "submit_job",
    "GET /projects/{project_id}/jobs": "view_jobs",
    "POST /projects/{project_id}/dashboards": "publish_dashboard",
    "GET /projects/{project_id}/dashboards": "view_dashboard",
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
    "GET /ingress/{ingress_id}/content": "review_ingress",
    "POST /ingress/{ingress_id}/decision": "review_ingress",
    "POST /ingress/{ingress_id}/withdraw": "withdraw_ingress",
}
HUBS = {
    "POST /projects": "apply",
    "GET /people": "view_people",
    "GET /records": "view_records",
    "POST /records": "submit_record",
    "GET /airlock/requests": "check_outputs",
    "GET /monitoring": "monitor",
    "GET /audit": "follow_audit",
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
    "GET /people/{name}/records": "view_records",
    "POST /people/{name}/records/{record_id}": "verify_record",
}
ROUTES = PROJECT | JOB | ITEM | HUBS | PERSON
# what may be missing though one may see it
MAY_BE_MISSING = (
    "certificate",
    "agreement",
    "/blobs/",
    "/checks/",
    "/comments/{",
    "/conditions/",
    "/versions/",
    "result",
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


def _routes(app) -> Iterator[tuple[str, str]]:
    """Each route's method and whole address."""
    for included in app.routes:
        if not (router := getattr(included, "original_router", None)):
            continue
        for route in router.routes:
            for method in route.methods:
                yield method, included.include_context.prefix + route.path


def _key(method: str, path: str) -> str:
    return f"{method} {path.removeprefix(API)}"


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


@pytest.fixture
def world(airlock) -> World:
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
    content = b"a,b\n1,2\n"
    ada.put(f"{API}/projects/cytology/ingress/uploads/{digest(content)}", content=content)
    coming = NewIngress(
        path="in.csv", content=digest(content), purpose="To compare with.", source="Our own", idempotency_key="i1"
    )
    came = ada.post(f"{API}/projects/cytology/ingress", json=coming.model_dump(mode="json"))
    assert came.status_code == 201, came.text
    with hub.office.database.read() as session:
        for name in ("cytology", "other", "draft"):
            made.objects[name] = object_of(session, session.get_one(Project, name))
        target = request_item(session, session.get_one(ReleaseRequest, waiting.request_id))
        ingress = session.get_one(Ingress, came.json()["ingress_id"])
        entering = item_of(session, session.get_one(Project, "cytology"), ingress.ingress_id, ingress.requested_by)
        output = session.query(Output).filter_by(request_id=waiting.request_id).first()
        release = session.query(Release).filter_by(request_id=released.request_id).first()
        made.items = {
            "request_id": (waiting.request_id, target),
            "output_id": (output.output_id, target),
            "release_id": (release.release_id, replace(target, released=True, public=release.public)),
            "ingress_id": (ingress.ingress_id, entering),
            "name": ("ada", Object(person="ada")),
            "job_id": (job, made.objects["cytology"]),
        }


def _bodies(world: World) -> dict[str, Any]:
    hub = world.airlock.hub
    application = hub.application().model_dump(mode="json")
    wanted = world.airlock.wanted({"c.csv": b"sex,persons\nfemale,110\nmale,120\n"})
    outputs = [world.items["output_id"][0]]
    return {
        "POST /projects": {"project_id": "fresh", "application": application},
        "PUT /projects/{project_id}": application,
        "POST /projects/{project_id}/reviews": {"decision": "approve", "declares": "none", "comment": ""},
        "POST /projects/{project_id}/state": {"state": "approved"},
        "POST /projects/{project_id}/comments": {"field": "title", "text": "Why?"},
        "PUT /projects/{project_id}/comments/{comment_id}/resolved": {"resolved": True},
        "POST /projects/{project_id}/conditions/{condition_id}": {"how": "Shown."},
        "POST /projects/{project_id}/agreement": {"agreement": digest(b"another"), "typed_name": "Ada"},
        "POST /projects/{project_id}/jobs": hub.count(key="k2").model_dump(mode="json"),
        "POST /projects/{project_id}/dashboards": {"notebook": digest(b"none"), "name": "d1"},
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
        "POST /records": {
            "kind": "good_clinical_practice",
            "reference": "GCP 1",
            "issued_on": str(now().date()),
            "expires_on": str(now().date()),
        },
        "POST /people/{name}/records/{record_id}": {"decision": "verify"},
        "POST /ingress/{ingress_id}/decision": {"decision": "refuse", **REASON},
    }


@dataclass(frozen=True)
class Case:
    """A request, and whether the policies allow it."""

    route: str
    who: str
    address: str
    allowed: bool
    client: Any = field(repr=False)


def _cases(world: World) -> Iterator[Case]:
    for route, action in ROUTES.items():
        if action == PUBLIC:
            continue
        path = route.partition(" ")[2]
        for address, target in _targets(world, path):
            for who, subject, client in world.subjects:
                if "{project_id}" not in path or who in ASKED_ON[target.project]:
                    yield Case(route, who, address, _allowed(subject, action, target), client)


def _allowed(subject: Subject, action: str, target: Object) -> bool:
    """What the policies say; whoever may not know of a project does nothing else with it, output checkers excepted."""
    if action == SIGNED_IN:
        return subject.active
    if action in {"submit_record", "view_records"} and not target.person:
        target = Object(person=subject.name)
    asked = {action} if target.item or not target.project or action == "list_releases" else {action, "view_project"}
    return all(hub_policies().decide(subject, one, target).allowed for one in asked)


def _targets(world: World, path: str) -> Iterator[tuple[str, Object]]:
    plain = {
        "{version}": "1",
        "{comment_id}": "1",
        "{condition_id}": "1",
        "{digest}": digest(b"x"),
        "{part}": "file",
        "{record_id}": "1",
    }
    for placeholder, value in (plain | {"{check_id}": "nobodys"}).items():
        path = path.replace(placeholder, value)
    if "{project_id}" in path:
        for name, target in world.objects.items():
            yield path.replace("{project_id}", name), target
        return
    for placeholder, (value, target) in world.items.items():
        if f"{{{placeholder}}}" in path:
            yield path.replace(f"{{{placeholder}}}", value), target
            return
    yield path, HUB


async def _played(bodies: dict[str, Any], client: httpx.AsyncClient, case: Case) -> str:
    """What is wrong with the answer; '' where nothing is."""
    method, is_upload = case.route.partition(" ")[0], "/blobs/" in case.route or "/uploads/" in case.route
    content = {"content": b"x"} if is_upload else {"json": bodies.get(case.route)}
    answer = await client.request(
        method, API + case.address, headers=dict(case.client.headers), **(content if method != "GET" else {})
    )
    told = f"{case}: {answer.status_code} {answer.text[:200]}"
    if answer.status_code >= 500 or answer.status_code == 401:
        return told
    if not case.allowed:
        body = answer.json()
        is_told = answer.status_code in (403, 404) and body["message"] and (body["policy"] or answer.status_code == 404)
        return "" if is_told else told
    missing = answer.status_code == 404 and not any(part in case.route for part in MAY_BE_MISSING)
    return told if answer.status_code == 403 or missing else ""


def test_every_route_has_an_action(hub) -> None:
    served = {_key(method, path) for method, path in _routes(hub.app) if path.startswith(API)}
    assert served == set(ROUTES)
    documented = {
        _key(method.upper(), path) for path, methods in hub.app.openapi()["paths"].items() for method in methods
    }
    assert documented == served - {"GET /openapi.json"}


def test_the_api_does_what_the_policies_say(world) -> None:
    cases = list(_cases(world))
    assert {case.who for case in cases} == set(EVERYBODY)
    for action in set(ROUTES.values()) - {PUBLIC, SIGNED_IN}:
        verdicts = {case.allowed for case in cases if ROUTES[case.route] == action}
        assert verdicts == {True, False}, action
    denied = [case for case in cases if not case.allowed]
    allowed = sorted((case for case in cases if case.allowed), key=_order)
    wrong = asyncio.run(_all_played(world, [*denied, *allowed]))
    assert not wrong, "\n".join(wrong)


async def _all_played(world: World, cases: list[Case]) -> list[str]:
    bodies = _bodies(world)
    transport = httpx.ASGITransport(world.airlock.hub.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        return [told for case in cases if (told := await _played(bodies, client, case))]


def _order(case: Case) -> int:
    """What changes things comes after what looks, and what takes them away comes last."""
    last = ("revoke", "withdraw", "submit")
    return 0 if case.route.startswith("GET") else 2 if any(word in case.route for word in last) else 1


def test_nothing_is_shown_to_nobody(hub) -> None:
    client = hub.client()
    open_pages = ("/released/", "/oauth_callback", "/login", "/logout", "/register", "/public")
    for method, path in _routes(hub.app):
        address = re.sub(r"{digest}", digest(b"x"), path).replace("{part}", "file")
        address = re.sub(r"{(version|comment_id|record_id|condition_id|seq|number|place|entry)}", "1", address)
        answer = client.request(method, re.sub(r"{[a-z_]+}", "x1", address))
        if _key(method, path) == "GET /health" or any(part in path for part in open_pages):
            assert answer.status_code < 500, path
            continue
        assert answer.status_code in (302, 401, 403), (method, path, answer.status_code)
        assert answer.status_code != 302 or "authorize" in answer.headers["location"], path
