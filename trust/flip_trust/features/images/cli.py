"""``flip-trust features``: the images that are kept for jobs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flip_trust.commands import Dask, Home, Workers, command, out, say
from flip_trust.config import TrustConfig
from flip_trust.errors import SetupError

if TYPE_CHECKING:
    from flip_sdk.contract.images import AnyImages

features_app = typer.Typer(no_args_is_help=True, help="Images that are kept for jobs: shown, made ahead, forgotten.")
_MEGABYTE = 2**20


@command(features_app, "status")
def features_status(home: Home = None) -> None:
    """Show what is kept of each way of making images, and what could not be made and why."""
    from rich.table import Table

    from flip_trust.features.images import cache
    from flip_trust.imaging.cleaned import profile_of

    folder = TrustConfig.load(home).home
    found, now = cache.summaries(folder), profile_of(folder).digest
    table = Table("images", "profile", "series or slides", "images", "MB", "last used", "failed", title="Images kept")
    for one in found:
        failed = "\n".join(f"{count} × {reason}" for reason, count in sorted(one.failed.items()))
        used = f"{datetime.fromtimestamp(one.used, UTC):%Y-%m-%d %H:%M}" if one.used else ""
        profile = "current" if one.about.profile == now else "another"
        size = f"{one.size / _MEGABYTE:.1f}"
        table.add_row(_words(one.about.asked), profile, str(one.items), str(one.images), size, used, failed)
    out.print(table)
    say(f"{sum(one.size for one in found) / _MEGABYTE:.1f} MB in all.")


@command(features_app, "warm")
def features_warm(
    spec: Annotated[Path, typer.Argument(help="JSON of a job, or of its images alone.")],
    dask: Dask = "",
    workers: Workers = 0,
    home: Home = None,
) -> None:
    """Make a job's images ahead of it: of every series or slide that fits, whoever's and of whichever day."""
    from flip_trust import scaleout
    from flip_trust.features.images.warming import warm

    asked, last = _asked(spec), [0]
    with scaleout.progress("Making images", None) as advance:

        def progress(done: int, _: int) -> None:
            advance(done - last[0])
            last[0] = done

        made = warm(asked, TrustConfig.load(home).home, scaleout.Where(dask, workers), progress)
    say(f"{made.images} images of {made.items} series or slides are kept; {last[0]} of these were made now.")
    for reason, count in sorted(made.failed.items()):
        say(f"  {count} could not be used: {reason}.")


@command(features_app, "clear")
def features_clear(
    failed: Annotated[bool, typer.Option(help="Only what could not be made: it is tried again.")] = False,
    home: Home = None,
) -> None:
    """Forget the images that are kept; jobs make theirs anew."""
    from flip_trust.features.images import cache

    forgotten = cache.clear(TrustConfig.load(home).home, failed=failed)
    say(f"Forgotten: {forgotten} series or slides.")


def _asked(path: Path) -> AnyImages:
    from flip_sdk.contract.images import AnyImages
    from pydantic import TypeAdapter

    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        images = content.get("images", content)
        asked: AnyImages = TypeAdapter(AnyImages).validate_json(json.dumps(images))
    except (OSError, UnicodeDecodeError, ValueError, AttributeError) as error:
        raise SetupError(f"{path} describes no images.", "Give the JSON of a job with images, or of images.") from error
    return asked


def _words(asked: dict[str, Any]) -> str:
    """What is done to pixels, in a line."""
    if asked["kind"] == "tiles":
        return f"tiles of {asked['tile']}, {asked['mpp']:g} µm"
    steps = [step["name"] for step in asked["transforms"]]
    return ", ".join([asked["form"]["kind"], *steps, "×".join(map(str, asked["size"]))])
