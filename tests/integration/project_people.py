"""What people of a project's life do at their browsers, each in a session of their own; every step leaves a picture."""

from __future__ import annotations

import re
from collections.abc import Sequence

import nbformat
from flip_sdk.contract.applications import Application
from flip_sdk.contract.filling import posted
from playwright.sync_api import Locator, Page, expect

from demo.browser import Browser
from demo.notebook_runner import Login
from demo.people import ADA, Actor, steward_of
from demo.processes import free_ports
from demo.story import Story

SERVICE = "/services/flip"
NOTEBOOK_MILLISECONDS = 240_000
_LINK = re.compile(r"http://\S+/enter\?link=\S+")


class Cast:
    """The people, and the camera.

    Attributes:
        story: the platform that they work on.
        browser: where each has a session.
        project: id of the project.
        pictures: what the names of its pictures begin with.
    """

    def __init__(self, story: Story, browser: Browser, project: str, pictures: str = "project-life") -> None:
        self.story, self.browser, self.project, self.pictures = story, browser, project, pictures
        self._pages: dict[str, Page] = {}
        self._pictures = 0

    def page(self, actor: Actor) -> Page:
        """This person's page, signed in."""
        if actor.name not in self._pages:
            self._pages[actor.name] = self.browser.sign_in(Login(actor.name, self.story.password))
        return self._pages[actor.name]

    def at(self, actor: Actor, path: str = "") -> Page:
        """This person's page, gone to the project or to a page below it."""
        page = self.page(actor)
        page.goto(f"{SERVICE}/projects/{self.project}{path}")
        return page

    def picture(self, page: Page, name: str, *, whole: bool = True) -> None:
        """Keep a picture of the whole page, or of what is seen of it, numbered in the order of the story."""
        self._pictures += 1
        self.browser.picture(page, f"{self.pictures}-{self._pictures:02d}-{name}", whole=whole)

    def shot(self, page: Page, name: str) -> None:
        """Keep a picture of what is seen of an application that fills the window, such as JupyterLab."""
        self.picture(page, name, whole=False)

    def steward(self, trust: str) -> Page:
        """A Trust's data steward, let in by the link that `flip-trust console` printed on the Trust's machine."""
        platform, program, home = self.story.platform, f"console-{trust}", self.story.platform.trust_home(trust)
        port = free_ports(["console"])["console"]
        asked = ("console", "--home", str(home), "--port", str(port), "--steward", steward_of(trust))
        platform.launch(program, platform.command("flip-trust"), *asked, folder=home)
        log = platform.log(program)
        platform.wait_until(lambda: log.exists() and bool(_LINK.search(log.read_text())), 60, "a link", log=program)
        link = _LINK.search(log.read_text())
        assert link
        page = self.browser.visitor(f"http://127.0.0.1:{port}")
        page.goto(link[0])
        page.get_by_role("button", name="Come in").click()
        return page


def fill_in(page: Page, application: Application) -> None:
    """Type an application into its form, field by field, with as many entries as it has."""
    sent = posted(application)
    for name in sent:
        if name.count("-") and page.locator(f'[name="{name}"]').count() == 0:
            page.locator(f'button[value="add:{name.partition("-")[0]}"]').click()
        _type(page.locator(f'[name="{name}"]'), sent[name])


def _type(field: Locator, value: str | list[str]) -> None:
    """Fill one field of a form, whatever it is drawn as."""
    expect(field.first).to_be_attached()
    kind = field.first.get_attribute("type")
    if kind in {"checkbox", "radio"}:
        wanted = {value} if isinstance(value, str) else set(value)
        for one in field.all():
            if one.get_attribute("value") in wanted and not one.is_checked():
                one.check()
    elif field.first.evaluate("one => one.tagName") == "SELECT":
        field.select_option(value)
    elif field.input_value() != value:
        field.fill(str(value))


def decide(page: Page, decision: str, comment: str) -> None:
    """A reviewer declares that there is no conflict of interest, and decides."""
    page.get_by_label("No, none").check()
    page.get_by_label(decision, exact=True).check()
    page.get_by_label("Comment", exact=True).fill(comment)
    page.get_by_role("button", name="Send the decision").click()
    expect(page.get_by_text("Declared: no conflict of interest.").first).to_be_visible()


def sign(page: Page, actor: Actor) -> None:
    """Sign the data access agreement."""
    page.get_by_label("I have read the agreement and its annexes, and agree to them").check()
    page.get_by_label("Your name, as you sign").fill(actor.display_name)
    page.get_by_role("button", name="Sign the agreement").click()
    expect(page.get_by_text(f"signed as “{actor.display_name}”")).to_be_visible()


def run_notebook(cast: Cast, name: str, cells: Sequence[str]) -> Page:
    """Ada puts a notebook into her workspace, opens it in JupyterLab and runs all of it, without an error."""
    page = cast.page(ADA)
    cast.browser.open_workspace(page, ADA.name, cast.project)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    written = [nbformat.v4.new_code_cell(cell) for cell in cells]
    notebook = nbformat.v4.new_notebook(cells=written, metadata={"kernelspec": kernel})
    home = f"/user/{ADA.name}/{cast.project}"
    tokens = {one["path"]: one["value"] for one in page.context.cookies() if one["name"] == "_xsrf"}
    body = {"type": "notebook", "content": notebook}
    address, headers = f"{home}/api/contents/{name}", {"X-XSRFToken": tokens[f"{home}/"]}
    assert page.context.request.put(address, data=body, headers=headers).ok
    cast.browser.open_notebook(page, ADA.name, cast.project, name)
    cast.browser.run_all_cells(page)
    cast.browser.wait_until_run(page, NOTEBOOK_MILLISECONDS)
    saved = page.context.request.get(address).json()["content"]
    outputs = [output for cell in saved["cells"] for output in cell.get("outputs", [])]
    assert [one["evalue"] for one in outputs if one["output_type"] == "error"] == []
    return page


def open_request(page: Page, purpose: str) -> None:
    """An output checker opens a request from the list of what waits."""
    page.goto(f"{SERVICE}/airlock")
    page.get_by_role("row").filter(has_text=purpose).get_by_role("link").click()


def open_file(page: Page, path: str) -> None:
    """An output checker turns to one file of the request."""
    page.locator(".flip-queue__file").filter(has_text=path).click()
    expect(page.locator(".flip-queue__file[aria-current=page]")).to_contain_text(path)
