from __future__ import annotations

from collections.abc import Iterator

import pytest
from flip_sdk.testing import FakeHub
from hypothesis import settings

import flip_sdk as flip

# a busy machine is not a broken rule: no time limit for one example
settings.register_profile("flip", deadline=None, max_examples=50)
settings.load_profile("flip")


@pytest.fixture(autouse=True)
def _nobody_signed_in(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in ("FLIP_HUB_API", "JUPYTERHUB_API_TOKEN", "FLIP_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))


@pytest.fixture
def fake_hub() -> FakeHub:
    return FakeHub()


@pytest.fixture
def hub(fake_hub: FakeHub) -> Iterator[flip.Hub]:
    with flip.connect(fake_hub.api, fake_hub.token, transport=fake_hub.transport) as connected:
        yield connected


@pytest.fixture
def project(hub: flip.Hub) -> flip.Project:
    return hub.project("breast-cytology")
