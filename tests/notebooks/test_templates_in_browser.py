"""Every template as the hub draws it: two widths and paper, read by axe-core."""

from __future__ import annotations

from pathlib import Path

import pytest
from flip_hub.dashboards.snapshot import Facts, page

from demo.browser import CHROMIUM
from flip_sdk import templates
from tests.flip_sdk.dashboards.made import EVERYTHING
from tests.hub.airlock.browsing import PICTURES, chromium, violations
from tests.notebooks.test_notebooks import in_one_kernel, one_kernel, publish, run

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed here"),
]
SCREENS = {"wide": 1280, "narrow": 375}
CUT = "[...document.querySelectorAll('table, img')].some(one => one.getBoundingClientRect().right > innerWidth)"
PAPER = 718
"""Pixels between A4's margins of a centimetre."""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("templates")
    publish(folder / "jobs", list(EVERYTHING))
    drawn = {}
    with one_kernel(folder, {}) as kernel:
        for one in templates.all_of_them():
            notebook = run(in_one_kernel(templates.copy(one.name, folder / f"{one.name}.ipynb")), {}, kernel)
            facts = Facts("FLIP hub", one.title, f"cytology, {one.name}, version 1", "Released", "1 December 2026")
            drawn[one.name] = folder / f"{one.name}.html"
            drawn[one.name].write_text(page(notebook, facts))
    return drawn


def test_every_template_is_accessible_fits_its_screen_and_its_paper(pages: dict[str, Path]) -> None:
    found = {}
    with chromium() as browser:
        for name, file in pages.items():
            for screen, width in (*SCREENS.items(), ("paper", PAPER)):
                shown = browser.new_page(viewport={"width": width, "height": 900})
                shown.emulate_media(media="print" if screen == "paper" else "screen")
                shown.goto(file.as_uri())
                told = [one["id"] for one in violations(shown)]
                if shown.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
                    told.append("too wide")
                if screen == "paper" and shown.evaluate(CUT):
                    told.append("cut off")
                if told:
                    found[f"{name} {screen}"] = told
                shown.screenshot(path=PICTURES / f"template-{name}-{screen}.png", full_page=True)
                shown.close()
            printed = browser.new_page()
            printed.goto(file.as_uri())
            printed.pdf(path=PICTURES / f"template-{name}.pdf", format="A4")
            printed.close()
    assert found == {}
