"""Every role, every route, own and other projects: what the policies say is what the real API does.

The expected answers are not written here: the policies are asked. Which action each route is stands in ``situations``,
and a route without an action fails.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from flip_hub.api.sessions import csrf_token
from flip_hub.database import now
from flip_hub.governance.access import HUB
from flip_hub.policy import Object, Subject, hub_policies
from flip_sdk.contract.records import digest

from tests.hub.airlock.situations import (
    API,
    ASKED_ON,
    BASE,
    EVERYBODY,
    MAY_BE_MISSING,
    PAGES,
    PUBLIC,
    REASON,
    ROUTES,
    SIGNED_IN,
    World,
    bodies,
    key,
    routes,
)

DATABASES = ("sqlite",)


# what fits every form; which decision is meant depends on the page
FIELDS = {"reason": REASON["reason"], "decision": "approve", "declares": "none", "state": "suspended", "how": "Shown."}
FIELDS |= {
    "agrees": "yes",
    "readers": "nora",
    "until": f"{now() + timedelta(days=9):%Y-%m-%d}",
    "scope": "sessions",
    "target": "cleo",
    "finding": "justified",
    "agreement": digest(b"another"),
    "text": "Why?",
    "field": "title",
    "action": "save",
    "typed_name": "Ada",
    "words": "Seen, and found to be so.",
    "title": "A title",
}


@dataclass(frozen=True)
class Case:
    """A request, and whether the policies allow it.

    Attributes:
        policy: that decides; of several, the first that says no.
    """

    route: str
    who: str
    address: str
    allowed: bool
    policy: str
    client: Any = field(repr=False)


def _cases(world: World, table: dict[str, str]) -> Iterator[Case]:
    for route, action in table.items():
        if action == PUBLIC:
            continue
        path = route.partition(" ")[2]
        for address, target in _targets(world, path):
            for who, subject, client in world.subjects:
                if target.item or target.project not in ASKED_ON or who in ASKED_ON[target.project]:
                    yield Case(route, who, address, *_verdict(subject, action, target), client)


def _verdict(subject: Subject, action: str, target: Object) -> tuple[bool, str]:
    """What the policies say; whoever may not know of a project does nothing else with it, output checkers excepted."""
    if action == SIGNED_IN:
        return subject.active, "people.inactive"
    if action in {"submit_record", "view_records"} and not target.person:
        target = Object(person=subject.name)
    asked = ["view_project"] if target.project and not target.item and action != "list_releases" else []
    decisions = [hub_policies().decide(subject, one, target) for one in [*asked, action]]
    decisive = next((one for one in decisions if not one.allowed), decisions[-1])
    return decisive.allowed, decisive.policy


def _targets(world: World, path: str) -> Iterator[tuple[str, Object]]:
    plain = {"{version}": "1", "{comment_id}": "1", "{condition_id}": "1", "{digest}": digest(b"x"), "{part}": "file"}
    plain |= {
        "{record_id}": "1",
        "{kind}": "csv",
        "{check_id}": "nobodys",
        "{package}": "p",
        "{wheel}": "p-1-py3-none-any.whl",
        "{board}": "report",
        "{secret}": "nobodys",
        "draft/{name}": "draft/title",
    }
    for placeholder, value in plain.items():
        path = path.replace(placeholder, value)
    for placeholder, (value, target) in world.items.items():
        if f"{{{placeholder}}}" in path:
            yield path.replace(f"{{{placeholder}}}", value).replace("{project_id}", "cytology"), target
            return
    if "{project_id}" in path:
        for name, target in world.objects.items():
            yield path.replace("{project_id}", name), target
        return
    yield path, HUB


def _once(cases: list[Case]) -> list[Case]:
    """One person for each policy that decides about an address: everybody else is decided about in the same way."""
    return list({(case.route, case.address, case.allowed, case.policy): case for case in reversed(cases)}.values())


async def _asked(client: httpx.AsyncClient, case: Case, filled: dict[str, Any], token: str) -> httpx.Response:
    method, is_upload = case.route.partition(" ")[0], "/blobs/" in case.route or "/uploads/" in case.route
    content: dict[str, Any] = {"json": filled.get(case.route)}
    if token:
        content = {"data": FIELDS | {"csrf_token": token, "outputs": filled["outputs"]}}
        if "/records" in case.route:
            content["data"]["decision"] = "verify"
    elif is_upload:
        content = {"content": b"x"}
    # a form's token stands in a field, or in a header where a script asks
    address = (BASE if token else API) + case.address
    return await client.request(
        method,
        address,
        headers=dict(case.client.headers) | {"x-csrf-token": token},
        **(content if method != "GET" else {}),
    )


def _wrong(case: Case, answer: httpx.Response, *, is_page: bool) -> str:
    """What is wrong with the answer; '' where nothing is."""
    told = f"{case}: {answer.status_code} {answer.text[:200]}"
    if answer.status_code >= 500 or answer.status_code == 401:
        return told
    if not case.allowed:
        said = answer.text if is_page else " ".join(f'"{name}"' for name, value in answer.json().items() if value)
        words = "This did not work" if is_page else '"mend"'
        is_told = answer.status_code in (403, 404) and words in said and ("policy" in said or answer.status_code == 404)
        return "" if is_told else told
    missing = answer.status_code == 404 and not any(part in case.route for part in MAY_BE_MISSING)
    return told if answer.status_code == 403 or missing else ""


async def _all_played(world: World, cases: list[Case], *, are_pages: bool) -> list[str]:
    app = world.airlock.hub.app
    filled = {"outputs": world.items["output_id"][0]} if are_pages else bodies(world)
    token = csrf_token(app.state.desk, SimpleNamespace(cookies={})) if are_pages else ""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        answers = [(case, await _asked(client, case, filled, token)) for case in cases]
    return [told for case, answer in answers if (told := _wrong(case, answer, is_page=are_pages))]


def _play(world: World, *, pages: bool, everybody: bool) -> None:
    table = PAGES if pages else ROUTES
    cases = list(_cases(world, table))
    assert {case.who for case in cases} == set(EVERYBODY)
    for action in set(table.values()) - {PUBLIC, SIGNED_IN}:
        verdicts = {case.allowed for case in cases if table[case.route] == action}
        assert verdicts == {True, False}, action
    chosen = cases if everybody else _once(cases)
    denied = [case for case in chosen if not case.allowed]
    allowed = sorted((case for case in chosen if case.allowed), key=_order)
    wrong = asyncio.run(_all_played(world, [*denied, *allowed], are_pages=pages))
    assert not wrong, "\n".join(wrong)


def _order(case: Case) -> int:
    """What changes things comes after what looks, and what takes them away comes last."""
    last = ("revoke", "withdraw", "submit", "state")
    return 0 if case.route.startswith("GET") else 2 if any(word in case.route for word in last) else 1


def test_every_route_has_an_action(hub) -> None:
    served = {key(method, path) for method, path in routes(hub.app) if path.startswith(API)}
    assert served == set(ROUTES)
    documented = {
        key(method.upper(), path) for path, methods in hub.app.openapi()["paths"].items() for method in methods
    }
    assert documented == served - {"GET /openapi.json"}


def test_every_page_has_an_action(hub) -> None:
    assert {key(method, path) for method, path in routes(hub.app) if not path.startswith(API)} == set(PAGES)


def test_the_api_does_what_the_policies_say(world) -> None:
    _play(world, pages=False, everybody=False)


def test_pages_do_what_the_policies_say(world) -> None:
    _play(world, pages=True, everybody=False)


@pytest.mark.slow
@pytest.mark.parametrize("pages", [False, True], ids=["api", "pages"])
def test_it_is_so_for_everybody(world, pages) -> None:
    _play(world, pages=pages, everybody=True)


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
