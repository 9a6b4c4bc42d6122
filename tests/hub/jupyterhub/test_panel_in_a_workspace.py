"""The panel in a real workspace: behind the hub's proxy, in its sandbox, without a network but to the hub."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from demo.notebook_runner import Workspace
from tests.hub.jupyterhub.homes import ADA, JOB, OPEN

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("running-hub")]


def told(workspace: Workspace) -> dict[str, Any]:
    """What an open page is told first."""
    parts: dict[str, Any] = {}
    with workspace.visitor.follow(f"{workspace.path}/flip/stream") as answer:
        assert answer.status_code == 200
        for line in answer.iter_lines():
            if line.startswith("event: "):
                part = line.removeprefix("event: ")
            elif line.startswith("data: "):
                parts[part] = json.loads(line.removeprefix("data: "))
                if part == "hub":
                    break
    return parts


def test_jupyterlab_is_given_the_panel(workspace: Workspace) -> None:
    page = workspace.request("GET", "lab").text
    assert '"name": "@flip/lab"' in page
    scripts = re.findall(r"static/remoteEntry\.[0-9a-f]+\.js", page)
    found = [workspace.request("GET", f"lab/extensions/@flip/lab/{script}").status_code for script in scripts]
    assert 200 in found


def test_its_server_asks_the_hub_by_the_workspaces_own_token(workspace: Workspace) -> None:
    parts = told(workspace)

    assert parts["hub"] == {"here": True, "message": "", "mend": ""}
    assert parts["project"]["id"] == OPEN
    assert parts["project"]["state"] == "approved"
    assert parts["denied"] == {}
    # another test of the same hub may have published a dashboard of the one job
    assert [job["id"] for job in parts["jobs"]] in ([], [JOB])
    assert parts["releases"] == []


def test_what_the_hub_refuses_is_said_in_its_words(workspace: Workspace) -> None:
    answer = workspace.request("POST", "flip/jobs/none/cancel", json={})
    assert answer.status_code == 404
    assert answer.json()["mend"]
    elsewhere = workspace.request("POST", "flip/releases/checks", json={"files": [f"../{ADA.name}"]})
    assert elsewhere.status_code == 404
