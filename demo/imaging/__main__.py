"""`python -m demo.imaging`: images from three hospitals' scanners, de-identified, and a network trained over them.

python -m demo.imaging [--exit] [--home DIR] [--keep]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from flip_sdk.contract.images import SeriesImages
from flip_sdk.contract.jobs import TrainSpec
from rich.console import RenderableType
from rich.table import Table

from demo import report
from demo.__main__ import Notes, console, stay, told
from demo.imaging.report import Network, accuracy_table, compare
from demo.imaging.story import PROJECT, TUTORIAL, ImagingStory, plans
from demo.notebook_runner import Login, run_notebook
from demo.people import ADA, PEOPLE
from demo.platform import Platform, password
from demo.processes import PlatformError
from demo.story import DASHBOARD
from demo.telling import Teller

UNHURRIED = {"FLIP_HUB_TASK_SECONDS": "900"}
"""Three Trusts make the first job's images on one machine, which may be a busy one."""


def run(home: Path, teller: Teller, *, stay_up: bool) -> int:
    """Play the story, show what came of it and the addresses, and stay until Ctrl-C."""
    secret = password()
    with ExitStack() as stack:
        spinner = stack.enter_context(teller)
        with timed(teller, "1. A hub and three Trusts, with their hospitals' records"):
            platform = stack.enter_context(Platform(home, plans(), UNHURRIED, teller.say))
        story = ImagingStory(platform, secret, teller)
        for chapter, step in chapters(story):
            with timed(teller, chapter):
                step()
        tables = results(story)
        spinner.rest()
        teller.show(*tables)
        if stay_up:
            stay(teller)
        teller.chapter("Stopping every program")
    teller.say("Nothing is left running")
    return 0


def chapters(story: ImagingStory) -> tuple[tuple[str, Callable[[], object]], ...]:
    """The story's chapters after the platform is up."""
    return (
        ("2. People, and a project that every Trust opts in to", story.set_up_people_and_project),
        ("3. Images in: made, sent, indexed, de-identified, searched", story.bring_images_in),
        ("4. ada's workspace: a CNN trained over three Trusts", lambda: train(story)),
        ("5. A dashboard for the project's members", lambda: show_dashboard(story)),
    )


def train(story: ImagingStory) -> None:
    """ada runs the tutorial on images in her workspace's kernel."""
    story.open_workspace(PROJECT)
    story.teller.say("JupyterHub starts ada's workspace")
    login = Login(ADA.name, story.password)
    run_notebook(story.platform.hub_url, login, PROJECT, TUTORIAL, Notes(story.teller))


def show_dashboard(story: ImagingStory) -> None:
    """ada looks at what she published; somebody outside the project cannot."""
    story.dashboard = story.view_dashboard(PROJECT)
    story.teller.say(f"Voila renders {DASHBOARD} for ada; a person outside the project is refused")


def results(story: ImagingStory) -> list[RenderableType]:
    """How good the network is, what it cost, the logins and the addresses.

    Raises:
        PlatformError: no network was trained, or not on images.
    """
    result = story.trained(PROJECT)
    spec = result.spec
    if result.model is None or not isinstance(spec, TrainSpec) or not isinstance(spec.images, SeriesImages):
        raise PlatformError("The training job kept no network for images.")
    sent, kept = (Network(story.kept(model.graph), story.kept(model.weights)) for model in (spec.model, result.model))
    ledgers = {name: story.platform.flip_trust(name, "ledger", "--json") for name in story.trusts}
    return [
        accuracy_table(*compare(PROJECT, spec.images, sent, kept), result.epsilon),
        report.budget_table(report.budget_of(name, text, PROJECT) for name, text in ledgers.items()),
        report.login_table(PEOPLE, story.password),
        addresses(story),
        console(story),
    ]


def addresses(story: ImagingStory) -> Table:
    """Where to look."""
    platform = story.platform
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("Pages and workspaces", platform.hub_url)
    table.add_row("Dashboard", f"{platform.hub_url}{story.dashboard}")
    table.add_row("The Trusts' homes", str(platform.folder / "trusts"))
    table.add_row("The hospitals' own files", str(platform.folder / "hospitals"))
    return table


@contextmanager
def timed(teller: Teller, chapter: str) -> Iterator[None]:
    """A chapter, with how long it took at its end."""
    teller.chapter(chapter)
    begun = time.monotonic()
    yield
    teller.say(f"[dim]This chapter took {time.monotonic() - begun:.0f} s[/dim]")


if __name__ == "__main__":
    sys.exit(told(run, __doc__ or "", "python -m demo.imaging"))
