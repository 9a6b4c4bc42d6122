"""A researcher at JupyterLab in Chromium: the panel, a job as it runs, a release, a dashboard and a cohort."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from flip_sdk.contract.states import JobState
from flip_sdk.project import Project
from flip_sdk.testing import FakeHub
from playwright.sync_api import Page, expect, sync_playwright

import flip_sdk
from demo.browser import CHROMIUM
from demo.processes import wait_until
from tests.lab.running import TOKEN, RunningLab

pytestmark = [pytest.mark.processes, pytest.mark.browser, pytest.mark.xdist_group("lab")]
PICTURES = Path(__file__).parents[2] / "build" / "screenshots"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SLOW = 30_000
PURPOSE = "Table 1 of the paper, for its readers."


@pytest.fixture(scope="module")
def page(lab: RunningLab) -> Iterator[Page]:
    expect.set_options(timeout=SLOW)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(
            viewport={"width": 1440, "height": 900},
            permissions=["clipboard-read", "clipboard-write"],
            reduced_motion="reduce",
        )
        opened = context.new_page()
        opened.set_default_timeout(SLOW)
        errors: list[str] = []
        opened.on("pageerror", lambda error: errors.append(str(error)))
        opened.goto(f"{lab.address}/lab?token={TOKEN}")
        yield opened
        browser.close()
    assert errors == []


@pytest.fixture(scope="module")
def researcher(lab_hub: FakeHub, lab: RunningLab) -> Project:
    """As a notebook has the project."""
    return flip_sdk.connect(lab_hub.api, lab_hub.token, transport=lab_hub.transport).project(lab_hub.view.project_id)


def picture(page: Page, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")


def broken(page: Page, part: str) -> list[str]:
    """What of WCAG 2.2 AA axe-core finds broken in one of FLIP's parts; JupyterLab's own are not ours."""
    found: list[dict[str, Any]] = Axe().run(page, context=part, options={"runOnly": WCAG}).response["violations"]
    return [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]


def panel(page: Page) -> Any:
    return page.get_by_role("region", name="FLIP project")


def test_the_panel_shows_the_project_and_its_budget(page: Page, lab_hub: FakeHub) -> None:
    expect(panel(page).get_by_role("heading", level=2)).to_have_text(lab_hub.view.application.title)
    meters = panel(page).get_by_role("meter")
    expect(meters).to_have_count(len(lab_hub.trusts))
    expect(meters.first).to_have_attribute("aria-valuetext", "ε 10 of 10 left")
    expect(page.get_by_role("button", name="the least of the project")).to_be_visible()
    assert broken(page, ".flip-widget") == []
    picture(page, "lab-panel")


def test_a_job_is_watched_and_cancelled_by_keyboard(page: Page, lab_hub: FakeHub, researcher: Project) -> None:
    researcher.count(epsilon=0.1)
    privacy = flip_sdk.Privacy(epsilon=2, delta=1e-5)
    features = researcher.catalogue().features()[:4]
    job = researcher.train(torch.nn.Linear(4, 1), features=features, label="malignant", privacy=privacy, rounds=400)
    bar = panel(page).get_by_role("progressbar", name=f"Progress of train {job.id}")
    expect(bar).to_have_attribute("aria-valuetext", re.compile(r"round \d+ of 400"))
    expect(panel(page).locator(".flip-curve path")).to_be_visible()
    picture(page, "lab-job")

    cancel = panel(page).get_by_role("button", name=f"Cancel train {job.id}")
    cancel.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Let it run")).to_be_focused()
    assert broken(page, ".flip-widget") == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("alertdialog")).to_have_count(0)
    cancel.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")

    expect(panel(page).get_by_text("cancelled", exact=True).first).to_be_visible()
    wait_until(lambda: lab_hub.jobs[job.id].view.state is JobState.CANCELLED, 30, "it is cancelled")
    expect(page.locator(".flip-widget [aria-live=polite]").first).to_contain_text("cancelled")


def choose(page: Page, file: str, command: str) -> Any:
    page.locator(".jp-DirListing-item", has_text=file).click(button="right")
    page.get_by_role("menuitem", name=command).click()
    return page.get_by_role("dialog", name=command.removesuffix(" …"))


def test_what_cannot_leave_is_told_before_anything_is_sent(page: Page, lab_hub: FakeHub) -> None:
    before = len(lab_hub.airlock.requests)
    dialog = choose(page, "weights.pkl", "Request release …")
    expect(dialog.get_by_text("cannot be released as it is")).to_be_visible()
    dialog.get_by_label("Purpose").fill(PURPOSE)
    expect(dialog.get_by_role("button", name="Ask for release")).to_be_disabled()
    picture(page, "lab-release-blocked")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert len(lab_hub.airlock.requests) == before


def test_a_release_is_asked_for_with_its_checks_shown(page: Page, lab_hub: FakeHub) -> None:
    dialog = choose(page, "table.csv", "Request release …")
    expect(dialog.get_by_text("Fewer than 10 persons")).to_be_visible()
    assert broken(page, ".flip-dialog") == []
    dialog.get_by_label("Purpose").fill(PURPOSE)
    dialog.get_by_label("Context").fill("Persons by sex, as the count of the whole cohort released them.")
    dialog.get_by_role("checkbox").first.check()
    dialog.get_by_label("Everybody who is signed in to the hub").check()
    picture(page, "lab-release")
    dialog.get_by_role("button", name="Ask for release").click()
    expect(dialog.get_by_text("Asked for.")).to_be_visible()
    dialog.get_by_role("button", name="Done").click()
    request = list(lab_hub.airlock.requests.values())[-1]
    assert request.audience == "signed-in"
    assert request.outputs[0].statement.jobs
    expect(panel(page).get_by_text(PURPOSE).first).to_be_visible()


def test_a_notebook_becomes_a_dashboard(page: Page, lab_hub: FakeHub) -> None:
    dialog = choose(page, "report.ipynb", "Publish dashboard …")
    expect(dialog.get_by_text("passes every check")).to_be_visible()
    name = dialog.get_by_label("Name")
    expect(name).to_have_value("report")
    name.fill("board")
    dialog.get_by_label("Everybody, once two output checkers agree").check()
    dialog.get_by_label("Purpose").fill("The committee reads it.")
    dialog.get_by_label("Context").fill("Accuracy by Trust, of the evaluation named below.")
    assert broken(page, ".flip-dialog") == []
    picture(page, "lab-publish")
    dialog.get_by_role("button", name="Publish", exact=True).click()
    dialog.get_by_role("button", name="Done").click()
    expect(panel(page).get_by_role("link", name="board")).to_be_visible()
    statement = list(lab_hub.airlock.requests.values())[-1].outputs[0].statement
    assert statement.dashboard == "board"
    assert statement.context == "Accuracy by Trust, of the evaluation named below."


def test_a_cohort_is_built_and_counted_by_keyboard(page: Page, lab_hub: FakeHub) -> None:
    jobs = len(lab_hub.jobs)
    panel(page).get_by_role("button", name="Build a cohort").press("Enter")
    builder = page.locator(".flip-builder")
    builder.get_by_role("button", name="Add an age").press("Enter")
    builder.get_by_role("button", name="Add a rule").press("Enter")
    search = builder.get_by_role("combobox", name="Rule 2: condition")
    search.focus()
    page.keyboard.type("mal")
    expect(builder.get_by_role("listbox").get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(builder.get_by_text("Persons with a record of malignant.")).to_be_visible()
    expect(builder.get_by_text("then ε").first).to_be_visible()
    assert broken(page, ".flip-builder") == []
    assert len(lab_hub.jobs) == jobs

    builder.get_by_role("button", name="Count them …").press("Enter")
    expect(builder.get_by_text("It cannot be taken back.")).to_be_visible()
    builder.get_by_role("button", name="Count now").press("Enter")
    expect(builder.get_by_role("row", name="Together")).to_be_visible()
    assert len(lab_hub.jobs) == jobs + 1
    picture(page, "lab-cohort")
    builder.get_by_role("button", name="Insert into the notebook").press("Enter")
    expect(builder.get_by_text("No notebook is open: copied instead.")).to_be_visible()
    builder.get_by_role("button", name="Copy").press("Enter")
    expect(builder.get_by_text("Copied.")).to_be_visible()
    assert "flip.has_condition('malignant')" in page.evaluate("navigator.clipboard.readText()")


def test_a_notebook_begins_at_the_launcher_and_takes_the_cohort(page: Page, lab: RunningLab) -> None:
    page.get_by_role("menubar").get_by_text("FLIP", exact=True).click()
    for entry in ("Project panel", "Cohort builder", "First federated model", "Statistics"):
        expect(page.get_by_role("menuitem", name=entry)).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+Shift+L")
    page.locator(".jp-LauncherCard:visible", has_text="Count a cohort").click()
    notebook = page.locator(".jp-NotebookPanel:visible")
    expect(notebook.get_by_text("flip.age_between(40, 70)")).to_be_visible()
    expect(page.locator("#jp-main-statusbar").get_by_text("| Idle")).to_be_visible()
    picture(page, "lab-notebook-begun")

    page.locator(".lm-TabBar-tabLabel", has_text="Cohort").first.click()
    builder = page.locator(".flip-builder")
    builder.get_by_role("button", name="Insert into the notebook").press("Enter")
    expect(builder.get_by_text("Inserted into cohort.ipynb.")).to_be_visible()
    page.locator(".lm-TabBar-tabLabel", has_text="cohort.ipynb").click()
    expect(notebook.get_by_text("flip.has_condition('malignant')")).to_be_visible()
    assert (lab.files / "cohort.ipynb").is_file()


def test_a_hub_that_is_away_is_said_to_be(page: Page, lab_hub: FakeHub) -> None:
    lab_hub.faults.extend(["restarting"] * 2)
    expect(panel(page).get_by_role("alert")).to_be_visible()
    picture(page, "lab-hub-away")
    expect(panel(page).get_by_role("alert")).to_have_count(0)
    expect(panel(page).get_by_role("meter").first).to_be_visible()


def test_all_of_it_in_the_dark(page: Page) -> None:
    page.get_by_role("menubar").get_by_text("Settings", exact=True).click()
    page.locator("li[data-type=submenu]", has_text=re.compile("^Theme$")).click()
    page.locator("li[data-command='apputils:change-theme']", has_text="JupyterLab Dark").first.click()
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    assert broken(page, ".flip-widget") == []
    assert broken(page, ".flip-builder") == []
    picture(page, "lab-dark")
    dialog = choose(page, "table.csv", "Request release …")
    expect(dialog.get_by_text("Fewer than 10 persons")).to_be_visible()
    assert broken(page, ".flip-dialog") == []
    picture(page, "lab-release-dark")
    page.keyboard.press("Escape")
