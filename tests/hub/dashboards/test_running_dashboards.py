"""Voila as JupyterHub starts it, behind the hub's proxy, with sandboxed kernels."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest
import websocket
from flip_hub import sandbox
from flip_hub.database import Database
from flip_hub.governance.people import close_account
from playwright.sync_api import expect

from demo.browser import CHROMIUM, Browser
from demo.hub_only import REPOSITORY, HubOnly
from demo.notebook_runner import Login, open_socket, request_message
from demo.people import Visitor
from demo.processes import wait_until
from tests.hub.jupyterhub.homes import ADA, BEN, OPEN, RUFUS, populated_home, publish, release, revoke

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("running-dashboards")]

REPORT = """
import json, os, pathlib, socket
print("results:", json.loads(pathlib.Path("jobs/j1.json").read_text())["counts"]["aldgate"])
print("tokens:", [name for name in os.environ_ if "TOKEN" in name or name.startswith("FLIP")])
print("beside:", sorted(os.listdir("..")), sorted(os.listdir(".")), sorted(os.listdir("jobs")))
try:
    socket.create_connection(("127.0.0.1", PORT), 5)
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
HOSTILE = """
import os, signal, socket

def tried(what, how):
    try:
        how()
        print(what, "done")
    except (OSError, MemoryError) as error:
        print(what, "refused")

def fill():
    for number in range(40):
        with open(f"/tmp/{number}", "wb") as file:
            file.write(b"0" * 10**7)

def fork():
    children = []
    try:
        while len(children) < 200:
            child = os.fork()
            if child == 0:
                signal.pause()
            children.append(child)
    finally:
        for child in children:
            os.kill(child, 9)
            os.waitpid(child, 0)

tried("homes", lambda: os.listdir("/home"))
tried("names", lambda: socket.gethostbyname("example.org"))
tried("devices", lambda: open("/dev/shm/x", "w"))
tried("disk", fill)
for number in range(40):
    if os.path.exists(f"/tmp/{number}"):
        os.remove(f"/tmp/{number}")
tried("memory", lambda: bytearray(6 * 2**30))
tried("processes", fork)
print("others:", len([name for name in os.listdir("/proc") if name.isdigit()]) <= 2)
"""
CONTROLS = """
import ipywidgets
slider = ipywidgets.IntSlider(value=7, description="Persons")
ipywidgets.interact(lambda persons: print("twice as many:", 2 * persons), persons=slider)
"""
PERSONAL = """
import os
print("asked for:", os.environ.get("QUERY_STRING"))
"""


@pytest.fixture(scope="module")
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
    told = page.text.replace("&#x27;", "").replace("&#39;", "")
    assert "beside: [content] [jobs, notebook.ipynb] [j1.json]" in told
    assert "network: refused" in page.text
    assert "folder: refused" in page.text


@pytest.mark.skipif(not sandbox.usable(), reason="bubblewrap is missing or does not work here")
def test_a_hostile_notebook_takes_no_more_than_it_may(hub: HubOnly) -> None:
    with closing(viewer(hub, ADA)) as ada:
        told = ada.get(address("hostile")).text
    for what in ("homes", "names", "devices", "disk", "memory", "processes"):
        assert f"{what} refused" in told
    assert "others: True" in told


def test_sources_and_tracebacks_are_not_shown(hub: HubOnly, page: httpx.Response) -> None:
    assert "socket.create_connection" not in page.text
    with closing(viewer(hub, ADA)) as ada:
        assert "marzipan" not in ada.get(address("failing")).text


def test_the_page_is_confined_and_asks_nothing_of_the_internet(page: httpx.Response) -> None:
    assert page.headers["content-security-policy"].endswith("; sandbox")
    assert "<script" not in page.text
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


def kernel_of(page: str) -> str:
    found = re.search(r'"kernelId": "([0-9a-f-]{36})"', page)
    assert found is not None
    return f"/services/dashboards/api/kernels/{found[1]}"


def test_a_kernel_is_reached_by_its_viewer_alone_and_runs_nothing_for_them(hub: HubOnly) -> None:
    with closing(viewer(hub, ADA)) as ada, closing(viewer(hub, RUFUS)) as rufus:
        shown = ada.get(address("controls"))
        assert "sandbox allow-scripts" in shown.headers["content-security-policy"]
        kernel = kernel_of(shown.text)
        assert ada.get(kernel).status_code == 200
        rufus.get("/services/dashboards/")
        # rufus may look at it, in a kernel of his own
        assert kernel_of(rufus.get(address("controls")).text) != kernel
        assert rufus.get(kernel).status_code == 403
        with pytest.raises(websocket.WebSocketBadStatusException):
            open_socket(rufus, f"{kernel}/channels")
        with closing(open_socket(ada, f"{kernel}/channels")) as socket:
            for message in FORBIDDEN:
                assert not parents_until_info(socket, message), message["header"]["msg_type"]


def test_its_page_fetches_no_extension_but_those_that_draw_controls(hub: HubOnly) -> None:
    with closing(viewer(hub, ADA)) as ada:
        told = re.search(r'"federatedExtensions"|"federated_extensions"', page := ada.get(address("controls")).text)
    assert told is not None
    assert "jupyterlab-manager" in page
    assert not [other for other in ("@flip/lab", "dask-labextension", "jupyter-server-proxy") if other in page]


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed here")
def test_controls_work_in_a_viewers_browser(hub: HubOnly) -> None:
    with Browser(hub.url, REPOSITORY / "build" / "screenshots") as browser:
        page = browser.sign_in(RUFUS)
        page.goto(address("controls"))
        expect(page.get_by_text("twice as many: 14")).to_be_visible()
        slider = page.get_by_role("slider")
        slider.focus()
        slider.press("ArrowRight")
        expect(page.get_by_text("twice as many: 16")).to_be_visible()
        browser.picture(page, "dashboard-with-controls")
        assert browser.problems == []


def test_a_notebook_that_reads_who_looks_is_run_for_each_viewer(hub: HubOnly) -> None:
    with closing(viewer(hub, ADA)) as ada:
        assert "asked for: mine=1" in ada.get(f"{address('personal')}?mine=1").text
        assert "asked for: mine=2" in ada.get(f"{address('personal')}?mine=2").text


def test_pages_with_controls_wait_with_a_warm_kernel(hub: HubOnly) -> None:
    def warm() -> bool:
        return hub.pids("ipykernel_launcher") > set()

    wait_until(warm, 60, "no kernel is warm")
    with closing(viewer(hub, RUFUS)) as rufus:
        assert "kernelId" in rufus.get(address("controls")).text


def test_what_is_revoked_is_gone_at_once_with_its_open_pages(hub: HubOnly) -> None:
    publish(hub.config, "passing", CONTROLS)
    given = release(hub.config, "passing", "signed-in")
    with closing(viewer(hub, RUFUS)) as rufus:
        kernel = kernel_of(rufus.get(address("passing")).text)
        with closing(open_socket(rufus, f"{kernel}/channels")) as socket:
            revoke(hub.config, given)
            assert rufus.get(address("passing")).status_code in (403, 404)
            socket.settimeout(10)
            with pytest.raises(websocket.WebSocketException):
                read_all(socket)
        wait_until(lambda: rufus.get(kernel).status_code in (403, 404), 10, "its kernel goes on")
    wait_until(lambda: not (hub.config.dashboards / OPEN / "passing" / "1").exists(), 10, "its files stay")


def read_all(socket: websocket.WebSocket) -> None:
    """Read until it is closed."""
    while True:
        if not socket.recv():
            raise websocket.WebSocketConnectionClosedException


FORBIDDEN = [
    request_message("execute_request", {"code": "print('run by a viewer')", "silent": False}, "s"),
    request_message("complete_request", {"code": "pri", "cursor_pos": 3}, "s"),
    request_message("inspect_request", {"code": "slider", "cursor_pos": 3, "detail_level": 1}, "s"),
    request_message("history_request", {"hist_access_type": "tail", "n": 9, "raw": True, "output": True}, "s"),
    request_message("is_complete_request", {"code": "1"}, "s"),
    request_message("comm_open", {"comm_id": "x1", "target_name": "jupyter.widget", "data": {"state": {}}}, "s"),
    request_message("comm_close", {"comm_id": "x1", "data": {}}, "s"),
    {**request_message("debug_request", {"command": "attach"}, "s"), "channel": "control"},
    {**request_message("interrupt_request", {}, "s"), "channel": "control"},
    {**request_message("shutdown_request", {"restart": False}, "s"), "channel": "control"},
    {**request_message("input_reply", {"value": "1"}, "s"), "channel": "stdin"},
]
"""What a viewer's page would say to run something, or to make what the notebook did not."""


def parents_until_info(socket: websocket.WebSocket, forbidden: dict[str, Any]) -> set[str]:
    """Say what is forbidden, then ask for the kernel's information; returns whether anything answered the former."""
    information = request_message("kernel_info_request", {}, "s")
    for message in (forbidden, information):
        socket.send(json.dumps(message))
    parents: set[str] = set()
    while information["header"]["msg_id"] not in parents:
        parents.add(json.loads(socket.recv())["parent_header"].get("msg_id", ""))
    return parents & {forbidden["header"]["msg_id"]}


def test_a_page_that_is_closed_ends_its_kernel(hub: HubOnly) -> None:
    with closing(viewer(hub, ADA)) as ada:
        kernel = kernel_of(ada.get(address("controls")).text)
        kernel_id = kernel.rpartition("/")[2]
        assert hub.pids(kernel_id)
        ended = ada.request("POST", f"/services/dashboards/voila/api/shutdown/{kernel_id}")
        assert ended.status_code == 204
        wait_until(lambda: not hub.pids(kernel_id), 20, "the kernel stays")
