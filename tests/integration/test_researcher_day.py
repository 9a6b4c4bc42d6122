"""A professor's day in Chromium: from log-in to a trained model in FLIP's panel and a dashboard that others see.

Everything behind it runs for real. Pictures of each step are kept in ``build/screenshots/researcher-day-NN-*.png``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from demo.browser import CHROMIUM, Browser
from demo.people import ADA, CORA, CYRIL, PROJECT, SAM
from demo.platform import REPOSITORY
from demo.story import Story
from tests.integration.project_people import NOTEBOOK_MILLISECONDS, Cast, open_request

pytestmark = [
    pytest.mark.processes,
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("platform"),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed here"),
]
PURPOSE = "The committee of the hospitals reads how the model was trained."
NAME = "how-it-was-trained"
ADDRESS = f"/services/dashboards/voila/render/{PROJECT}/{NAME}/notebook.ipynb"
SERIOUS = {"serious", "critical"}


@pytest.fixture(scope="module")
def cast(new_story: Callable[..., Story]) -> Iterator[Cast]:
    story = new_story()
    with Browser(story.platform.hub_url, REPOSITORY / "build" / "screenshots") as browser:
        yield Cast(story, browser, PROJECT, pictures="researcher-day")


def test_from_log_in_to_a_dashboard_that_others_see(cast: Cast) -> None:
    page = _ada_logs_in_and_opens_her_workspace(cast)
    _she_trains_a_model_from_the_launcher(cast, page)
    _the_panel_shows_it(cast, page)
    _she_publishes_a_dashboard(cast, page)
    _nobody_else_sees_it_yet(cast)
    _two_checkers_let_it_out(cast)
    _sam_sees_it(cast)
    assert cast.browser.problems == []


def _ada_logs_in_and_opens_her_workspace(cast: Cast) -> Page:
    page = cast.at(ADA)
    cast.picture(page, "the-project")
    page.get_by_role("link", name="Open the workspace").or_(
        page.get_by_role("button", name="Open the workspace")
    ).first.click()
    page.wait_for_url(re.compile(f"/user/{ADA.name}/{PROJECT}/lab"))
    expect(page.locator("#jp-main-dock-panel")).to_be_visible()
    expect(_panel(page).get_by_role("meter")).to_have_count(len(cast.story.trusts))
    cast.shot(page, "the-workspace-with-its-panel")
    assert _faults(page, ".flip-widget") == []
    return page


def _she_trains_a_model_from_the_launcher(cast: Cast, page: Page) -> None:
    page.locator(".jp-LauncherCard", has_text="First federated model").click()
    expect(page.locator(".jp-NotebookPanel:visible .jp-Cell").first).to_be_visible()
    cast.browser.run_all_cells(page)
    expect(_panel(page).get_by_role("progressbar").first).to_be_visible()
    cast.shot(page, "the-model-is-trained")


def _the_panel_shows_it(cast: Cast, page: Page) -> None:
    cast.browser.wait_until_run(page, NOTEBOOK_MILLISECONDS)
    expect(page.locator(".jp-OutputArea-output[data-mime-type*=error]")).to_have_count(0)
    expect(_panel(page).get_by_text("completed").first).to_be_visible()
    spent = _panel(page).get_by_role("meter").first
    expect(spent).not_to_have_attribute("aria-valuetext", re.compile(r"^ε (\S+) of \1 left"))
    cast.shot(page, "the-trained-model-in-the-panel")


def _she_publishes_a_dashboard(cast: Cast, page: Page) -> None:
    page.locator(".jp-DirListing-item", has_text="dashboards").dblclick()
    page.locator(".jp-DirListing-item", has_text="training_report.ipynb").click(button="right")
    page.get_by_role("menuitem", name="Publish dashboard").click()
    dialog = page.get_by_role("dialog", name="Publish dashboard")
    dialog.get_by_label("Name").fill(NAME)
    dialog.get_by_role("checkbox").first.check()
    dialog.get_by_label("Everybody signed in to the hub").check()
    dialog.get_by_label("Purpose").fill(PURPOSE)
    expect(dialog.get_by_text("passes every check")).to_be_visible()
    expect(dialog.get_by_role("button", name="Publish", exact=True)).to_be_enabled()
    cast.shot(page, "she-publishes-a-dashboard")
    dialog.get_by_role("button", name="Publish", exact=True).click()
    dialog.get_by_role("button", name="Done").click()
    expect(_panel(page).get_by_role("link", name=NAME)).to_be_visible()
    cast.shot(page, "it-waits-for-two-checkers")


def _nobody_else_sees_it_yet(cast: Cast) -> None:
    page = cast.page(SAM)
    answer = page.goto(ADDRESS)
    assert answer is not None
    assert answer.status in {403, 404}
    cast.picture(page, "sam-does-not-see-it-yet")


def _two_checkers_let_it_out(cast: Cast) -> None:
    for checker in (CORA, CYRIL):
        page = cast.page(checker)
        open_request(page, PURPOSE)
        cast.picture(page, f"{checker.name}-decides")
        page.get_by_role("button", name="Approve", exact=True).click()
        expect(page.get_by_text("You have decided on every file that waited for you.")).to_be_visible()


def _sam_sees_it(cast: Cast) -> None:
    page = cast.page(SAM)
    page.goto("/services/flip/")
    page.get_by_role("link", name="Dashboards", exact=True).click()
    card = page.get_by_role("link", name="Training report", exact=True)
    expect(card).to_be_visible()
    cast.picture(page, "the-gallery-as-sam-sees-it")
    card.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Training report")
    assert page.url.endswith(ADDRESS)
    cast.picture(page, "the-dashboard-as-sam-sees-it")
    visitor = cast.browser.visitor()
    # no script runs on the page itself: axe-core is asked about a copy
    visitor.set_content(page.context.request.get(ADDRESS).text())
    assert _faults(visitor) == []
    answer = visitor.context.request.get(ADDRESS, max_redirects=0)
    assert answer.status == 302


def _panel(page: Page) -> Any:
    return page.get_by_role("region", name="FLIP project")


def _faults(page: Page, part: str | None = None) -> list[str]:
    """What axe-core finds that is serious, of the whole page or of FLIP's part in JupyterLab."""
    found: list[dict[str, Any]] = Axe().run(page, context=part).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found if one["impact"] in SERIOUS]
