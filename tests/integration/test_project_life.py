"""A project's whole life in Chromium, by different people, with everything behind it running for real.

From the first word of an application to the certificate of what was deleted. Pictures of each step are kept in
``build/screenshots/project-life-NN-*.png``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from demo.browser import CHROMIUM, Browser
from demo.people import ADA, CORA, CYRIL, MINA, OLGA, RUFUS, Actor
from demo.platform import REPOSITORY
from demo.story import Story, application
from tests.integration.project_people import (
    SERVICE,
    Cast,
    decide,
    fill_in,
    open_file,
    open_request,
    run_notebook,
    sign,
)

pytestmark = [
    pytest.mark.processes,
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("platform"),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed here"),
]
PROJECT = "a-whole-life"
NOOR = Actor("noor", "Noor Haddad", "Northbridge University", "researcher", "on ada's team")
PRIVATE = (ADA.display_name, NOOR.display_name, RUFUS.display_name, CORA.display_name, "The paper is out")
"""What the register does not say: people, and why a project was closed."""
FIRST, SECOND = "Table 1 of the paper", "Tables 2 to 4 of the paper"
NOTEBOOK_ONE = (
    "import flip_sdk as flip\nproject = flip.connect().project()\nproject.count(epsilon=1.0)",
    "from pathlib import Path\n"
    "table = 'age,persons\\n30-49,61\\n50-69,84\\n70-89,47\\n'\n"
    "Path('by_age.csv').write_text(table)",
    "project.release(flip.Output('by_age.csv', title='Women by age', context='All women of the study, by age.', "
    f"counts=['persons'], variables=['age']), purpose='{FIRST}', audience='public')",
)
"""Counts on the Trusts' patients, and a table for the first release."""
NOTEBOOK_TWO = (
    "import flip_sdk as flip\nfrom pathlib import Path\nproject = flip.connect().project()",
    "Path('by_treatment.csv').write_text('treatment,persons\\nsurgery,152\\nmedicine,171\\ncombined,169\\n')\n"
    "Path('by_stage.csv').write_text('stage,persons\\nI,98\\nII,111\\nIII,3\\n')\n"
    "Path('by_age_again.csv').write_text('age,persons\\n30-49,61\\n50-69,83\\n70-89,47\\n')",
    "files = [flip.Output(f'by_{name}.csv', title=f'Women by {name}', context='All women of the study.', "
    "counts=['persons'], variables=[name.removesuffix('_again')]) for name in ('treatment', 'stage', 'age_again')]\n"
    f"request = project.release(*files, purpose='{SECOND}', audience='public')",
    "request.status()",
)
"""A table in which all is well, one with a small cell, and the released one less one woman."""


@pytest.fixture(scope="module")
def cast(new_story: Callable[..., Story]) -> Iterator[Cast]:
    """A platform of their own, on which nobody has applied for anything yet."""
    story = new_story(ready=False)
    story.register_people()
    story.register(NOOR)
    story.show_records(NOOR)
    story.publish_catalogues()
    with Browser(story.platform.hub_url, REPOSITORY / "build" / "screenshots") as browser:
        yield Cast(story, browser, PROJECT)


def test_a_whole_life(cast: Cast) -> None:
    _ada_applies(cast)
    _rufus_asks_for_changes(cast)
    _ada_changes_it(cast)
    _two_reviewers_approve(cast)
    _the_team_signs(cast)
    for trust in cast.story.trusts:
        _a_steward_opts_in(cast, trust)
    cast.story.wait_for_consent(PROJECT)
    _a_job_runs_and_a_table_is_asked_for(cast)
    _the_first_table_is_released(cast)
    _three_more_are_asked_for(cast)
    _two_were_flagged_before_anybody_looked(cast)
    _two_checkers_decide_blind(cast)
    _everybody_sees_what_was_released(cast)
    assert cast.browser.problems == []
    _the_operator_closes_it(cast)
    _the_certificate_is_complete(cast)
    _the_register_says_it_to_everybody(cast)


def _ada_applies(cast: Cast) -> None:
    page = cast.page(ADA)
    page.goto(f"{SERVICE}/")
    page.get_by_role("link", name="Apply for a project").or_(page.get_by_role("button", name="Apply")).first.click()
    page.get_by_label("Project id").fill(PROJECT)
    page.get_by_label("Title").fill("Telling lumps apart")
    cast.picture(page, "ada-begins")
    page.get_by_role("button", name="Begin the application").click()
    wanted = application(cast.story.trusts).model_copy(update={"team": (NOOR.name,)})
    page.get_by_label("Lay summary").fill(wanted.lay_summary)
    expect(page.locator("#draft-state")).to_contain_text("Saved")
    fill_in(page, wanted)
    cast.picture(page, "ada-writes-the-application")
    page.get_by_role("button", name="Submit for review").click()
    expect(page.get_by_text("Nobody has decided on this submission yet.")).to_be_visible()
    cast.picture(page, "ada-has-submitted")


def _rufus_asks_for_changes(cast: Cast) -> None:
    page = cast.at(RUFUS)
    page.get_by_role("link", name="Read the whole application").click()
    beside = page.locator("#field-lay_summary")
    beside.get_by_text("Comment on Lay summary").click()
    beside.get_by_label("Your comment").fill("Which people, and how many hospitals? Say it in the first sentence.")
    beside.get_by_role("button", name="Send the comment").click()
    expect(page.get_by_role("heading", name="1 open comment")).to_be_visible()
    cast.picture(page, "rufus-comments-on-a-field")
    decide(cast.at(RUFUS), "Ask for changes", "See the comment on the lay summary.")
    cast.picture(page, "rufus-asks-for-changes")


def _ada_changes_it(cast: Cast) -> None:
    page = cast.at(ADA)
    page.get_by_role("button", name="Change the application").click()
    expect(page.locator("#field-lay_summary").get_by_text("1 open comment")).to_be_visible()
    page.get_by_label("Lay summary").fill(
        "We look at women with a lump in the breast at two hospitals. We teach a small model to tell from the shape of "
        "the cells' nuclei whether the lump is cancer."
    )
    cast.picture(page, "ada-sees-the-comment-beside-its-field")
    page.get_by_role("button", name="Submit for review").click()
    page.get_by_role("link", name="What changed since version 1").click()
    expect(page.get_by_text("two hospitals").first).to_be_visible()
    cast.picture(page, "what-changed")


def _two_reviewers_approve(cast: Cast) -> None:
    page = cast.at(RUFUS, "/application")
    page.get_by_role("button", name=re.compile("^Resolve")).click()
    for reviewer in (RUFUS, MINA):
        page = cast.at(reviewer)
        decide(page, "Approve", "Clear purpose, little data, a small budget.")
        cast.picture(page, f"{reviewer.name}-approves")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Approved")


def _the_team_signs(cast: Cast) -> None:
    for member in (ADA, NOOR):
        page = cast.at(member)
        page.get_by_role("link", name="Read and sign it").click()
        sign(page, member)
        cast.picture(page, f"{member.name}-signs-the-agreement")
    expect(page.get_by_text("Everybody on the team has signed.")).to_be_visible()


def _a_steward_opts_in(cast: Cast, trust: str) -> None:
    page = cast.steward(trust)
    cast.story.platform.wait_until(lambda: _is_told(page), 60, "the Trust hears of it", log=f"trust-{trust}")
    cast.picture(page, f"{trust}-is-asked")
    page.get_by_role("button", name="Opt in").click()
    page.get_by_label("Why").fill("A clear question, and a small budget.")
    cast.picture(page, f"{trust}-chooses-its-terms")
    page.get_by_role("button", name="Read it once more").click()
    cast.picture(page, f"{trust}-reads-them-once-more")
    page.get_by_role("button", name="Opt in on these terms").click()
    expect(page.get_by_role("heading", name="Your terms, and what was spent")).to_be_visible()
    cast.picture(page, f"{trust}-has-opted-in")


def _is_told(page: Page) -> bool:
    page.goto(f"/projects/{PROJECT}")
    return page.get_by_role("button", name="Opt in").count() == 1


def _a_job_runs_and_a_table_is_asked_for(cast: Cast) -> None:
    page = run_notebook(cast, "first.ipynb", NOTEBOOK_ONE)
    cast.picture(page, "a-job-ran-in-the-workspace")
    page = cast.at(ADA)
    expect(page.get_by_text("Completed").first).to_be_visible()
    cast.picture(page, "the-project-with-its-job")


def _the_first_table_is_released(cast: Cast) -> None:
    for checker in (CORA, CYRIL):
        page = cast.page(checker)
        open_request(page, FIRST)
        page.get_by_role("button", name="Approve", exact=True).click()
        expect(page.get_by_text("You have decided on every file that waited for you.")).to_be_visible()
    expect(page.locator(".flip-queue__file")).to_contain_text("Released")
    cast.picture(page, "the-first-table-is-released")


def _three_more_are_asked_for(cast: Cast) -> None:
    cast.picture(run_notebook(cast, "second.ipynb", NOTEBOOK_TWO), "three-tables-are-asked-for")


def _two_were_flagged_before_anybody_looked(cast: Cast) -> None:
    page = cast.page(CORA)
    page.goto(f"{SERVICE}/airlock")
    row = page.get_by_role("row").filter(has_text=SECOND)
    expect(row).to_contain_text("3 of 3 files")
    expect(row.get_by_role("cell").nth(2)).to_contain_text("2")
    cast.picture(page, "what-waits-with-two-flags")
    open_request(page, SECOND)
    for path, words in (("by_stage.csv", "Fewer than 10"), ("by_age_again.csv", "(by_age.csv)")):
        open_file(page, path)
        expect(page.locator(".flip-finding--flag").filter(has_text=words)).to_have_count(1)
        cast.picture(page, f"flagged-{path.removesuffix('.csv')}")


def _two_checkers_decide_blind(cast: Cast) -> None:
    for checker in (CORA, CYRIL):
        page = cast.page(checker)
        open_request(page, SECOND)
        if checker is CYRIL:
            expect(page.locator("#maincontent")).not_to_contain_text(CORA.display_name)
            expect(page.get_by_text("One of two checkers has decided")).to_be_visible()
            cast.picture(page, "cyril-does-not-see-what-cora-said")
        page.get_by_role("button", name="Approve the one that passes").click()
        for path in ("by_stage.csv", "by_age_again.csv"):
            open_file(page, path)
            page.get_by_role("button", name="Withhold").click()
        expect(page.get_by_text("You have decided on every file that waited for you.")).to_be_visible()
    states = {"by_treatment.csv": "Released", "by_stage.csv": "Withheld", "by_age_again.csv": "Withheld"}
    for path, state in states.items():
        expect(page.locator(".flip-queue__file").filter(has_text=path)).to_contain_text(state)
    cast.picture(page, "one-released-two-withheld")


def _everybody_sees_what_was_released(cast: Cast) -> None:
    page = cast.at(ADA, "/releases")
    expect(page.get_by_role("row")).to_have_count(3)
    cast.picture(page, "what-was-released")
    address = page.get_by_role("link", name="by_treatment.csv").first.get_attribute("href")
    assert address
    fetched = cast.browser.visitor().context.request.get(address)
    assert (fetched.status, fetched.text()) == (200, "treatment,persons\nsurgery,152\nmedicine,171\ncombined,169\n")
    page = _in_the_register(cast)
    expect(page.get_by_text("Takes part", exact=True)).to_have_count(len(cast.story.trusts))
    expect(page.get_by_text("Counts: 1 time")).to_have_count(len(cast.story.trusts))
    expect(page.get_by_text(re.compile(r"^1\.00 of at most 10\."))).to_have_count(len(cast.story.trusts))
    expect(page.get_by_role("link", name=re.compile("Women by (age|treatment)"))).to_have_count(2)
    expect(page.locator("#maincontent")).not_to_contain_text(re.compile("|".join(PRIVATE)))
    cast.picture(page, "the-register-while-it-runs")


def _the_operator_closes_it(cast: Cast) -> None:
    cast.page(ADA).goto(f"{SERVICE}/")
    page = cast.at(OLGA)
    closing = page.locator("form.flip-step").filter(has=page.locator('input[value="closed"]'))
    closing.get_by_role("textbox").fill("The paper is out.")
    cast.picture(page, "olga-closes-it")
    closing.get_by_role("button").click()
    expect(page.get_by_role("link", name="Certificate of what was deleted")).to_be_visible()


def _the_certificate_is_complete(cast: Cast) -> None:
    page = cast.page(OLGA)

    def is_complete() -> bool:
        page.goto(f"{SERVICE}/projects/{PROJECT}/certificate")
        return page.get_by_text("Not complete yet.").count() == 0

    cast.story.platform.wait_until(is_complete, 180, "both sides have deleted", log="trust-aldgate")
    expect(page.get_by_text("as the Trust signed")).to_have_count(len(cast.story.trusts))
    expect(page.get_by_text(re.compile("^Deleted ")).first).to_be_visible()
    cast.picture(page, "the-certificate")


def _in_the_register(cast: Cast) -> Page:
    """The project's public page, as somebody finds it who never signed in."""
    page = cast.browser.visitor()
    page.goto(f"{SERVICE}/register?find=lump")
    page.get_by_role("link", name=application(cast.story.trusts).title).click()
    expect(page).to_have_url(re.compile(f"/register/{PROJECT}$"))
    return page


def _the_register_says_it_to_everybody(cast: Cast) -> None:
    page = _in_the_register(cast)
    expect(page.get_by_role("heading", name="Closing certificate")).to_be_visible()
    expect(page.get_by_text("Everybody who kept something for it has deleted it.")).to_be_visible()
    expect(page.get_by_text(re.compile("^Deleted .*, as it signed"))).to_have_count(len(cast.story.trusts))
    expect(page.locator("#maincontent")).not_to_contain_text(re.compile("|".join(PRIVATE)))
    cast.picture(page, "the-register-after-it-closed")
