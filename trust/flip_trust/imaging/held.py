"""``flip-trust imaging``: what is held is indexed, de-identified and told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from flip_trust.commands import Dask, Home, Workers, command, out, say
from flip_trust.config import TrustConfig
from flip_trust.errors import ImagingError
from flip_trust.scaleout import Where, progress

if TYPE_CHECKING:
    from flip_trust.imaging.cleaning import Cleaning

imaging_app = typer.Typer(no_args_is_help=True, help="The images that this Trust holds.")
Deidentify = Annotated[bool, typer.Option(help="De-identify what is indexed.")]
KeepFree = Annotated[float, typer.Option(help="Gigabytes of the disk that stay free; below, nothing more is taken.")]


@command(imaging_app, "index")
def imaging_index(
    again: Annotated[bool, typer.Option(help="Read every instance again, not only the new ones.")] = False,
    dask: Dask = "",
    workers: Workers = 0,
    home: Home = None,
) -> None:
    """Index what was received and is not indexed yet."""
    from flip_trust.imaging.index import Index

    config = TrustConfig.load(home)
    if again:
        say(f"To be read again: {Index(config.home).rebuild()}.")
    _index(config, Where(dask, workers))


@command(imaging_app, "deidentify")
def imaging_deidentify(
    remove_former: Annotated[
        bool, typer.Option(help="Then remove what was de-identified under former profiles.")
    ] = False,
    keep_free: KeepFree = 5.0,
    dask: Dask = "",
    workers: Workers = 0,
    home: Home = None,
) -> None:
    """De-identify what is indexed, under the Trust's profile; what cannot be made safe goes to quarantine."""
    from flip_trust.imaging.cleaning import Cleaning

    config = TrustConfig.load(home)
    _deidentify(config, Where(dask, workers), in_bytes(keep_free))
    if remove_former:
        say(f"Former profiles removed: {Cleaning(config.home).remove_former()}.")


@command(imaging_app, "status")
def imaging_status(home: Home = None) -> None:
    """Show what is held, by modality, and what waits."""
    import polars as pl
    from rich.table import Table

    from flip_trust.imaging.cleaning import Cleaning

    cleaning = Cleaning(TrustConfig.load(home).home)
    table = Table("modality", "persons", "studies", "series", "instances", "conflicts", title="Images held")
    figures = (
        cleaning.index.instances()
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
    say(f"Waiting to be indexed: {len(cleaning.index.waiting())}.")
    _tell(cleaning)


def work_off(config: TrustConfig, where: Where, keep_free: int, *, deidentify: bool) -> None:
    """Index what came, and de-identify it where that is wanted."""
    _index(config, where)
    if deidentify:
        _deidentify(config, where, keep_free)


def in_bytes(gigabytes: float) -> int:
    """The disk's floor as people give it.

    Raises:
        ImagingError: it is less than nothing.
    """
    if gigabytes < 0:
        raise ImagingError("Less than nothing cannot stay free.", "Give --keep-free in gigabytes, 0 or more.")
    return int(gigabytes * (1 << 30))


def _index(config: TrustConfig, where: Where) -> None:
    from flip_trust.imaging.index import Index

    index = Index(config.home)
    with progress("Indexing", len(index.waiting())) as advance:
        tally = index.run(advance, where=where.unless_little(len(index.waiting())))
    say(f"Indexed: {tally.indexed}, of which conflicts: {tally.conflicts}; to quarantine: {tally.quarantined}.")


def _deidentify(config: TrustConfig, where: Where, keep_free: int) -> None:
    from flip_trust.imaging.cleaning import Cleaning

    cleaning = Cleaning(config.home, keep_free)
    with progress("De-identifying", len(cleaning.waiting(again=True))) as advance:
        tally = cleaning.run(where, advance, again=True)
    say(f"De-identified: {tally.done}; to quarantine: {tally.refused.total()}.")
    _tell(cleaning)


def _tell(cleaning: Cleaning) -> None:
    from flip_trust.deidentification.refusals import Reason

    tally, former = cleaning.figures(), cleaning.former()
    say(f"Profile {cleaning.place.profile.name}: {tally.done} de-identified, {len(cleaning.waiting())} waiting,")
    say(f"  {tally.refused.total()} in quarantine{':' if tally.refused else '.'}")
    for reason, count in tally.refused.most_common():
        say(f"  {count}: {Reason[reason].value}")
    if former:
        say(f"Former profiles with files still here: {len(former)} (flip-trust imaging deidentify --remove-former).")
