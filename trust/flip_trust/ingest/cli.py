"""``flip-trust ingest``: records in. Each command says what it mapped, what it did not, and why it refused what."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flip_trust.commands import Dask, Home, Workers, command, opened, out, say
from flip_trust.config import TrustConfig
from flip_trust.errors import IngestError
from flip_trust.tls import Tls

if TYPE_CHECKING:
    from flip_trust.ingest.report import MappingReport
    from flip_trust.scaleout import Where

ingest_app = typer.Typer(no_args_is_help=True, help="Records in: OMOP tables, vocabularies, FHIR, HL7, opt-outs.")
quality_app = typer.Typer()
LITTLE_BYTES = 8 * 2**20
"""So little is read sooner than workers have started."""
KILOBYTE = 1024
Report = Annotated[
    Path | None, typer.Option(help="Write the mapping report: a page where the name ends in .html, else JSON.")
]


@command(ingest_app, "omop")
def ingest_omop(
    path: Annotated[Path, typer.Argument(help="A CSV or Parquet file named after its table, or a folder of them.")],
    dask: Dask = "",
    workers: Workers = 0,
    report: Report = None,
    home: Home = None,
) -> None:
    """Load OMOP CDM 5.4 tables; a row replaces the one with the same key."""
    from flip_trust.ingest import omop

    folder, size = TrustConfig.load(home).home, _size(omop.files_of(path))
    with _reading(size) as advance:
        made = omop.load(folder, path, _where(size, dask, workers), advance)
    _show(made, report)


@command(ingest_app, "vocabulary")
def ingest_vocabulary(
    folder: Annotated[Path, typer.Argument(help="What a download from OHDSI's Athena unpacks to.")],
    report: Report = None,
    home: Home = None,
) -> None:
    """Load the vocabularies that source codes are mapped with."""
    from flip_trust.ingest import vocabulary

    _show(vocabulary.load(TrustConfig.load(home).home, folder), report)


@command(ingest_app, "fhir")
def ingest_fhir(
    path: Annotated[Path, typer.Argument(help="A bundle (.json), a bulk export (.ndjson), or a folder of them.")],
    dask: Dask = "",
    workers: Workers = 0,
    report: Report = None,
    home: Home = None,
) -> None:
    """Load FHIR R4B resources into OMOP; a resource replaces what was loaded from it before."""
    from flip_trust.ingest.fhir.load import load
    from flip_trust.ingest.fhir.reading import files_of

    folder, size = TrustConfig.load(home).home, _size(files_of(path))
    # patients are read first, then the rest: every byte twice
    with _reading(2 * size) as advance:
        made = load(folder, path, _where(size, dask, workers), advance)
    _show(made, report)


@command(ingest_app, "hl7")
def ingest_hl7(  # noqa: PLR0913, PLR0917 (a form: every option has a name and a preset)
    file: Annotated[Path | None, typer.Argument(help="A file of messages; without it, what the listener took.")] = None,
    listen: Annotated[str, typer.Option(help="HOST:PORT to take messages at (MLLP), until told to stop.")] = "",
    tls_certificate: Annotated[Path | None, typer.Option(help="PEM; the listener then speaks TLS only.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM: the certificate's key.")] = None,
    tls_authority: Annotated[Path | None, typer.Option(help="PEM: senders must show a certificate of it.")] = None,
    dask: Dask = "",
    workers: Workers = 0,
    report: Report = None,
    home: Home = None,
) -> None:
    """Map HL7 version 2 messages (ADT, ORU, ORM, OMI) to OMOP; with --listen, take them and keep them to be mapped."""
    folder = TrustConfig.load(home).home
    if listen:
        _listen(folder, listen, Tls.of(tls_certificate, tls_key, tls_authority))
        return
    from flip_trust.ingest.hl7 import journal
    from flip_trust.ingest.hl7.listener import JOURNAL_FOLDER
    from flip_trust.ingest.hl7.load import load_file, load_journal, place_of

    if file is None:
        size = journal.size(folder / JOURNAL_FOLDER, place_of(folder))
        with _reading(size) as advance:
            made = load_journal(folder, _where(size, dask, workers), advance)
    else:
        size = _size([file])
        with _reading(size) as advance:
            made = load_file(folder, file, _where(size, dask, workers), advance)
    _show(made, report)


@command(ingest_app, "periods")
def ingest_periods(home: Home = None) -> None:
    """Derive the periods of observation that the sources do not give; every load does it at its end."""
    from flip_trust.ingest import periods
    from flip_trust.ingest.report import MappingReport

    report = MappingReport("observation periods")
    periods.derive(TrustConfig.load(home).home, report)
    _show(report, None)


@command(ingest_app, "optouts")
def ingest_optouts(
    file: Annotated[Path, typer.Argument(help="Patients' numbers, one a line.")],
    replace: Annotated[
        bool, typer.Option(help="This is the whole list: who is not on it is opted out no more.")
    ] = False,
    home: Home = None,
) -> None:
    """Take the national list of patients who opted out: they are in no cohort and no count from now on."""
    from flip_trust.audit import Entry
    from flip_trust.ingest import links
    from flip_trust.ledger import queries

    config, database = opened(home)
    taken, wrong = links.opt_out(config.home, file, replace=replace)
    with database.transaction() as transaction:
        actor = f"operator/{getpass.getuser()}"
        entry = Entry(actor, "optouts.taken", f"trust/{config.name}", {"whole_list": replace})
        transaction.write(entry, queries.forget())
    say(f"Opted out: {taken} numbers.")
    if wrong:
        say(f"[yellow]Not taken, no number or a wrong check digit: lines {', '.join(map(str, wrong))}.[/yellow]")
        raise typer.Exit(1)


@command(quality_app, "quality")
def quality(
    report: Annotated[Path | None, typer.Option(help="Write the whole report as a page with plots.")] = None,
    home: Home = None,
) -> None:
    """Check the OMOP tables for completeness, plausibility and conformance, after OHDSI's categories."""
    from datetime import UTC, datetime

    from rich.table import Table

    from flip_trust.ingest.quality import checks, page
    from flip_trust.keys import write_private

    config, today = TrustConfig.load(home), datetime.now(UTC).date()
    found = checks.outcomes(config.omop, today)
    failed = [outcome for outcome in found if not outcome.passed]
    if failed:
        table = Table("category", "table", "check", "rows that fail it", "share", title="Checks that failed")
        for one in failed:
            share = f"{one.percent:.1f} %"
            table.add_row(one.check.category, one.check.table, one.words, f"{one.failed} of {one.rows}", share)
        out.print(table)
    say(f"{len(found) - len(failed)} of {len(found)} checks passed.")
    if report is not None:
        write_private(report, page.report(found, config.omop, today).encode())
        say(f"The report is in {report}.")


def _size(files: Iterable[Path]) -> int:
    return sum(file.stat().st_size for file in files if file.exists())


def _where(size: int, dask: str, workers: int) -> Where:
    from flip_trust.scaleout import HERE, Where

    return HERE if size < LITTLE_BYTES and not dask and not workers else Where(dask, workers)


@contextmanager
def _reading(size: int) -> Iterator[Callable[[int], None]]:
    """A bar that is moved on by bytes."""
    from flip_trust import scaleout

    read = 0
    with scaleout.progress("Reading, in kB", size // KILOBYTE) as advance:

        def count(more: int) -> None:
            nonlocal read
            advance((read + more) // KILOBYTE - read // KILOBYTE)
            read += more

        yield count


def _listen(home: Path, address: str, tls: Tls | None) -> None:
    import asyncio
    import signal
    from collections import Counter

    from flip_trust.ingest.hl7.listener import Listener

    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise IngestError(f"{address} is not HOST:PORT.", "Give an address of this machine, such as 127.0.0.1:2575.")
    context, how = (tls.context(), ", by TLS alone") if tls else (None, "")
    answered: Counter[str] = Counter()

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        listener = Listener(home, lambda code: answered.update([code]))
        await listener.run(host, int(port), stop, lambda bound: say(f"Listening at {host}:{bound}{how}."), context)

    try:
        asyncio.run(run())
    except OSError as error:
        raise IngestError(f"{address} cannot be listened at ({error.strerror}).", "Choose another address.") from error
    say(f"Stopped: {answered['AA']} messages taken, {answered['AE'] + answered['AR']} refused.")


def _show(report: MappingReport, path: Path | None) -> None:
    for table in report.tables():
        out.print(table)
    if path is not None:
        report.save(path)
        say(f"The report is in {path}.")
    if report.not_read:
        raise typer.Exit(1)
