"""`python -m demo.imaging`: images from three hospitals' scanners, de-identified at their Trusts.

python -m demo.imaging [--exit] [--home DIR] [--keep]
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from rich.table import Table

from demo import report
from demo.__main__ import stay, told
from demo.imaging.story import ImagingStory, plans
from demo.people import PEOPLE
from demo.platform import Platform, password
from demo.telling import Teller


def run(home: Path, teller: Teller, *, stay_up: bool) -> int:
    """Play the story, show the addresses, and stay until Ctrl-C."""
    secret = password()
    with ExitStack() as stack:
        spinner = stack.enter_context(teller)
        teller.chapter("1. A hub and three Trusts, with their hospitals' records")
        platform = stack.enter_context(Platform(home, plans(), progress=teller.say))
        story = ImagingStory(platform, secret, teller)
        for chapter, step in chapters(story):
            teller.chapter(chapter)
            step()
        spinner.rest()
        teller.show(report.login_table(PEOPLE, secret), addresses(platform))
        if stay_up:
            stay(teller)
        teller.chapter("Stopping every program")
    teller.say("Nothing is left running")
    return 0


def chapters(story: ImagingStory) -> tuple[tuple[str, Callable[[], None]], ...]:
    """The story's chapters after the platform is up."""
    return (
        ("2. People, catalogues, and a project that every Trust opts in to", story.set_up_people_and_project),
        ("3. Images in: made, sent, indexed, de-identified, searched", story.bring_images_in),
    )


def addresses(platform: Platform) -> Table:
    """Where to look."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("Pages and workspaces", platform.hub_url)
    table.add_row("The Trusts' homes", str(platform.folder / "trusts"))
    table.add_row("The hospitals' own files", str(platform.folder / "hospitals"))
    return table


if __name__ == "__main__":
    sys.exit(told(run, __doc__ or "", "python -m demo.imaging"))
