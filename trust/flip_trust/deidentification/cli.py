"""``flip-trust deid`` and ``flip-trust deid-profile``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from flip_trust.commands import Dask, Home, Workers, command, out, say
from flip_trust.errors import SetupError

if TYPE_CHECKING:
    from flip_trust.deidentification.report import Tally
    from flip_trust.deidentification.run import Order

deid_app = typer.Typer()


@command(deid_app, "deid")
def deid(  # noqa: PLR0913, PLR0917 (a form: every option has a name and a preset)
    source: Annotated[Path, typer.Argument(help="Folder with DICOM files; it is never changed.")],
    target: Annotated[Path, typer.Argument(help="Folder for the de-identified files.")],
    profile: Annotated[
        str, typer.Option(help="A profile's name (see flip-trust deid-profile) or a YAML file.")
    ] = "research-default",
    report: Annotated[Path | None, typer.Option(help="HTML report to write; it holds no identifiers.")] = None,
    quarantine: Annotated[
        Path | None, typer.Option(help="Folder for refused files; in the home, or beside the target, unless given.")
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option(help="The secret behind the pseudonyms, made if missing; the home's unless given.")
    ] = None,
    dask: Dask = "",
    workers: Workers = 0,
    home: Home = None,
) -> None:
    """De-identify a folder of DICOM files; what cannot be made safe goes to quarantine. Ends with 2 if any did."""
    from flip_trust.deidentification import report as pages
    from flip_trust.deidentification import run
    from flip_trust.deidentification.keyed import KEY_FILE
    from flip_trust.deidentification.profile import load

    if key_file is None:
        if home is None:
            raise SetupError("The key of the pseudonyms is not known.", "Give --home, FLIP_TRUST_HOME or --key-file.")
        key_file = home / KEY_FILE
    if quarantine is None:
        beside = target.absolute()
        quarantine = home / "quarantine" / "deid" if home else beside.with_name(f"{beside.name}-quarantine")
    order = run.Order(source, target, quarantine, load(profile), key_file)
    tally = _counted(order, dask, workers)
    say(f"{tally.done} de-identified into {escape(str(target))}.")
    say(f"{len(tally.refusals)} refused into {escape(str(quarantine))}.")
    if report is not None:
        report.write_text(pages.run_page(order.profile, tally), encoding="utf-8")
        say(f"Report: {report}")
    if tally.refusals:
        raise typer.Exit(2)


@command(deid_app, "deid-profile")
def deid_profile(
    name: Annotated[str, typer.Argument(help="A profile's name or a YAML file; without it, all are listed.")] = "",
    export: Annotated[Path | None, typer.Option(help="Write the whole table to a .html or .csv file.")] = None,
) -> None:
    """Show what a de-identification profile does, attribute by attribute."""
    from rich.table import Table

    from flip_trust.deidentification import describe, report
    from flip_trust.deidentification.profile import load, names

    if not name:
        overview = Table("profile", "title", "options of the standard")
        for each in map(load, names()):
            overview.add_row(each.name, each.title, ", ".join(each.options) or "none")
        out.print(overview)
        return
    profile = load(name)
    if export is not None:
        if export.suffix not in {".html", ".csv"}:
            raise SetupError(f"{export} is neither .html nor .csv.", "Choose one of the two.")
        page = report.profile_page(profile) if export.suffix == ".html" else describe.as_csv(profile)
        export.write_text(page, encoding="utf-8")
        say(f"Written: {export}")
        return
    summary = Table("", "", title=profile.title, show_header=False)
    for fact in describe.facts(profile):
        summary.add_row(*fact)
    whole = Table("tag", "attribute", "basic", "what is done", "because of")
    for line in describe.described(profile):
        whole.add_row(line.tag, line.name, line.basic, line.action, line.because)
    out.print(summary)
    out.print(whole)


def _counted(order: Order, dask: str, workers: int) -> Tally:
    from flip_trust import scaleout
    from flip_trust.deidentification import run
    from flip_trust.deidentification.report import Tally

    order.check()
    sources, tally = run.found(order.source), Tally()
    with scaleout.progress("De-identifying", len(sources)) as advance:
        for outcome in run.run(order, sources, scaleout.Where(dask, workers)):
            tally.add(outcome)
            advance(1)
    return tally
