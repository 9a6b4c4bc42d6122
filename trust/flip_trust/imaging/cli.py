"""``flip-trust receive``, ``flip-trust imaging`` and ``flip-trust ingest dicom``: images in."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from flip_trust.commands import Home, command, err, out, say
from flip_trust.config import TrustConfig
from flip_trust.errors import ImagingError

imaging_app = typer.Typer(no_args_is_help=True, help="The images that this Trust holds.")
KeepFree = Annotated[float, typer.Option(help="Gigabytes of the disk that stay free; below, senders are refused.")]
_MOST_TOLD = 20


def register(app: typer.Typer, ingest_app: typer.Typer) -> None:
    """Put this module's commands into the program."""
    command(app, "receive")(receive)
    command(ingest_app, "dicom")(ingest_dicom)
    app.add_typer(imaging_app, name="imaging")


def receive(  # noqa: PLR0913, PLR0917 (a form: every option has a name and a preset)
    ae_title: Annotated[str, typer.Option(help="Our AE title; who calls another is refused.")] = "FLIP",
    allow: Annotated[
        list[str] | None,
        typer.Option(help="AE title that may send by C-STORE; give it once for each. Nobody else may."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for every one.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of C-STORE.")] = 11112,
    stow_port: Annotated[int | None, typer.Option(help="Port of DICOMweb STOW-RS; off unless given.")] = None,
    tls_certificate: Annotated[Path | None, typer.Option(help="PEM; both ports then speak TLS only.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM: the certificate's key.")] = None,
    tls_authority: Annotated[Path | None, typer.Option(help="PEM: senders must show a certificate of it.")] = None,
    keep_free: KeepFree = 5.0,
    index: Annotated[bool, typer.Option(help="Index what comes at once.")] = True,
    home: Home = None,
) -> None:
    """Receive images from modalities and the PACS until told to stop (SIGTERM or Ctrl-C)."""
    from flip_trust.agent import log
    from flip_trust.imaging.negotiation import Rules
    from flip_trust.imaging.service import Listening, serve
    from flip_trust.tls import Tls

    tls = Tls.of(tls_certificate, tls_key, tls_authority)
    rules = Rules(ae_title, frozenset(allow or ()))
    listening = Listening(rules, host, port, stow_port, tls, _bytes(keep_free), index)
    config, stop = TrustConfig.load(home), threading.Event()
    log.set_up()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    serve(config, listening, stop)


def ingest_dicom(
    path: Annotated[Path, typer.Argument(help="A folder of any files, at any depth; or one file.")],
    keep_free: KeepFree = 5.0,
    home: Home = None,
) -> None:
    """Take the DICOM files of a folder into the raw store, and index them."""
    from rich.progress import track

    from flip_trust.imaging.folder import files_of, take
    from flip_trust.imaging.spool import Spool, SpoolFullError

    if not path.exists():
        raise ImagingError(f"There is no {path}.", "Give a folder or a file.")
    config = TrustConfig.load(home)
    bar = iter(track(range(sum(1 for _ in files_of(path))), "Taking files", console=err))
    try:
        with Spool(config.home / "imaging", _bytes(keep_free)) as spool:
            counts, refused = take(spool, path, lambda: next(bar, None))
    except SpoolFullError as error:
        raise ImagingError(
            "The disk is nearly full; what was taken so far stays.", "Make room, then run the same command again."
        ) from error
    told = ", ".join(f"{counts[outcome]} {word}" for outcome, word in _OUTCOMES.items())
    say(f"Taken: {told}; not taken: {len(refused)}.")
    for file, reason in refused[:_MOST_TOLD]:
        say(f"  {escape(str(file))}: {reason}")
    if len(refused) > _MOST_TOLD:
        say(f"  … and {len(refused) - _MOST_TOLD} more")
    _index(config)


@command(imaging_app, "index")
def imaging_index(
    again: Annotated[bool, typer.Option(help="Read every instance again, not only the new ones.")] = False,
    home: Home = None,
) -> None:
    """Index what was received and is not indexed yet."""
    from flip_trust.imaging.index import Index

    config = TrustConfig.load(home)
    if again:
        say(f"To be read again: {Index(config.home).rebuild()}.")
    _index(config)


@command(imaging_app, "status")
def imaging_status(home: Home = None) -> None:
    """Show what is held, by modality, and what waits."""
    import polars as pl
    from rich.table import Table

    from flip_trust.imaging.index import Index

    index = Index(TrustConfig.load(home).home)
    table = Table("modality", "persons", "studies", "series", "instances", "conflicts", title="Images held")
    figures = (
        index.instances()
        .group_by("modality")
        .agg(
            *(pl.col(name).n_unique() for name in ("person_id", "study_uid", "series_uid")),
            pl.len(),
            pl.col("conflict").sum(),
        )
    )
    for row in figures.sort("modality").collect().iter_rows():
        table.add_row(*(str(value) for value in row))
    out.print(table)
    say(f"Waiting to be indexed: {len(index.waiting())}.")


_OUTCOMES = {"new": "new", "same": "known before", "conflict": "with another instance's UID (kept beside it)"}


def _index(config: TrustConfig) -> None:
    from rich.progress import Progress

    from flip_trust.imaging.index import Index

    index = Index(config.home)
    with Progress(console=err) as progress:
        task = progress.add_task("Indexing", total=len(index.waiting()))
        tally = index.run(lambda count: progress.advance(task, count))
    say(f"Indexed: {tally.indexed}, of which conflicts: {tally.conflicts}; to quarantine: {tally.quarantined}.")


def _bytes(gigabytes: float) -> int:
    if gigabytes < 0:
        raise ImagingError("Less than nothing cannot stay free.", "Give --keep-free in gigabytes, 0 or more.")
    return int(gigabytes * (1 << 30))
