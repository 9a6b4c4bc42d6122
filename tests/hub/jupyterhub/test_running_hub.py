"""A real JupyterHub with its proxy, the governance service and single-user servers."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import httpx
import nbformat
import pytest
from flip_hub import sandbox
from flip_hub.audit import export
from flip_hub.cli import app
from flip_hub.database import Database
from flip_sdk.contract.states import ProjectState
from typer.testing import CliRunner

from demo.hub_only import REPOSITORY, HubOnly
from demo.notebook_runner import Login, Moment, NotebookError, Workspace, run_notebook
from demo.processes import PlatformError, kill, wait_until
from tests.hub.jupyterhub.conftest import Run
from tests.hub.jupyterhub.homes import ADA, BEN, DRAFT, OPEN, OTHER, PASSING, RUFUS, set_state

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("running-hub")]


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


def test_its_token_serves_the_governance_service_for_that_project_alone(workspace: Workspace, run_in: Run) -> None:
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


def test_its_environment_holds_nothing_of_the_hubs(workspace: Workspace, run_in: Run) -> None:
    names = run_in(workspace, "import os; print([n for n in os.environ if n.startswith(('FLIP_', 'CONFIGPROXY'))])")
    assert names == ["['FLIP_HUB_API', 'FLIP_PROJECT']"]


@pytest.mark.skipif(not sandbox.usable(), reason="bubblewrap is missing or does not work here")
def test_it_sees_none_of_the_hubs_files_and_none_of_other_peoples(
    hub: HubOnly, workspace: Workspace, run_in: Run
) -> None:
    paths = [hub.home / "keys", hub.home / "flip.db", hub.home / "jupyterhub", hub.home / "hub.toml"]
    seen = f"[path for path in {[str(path) for path in paths]} if os.path.exists(path)]"
    code = f"import os; print({seen}); print(os.listdir('../..'))"
    assert run_in(workspace, code) == [f"[]\n['{OPEN}']"]


def test_its_configuration_is_out_of_reach(workspace: Workspace, run_in: Run) -> None:
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
def test_its_kernels_are_not_heard_over_the_network(workspace: Workspace, run_in: Run) -> None:
    code = "import json, ipykernel; print(json.load(open(ipykernel.get_connection_file()))['transport'])"
    assert run_in(workspace, code) == ["ipc"]


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


def test_a_workspace_that_is_stopped_leaves_no_process(hub: HubOnly, workspace: Workspace) -> None:
    assert hub.pids("jupyterhub.singleuser")
    workspace.stop()
    wait_until(lambda: not hub.pids("jupyterhub.singleuser"), 40, "a server is left", last_words=hub.keeper.last_words)
    assert Path(hub.home / "workspaces" / OPEN / "ada" / "asked.ipynb").is_file()


def test_one_command_off_boards_a_person(hub: HubOnly) -> None:
    with closing(Workspace(hub.url, BEN, OPEN)) as leaving:
        leaving.open()
        done = CliRunner().invoke(app, ["people", "leave", BEN.name, "--home", str(hub.home)], env=dict(hub.environ))
        assert done.exit_code == 0, done.output
        assert OPEN in done.output
        assert not leaving.is_ready()
        assert leaving.visitor.get("/hub/home").url.path == "/hub/login"
    assert not hub.pids("jupyterhub.singleuser")
    assert (hub.home / "workspaces" / OPEN / BEN.name / "tutorials").is_dir()
    with pytest.raises(PlatformError):
        Workspace(hub.url, BEN, OPEN)
    database = Database.of(hub.config)
    with database.read() as session:
        (entry,) = [row for row in export(session) if row["event"] == "person.left"]
    database.close()
    assert (entry["details"]["workspaces"], entry["details"]["account"]) == ([OPEN], True)
    again = CliRunner().invoke(app, ["people", "leave", BEN.name, "--home", str(hub.home)], env=dict(hub.environ))
    assert again.exit_code == 0, again.output
    assert "there is no account" in again.output
