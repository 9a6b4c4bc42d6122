"""A project's end with everything running: its workspace stops, both sides delete, and the certificate says so."""

from __future__ import annotations

import pytest
from flip_hub.config import HubConfig
from flip_hub.keys import signing_key
from flip_sdk.contract.closing import ClosingCertificate, SignedCertificate
from flip_sdk.contract.signatures import verify

from demo.people import ADA, OLGA
from demo.story import Story
from tests.integration.researcher import project_of

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.xdist_group("platform")]
PROJECT = "short-lived"


def test_a_closed_projects_workspace_stops_and_everything_is_deleted(story: Story) -> None:
    story.set_up(PROJECT)
    story.open_workspace(PROJECT)
    project_of(story, PROJECT).count(epsilon=0.5)
    home = story.platform.hub_home / "workspaces" / PROJECT
    assert any(home.rglob("*.ipynb"))

    page = f"projects/{PROJECT}"
    story.visitor(OLGA).send_form(page, f"/{page}/state", state="closed", reason="It is done.")
    story.platform.wait_until(
        lambda: not story.visitor(ADA).workspace_is_ready(PROJECT), 60, "the workspace stops", log="jupyterhub"
    )
    story.platform.wait_until(lambda: _is_complete(_certificate(story)), 150, "the Trusts answer", log="trust-aldgate")
    found = _certificate(story)
    assert not home.exists()
    assert {item.what: item.count for item in found.hub}["files in workspaces"] > 1
    assert {part.trust for part in found.trusts} == set(story.trusts)
    assert all({item.what: item.count for item in part.items}["answers kept to be sent again"] for part in found.trusts)


def _certificate(story: Story) -> ClosingCertificate:
    signed = SignedCertificate.parse(story.visitor(ADA).api("GET", f"projects/{PROJECT}/certificate").content)
    key = signing_key(HubConfig(home=story.platform.hub_home), "governance").public
    return verify(signed.jws, key, ClosingCertificate)


def _is_complete(found: ClosingCertificate) -> bool:
    return found.hub_purged_at is not None and not found.pending
