from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from flip_sdk.contract.states import OutputState
from flip_sdk.errors import NotFoundError, PublicError
from flip_sdk.testing import FakeHub

import flip_sdk as flip


@pytest.fixture(autouse=True)
def _report(project: flip.Project, tmp_path: Path) -> None:
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "report.ipynb")  # type: ignore[no-untyped-call]
    project.publish(tmp_path / "report.ipynb", "report")


def test_a_link_is_asked_for_listed_and_ended(project: flip.Project) -> None:
    link = project.share("report", "bea", until="2027-01-31", reason="For the steering committee.")
    assert link.address.startswith("/services/flip/links/open/")
    assert "bea, until 31 January 2027: waits for two output checkers; keep its address" in repr(link)
    assert "told this once" in link._repr_html_()
    (listed,) = project.links("report")
    assert listed.address == ""
    assert project.links("report").table().rows(named=True)[0]["reader"] == "bea"
    with pytest.raises(NotFoundError, match="no link none"):
        project.links("report").one("none")
    assert "ended" in repr(project.links("report").one(listed.id).end())
    with pytest.raises(PublicError, match="has ended"):
        listed.end()


def test_what_cannot_be_asked_for_says_what_to_do(project: flip.Project) -> None:
    with pytest.raises(PublicError, match="2027-01-31"):
        project.share("report", ["bea"], until="soon", reason="For the steering committee.")
    with pytest.raises(PublicError, match="reason: it is too short"):
        project.share("report", ["bea"], until="2027-01-31", reason="short")
    with pytest.raises(NotFoundError):
        project.share("none", ["bea"], until="2027-01-31", reason="For the steering committee.")


def test_the_gallery_is_what_was_released(hub: flip.Hub, fake_hub: FakeHub) -> None:
    assert hub.dashboards() == []
    draft = fake_hub.dashboards["report"]
    fake_hub.dashboards["report"] = draft.model_copy(update={"shown": True, "state": OutputState.RELEASED})
    (row,) = hub.dashboards().table().rows(named=True)
    assert (row["project_id"], row["name"], row["state"]) == ("breast-cytology", "report", "released")
