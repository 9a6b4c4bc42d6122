"""One running hub for all tests of dashboards that need one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo.hub_only import HubOnly
from tests.hub.dashboards.looking import CONTROLS, FAILING, HOSTILE, PERSONAL, REPORT
from tests.hub.jupyterhub.homes import populated_home, publish, release


@pytest.fixture(scope="package")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubOnly]:
    home = tmp_path_factory.mktemp("dashboards") / "home"
    config = populated_home(home)
    running = HubOnly(home)
    # what reads the environment in plain words would be drawn for each viewer
    source = REPORT.replace("os.environ_", 'getattr(os, "envi" + "ron")').replace("PORT", str(running.ports["HUB"]))
    publish(config, "report", source)
    publish(config, "failing", FAILING)
    publish(config, "hostile", HOSTILE)
    publish(config, "controls", CONTROLS)
    publish(config, "personal", PERSONAL)
    release(config, "controls", "signed-in")
    with running:
        yield running
