"""``flip-trust imaging pull``: fetch from a PACS what a list or a cohort names."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from flip_trust.commands import Dask, Home, Workers, command, err, say
from flip_trust.config import TrustConfig
from flip_trust.errors import ImagingError
from flip_trust.imaging import held
from flip_trust.imaging.held import Deidentify, KeepFree, in_bytes

if TYPE_CHECKING:
    from flip_trust.imaging.pacs import DimsePacs, WebPacs
    from flip_trust.imaging.pulling import Pace, Pulled, Source
    from flip_trust.imaging.spool import Spool

_MOST_TOLD = 20


def register(app: typer.Typer) -> None:
    """Put this module's command into the program."""
    command(app, "pull")(imaging_pull)


def imaging_pull(  # noqa: PLR0913, PLR0917 (a form: every option has a name and a preset)
    pacs: Annotated[str, typer.Argument(help="The PACS, as pacs.toml in the home names it.")],
    accessions: Annotated[Path | None, typer.Option(help="File with an accession number a line.")] = None,
    cohort: Annotated[
        Path | None, typer.Option(help="JSON of a cohort (the SDK's or ATLAS's): what was ordered for its persons.")
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Instances a second at most; 0: no limit.", min=0)] = None,
    associations: Annotated[int | None, typer.Option(help="Studies at a time.", min=1, max=16)] = None,
    again: Annotated[bool, typer.Option(help="Fetch studies too that are complete.")] = False,
    report: Annotated[Path | None, typer.Option(help="CSV to write, a row an accession number: it identifies.")] = None,
    deidentify: Deidentify = True,
    keep_free: KeepFree = 5.0,
    dask: Dask = "",
    workers: Workers = 0,
    home: Home = None,
) -> None:
    """Fetch studies from a PACS, index and de-identify them. Ends with 2 if some did not come."""
    from flip_trust.imaging.pacs import load
    from flip_trust.imaging.pulling import Pace
    from flip_trust.imaging.spool import Spool
    from flip_trust.scaleout import Where

    config = TrustConfig.load(home)
    place, floor = load(config.home, pacs), in_bytes(keep_free)
    numbers = _numbers(config, accessions, cohort)
    done: list[Pulled] = []
    try:
        with Spool(config.home / "imaging", floor) as spool:
            source = _source(config.home, place, spool, Pace(place.rate if rate is None else rate))
            with _destination(config.home, place, spool):
                _pull(config.home, source, spool, numbers, done, associations or place.associations, again=again)
    finally:
        _tell(done, len(numbers))
        if report is not None:
            _write(report, done)
        held.work_off(config, Where(dask, workers), floor, deidentify=deidentify)
    if any(one.outcome not in _GOOD for one in done):
        raise typer.Exit(2)


_GOOD = {"found and fetched", "held already"}


def _numbers(config: TrustConfig, accessions: Path | None, cohort: Path | None) -> list[str]:
    from flip_trust.imaging.wanted import listed, of_cohort

    if (accessions is None) == (cohort is None):
        raise ImagingError("It is not said what to fetch.", "Give either --accessions or --cohort.")
    numbers = listed(accessions) if accessions else of_cohort(config.home, cohort) if cohort else []
    return list(dict.fromkeys(numbers))


def _source(home: Path, pacs: DimsePacs | WebPacs, spool: Spool, pace: Pace) -> Source:
    if pacs.protocol == "dimse":
        from flip_trust.imaging.retrieve import DimseSource

        return DimseSource(home, pacs, spool, pace)
    from flip_trust.imaging.dicomweb import WebSource

    return WebSource(home, pacs, spool, pace)


@contextmanager
def _destination(home: Path, pacs: DimsePacs | WebPacs, spool: Spool) -> Iterator[None]:
    """Somebody who takes what C-MOVE sends: flip-trust receive where it runs, else this program."""
    from flip_trust.imaging.negotiation import Rules
    from flip_trust.imaging.receiver import Receiver
    from flip_trust.imaging.service import runs

    wanted = pacs.protocol == "dimse" and pacs.retrieve == "move"
    if pacs.protocol != "dimse" or not wanted or runs(home, pacs.our_ae_title, pacs.receive_port):
        yield
        return
    rules = Rules(pacs.our_ae_title, frozenset({pacs.ae_title}))
    with Receiver(spool, rules, pacs.receive_host, pacs.receive_port):
        yield


def _pull(
    home: Path, source: Source, spool: Spool, numbers: list[str], done: list[Pulled], associations: int, *, again: bool
) -> None:
    from flip_trust.imaging.pulling import Journal, Puller
    from flip_trust.scaleout import progress

    puller = Puller(source, spool, Journal(home), again)
    with progress("Fetching", len(numbers)) as advance:
        for one in puller.pull(numbers, associations):
            done.append(one)
            advance(1)


def _tell(done: list[Pulled], asked: int) -> None:
    counts = Counter(one.outcome for one in done)
    say(
        f"Accession numbers: {asked}; instances: {sum(one.came for one in done if one.outcome == 'found and fetched')}."
    )
    for outcome, count in counts.most_common():
        say(f"  {count}: {outcome}")
    if len(done) < asked:
        say(f"  {asked - len(done)}: not asked for")
    bad = [one for one in done if one.outcome not in _GOOD]
    for one in bad[:_MOST_TOLD]:
        came = f" ({one.came} of {one.expected})" if one.expected else ""
        err.print(f"{escape(one.accession)}: {one.outcome}{came} {one.why}".rstrip(), highlight=False, soft_wrap=True)
    if len(bad) > _MOST_TOLD:
        err.print(f"… and {len(bad) - _MOST_TOLD} more (--report lists every one).")


def _write(path: Path, done: list[Pulled]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["accession_number", "outcome", "expected", "came", "status"])
        rows.writerows([one.accession, one.outcome, one.expected, one.came, one.why] for one in done)
