"""A real JupyterHub with its proxy, the governance service and single-user servers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import nbformat
import pytest
from flip_hub import sandbox
from flip_sdk.contract.states import ProjectState

from demo.hub_only import REPOSITORY, HubOnly
from demo.notebook_runner import Login, Moment, NotebookError, Workspace, run_notebook
from demo.processes import PlatformError, kill, wait_until
from tests.hub.jupyterhub.homes import ADA, BEN, DRAFT, OPEN, OTHER, PASSING, RUFUS, populated_home, set_state

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("running-hub")]

SITE = """
from flip_hub.jupyterhub import configure
configure(c)
c.Spawner.poll_interval = 1
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubOnly]:
    folder = tmp_path_factory.mktemp("running")
    populated_home(folder / "home")
    configuration = folder / "jupyterhub_config.py"
    configuration.write_text(SITE)
    with HubOnly(folder / "home", configuration) as running:
        yield running


@pytest.fixture(scope="module")
def workspace(hub: HubOnly) -> Iterator[Workspace]:
    """ada's workspace in the open project."""
    with closing(Workspace(hub.url, ADA, OPEN)) as opened:
        yield opened.open()


def run_in(workspace: Workspace, *cells: str) -> list[str]:
    """Run code in the workspace, through its kernel; returns each cell's printed text."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    workspace.save("asked.ipynb", notebook)
    done = run_notebook(workspace.hub_url, workspace.login, workspace.project, "asked.ipynb", lambda _: None)
    return ["".join(output.get("text", "") for output in cell.outputs).strip() for cell in done.cells]


# ---- signing in


def test_signing_in_leads_to_the_projects(hub: HubOnly) -> None:
    with closing(Workspace(hub.url, ADA, OPEN)) as person:
        answer = person.visitor.get("/")
        assert (answer.status_code, answer.url.path) == (200, "/services/flip/")


def test_a_wrong_password_and_an_unknown_person_are_refused(hub: HubOnly) -> None:
    for login in (Login("rufus", "not the password"), Login("stranger", ADA.password)):
        with pytest.raises(PlatformError):
            Workspace(hub.url, login, OPEN)


def test_nobody_signs_up_by_themselves(hub: HubOnly) -> None:
    assert httpx.get(f"{hub.url}/hub/signup").status_code == 404


# ---- the gate


@pytest.mark.parametrize(("login", "project"), [(ADA, DRAFT), (ADA, OTHER), (ADA, "no-such-project"), (RUFUS, OPEN)])
def test_a_workspace_is_refused_with_its_reason(hub: HubOnly, login: Login, project: str) -> None:
    with closing(Workspace(hub.url, login, project)) as person:
        answer = person.visitor.get(f"/hub/spawn/{login.name}/{project}")
        assert answer.status_code == 403
        assert '<p id="reason">' in answer.text
        asked = person.visitor.hub_api("POST", f"users/{login.name}/servers/{project}")
        assert asked.status_code == 403
        assert asked.json()["message"]


def test_there_is_no_workspace_without_a_project(hub: HubOnly) -> None:
    with closing(Workspace(hub.url, ADA, "")) as person:
        assert person.visitor.get(f"/hub/spawn/{ADA.name}").status_code == 403
        asked = person.visitor.hub_api("POST", f"users/{ADA.name}/server")
        assert asked.status_code == 403


def test_an_unknown_address_says_so_and_leads_back(hub: HubOnly) -> None:
    with closing(Workspace(hub.url, ADA, "")) as person:
        answer = person.visitor.get("/hub/no/such/page")
        assert answer.status_code == 404
        assert "Nothing is at this address" in answer.text
        assert "services/flip/" in answer.text


def test_nobody_opens_a_colleagues_workspace(hub: HubOnly, workspace: Workspace) -> None:
    with closing(Workspace(hub.url, BEN, OPEN)) as colleague:
        assert colleague.visitor.get(f"{workspace.path}/api/contents").status_code in {403, 404}
        assert colleague.visitor.get(f"/hub/spawn/{ADA.name}/{OPEN}").status_code in {403, 404}


def test_a_workspace_closes_when_its_project_is_suspended(hub: HubOnly) -> None:
    with closing(Workspace(hub.url, ADA, PASSING)) as passing:
        passing.open()
        set_state(hub.config, PASSING, ProjectState.SUSPENDED)
        wait_until(lambda: not passing.is_ready(), 30, "the workspace stays open", last_words=hub.keeper.last_words)
        with pytest.raises(PlatformError):
            passing.open()


# ---- what a person may do at the hub


def test_nobody_makes_tokens(workspace: Workspace) -> None:
    answer = workspace.visitor.hub_api("POST", f"users/{ADA.name}/tokens", json={})
    assert answer.status_code == 403


def test_nobody_shares_a_workspace(workspace: Workspace) -> None:
    answer = workspace.visitor.hub_api("POST", f"shares/{ADA.name}/{OPEN}", json={"user": BEN.name})
    assert answer.status_code in {403, 404}


# ---- inside a workspace


def test_the_home_has_the_tutorials(workspace: Workspace) -> None:
    tutorials = workspace.request("GET", "api/contents/tutorials").json()["content"]
    wanted = {path.name for path in (REPOSITORY / "notebooks" / "tutorials").glob("*.ipynb")}
    assert wanted <= {file["name"] for file in tutorials}


def test_its_token_serves_the_governance_service_for_that_project_alone(workspace: Workspace) -> None:
    code = (
        "import json, os, urllib.request\n"
        "def ask(url):\n"
        "    headers = {'Authorization': 'token ' + os.environ['JUPYTERHUB_API_TOKEN']}\n"
        "    try: return json.load(urllib.request.urlopen(urllib.request.Request(url, headers=headers)))\n"
        "    except urllib.error.HTTPError as error: return {'status': error.code}\n"
    )
    me = "me = ask(os.environ['FLIP_HUB_API'] + '/me'); print(me['name'], me['workspace_project'])"
    hub = "api = os.environ['JUPYTERHUB_API_URL']\nprint(ask(api + '/users'), ask(api + '/users/ada/tokens'))"
    _, person, refused = run_in(workspace, code, me, hub)
    assert person == f"ada {OPEN}"
    assert refused == "{'status': 403} {'status': 403}"


def test_its_environment_holds_nothing_of_the_hubs(workspace: Workspace) -> None:
    names = run_in(workspace, "import os; print([n for n in os.environ if n.startswith(('FLIP_', 'CONFIGPROXY'))])")
    assert names == ["['FLIP_HUB_API', 'FLIP_PROJECT']"]


@pytest.mark.skipif(not sandbox.usable(), reason="bubblewrap is missing or does not work here")
def test_it_sees_none_of_the_hubs_files_and_none_of_other_peoples(hub: HubOnly, workspace: Workspace) -> None:
    paths = [hub.home / "keys", hub.home / "flip.db", hub.home / "jupyterhub", hub.home / "hub.toml"]
    seen = f"[path for path in {[str(path) for path in paths]} if os.path.exists(path)]"
    code = f"import os; print({seen}); print(os.listdir('../..'))"
    assert run_in(workspace, code) == [f"[]\n['{OPEN}']"]


def test_its_configuration_is_out_of_reach(workspace: Workspace) -> None:
    code = (
        "import os, pathlib\n"
        "place = pathlib.Path(os.environ['JUPYTER_CONFIG_DIR'])\n"
        "print(place.is_relative_to(pathlib.Path.home()), os.access(place, os.W_OK))"
    )
    writable = not sandbox.usable() and os.access(REPOSITORY / "hub", os.W_OK)
    assert run_in(workspace, code) == [f"False {writable}"]


def test_a_failing_cell_is_told_and_what_ran_is_saved(hub: HubOnly, workspace: Workspace) -> None:
    cells = [
        nbformat.v4.new_markdown_cell("# Sums"),
        *map(nbformat.v4.new_code_cell, ("print(40 + 2)", "1 / 0", "print('never')")),
    ]
    workspace.save("failing.ipynb", nbformat.v4.new_notebook(cells=cells))
    moments: list[Moment] = []
    with pytest.raises(NotebookError):
        run_notebook(hub.url, ADA, OPEN, "failing.ipynb", moments.append)
    assert [(moment.cell, moment.kind) for moment in moments] == [
        (1, "start"), (1, "output"), (1, "end"), (2, "start"), (2, "error"),
    ]  # fmt: skip
    saved = workspace.read("failing.ipynb").cells
    assert saved[1].outputs[0].text == "42\n"
    assert saved[2].outputs[0].ename == "ZeroDivisionError"
    assert saved[3].outputs == []


@pytest.mark.skipif(not sandbox.usable(), reason="bubblewrap is missing or does not work here")
def test_its_kernels_are_not_heard_over_the_network(workspace: Workspace) -> None:
    code = "import json, ipykernel; print(json.load(open(ipykernel.get_connection_file()))['transport'])"
    assert run_in(workspace, code) == ["ipc"]


# ---- downloads


@pytest.fixture(scope="module")
def files(workspace: Workspace) -> Workspace:
    """The workspace with a notebook, a text and a pickle in it."""
    run_in(
        workspace,
        "import pickle; open('x.pkl', 'wb').write(pickle.dumps(b'\\xff' * 9)); open('x.txt', 'w').write('text')",
    )
    return workspace


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("files/x.txt", 404),
        ("files/x.pkl", 404),
        ("files/asked.ipynb?download=1", 404),
        ("nbconvert/html/asked.ipynb?download=true", 403),
        ("nbconvert/script/asked.ipynb", 403),
        ("api/contents/x.txt?format=base64&type=file", 403),
        ("api/contents/asked.ipynb?format=base64&type=file", 403),
        ("api/contents/x.pkl", 403),
        ("api/contents/x.pkl?type=file", 403),
        ("api/terminals", 404),
        ("terminals/1", 404),
        ("voila/render/asked.ipynb", 404),
    ],
)
def test_each_way_out_is_closed(files: Workspace, path: str, status: int) -> None:
    assert files.request("GET", path).status_code == status


def test_no_terminal_is_opened(files: Workspace) -> None:
    assert files.request("POST", "api/terminals").status_code == 404


def test_files_are_still_worked_on(files: Workspace) -> None:
    assert files.request("GET", "api/contents/x.txt").json()["content"] == "text"
    assert files.request("GET", "api/contents/x.pkl?content=0").status_code == 200


def test_the_menus_offer_no_download(files: Workspace) -> None:
    page = files.request("GET", "lab").text
    for plugin in ("filebrowser-extension:download", "docmanager-extension:download", "notebook-extension:export"):
        assert plugin in page.partition("disabledExtensions")[2].partition("]")[0]
    answer = files.request(
        "POST", "lab/api/plugins", json={"cmd": "enable", "plugin_name": "@jupyterlab/docmanager-extension:download"}
    )
    assert answer.status_code >= 400


# ---- programs


def test_a_service_that_is_killed_comes_back(hub: HubOnly) -> None:
    (before,) = hub.pids("flip-hub serve")
    kill(before)
    wait_until(lambda: bool(hub.pids("flip-hub serve") - {before}), 30, "the service stays away")
    answers = lambda: httpx.get(f"{hub.url}/services/flip/api/health").status_code == 200  # noqa: E731
    wait_until(answers, 60, "the service does not answer", last_words=hub.keeper.last_words)


def test_logs_are_kept(hub: HubOnly, workspace: Workspace) -> None:
    logs = {path.name for path in (hub.home / "logs").iterdir()}
    assert {"jupyterhub.log", "flip.log", "dashboards.log", "idle-culler.log", f"workspace-{OPEN}-ada.log"} <= logs


def test_a_workspace_that_is_stopped_leaves_no_process(hub: HubOnly, files: Workspace) -> None:
    assert hub.pids("jupyterhub.singleuser")
    files.stop()
    wait_until(lambda: not hub.pids("jupyterhub.singleuser"), 40, "a server is left", last_words=hub.keeper.last_words)
    assert Path(hub.home / "workspaces" / OPEN / "ada" / "x.txt").read_text() == "text"
