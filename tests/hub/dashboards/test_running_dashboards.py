"""Voila as JupyterHub starts it, behind the hub's proxy, with sandboxed kernels."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpx
import psutil
import pytest
import websocket
from flip_hub import sandbox
from flip_hub.database import Database
from flip_hub.governance.people import close_account
from playwright.sync_api import expect

from demo.browser import CHROMIUM, Browser
from demo.hub_only import REPOSITORY, HubOnly
from demo.notebook_runner import open_socket
from demo.processes import wait_until
from tests.hub.dashboards.looking import (
    CONTROLS,
    FORBIDDEN,
    address,
    kernel_of,
    parents_until_info,
    read_all,
    viewer,
)
from tests.hub.jupyterhub.homes import ADA, BEN, OPEN, RUFUS, publish, release, revoke

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("running-dashboards")]


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
        page.goto(address("controls"), wait_until="commit")
        expect(page).to_have_title("The report – FLIP hub")
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
        page = rufus.get(address("controls")).text
        assert "kernelId" in page
        assert '<template shadowrootmode="open">' in page  # what was drawn, until its controls work
        assert "<!--flip:" not in page


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


def test_a_page_that_is_closed_ends_its_kernel(hub: HubOnly) -> None:
    with closing(viewer(hub, ADA)) as ada:
        kernel = kernel_of(ada.get(address("controls")).text)
        kernel_id = kernel.rpartition("/")[2]
        assert hub.pids(kernel_id)
        ended = ada.request("POST", f"/services/dashboards/voila/api/shutdown/{kernel_id}")
        assert ended.status_code == 204
        wait_until(lambda: not hub.pids(kernel_id), 20, "the kernel stays")


def test_a_page_whose_kernel_is_killed_as_it_starts_ends_and_says_so(hub: HubOnly) -> None:
    """Voila alone would send signs of life for ever."""
    before = kernels_of(hub)
    with ThreadPoolExecutor(1) as other, closing(viewer(hub, ADA)) as ada:
        asked = other.submit(ada.get, address("personal"))
        wait_until(lambda: kernels_of(hub) - before, 60, "no kernel was started", every=0.01)
        for kernel in kernels_of(hub) - before:
            kernel.kill()
        page = asked.result(timeout=60)
    assert "could not be made" in page.text
    with closing(viewer(hub, ADA)) as ada:
        assert "asked for:" in ada.get(address("personal")).text


def kernels_of(hub: HubOnly) -> set[psutil.Process]:
    """The processes of the service's kernels."""
    found = set()
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if "ipykernel_launcher" in line and any(str(hub.home) in word for word in line):
            found.add(process)
    return found
