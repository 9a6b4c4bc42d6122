"""``flip count``, ``submit``, ``price``, ``jobs``, ``job``, ``watch``, ``events``, ``result``, ``cancel``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import flip_sdk as flip
from flip_sdk.commands import options
from flip_sdk.commands.options import job_argument, opened, project_argument, project_option
from flip_sdk.commands.running import Told

if TYPE_CHECKING:
    from flip_sdk.commands.running import Group
    from flip_sdk.frames import Frame
    from flip_sdk.jobs import Job

file_argument = click.argument("file", type=click.Path(path_type=Path), help="The job as TOML or JSON.")


def add_to(app: Group) -> None:
    """Add the commands."""

    @app.command_of("count", example="flip count --condition malignant --age 40-70 --epsilon 0.5")
    @project_argument
    @options.who
    @options.trusts
    @options.epsilon(0.5)
    def count(project: str | None, epsilon: float, trusts: tuple[str, ...], **who: Any) -> Frame:
        """Count a cohort: noisy, rounded, and kept back where under the floor."""
        return opened(project).count(options.cohort_of(**who), epsilon=epsilon, trusts=trusts)

    @app.command_of("submit", example="flip submit job.toml --watch")
    @file_argument
    @project_option
    @click.option("--watch", is_flag=True, help="Wait until it ends, then show what it released.")
    def submit(file: Path, project: str | None, watch: bool) -> Frame | Told:
        """Send a job that a file describes. Questions wait for their answer; trainings go on without you."""
        from flip_sdk.job_files import read

        done = read(file).submit(opened(project))
        if not isinstance(done, flip.Job):
            return done
        return done.result().table() if watch else told_of(done)

    @app.command_of("price", example="flip price job.toml")
    @file_argument
    @project_option
    def price(file: Path, project: str | None) -> Frame:
        """Show what a job that a file describes would cost at each Trust, before anything is sent."""
        from flip_sdk.job_files import read

        return read(file).price(opened(project))

    @app.command_of("jobs")
    @project_argument
    def jobs(project: str | None) -> Frame:
        """List the project's jobs, newest first."""
        return opened(project).jobs()

    @app.command_of("job", example="flip job 7f3c --json")
    @job_argument
    def job(job: str) -> Told:
        """Show how a job is."""
        return told_of(flip.connect().job(job))

    @app.command_of("watch")
    @job_argument
    def watch(job: str) -> Frame:
        """Watch a job until it ends, then show what it released. Ctrl-C only stops watching."""
        return flip.connect().job(job).watch().result().table()

    @app.command_of("events")
    @job_argument
    def events(job: str) -> Frame:
        """Show every step of a job, with the numbers that came with it."""
        return flip.connect().job(job).events()

    @app.command_of("result", example="flip result 7f3c --save-model model.safetensors")
    @job_argument
    @click.option("--part", type=click.Choice(PARTS), help="Another of its tables.")
    @click.option("--save-model", type=click.Path(path_type=Path), help="Save the trained model's weights here.")
    def result(job: str, part: str | None, save_model: Path | None) -> Frame | Told:
        """Wait for a job and show what it released."""
        found = flip.connect().job(job).result()
        if save_model:
            found.save_model(save_model)
            return Told(f"Saved {save_model}.", {"saved": str(save_model)})
        table: Frame = getattr(found, part)() if part else found.table()
        return table

    @app.command_of("report")
    @job_argument
    def report(job: str) -> Told:
        """Show what a job costs each Trust by itself: as debited, and the tighter figure for a paper."""
        found = flip.connect().job(job).report()
        return Told(str(found), vars(found))

    @app.command_of("cancel")
    @job_argument
    def cancel(job: str) -> Told:
        """End a job. What Trusts have released by then stays debited."""
        return told_of(flip.connect().job(job).cancel())


PARTS = ("counts", "figures", "classes", "calibration", "reliability", "history", "statistics")


def told_of(job: Job) -> Told:
    """A job, for people and for programs."""
    return Told(repr(job), job.view.model_dump(mode="json"))
