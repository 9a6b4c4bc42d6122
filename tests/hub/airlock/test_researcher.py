"""The SDK against the real service: the same calls that the fake hub plays."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

import flip_sdk as flip
from tests.hub.airlock.conftest import CLEAN, SMALL

API = "http://testserver/services/flip/api"


@pytest.fixture
def workspace(airlock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for name, content in (("clean.csv", CLEAN), ("small.csv", SMALL), ("zero.csv", b"sex,persons\nmale,0\n")):
        (tmp_path / name).write_bytes(content)

    def project(workspace: str | None) -> flip.Project:
        token = airlock.hub.authenticator.sign_in("ada", workspace)
        client = TestClient(airlock.hub.app)
        hub = flip.connect(API, token, transport=client._transport)
        # what the service's worker does while somebody waits
        hub._connection._sleep = lambda seconds: airlock.work()
        return hub.project("cytology")

    return project


def test_from_the_workspace_out_and_in(airlock, workspace, tmp_path) -> None:
    inside, outside = workspace("cytology"), workspace(None)
    assert inside.airlock.check("clean.csv", "small.csv")["verdict"].to_list() == ["pass", "flag"]
    with pytest.raises(flip.SpecError) as caught:
        inside.release("clean.csv", "zero.csv", purpose="Table 1 of the paper.")
    assert [violation.where for violation in caught.value.violations] == ["zero.csv"]
    asked = inside.release("clean.csv", "small.csv", purpose="Table 1 of the paper.")
    for who in ("cora", "cyril"):
        airlock.decide(asked.view, who, "approve", "clean.csv")
    assert asked.status()["state"].to_list() == ["released", "checked"]
    assert asked.withdraw().view.open is False
    released = outside.airlock.releases()["release"][0]
    assert outside.airlock.fetch(released, tmp_path / "..").read_bytes() == CLEAN
    assert outside.airlock.fetch(released, tmp_path, "crate").stat().st_size > 1000
    brought = outside.airlock.bring_in(
        "clean.csv", purpose="To compare with.", source="NHS England", name="in/clean.csv"
    )
    assert inside.airlock.incoming()["file"].to_list() == [brought.path]
    with pytest.raises(flip.PublicError):
        outside.airlock.bring_in(tmp_path / "clean.csv.crate.zip", purpose="To compare with.", source="Nobody")
