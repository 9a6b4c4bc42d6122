"""One table: who gets what of each dashboard, and of each file beneath it, before its release is revoked and after."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import tornado.web
import websocket
from flip_hub.dashboards.app import DashboardsApp, voila_config
from flip_hub.dashboards.page_policy import static_policy
from flip_hub.governance.office import Office
from flip_hub.home import make_home
from playwright.sync_api import sync_playwright
from tornado.routing import RuleRouter

from demo.browser import CHROMIUM
from demo.hub_only import HubOnly
from demo.notebook_runner import open_socket
from demo.people import Visitor
from demo.processes import wait_until
from tests.hub.dashboards.looking import (
    CONTROLS,
    FORBIDDEN,
    PERSONAL,
    address,
    kernel_of,
    parents_until_info,
    read_all,
    viewer,
)
from tests.hub.jupyterhub.homes import ADA, RUFUS, end_link, link, publish, release, revoke

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("running-dashboards")]
BASE = "/services/dashboards"
BOARDS = {"team-drawn": "print('for the team')", "team-live": CONTROLS, "team-personal": PERSONAL}
WITH_A_KERNEL = ("team-live", "team-personal")

# every handler that the service mounts → what it is asked for here
PAGE, KERNEL, SOCKET, STOP = "page", "kernel", "socket", "stop"
HANDLERS = {
    r"/voila/render/([a-z0-9][a-z0-9-]{0,39})/([a-z0-9][a-z0-9-]{0,39})/(?:([1-9][0-9]{0,5})/)?notebook\.ipynb": PAGE,
    r"/api/kernels/(?P<kernel_id>\w+-\w+-\w+-\w+-\w+)": KERNEL,
    r"/api/kernels/(?P<kernel_id>\w+-\w+-\w+-\w+-\w+)/channels": SOCKET,
    r"/voila/api/shutdown/(.*)": STOP,
    r"/voila/templates/(.*)": "/voila/templates/flip/static/voila-style.js",
    r"/voila/static/(.*)": "/voila/static/voila.js",
    r"/voila/labextensions/(.*)": "/voila/labextensions/@jupyter-widgets/jupyterlab-manager/package.json",
    # to the list of projects, which asks to sign in; and the end of a sign-in, which nobody began here
    r"/?": "/",
    r"/oauth_callback": "/oauth_callback",
}
FILES = [path for path in HANDLERS.values() if path.startswith("/voila/")]
BENEATH = ("1/page.html", "1/about.json", "1/thumbnail.svg", "1/content/notebook.ipynb", "1/content/jobs/j1.json")
BENEATH += ("thumbnail.svg", "jobs/j1.json", "content/", "")


def test_every_handler_of_the_service_is_in_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"API_TOKEN": "x", "API_URL": "http://127.0.0.1:1/hub/api", "SERVICE_URL": "http://127.0.0.1:1"}
    told |= {"SERVICE_PREFIX": f"{BASE}/", "SERVICE_NAME": "dashboards", "CLIENT_ID": "x", "BASE_URL": "/"}
    for name, value in told.items():
        monkeypatch.setenv(f"JUPYTERHUB_{name}", value)
    monkeypatch.setitem(sys.modules, "rfc3987_syntax", None)
    office = Office.of(make_home(tmp_path / "home", {}, by="tests"))
    app = DashboardsApp(config=voila_config(office.config, dict(os.environ)), flip_config=office.config, office=office)
    app.initialize([])
    served = tornado.web.Application(**app.init_settings())
    served.add_handlers(".*$", app.init_handlers())
    assert set(patterns(served.default_router)) == set(HANDLERS)
    office.database.close()


def patterns(router: RuleRouter) -> Iterator[str]:
    """The addresses that an application has a handler for, below the service's own."""
    for rule in router.rules:
        if isinstance(rule.target, RuleRouter):
            yield from patterns(rule.target)
        else:
            yield rule.matcher.regex.pattern.removeprefix(BASE).removesuffix("$")  # type: ignore[attr-defined]


@dataclass
class Stage:
    """Dashboards that are released to their team, and everybody who asks for them.

    Attributes:
        ask: how each asks for an address; who it is sent elsewhere, is not followed.
        kernels: of the member's page of each dashboard with a kernel.
        releases: to be revoked.
    """

    hub: HubOnly
    people: dict[str, Visitor | None]
    ask: dict[str, Callable[..., httpx.Response]]
    kernels: dict[str, str]
    releases: dict[str, str]

    def socket(self, who: str, path: str) -> int:
        """Open a websocket; returns the status of the answer."""
        try:
            if (person := self.people[who]) is None:
                url = self.hub.url.replace("http", "ws") + path
                websocket.create_connection(url, origin=self.hub.url, timeout=30).close()
            else:
                open_socket(person, path).close()
        except websocket.WebSocketBadStatusException as error:
            return error.status_code
        return 101


@pytest.fixture(scope="module")
def stage(hub: HubOnly) -> Iterator[Stage]:
    releases = {}
    for name, cell in BOARDS.items():
        publish(hub.config, name, cell)
        releases[name] = release(hub.config, name, "project")
    with ExitStack() as stack:
        ada, rufus = (stack.enter_context(closing(viewer(hub, login))) for login in (ADA, RUFUS))
        nobody = stack.enter_context(httpx.Client(base_url=hub.url, timeout=60, trust_env=False))
        rufus.get(f"{BASE}/voila/static/voila.js")
        kernels = {name: kernel_of(ada.get(address(name)).text) for name in WITH_A_KERNEL}
        ask = {"anonymous": nobody.request, "outsider": rufus.request, "member": ada.request}
        people = {"anonymous": None, "outsider": rufus, "member": ada}
        yield Stage(hub, people, ask, kernels, releases)


def status(stage: Stage, who: str, what: str, board: str) -> int:
    """How somebody who asks for something of a dashboard is answered."""
    if what == SOCKET:
        return stage.socket(who, f"{stage.kernels[board]}/channels")
    if what == STOP:
        return stage.ask[who](
            "POST", f"{BASE}/voila/api/shutdown/{stage.kernels[board].rpartition('/')[2]}"
        ).status_code
    if what == "end":
        return stage.ask[who]("DELETE", stage.kernels[board]).status_code
    path = {PAGE: address(board), KERNEL: stage.kernels.get(board, "")}.get(what, what)
    return looked(stage, who, path).status_code


def looked(stage: Stage, who: str, path: str) -> httpx.Response:
    """Open a page, and close it: its kernel gives its place to others."""
    answer = stage.ask[who]("GET", path)
    if answer.status_code == 200 and '"kernelId"' in answer.text:
        kernel_id = kernel_of(answer.text).rpartition("/")[2]
        assert stage.ask[who]("POST", f"{BASE}/voila/api/shutdown/{kernel_id}").status_code == 204
    return answer


TABLE = {
    # whoever is not signed in is sent to sign in by pages, and refused by what only a page's script asks for
    PAGE: {"anonymous": 302, "outsider": 403, "member": 200},
    "version": {"anonymous": 302, "outsider": 403, "member": 200},
    KERNEL: {"anonymous": 403, "outsider": 403, "member": 200},
    SOCKET: {"anonymous": 403, "outsider": 403, "member": 101},
    STOP: {"anonymous": 403, "outsider": 403},
    "end": {"anonymous": 403, "outsider": 403},
}


@pytest.mark.parametrize("who", ["anonymous", "outsider", "member"])
@pytest.mark.parametrize("board", BOARDS)
def test_what_is_released_to_a_team_is_its_teams(stage: Stage, board: str, who: str) -> None:
    asked = [PAGE, *([KERNEL, SOCKET, STOP, "end"] if board in WITH_A_KERNEL else [])]
    told = {what: status(stage, who, what, board) for what in asked if who in TABLE[what]}
    version = address(board).replace("notebook.ipynb", "1/notebook.ipynb")
    told["version"] = status(stage, who, version, board)
    assert told == {what: TABLE[what][who] for what in told}


@pytest.mark.parametrize("who", ["anonymous", "outsider", "member"])
@pytest.mark.parametrize("board", BOARDS)
def test_a_dashboard_has_no_file_beneath_it(stage: Stage, board: str, who: str) -> None:
    folder = address(board).removesuffix("notebook.ipynb")
    told = {path: status(stage, who, folder + path, board) for path in BENEATH}
    assert told == dict.fromkeys(BENEATH, 404)


@pytest.mark.parametrize("who", ["anonymous", "outsider", "member"])
def test_styles_and_scripts_are_for_those_who_are_signed_in(stage: Stage, who: str) -> None:
    """They are part of Voila and hold nothing of any dashboard."""
    told = {path: stage.ask[who]("GET", BASE + path).status_code for path in FILES}
    assert told == dict.fromkeys(FILES, 302 if who == "anonymous" else 200)
    assert stage.ask[who]("HEAD", BASE + FILES[0]).status_code == (302 if who == "anonymous" else 200)


@pytest.mark.parametrize("board", WITH_A_KERNEL)
def test_a_viewer_runs_nothing(stage: Stage, board: str) -> None:
    ada = stage.people["member"]
    assert ada is not None
    with closing(open_socket(ada, f"{stage.kernels[board]}/channels")) as socket:
        for message in FORBIDDEN:
            assert not parents_until_info(socket, message), message["header"]["msg_type"]


def test_what_is_released_to_everybody_and_drawn_is_read_without_signing_in(stage: Stage) -> None:
    publish(stage.hub.config, "open-drawn", "print('for everybody')", frames=["https://intranet.example.org"])
    publish(stage.hub.config, "open-live", CONTROLS)
    path, nobody = address("open-drawn"), stage.ask["anonymous"]
    assert nobody("GET", path).status_code == 302
    given, live = (release(stage.hub.config, name, "public") for name in ("open-drawn", "open-live"))
    # no request of theirs draws it; until it is drawn they are asked to come again
    wait_until(lambda: nobody("GET", path).status_code == 200, 60, "it is not drawn", every=0.5)
    page = nobody("GET", path)
    assert "for everybody" in page.text
    assert "<script" not in page.text
    assert page.headers["content-security-policy"] == static_policy(["https://intranet.example.org"])
    assert page.headers["cache-control"] == "public, no-cache"
    assert "set-cookie" not in page.headers
    assert embedded(stage, "https://intranet.example.org", path)
    assert not embedded(stage, "https://elsewhere.example.org", path)
    kept = {"If-None-Match": page.headers["etag"]}
    assert nobody("GET", path, headers=kept).status_code == 304
    # a draft that comes after it is its team's
    publish(stage.hub.config, "open-drawn", "print('a draft')")
    assert "for everybody" in nobody("GET", path).text
    assert nobody("GET", path.replace("notebook", "2/notebook")).status_code == 302
    # a page with controls takes a kernel of somebody
    live_path = address("open-live")
    wait_until(lambda: nobody("GET", live_path).status_code == 302, 60, "it is not drawn", every=0.5)
    assert looked(stage, "outsider", live_path).status_code == 200
    revoke(stage.hub.config, given)
    revoke(stage.hub.config, live)
    assert nobody("GET", path, headers=kept).status_code == 302
    assert stage.ask["outsider"]("GET", path).status_code in (403, 404)


SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-features=LocalNetworkAccessChecks"]
"""The hub of these tests is at the loopback, which Chromium would shut to pages of elsewhere by itself."""


def embedded(stage: Stage, origin: str, path: str) -> bool:
    """Whether a page of this origin shows a dashboard inside itself, in Chromium."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        page = chromium.new_page()
        outer = f'<h1>Outside</h1><iframe title="inside" src="{stage.hub.url}{path}"></iframe>'
        page.route(f"{origin}/**", lambda route: route.fulfill(body=outer, content_type="text/html"))
        page.goto(f"{origin}/")
        shown: bool = page.frames[1].get_by_text("for everybody").count() > 0
        chromium.close()
    return shown


def test_nobody_asks_without_end(stage: Stage) -> None:
    path = address("unheard-of")
    told = [stage.ask["anonymous"]("GET", path).status_code for _ in range(60)]
    assert set(told) == {302, 429}
    assert stage.ask["member"]("GET", path).status_code == 404


def test_a_link_admits_whom_it_names_until_it_ends(stage: Stage) -> None:
    boards = {name: link(stage.hub.config, name, RUFUS.name) for name in ("team-drawn", "team-live")}
    rufus = stage.people["outsider"]
    assert rufus is not None
    for name, (_, opening) in boards.items():
        assert stage.ask["anonymous"]("GET", opening).status_code == 302
        assert looked(stage, "member", opening).status_code == 404
        assert looked(stage, "outsider", address(name)).status_code == 403
        assert rufus.get(opening).status_code == 200
    page = rufus.get(address("team-live"))
    kernel = kernel_of(page.text)
    assert stage.ask["outsider"]("GET", kernel).status_code == 200
    # the team's own kernels stay theirs
    assert stage.ask["outsider"]("GET", stage.kernels["team-live"]).status_code == 403
    for name, (link_id, opening) in boards.items():
        end_link(stage.hub.config, link_id)
        assert looked(stage, "outsider", address(name)).status_code == 403
        assert looked(stage, "outsider", opening).status_code == 404
    wait_until(
        lambda: stage.ask["outsider"]("GET", kernel).status_code in (403, 404), 30, "its kernel goes on", every=0.2
    )


def test_what_is_revoked_is_gone_for_everybody_at_once(stage: Stage) -> None:
    ada = stage.people["member"]
    assert ada is not None
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(closing(open_socket(ada, f"{kernel}/channels"))) for kernel in stage.kernels.values()
        ]
        for board, given in stage.releases.items():
            revoke(stage.hub.config, given)
            told = {who: status(stage, who, PAGE, board) for who in ("outsider", "member")}
            assert told == {"outsider": 403, "member": 404}
            wait_until(lambda board=board: status(stage, "anonymous", PAGE, board) == 302, 30, "still busy")
        for socket in sockets:
            socket.settimeout(10)
            with pytest.raises(websocket.WebSocketException):
                read_all(socket)
    for board in WITH_A_KERNEL:
        wait_until(lambda board=board: status(stage, "member", KERNEL, board) in (403, 404), 10, "it goes on")
        assert status(stage, "member", SOCKET, board) in (403, 404)
