"""`python -m demo`: FLIP on one computer, from real patients to a model and its price in privacy.

python -m demo [--exit] [--home DIR] [--keep]
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from demo import report
from demo.notebook_runner import Login, Moment, run_notebook
from demo.people import ADA, PEOPLE, PROJECT
from demo.platform import Platform, password
from demo.processes import PlatformError
from demo.story import DASHBOARD, TUTORIAL, Story, plans
from demo.telling import Teller


def told(run: Callable[..., int], description: str, program: str) -> int:
    """Run a demo as a command line: its options, its folder, and what a person sees when it is stopped.

    Args:
        run: plays it, given a folder, a teller and ``stay_up``; its exit status.
        description: for ``--help``.
        program: what it is called by.
    """
    options = _options(description, program)
    teller = Teller()
    # a stop from outside ends as Ctrl-C does: every program is stopped first
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    home = options.home or Path(tempfile.mkdtemp(prefix="flip-demo-"))
    try:
        return run(home.resolve(), teller, stay_up=not options.exit)
    except PlatformError as error:
        teller.console.print(f"\n[red]The demo stopped:[/red] {escape(str(error))}\nLogs are in {home / 'logs'}")
        options.keep = True
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        if not (options.keep or options.home):
            shutil.rmtree(home, ignore_errors=True)


def _run(home: Path, teller: Teller, *, stay_up: bool) -> int:
    """Play the story, show the table, and stay until Ctrl-C."""
    secret = password()
    with ExitStack() as stack:
        spinner = stack.enter_context(teller)
        teller.chapter("1. A hub and four Trusts, with real patients")
        platform = stack.enter_context(Platform(home, plans(), progress=teller.say))
        story = Story(platform, secret, teller)
        dashboard = _play(story, teller)
        tables = _tables(story, dashboard)
        spinner.rest()
        teller.show(*tables)
        if stay_up:
            stay(teller)
        teller.chapter("Stopping every program")
    teller.say("Nothing is left running")
    return 0


def _play(story: Story, teller: Teller) -> str:
    """Everything from the first person at the hub to the dashboard, whose path is returned."""
    story.register_people()
    story.publish_catalogues()
    teller.chapter("2. A project is applied for, signed off, and opted in to")
    story.apply()
    teller.say(f"JupyterHub refuses a workspace for now: “{escape(story.refused_workspace())}”")
    story.sign_off()
    story.opt_in_everywhere()
    story.confirm_peers()
    story.wait_for_consent()
    teller.chapter("3. ada's workspace, and the tutorial in its kernel")
    story.open_workspace()
    teller.say("JupyterHub starts ada's workspace")
    run_notebook(story.platform.hub_url, Login(ADA.name, story.password), PROJECT, TUTORIAL, Notes(teller))
    teller.chapter("4. A dashboard for the project's members")
    dashboard = story.view_dashboard()
    teller.say(f"Voila renders {DASHBOARD} for ada; a person outside the project is refused")
    return dashboard


class Notes:
    """Tells a notebook's progress: each heading when it is reached, the training's rounds as they come."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller
        self._title = ""

    def __call__(self, moment: Moment) -> None:
        """Told of everything that happens."""
        if moment.kind == "start" and moment.title != self._title:
            self._title = moment.title
            self._teller.say(f"[bold]{escape(moment.title)}[/bold]")
        elif moment.kind == "live":
            self._teller.now(moment.text.partition("\n")[0])


def _tables(story: Story, dashboard: str) -> list[RenderableType]:
    """The results, what they cost, the logins and the addresses."""
    result = story.trained()
    if result.model is None:
        raise PlatformError("The training job kept no model.")
    graph, weights = story.kept(result.model.graph), story.kept(result.model.weights)
    platform = story.platform
    ledgers = {name: platform.flip_trust(name, "ledger", "--json") for name in story.trusts}
    addresses = Table(box=None, show_header=False, pad_edge=False)
    addresses.add_row("Pages and workspaces", platform.hub_url)
    addresses.add_row("Dashboard", f"{platform.hub_url}{dashboard}")
    addresses.add_row("The Trusts' homes", str(platform.folder / "trusts"))
    return [
        report.accuracy_table(PROJECT, report.compare(PROJECT, graph, weights, result.scaling), result.epsilon),
        report.budget_table(report.budget_of(name, text, PROJECT) for name, text in ledgers.items()),
        report.login_table(PEOPLE, story.password),
        addresses,
        console(story),
    ]


def console(story: Story) -> str:
    """How to open a Trust's console."""
    return f"As a Trust's data steward, in another terminal:\n  {story.platform.console_command(story.trusts[0])}"


def stay(teller: Teller) -> None:
    """Leave everything up until Ctrl-C."""
    teller.show("Everything stays up until Ctrl-C.")
    try:
        while True:
            signal.pause()
    except KeyboardInterrupt:
        teller.show("")


def _options(description: str, program: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=program, description=description)
    parser.add_argument("--exit", action="store_true", help="end after the table")
    parser.add_argument("--home", type=Path, help="an empty folder for everything; it is kept")
    parser.add_argument("--keep", action="store_true", help="keep the folder afterwards")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(told(_run, __doc__ or "", "python -m demo"))
