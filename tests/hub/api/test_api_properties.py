"""The hub's API against its own OpenAPI: whatever is asked, it does not fail, and it answers as it says it does.

The long run, with what is written and by everybody, is ``tests/hub/airlock/test_made_up_requests.py``.
"""

from __future__ import annotations

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

DATABASES = ("sqlite",)
CHECKS = [not_a_server_error, response_schema_conformance, content_type_conformance]
SETTINGS = settings(database=None, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def _play(hub, examples: int, *who: str, methods: tuple[str, ...]) -> None:
    """Requests of every operation, made up after the schema, by people of several roles."""
    hub.ready()
    schema = schemathesis.openapi.from_dict(hub.app.openapi())
    schema.app = hub.app
    headers = [dict(hub.client(name).headers) for name in who]
    failed: list[str] = []
    statuses: set[int] = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.method not in methods:
            continue

        @settings(SETTINGS, max_examples=examples)
        @given(case=operation.as_strategy())
        def played(case) -> None:
            if "project_id" in case.path_parameters:
                case.path_parameters["project_id"] = "cytology"
            for one in headers:
                answer = case.call_and_validate(headers={"Authorization": one["authorization"]}, checks=CHECKS)
                statuses.add(answer.status_code)

        try:
            played()
        except BaseExceptionGroup as error:
            failed.append(f"{operation.label}: {error.exceptions}")
        except Exception as error:  # noqa: BLE001
            failed.append(f"{operation.label}: {type(error).__name__} {error}")
    assert not failed, "\n\n".join(failed)
    assert {200, 404} <= statuses <= {200, 201, 204, 400, 401, 403, 404, 409, 413, 422}


def test_no_question_makes_the_api_fail_or_answer_otherwise_than_it_says(hub) -> None:
    _play(hub, 2, "ada", methods=("get",))
