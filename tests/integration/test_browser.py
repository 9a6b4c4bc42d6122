"""What ada and others see in Debian's Chromium, with everything behind it running for real. Pictures are kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from demo.browser import CHROMIUM, Browser
from demo.notebook_runner import Login
from demo.people import ADA, PROJECT, RUFUS
from demo.platform import REPOSITORY
from demo.story import DASHBOARD, TUTORIAL, Story

pytestmark = [
    pytest.mark.processes,
    pytest.mark.browser,
    pytest.mark.xdist_group("platform"),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed here"),
]
TUTORIAL_MILLISECONDS = 300_000


@pytest.fixture(scope="module")
def browser(story: Story) -> Iterator[Browser]:
    with Browser(story.platform.hub_url, REPOSITORY / "build" / "screenshots") as opened:
        yield opened


@pytest.fixture(scope="module")
def ada(browser: Browser, story: Story) -> Page:
    return browser.sign_in(Login(ADA.name, story.password))


@pytest.fixture(scope="module")
def tutorial(browser: Browser, ada: Page) -> dict[str, Any]:
    """The tutorial's notebook, as the workspace has it after ada ran all of it in JupyterLab."""
    browser.open_workspace(ada, ADA.name, PROJECT)
    panel = ada.get_by_role("region", name="FLIP project")
    expect(panel.get_by_role("meter").first).to_be_visible()
    browser.picture(ada, "3-workspace")
    browser.open_notebook(ada, ADA.name, PROJECT, TUTORIAL)
    browser.run_all_cells(ada)
    training = ada.get_by_text(re.compile(r"train: .*round \d+ of")).first
    expect(training).to_be_visible(timeout=TUTORIAL_MILLISECONDS)
    training.evaluate("one => one.scrollIntoView({block: 'center'})")
    browser.picture(ada, "4-tutorial-running")
    browser.wait_until_run(ada, TUTORIAL_MILLISECONDS)
    # the panel went on by itself meanwhile
    expect(panel.get_by_role("listitem").filter(has_text="train").filter(has_text="completed").first).to_be_visible()
    browser.picture(ada, "5-tutorial-done")
    saved = ada.context.request.get(f"/user/{ADA.name}/{PROJECT}/api/contents/{TUTORIAL}")
    content: dict[str, Any] = saved.json()["content"]
    return content


def test_the_sign_in_page(browser: Browser) -> None:
    page = browser.visitor()
    page.goto("/")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    browser.picture(page, "1-sign-in")


def test_after_signing_in_a_person_sees_their_project(browser: Browser, ada: Page) -> None:
    ada.goto(f"/services/flip/projects/{PROJECT}")
    expect(ada.get_by_role("link", name=re.compile("workspace", re.IGNORECASE)).first).to_be_visible()
    browser.picture(ada, "2-project", whole=True)


def test_the_catalogue_shows_what_the_trusts_hold(browser: Browser, ada: Page) -> None:
    ada.goto(f"/services/flip/projects/{PROJECT}")
    ada.get_by_role("link", name="What these Trusts hold").click()
    expect(ada.get_by_role("heading", name="Freshness")).to_be_visible()
    ada.get_by_label("Name or number").fill("radius")
    ada.get_by_role("button", name="Search").click()
    expect(ada.get_by_text("mean radius")).to_be_visible()
    assert ada.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    browser.picture(ada, "2b-catalogue", whole=True)
    ada.set_viewport_size({"width": 390, "height": 844})
    assert ada.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    browser.picture(ada, "2c-catalogue-on-a-phone", whole=True)
    ada.set_viewport_size({"width": 1280, "height": 900})


def test_a_workspace_that_may_not_be_opened_says_why(browser: Browser, story: Story) -> None:
    page = browser.sign_in(Login(RUFUS.name, story.password))
    page.goto(f"/hub/spawn/{RUFUS.name}/{PROJECT}")
    expect(page.locator("#reason")).not_to_be_empty()
    browser.picture(page, "7-workspace-refused")


def test_the_tutorial_runs_in_the_workspace(tutorial: dict[str, Any]) -> None:
    cells = [cell for cell in tutorial["cells"] if cell["cell_type"] == "code"]
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert [output["evalue"] for output in outputs if output["output_type"] == "error"] == []
    assert all(cell["execution_count"] for cell in cells)


@pytest.mark.usefixtures("tutorial")
def test_its_dashboard_opens_for_members_and_for_nobody_else(browser: Browser, ada: Page, story: Story) -> None:
    ada.goto(f"/services/flip/projects/{PROJECT}")
    browser.picture(ada, "6-project-with-jobs", whole=True)
    address = ada.locator(f"a[href*='/{DASHBOARD}/']").first.get_attribute("href")
    assert address
    browser.open_dashboard(ada, address)
    expect(ada.get_by_role("heading", name="How good is the model?")).to_be_visible()
    browser.picture(ada, "8-dashboard", whole=True)
    outsider = browser.sign_in(Login(RUFUS.name, story.password))
    refused = outsider.goto(address)
    assert refused is not None
    assert refused.status == 403
    expect(outsider.locator("#reason")).not_to_be_empty()
    browser.picture(outsider, "9-dashboard-refused")


def test_no_page_fails_or_asks_anything_of_the_internet(browser: Browser) -> None:
    assert browser.problems == []
