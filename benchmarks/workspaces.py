"""How long a person waits: from the sign-in form to a kernel's first answer, at a real JupyterHub.

The peer is a stock JupyterHub with its own SimpleLocalProcessSpawner on the same machine: no sandbox, no gate, no home
per project. Both start from nothing each time; the first start of each is left out, since it reads the disk.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import nbformat
from flip_hub.config import HubConfig
from flip_hub.jupyterhub.proxy import node, node_modules

from benchmarks.rows import Row
from benchmarks.workspaces_hub import LOGIN, PASSWORD, PROJECT, make_home
from demo.cells import CellOutputs
from demo.hub_only import HubOnly
from demo.notebook_runner import Workspace
from demo.processes import Keeper, Program, free_ports, wait_until

ROUNDS = 3
SECONDS = 8.0
_STOCK = """
c.JupyterHub.bind_url = "http://127.0.0.1:{hub}"
c.JupyterHub.hub_port = {api}
c.JupyterHub.allow_named_servers = True
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.db_url = "sqlite://"
c.JupyterHub.cookie_secret_file = "{folder}/cookie_secret"
c.DummyAuthenticator.password = "{password}"
c.Authenticator.allow_all = True
c.SimpleLocalProcessSpawner.home_dir_template = "{folder}/{{username}}"
c.Spawner.default_url = "/lab"
c.Spawner.cmd = {command}
c.ConfigurableHTTPProxy.command = {proxy}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_api}"
c.ConfigurableHTTPProxy.pid_file = "{folder}/proxy.pid"
"""


def run() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        config = make_home(Path(folder) / "home")
        with HubOnly(config.home, dashboards=True) as hub:
            ours = _waits(hub.url)
        with _stock(Path(folder), config) as url:
            peer = _waits(url)
    mine, theirs = statistics.median(ours), statistics.median(peer)
    yield Row(
        name="workspaces/from the sign-in form to a kernel's answer",
        ours=mine,
        peer=theirs,
        unit="s (lower is better)",
        ratio=mine / theirs,
        bar=f"under {SECONDS:g} s",
        holds=mine < SECONDS,
    )


def _waits(url: str) -> list[float]:
    return [_wait(url) for _ in range(ROUNDS + 1)][1:]


def _wait(url: str) -> float:
    """Sign in, open the workspace, run a cell; then stop it, so that the next one starts from nothing."""
    notebook = nbformat.v4.new_notebook(cells=[cell := nbformat.v4.new_code_cell("6 * 7")])
    began = time.perf_counter()
    with closing(Workspace(url, LOGIN, PROJECT)) as workspace:
        workspace.open()
        with workspace.kernel("first.ipynb") as kernel:
            shown = [text for _, text in kernel.run(cell.source, CellOutputs(cell, notebook), 60)]
            took = time.perf_counter() - began
        if not any("42" in text for text in shown):
            raise RuntimeError(f"the kernel answered {shown}")
        workspace.stop()
        wait_until(lambda: not workspace.is_ready(), 30, "the workspace stops")
    return took


@contextmanager
def _stock(folder: Path, config: HubConfig) -> Iterator[str]:
    """A JupyterHub as it comes, over the same proxy and packages."""
    ports = free_ports(("hub", "api", "proxy_api"))
    (folder / LOGIN.name).mkdir()
    proxy = [str(node()), str(node_modules(config) / "configurable-http-proxy" / "bin" / "configurable-http-proxy")]
    command = [sys.executable, "-m", "jupyterhub.singleuser", *(["--allow-root"] if os.geteuid() == 0 else [])]
    settings = folder / "stock.py"
    settings.write_text(
        _STOCK.format(folder=folder, password=PASSWORD, proxy=proxy, command=command, **ports), encoding="utf-8"
    )
    url = f"http://127.0.0.1:{ports['hub']}"
    program = (str(Path(sys.executable).with_name("jupyterhub")), "-f", str(settings))
    keeper = Keeper(Program("stock", program, {}, folder), folder)
    answers: Callable[[], bool] = lambda: _health(url)  # noqa: E731
    try:
        wait_until(answers, 60, "the stock JupyterHub does not answer", last_words=keeper.last_words)
        yield url
    finally:
        keeper.ask_to_stop()
        keeper.wait(40)


def _health(url: str) -> bool:
    try:
        return httpx.get(f"{url}/hub/health", trust_env=False).is_success
    except httpx.HTTPError:
        return False
