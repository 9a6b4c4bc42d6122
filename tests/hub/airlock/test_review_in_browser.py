"""The review screen in Debian's Chromium: few actions, keyboard only, nothing that was uploaded runs."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from flip_hub.airlock import ingress
from flip_sdk.contract.ingress import NewIngress
from flip_sdk.contract.states import OutputState
from playwright.sync_api import Page, expect

from demo.browser import CHROMIUM
from tests.hub.airlock.browsing import PICTURES, chromium, page_of, served
from tests.hub.airlock.conftest import CLEAN, SMALL

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed here"),
]
MOST_ACTIONS = 6
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
TEN = {f"table{n}.csv": CLEAN + f"other,{n}00\n".encode() for n in range(1, 9)} | {
    "deaths.csv": SMALL,
    "rare.csv": SMALL + b"other,40\n",
}


class Keyboard:
    """A keyboard that counts what is pressed."""

    def __init__(self, page: Page) -> None:
        self.page, self.actions = page, 0

    def press(self, key: str) -> None:
        self.actions += 1
        with self.page.expect_navigation():
            self.page.keyboard.press(key)


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


def test_ten_files_with_two_flags_take_few_actions_and_no_mouse(airlock, browser) -> None:
    request = airlock.checked(TEN)
    with served(airlock.hub) as address:
        page = page_of(browser, airlock.hub, address, "cora")
        page.goto(f"/services/flip/airlock/{request.request_id}")
        expect(page.get_by_text("10 wait for you")).to_be_visible()
        expect(page.get_by_role("heading", name="Title of deaths.csv")).to_be_visible()
        PICTURES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=PICTURES / "airlock-review.png", full_page=True)
        keyboard = Keyboard(page)
        for key in ("g", "w", "w"):
            keyboard.press(key)
        expect(page.get_by_text("You have decided on every file")).to_be_visible()
    assert keyboard.actions <= MOST_ACTIONS
    seen = airlock.show(request.request_id, "cora")
    decided = {output.statement.path: output.yours.decision for output in seen.outputs}
    assert [path for path, decision in decided.items() if decision == "withhold"] == ["deaths.csv", "rare.csv"]
    assert {output.state for output in seen.outputs} == {OutputState.IN_REVIEW}


def test_keys_rest_while_somebody_writes_and_can_be_turned_off(airlock, browser) -> None:
    request = airlock.checked({"a.csv": CLEAN, "b.csv": SMALL})
    with served(airlock.hub) as address:
        page = page_of(browser, airlock.hub, address, "cora")
        page.goto(f"/services/flip/airlock/{request.request_id}")
        # a flagged file needs a reason to be approved: the key leads to it
        page.keyboard.press("a")
        expect(page.locator("#reason")).to_be_focused()
        page.keyboard.type("agreed with a gang of jackals")
        expect(page.locator("#reason")).to_have_value("agreed with a gang of jackals")
        page.keyboard.press("Escape")
        with page.expect_navigation():
            page.keyboard.press("j")
        expect(page.get_by_role("heading", name="Title of a.csv")).to_be_visible()
        with page.expect_navigation():
            page.keyboard.press("k")
        page.get_by_label("Use these keys").uncheck()
        page.keyboard.press("w")
        page.reload()
        page.keyboard.press("w")
        expect(page.get_by_label("Use these keys")).not_to_be_checked()
        assert all(output.yours is None for output in airlock.show(request.request_id, "cora").outputs)
        # each is reached with Tab and Enter as well
        page.get_by_role("button", name="Withhold").focus()
        with page.expect_navigation():
            page.keyboard.press("Enter")
    assert airlock.show(request.request_id, "cora").outputs[1].yours


def test_everything_works_without_scripts(airlock, browser) -> None:
    request = airlock.checked({"a.csv": CLEAN, "b.csv": SMALL})
    with served(airlock.hub) as address:
        page = page_of(browser, airlock.hub, address, "cora", scripts=False)
        page.goto("/services/flip/airlock")
        page.get_by_role("link", name="Breast cytology").click()
        page.get_by_role("button", name="Approve", exact=True).click()
        expect(page.get_by_text("Say why it may leave all the same.")).to_be_visible()
        page.get_by_label("Reason").fill("These are public numbers.")
        page.get_by_role("button", name="Approve", exact=True).click()
        page.get_by_role("button", name="Approve", exact=True).click()
        expect(page.get_by_text("You have decided on every file")).to_be_visible()
    assert all(output.yours for output in airlock.show(request.request_id, "cora").outputs)


HOSTILE = b"<script>window.broken = 1</script><img src=x onerror='window.broken = 2'>"
SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40" onload="window.top.broken = 3">'
    b'<rect width="40" height="40" style="fill:red"/><script>window.top.broken = 4; document.title = "x"</script></svg>'
)


def test_nothing_that_was_uploaded_runs(airlock, browser) -> None:
    files = {
        "table.csv": b"name,persons\n" + HOSTILE + b",30\n",
        "notes.txt": HOSTILE,
        "drawing.svg": SVG,
        "book.txt": b"javascript:window.broken = 5",
    }
    statements = {"notes.txt": {"context": HOSTILE.decode(), "variables": (HOSTILE.decode(),)}}
    airlock.examine = _with_images(airlock.examine)
    request = airlock.checked(files, **statements, purpose="<script>window.broken = 6</script>")
    with served(airlock.hub) as address:
        page = page_of(browser, airlock.hub, address, "cora")
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        for output in request.outputs:
            page.goto(f"/services/flip/airlock/{request.request_id}?file={output.output_id}")
            assert page.evaluate("window.broken") is None
        image = next(output for output in request.outputs if output.statement.path == "drawing.svg")
        page.goto(f"/services/flip/airlock/{request.request_id}?file={image.output_id}")
        assert page.locator(".flip-image").evaluate("one => one.complete && one.naturalWidth") == 40
        answer = page.goto(f"/services/flip/airlock/outputs/{image.output_id}/image")
        assert answer
        assert answer.headers["content-security-policy"].startswith("sandbox;")
        assert page.evaluate("window.broken") is None
        assert errors == []


def _with_images(plain):
    def examine(folder, statements, past):
        found = plain(folder, statements, past)
        return tuple(e.model_copy(update={"kind": "image"}) if e.path.endswith(".svg") else e for e in found)

    return examine


@pytest.mark.slow
def test_every_page_is_accessible_and_fits_a_phone(airlock, browser) -> None:
    old = airlock.released({"deaths.csv": CLEAN, "notes.txt": b"All is well."})
    statement = {"context": "Persons by sex.", "variables": ("sex",), "counts": ("persons",)}
    request = airlock.checked(TEN | {"notes.txt": b"All is very well."}, **{"deaths.csv": statement})
    for who, reason in (("cora", ""), ("cyril", "It is not planned.")):
        airlock.decide(request, who, "withhold" if reason else "approve", "table1.csv", reason=reason)
    text = request.outputs[-1].output_id
    asked = _brought(airlock)
    with served(airlock.hub) as address:
        for who, path, name in (
            ("cora", "airlock", "queue"),
            ("cora", f"airlock/{request.request_id}", "request"),
            ("cora", f"airlock/{request.request_id}?file={text}", "text"),
            ("cora", f"airlock/{old.request_id}", "released"),
            ("sam", f"airlock/ingress/{asked}", "ingress"),
            ("ada", "airlock", "team"),
            ("ada", f"airlock/{request.request_id}", "team-request"),
            ("ada", "projects/cytology/releases", "releases"),
            ("ada", "projects/cytology/incoming", "incoming"),
        ):
            for width in (1280, 375):
                page = page_of(browser, airlock.hub, address, who, width=width)
                page.goto(f"/services/flip/{path}")
                assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (path, width)
                page.screenshot(path=PICTURES / f"airlock-{name}-{width}.png", full_page=True)
                found = Axe().run(page, options={"runOnly": WCAG})
                assert found.violations_count == 0, (path, width, found.generate_report())


def _brought(airlock) -> str:
    office, ada, content = airlock.hub.office, airlock.hub.who("ada"), b"code,meaning\n1,benign\n"
    address = office.blobs.put(content)
    ingress.keep_upload(office, ada, "cytology", address, len(content))
    wanted = NewIngress(
        path="codes.csv", content=address, purpose="To name the codes.", source="WHO, CC BY", idempotency_key="k"
    )
    return ingress.request(office, ada, "cytology", wanted).ingress_id
