"""Every role, every route, own and other projects: what the policies say is what the real API does.

The expected answers are not written here: the policies are asked. Which action each route is stands in ``situations``,
and a route without an action fails.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
from flip_hub.governance.access import HUB
from flip_hub.policy import Object, Subject, hub_policies
from flip_sdk.contract.records import digest

from tests.hub.airlock.situations import (
    API,
    ASKED_ON,
    EVERYBODY,
    MAY_BE_MISSING,
    PUBLIC,
    ROUTES,
    SIGNED_IN,
    World,
    bodies,
    key,
    routes,
)

DATABASES = ("sqlite",)


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
    plain = {"{version}": "1", "{comment_id}": "1", "{condition_id}": "1", "{digest}": digest(b"x"), "{part}": "file"}
    plain["{record_id}"] = "1"
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


async def _played(filled: dict[str, Any], client: httpx.AsyncClient, case: Case) -> str:
    """What is wrong with the answer; '' where nothing is."""
    method, is_upload = case.route.partition(" ")[0], "/blobs/" in case.route or "/uploads/" in case.route
    content = {"content": b"x"} if is_upload else {"json": filled.get(case.route)}
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
    served = {key(method, path) for method, path in routes(hub.app) if path.startswith(API)}
    assert served == set(ROUTES)
    documented = {
        key(method.upper(), path) for path, methods in hub.app.openapi()["paths"].items() for method in methods
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
    content = bodies(world)
    transport = httpx.ASGITransport(world.airlock.hub.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        return [told for case in cases if (told := await _played(content, client, case))]


def _order(case: Case) -> int:
    """What changes things comes after what looks, and what takes them away comes last."""
    last = ("revoke", "withdraw", "submit")
    return 0 if case.route.startswith("GET") else 2 if any(word in case.route for word in last) else 1


def test_nothing_is_shown_to_nobody(hub) -> None:
    client = hub.client()
    open_pages = ("/released/", "/oauth_callback", "/login", "/logout", "/register", "/public")
    for method, path in routes(hub.app):
        address = re.sub(r"{digest}", digest(b"x"), path).replace("{part}", "file")
        address = re.sub(r"{(version|comment_id|record_id|condition_id|seq|number|place|entry)}", "1", address)
        answer = client.request(method, re.sub(r"{[a-z_]+}", "x1", address))
        if key(method, path) == "GET /health" or any(part in path for part in open_pages):
            assert answer.status_code < 500, path
            continue
        assert answer.status_code in (302, 401, 403), (method, path, answer.status_code)
        assert answer.status_code != 302 or "authorize" in answer.headers["location"], path
