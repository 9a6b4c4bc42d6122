"""One real JupyterHub, with its proxy, the governance service and workspaces, for all tests of a running hub."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import nbformat
import pytest

from demo.hub_only import HubOnly
from demo.notebook_runner import Workspace, run_notebook
from tests.hub.jupyterhub.homes import ADA, OPEN, populated_home
from tests.hub.upstream import serving

SITE = """
from flip_hub.jupyterhub import configure
configure(c)
c.Spawner.poll_interval = 1
"""

APPROVED = """
packages:
  - {name: apples, versions: <2, why: what tests install}
  - {name: pips, versions: "", why: what apples needs}
"""
Run = Callable[..., list[str]]


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubOnly]:
    folder = tmp_path_factory.mktemp("running")
    home = populated_home(folder / "home").home
    configuration = folder / "jupyterhub_config.py"
    configuration.write_text(SITE)
    (home / "packages.yaml").write_text(APPROVED)
    with serving() as index:
        with (home / "hub.toml").open("a") as settings:
            settings.write(f'package_index = "{index}"\n')
        with HubOnly(home, configuration) as running:
            yield running


@pytest.fixture(scope="session")
def workspace(hub: HubOnly) -> Iterator[Workspace]:
    """ada's workspace in the open project."""
    with closing(Workspace(hub.url, ADA, OPEN)) as opened:
        yield opened.open()


@pytest.fixture(scope="session")
def run_in() -> Run:
    """Run code in a workspace, through its kernel; returns each cell's printed text."""

    def run(workspace: Workspace, *cells: str) -> list[str]:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        workspace.save("asked.ipynb", notebook)
        done = run_notebook(workspace.hub_url, workspace.login, workspace.project, "asked.ipynb", lambda _: None)
        return ["".join(output.get("text", "") for output in cell.outputs).strip() for cell in done.cells]

    return run
