"""``flip-trust receive`` and ``flip-trust ingest dicom``: images in."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from flip_trust.commands import Dask, Home, Workers, command, say
from flip_trust.config import TrustConfig
from flip_trust.errors import ImagingError
from flip_trust.imaging import held, pull_cli
from flip_trust.imaging.held import Deidentify, KeepFree, in_bytes

_MOST_TOLD = 20


def register(app: typer.Typer, ingest_app: typer.Typer) -> None:
    """Put this module's commands into the program."""
    command(app, "receive")(receive)
    command(ingest_app, "dicom")(ingest_dicom)
    command(ingest_app, "slides")(ingest_slides)
    pull_cli.register(held.imaging_app)
    app.add_typer(held.imaging_app, name="imaging")


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
    deidentify: Deidentify = True,
    dask: Dask = "",
    workers: Annotated[int, typer.Option(help="Workers that de-identify; 0 is one a processor.", min=0)] = 1,
    home: Home = None,
) -> None:
    """Receive images from modalities and the PACS until told to stop (SIGTERM or Ctrl-C)."""
    from flip_trust.agent import log
    from flip_trust.imaging.negotiation import Rules
    from flip_trust.imaging.service import Listening, serve
    from flip_trust.scaleout import Where
    from flip_trust.tls import Tls

    tls = Tls.of(tls_certificate, tls_key, tls_authority)
    rules = Rules(ae_title, frozenset(allow or ()))
    listening = Listening(
        rules, host, port, stow_port, tls, in_bytes(keep_free), index, deidentify, Where(dask, workers)
    )
    config, stop = TrustConfig.load(home), threading.Event()
    log.set_up()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    serve(config, listening, stop)


def ingest_dicom(
    path: Annotated[Path, typer.Argument(help="A folder of any files, at any depth; or one file.")],
    deidentify: Deidentify = True,
    keep_free: KeepFree = 5.0,
    dask: Dask = "",
    workers: Workers = 0,
    home: Home = None,
) -> None:
    """Take the DICOM files of a folder into the raw store, index them and de-identify them."""
    from flip_trust import scaleout
    from flip_trust.imaging.folder import files_of, take

    if not path.exists():
        raise ImagingError(f"There is no {path}.", "Give a folder or a file.")
    config, where = TrustConfig.load(home), scaleout.Where(dask, workers)
    files = list(files_of(path))
    with scaleout.progress("Taking files", len(files)) as advance:
        taken = take(config.home / "imaging", in_bytes(keep_free), files, where.unless_little(len(files)), advance)
    told = ", ".join(f"{taken.counts[outcome]} {word}" for outcome, word in _OUTCOMES.items())
    say(f"Taken: {told}; not taken: {len(taken.refused)}.")
    for file, reason in taken.refused[:_MOST_TOLD]:
        say(f"  {escape(file)}: {reason}")
    if len(taken.refused) > _MOST_TOLD:
        say(f"  … and {len(taken.refused) - _MOST_TOLD} more")
    held.work_off(config, where, in_bytes(keep_free), deidentify=deidentify)


def ingest_slides(
    manifest: Annotated[Path, typer.Argument(help="CSV with file, patient_id, date and, if known, stain and mpp.")],
    home: Home = None,
) -> None:
    """Take whole-slide images in tiled TIFF (SVS …): their levels alone, without label, macro or description."""
    from flip_trust import scaleout
    from flip_trust.imaging.slides import take

    with scaleout.progress("Taking slides", None) as advance:
        taken = take(TrustConfig.load(home).home, manifest, lambda: advance(1))
    say(f"Taken: {taken.slides}; refused: {len(taken.refused)}.")
    for number, reason in taken.refused[:_MOST_TOLD]:
        say(f"  row {number}: {escape(reason)}")
    if len(taken.refused) > _MOST_TOLD:
        say(f"  … and {len(taken.refused) - _MOST_TOLD} more")
    if taken.refused:
        raise typer.Exit(2)


_OUTCOMES = {"new": "new", "same": "known before", "conflict": "with another instance's UID (kept beside it)"}
