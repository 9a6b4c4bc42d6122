"""Voila as JupyterHub starts it, behind the hub's proxy, with sandboxed kernels."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest
import websocket
from flip_hub import sandbox
from flip_hub.database import Database
from flip_hub.governance.people import close_account

from demo.hub_only import HubOnly
from demo.notebook_runner import Login, open_socket, request_message
from demo.people import Visitor
from demo.processes import wait_until
from tests.hub.jupyterhub.homes import ADA, BEN, OPEN, RUFUS, populated_home, publish

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("running-dashboards")]

REPORT = """
import json, os, pathlib, socket
print("results:", json.loads(pathlib.Path("jobs/j1.json").read_text())["answer"])
print("tokens:", [name for name in os.environ if "TOKEN" in name or name.startswith("FLIP")])
print("beside:", sorted(os.listdir("..")), sorted(os.listdir("../..")))
try:
    socket.create_connection(("127.0.0.1", int(os.environ["SERVER_PORT"])), 5)
    print("network: reached")
except OSError:
    print("network: refused")
try:
    open("new.txt", "w")
    print("folder: written")
except OSError:
    print("folder: refused")
"""
FAILING = "secret_word = 'marzipan'\nraise ValueError(secret_word)"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubOnly]:
    home = tmp_path_factory.mktemp("dashboards") / "home"
    config = populated_home(home)
    publish(config, "report", REPORT)
    publish(config, "failing", FAILING)
    with HubOnly(home) as running:
        yield running


def address(name: str) -> str:
    return f"/services/dashboards/voila/render/{OPEN}/{name}/notebook.ipynb"


def viewer(hub: HubOnly, login: Login) -> Visitor:
    return Visitor(hub.url, login.name, login.password)


@pytest.fixture(scope="module")
def page(hub: HubOnly) -> httpx.Response:
    """The report, as ada's browser gets it."""
    with closing(viewer(hub, ADA)) as ada:
        return ada.get(address("report"))


def test_somebody_not_signed_in_is_sent_to_sign_in(hub: HubOnly) -> None:
    answer = httpx.get(hub.url + address("report"))
    assert answer.status_code == 302
    assert "/hub/api/oauth2/authorize" in answer.headers["location"]
    assert httpx.get(hub.url + address("report"), follow_redirects=True).url.path == "/hub/login"


def test_members_see_the_results(hub: HubOnly, page: httpx.Response) -> None:
    assert page.status_code == 200
    assert "results: 42" in page.text
    with closing(viewer(hub, BEN)) as ben:
        assert "results: 42" in ben.get(address("report")).text


def test_others_are_refused(hub: HubOnly) -> None:
    with closing(viewer(hub, RUFUS)) as rufus:
        refused = rufus.get(address("report"))
        assert refused.status_code == 403
        assert '<p id="reason">' in refused.text


def test_somebody_whose_account_was_closed_is_refused(hub: HubOnly) -> None:
    with closing(viewer(hub, BEN)) as ben:
        assert ben.get(address("report")).status_code == 200
        database = Database.of(hub.config)
        close_account(database, BEN.name, by="tests")
        database.close()
        assert ben.get(address("report")).status_code == 403


@pytest.mark.skipif(not sandbox.usable(), reason="bubblewrap is missing or does not work here")
def test_its_kernel_sees_its_folder_and_nothing_else(page: httpx.Response) -> None:
    assert "tokens: []" in page.text
    assert "beside: [&#39;report&#39;] [&#39;open-project&#39;]" in page.text
    assert "network: refused" in page.text
    assert "folder: refused" in page.text


def test_sources_and_tracebacks_are_not_shown(hub: HubOnly, page: httpx.Response) -> None:
    assert "socket.create_connection" not in page.text
    with closing(viewer(hub, ADA)) as ada:
        assert "marzipan" not in ada.get(address("failing")).text


def test_the_page_is_confined_and_asks_nothing_of_the_internet(page: httpx.Response) -> None:
    assert "sandbox allow-scripts" in page.headers["content-security-policy"]
    assert not re.search(r"<(?:script|link|img)[^>]*(?:src|href)=[\"']https?://", page.text)


@pytest.mark.parametrize(
    "path",
    [
        "voila/tree",
        f"voila/files/{OPEN}/report/notebook.ipynb",
        f"voila/files/{OPEN}/report/jobs/j1.json",
        "voila/api/contents/",
        f"voila/render/{OPEN}/report/jobs/j1.json",
        f"voila/render/{OPEN}/unheard-of/notebook.ipynb",
        f"voila/render/{OPEN}/..%2F..%2Fhub.toml/notebook.ipynb",
        "api/contents",
        "login",
    ],
)
def test_there_is_nothing_but_published_pages(hub: HubOnly, path: str) -> None:
    with closing(viewer(hub, ADA)) as ada:
        assert ada.get(f"/services/dashboards/{path}").status_code == 404


def test_the_pages_own_parts_come_through_the_proxy(hub: HubOnly) -> None:
    with closing(viewer(hub, ADA)) as ada:
        assert ada.get("/services/dashboards/voila/static/voila.js").status_code == 200
        assert ada.get("/services/dashboards/voila/templates/flip/static/voila-style.js").status_code == 200
        assert ada.get("/services/dashboards/").url.path == "/services/flip/"


def test_a_kernel_is_reached_by_its_viewer_alone_and_runs_nothing_for_them(hub: HubOnly) -> None:
    with closing(viewer(hub, ADA)) as ada, closing(viewer(hub, RUFUS)) as rufus:
        found = re.search(r'"kernelId": "([0-9a-f-]{36})"', ada.get(address("report")).text)
        assert found is not None
        kernel = f"/services/dashboards/api/kernels/{found[1]}"
        assert ada.get(kernel).status_code == 200
        rufus.get("/services/dashboards/")
        rufus.get(address("report"))
        assert rufus.get(kernel).status_code == 403
        with pytest.raises(websocket.WebSocketBadStatusException):
            open_socket(rufus, f"{kernel}/channels")
        with closing(open_socket(ada, f"{kernel}/channels")) as socket:
            assert not parents_until_info(socket, "print('run by a viewer')")


def parents_until_info(socket: websocket.WebSocket, code: str) -> set[str]:
    """Ask to execute code, then for the kernel's information; returns whether anything answered the former."""
    execute = request_message("execute_request", {"code": code, "silent": False}, "s")
    information = request_message("kernel_info_request", {}, "s")
    for message in (execute, information):
        socket.send(json.dumps(message))
    parents: set[str] = set()
    while information["header"]["msg_id"] not in parents:
        parents.add(json.loads(socket.recv())["parent_header"].get("msg_id", ""))
    return parents & {execute["header"]["msg_id"]}


def test_a_page_that_is_closed_ends_its_kernel(hub: HubOnly) -> None:
    with closing(viewer(hub, ADA)) as ada:
        before = hub.pids("ipykernel_launcher")
        found = re.search(r'"kernelId": "([0-9a-f-]{36})"', ada.get(address("report")).text)
        assert found is not None
        started = hub.pids("ipykernel_launcher") - before
        assert started
        ended = ada.request("POST", f"/services/dashboards/voila/api/shutdown/{found[1]}")
        assert ended.status_code == 204
        wait_until(lambda: not hub.pids("ipykernel_launcher") & started, 20, "the kernel stays")
