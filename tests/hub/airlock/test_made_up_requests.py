"""The hub's API against its own OpenAPI, at length: what is made up after the schema, written as well, by everybody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import schemathesis
from flip_sdk.contract.api import ErrorBody
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.python.asgi import ASGIClient, get_client
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from tests.hub.airlock.situations import API, PUBLIC, ROUTES, World, bodies

DATABASES = ("sqlite",)
CHECKS = [not_a_server_error, response_schema_conformance, content_type_conformance]
SETTINGS = settings(database=None, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
EXPECTED = {200, 201, 204, 400, 401, 403, 404, 409, 413, 422}
REFUSED = EXPECTED - {200, 201, 204}
NOBODY = "nobody"
# what takes the situations away is asked last, so that everything else meets them
LAST = ("state", "decision", "revoke", "withdraw", "submit", "cancel")


@dataclass
class Played:
    """What was asked and answered.

    Attributes:
        failed: an operation, and what was wrong with it.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    by: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)


def _operations(schema: Any) -> Iterator[Any]:
    def late(operation: Any) -> tuple[bool, bool]:
        return operation.method != "get", operation.path.endswith(LAST)

    yield from sorted((found.ok() for found in schema.get_all_operations()), key=late)


def _places(world: World) -> dict[str, list[str]]:
    """What stands in an address for what there is: projects in every state, and one of everything else."""
    known = {name: [value] for name, (value, _) in world.items.items()}
    return known | {
        "project_id": list(world.objects),
        "version": ["1", "2"],
        "comment_id": ["1"],
        "condition_id": ["1"],
    }


@dataclass(frozen=True)
class Player:
    """Asks the API, and looks at what it answers.

    Attributes:
        tokens: of everybody who may ask.
        filled: for each route that takes one, a body that fits.
        places: for what stands in an address, what there is.
    """

    session: ASGIClient
    tokens: dict[str, str]
    filled: dict[str, Any]
    places: dict[str, list[str]]
    played: Played

    def play(self, operation: Any, examples: int) -> None:
        """Requests of one operation."""
        route = f"{operation.method.upper()} {operation.path.removeprefix(API)}"
        people, turns = st.sampled_from([*self.tokens, NOBODY]), st.sampled_from(range(12))

        @settings(SETTINGS, max_examples=examples)
        @given(case=operation.as_strategy(), who=people, is_filled=st.booleans(), turn=turns)
        def asked(case: Any, who: str, is_filled: bool, turn: int) -> None:
            # three times in four something that there is
            for name in case.path_parameters.keys() & self.places.keys() if turn % 4 else ():
                case.path_parameters[name] = self.places[name][turn % len(self.places[name])]
            if is_filled and route in self.filled:
                case.body = self.filled[route]
            self._ask(route, case, who)

        try:
            asked()
        except BaseExceptionGroup as error:
            self.played.failed.append(f"{operation.label}: {error.exceptions}")
        except Exception as error:  # noqa: BLE001
            self.played.failed.append(f"{operation.label}: {type(error).__name__} {error}")

    def _ask(self, route: str, case: Any, who: str) -> None:
        if "wait" in (case.query or {}):
            case.query["wait"] = 0
        headers = {"Authorization": self.tokens[who]} if who in self.tokens else {}
        answer = case.call(session=self.session, headers=headers)
        self.played.statuses[answer.status_code] += 1
        self.played.by[who] += 1
        assert answer.status_code in EXPECTED, f"{who}: {answer.status_code} {answer.text[:300]}"
        case.validate_response(answer, checks=CHECKS)
        if answer.status_code in REFUSED:
            said = answer.json()
            assert all((said["message"], said["mend"])), f"{who}: without words: {answer.text[:300]}"
        if who == NOBODY and ROUTES[route] != PUBLIC:
            _tells_nothing(answer)


def _tells_nothing(answer: Any) -> None:
    """Whoever is not signed in is told so, and nothing else; a released file for everybody excepted."""
    if answer.status_code in (403, 404):
        assert set(answer.json()) <= set(ErrorBody.model_fields)
        return
    assert answer.status_code == 401, f"{answer.status_code} {answer.text[:300]}"
    assert set(answer.json()) <= set(ErrorBody.model_fields)


@pytest.mark.slow
def test_nothing_made_up_makes_the_api_fail_or_tell_whoever_is_not_signed_in(world, capsys) -> None:
    played = Played()
    with get_client(world.airlock.hub.app) as session:
        app = world.airlock.hub.app
        schema = schemathesis.openapi.from_dict(app.openapi())
        schema.app = app
        tokens = {who: client.headers["authorization"] for who, _, client in world.subjects}
        player = Player(session, tokens, bodies(world), _places(world), played)
        for operation in _operations(schema):
            player.play(operation, examples=60)
    with capsys.disabled():
        print(f"\n{played.statuses.total()} requests: {dict(played.statuses)}; by {dict(played.by)}")
    assert not played.failed, "\n\n".join(played.failed)
    assert {200, 201, 401, 403, 404, 409, 422} <= set(played.statuses)
    assert set(played.by) == {who for who, _, _ in world.subjects} | {NOBODY}
