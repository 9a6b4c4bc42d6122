"""The played hub tells what changed as the hub does: by a mark for each part."""

from __future__ import annotations

from flip_sdk.connection import Connection
from flip_sdk.contract.api import ProjectChanges
from flip_sdk.settings import Settings
from flip_sdk.testing import FakeHub

import flip_sdk


def test_a_change_shows_in_its_part_alone() -> None:
    hub = FakeHub()
    connection = Connection(Settings(hub.api, hub.token), transport=hub.transport)
    path = f"projects/{hub.view.project_id}/changes"
    first = connection.get(path, ProjectChanges)
    assert len(first.changed) == 5
    assert connection.get(f"{path}?after={first.mark}", ProjectChanges).changed == ()

    next(iter(hub.trusts.values())).online = False
    assert connection.get(f"{path}?after={first.mark}", ProjectChanges).changed == ("budget",)

    project = flip_sdk.connect(hub.api, hub.token, transport=hub.transport).project(hub.view.project_id)
    project.count(epsilon=0.1)
    assert connection.get(f"{path}?after={first.mark}", ProjectChanges).changed == ("budget", "jobs")
