"""Dask in a workspace: its dashboard is seen through the workspace's own server, and nothing else is."""

from __future__ import annotations

from contextlib import closing

import nbformat
import pytest
from playwright.sync_api import expect

from demo.browser import Browser
from demo.hub_only import REPOSITORY, HubOnly
from demo.notebook_runner import Workspace, run_cells
from tests.hub.jupyterhub.homes import ADA, BEN, OPEN

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("running-hub")]


def test_a_dask_cluster_is_watched_through_its_workspace_and_shows_nothing_else(
    hub: HubOnly, workspace: Workspace
) -> None:
    code = nbformat.v4.new_code_cell("import flip_sdk as flip\nclient = flip.dask_client(1)")
    with workspace.kernel("asked.ipynb") as kernel:
        run_cells(kernel, nbformat.v4.new_notebook(cells=[code]), lambda _: None, 90)
        (cluster,) = workspace.request("GET", "dask/clusters").json()
        panes = cluster["dashboard_link"].removeprefix(workspace.path + "/").removesuffix("status")
        page = workspace.request("GET", panes + "individual-task-stream")
        assert "sandbox allow-scripts allow-same-origin" in page.headers["content-security-policy"]
        assert "Individual Progress" in workspace.request("GET", panes + "individual-plots.json").json()
        for path in ("info/main/workers.html", "json/counts.json", "static/../json/counts.json", "proxy/80/localhost/"):
            assert workspace.request("GET", panes + path).status_code == 404, path
        assert workspace.request("POST", panes + "status").status_code == 405
        for method in ("PUT", "PATCH"):
            assert workspace.request(method, "dask/clusters", json={}).status_code == 403
        elsewhere = workspace.request("GET", "dask/dashboard-check/http%3A%2F%2F127.0.0.1%3A8081%2Fhub%2Fapi")
        assert elsewhere.json()["isActive"] is False
        with closing(Workspace(hub.url, BEN, OPEN)) as colleague:
            assert colleague.visitor.get(cluster["dashboard_link"]).status_code in {403, 404}
    assert workspace.request("GET", "dask/clusters").json() == []


@pytest.mark.browser
@pytest.mark.slow
def test_the_panes_of_dask_move_in_jupyterlab(hub: HubOnly, workspace: Workspace) -> None:
    begin = "import time, flip_sdk as flip\nclient = flip.dask_client()"
    work = "def slow(number):\n    time.sleep(0.1)\n    return number\nsum(client.gather(client.map(slow, range(300))))"
    cells = [nbformat.v4.new_code_cell(code) for code in (begin, work)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    workspace.save("dask.ipynb", nbformat.v4.new_notebook(cells=cells, metadata=kernel))
    with Browser(hub.url, REPOSITORY / "build" / "screenshots") as browser:
        page = browser.sign_in(ADA)
        browser.open_notebook(page, ADA.name, OPEN, "dask.ipynb")
        browser.run_all_cells(page)
        page.locator(".lm-TabBar-tab[title='Dask']").click()
        for name in ("Progress", "Workers", "Task Stream"):
            page.locator(".dask-DashboardListing-item").get_by_text(name, exact=True).click()
        stream = page.frame_locator("iframe[src*='individual-task-stream']")
        expect(stream.locator(".bk-Figure")).to_be_visible()
        models = "window.Bokeh && Bokeh.documents.length ? [...Bokeh.documents[0]._all_models.values()] : []"
        drawn = f"({models}).some(one => one.type === 'ColumnDataSource' && (one.data.start || []).length > 0)"
        (frame,) = [one for one in page.frames if "individual-task-stream" in one.url]
        frame.wait_for_function(f"() => {drawn}")
        browser.picture(page, "lab-dask")
        assert browser.problems == []
