"""``flip-hub backup`` and ``flip-hub restore``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from flip_sdk.archives.shown import passphrase, progress
from rich.console import Console
from rich.markup import escape

from flip_hub.config import HubConfig
from flip_hub.errors import ConfigError

if TYPE_CHECKING:
    from flip_hub.backup import Restored, Saved
    from flip_hub.database import Database

Home = Annotated[Path | None, typer.Option(envvar="FLIP_HUB_HOME", help="The hub's home folder.")]
By = Annotated[str, typer.Option(help="Who does this, for the audit log; your login name unless given.")]
Phrase = Annotated[Path | None, typer.Option(help="File with the keys' passphrase; else FLIP_BACKUP_PASSPHRASE.")]
_MOST_NAMES = 10
_out, _err = Console(soft_wrap=True), Console(stderr=True, soft_wrap=True)


def register(
    app: typer.Typer,
    command: Callable[[typer.Typer, str], Any],
    open_: Callable[[Path | None], tuple[HubConfig, Database]],
    by_: Callable[[str], str],
) -> None:
    """Add both commands."""

    @command(app, "backup")  # type: ignore[untyped-decorator]
    def backup(
        path: Annotated[Path, typer.Argument(help="The file to make; it must not be there yet.")],
        passphrase_file: Phrase = None,
        workspaces: Annotated[bool, typer.Option(help="Whether people's own files are in it.")] = True,
        home: Home = None,
        by: By = "",
    ) -> None:
        """Write the whole hub into one file, while it runs; keys only under a passphrase."""
        from flip_hub.backup import back_up

        phrase = passphrase(passphrase_file)
        config, database = open_(home)
        with progress(_err) as told:
            made = back_up(config, database, path, by=by_(by), told=told, passphrase=phrase, workspaces=workspaces)
        _tell_saved(made)

    @command(app, "restore")  # type: ignore[untyped-decorator]
    def restore(
        path: Annotated[Path, typer.Argument(help="A file that flip-hub backup made.")],
        home: Home = None,
        passphrase_file: Phrase = None,
        replace: Annotated[bool, typer.Option(help="Keep what is in the home beside, and take its place.")] = False,
        database_url: Annotated[str | None, typer.Option(help="Another, empty database; '' for SQLite.")] = None,
        digest: Annotated[str, typer.Option(help="As flip-hub backup printed it: nothing else is then taken.")] = "",
        by: By = "",
    ) -> None:
        """Make a hub out of a backup: into an empty home, and only when all of it is verified."""
        from flip_hub.backup import restore as run

        if home is None:
            raise ConfigError("The hub's home folder is not known.", "Give --home or set FLIP_HUB_HOME.")
        phrase = passphrase(passphrase_file)
        with progress(_err) as told:
            done = run(
                path,
                home.absolute(),
                by=by_(by),
                told=told,
                passphrase=phrase,
                replaces=replace,
                database_url=database_url,
                digest=digest,
            )
        _tell_restored(done)


def _tell_saved(made: Saved) -> None:
    _out.print(f"{made.path}: {made.rows:,} rows, {made.blobs:,} blobs, {made.size:,} bytes.", highlight=False)
    _out.print(f"Keep its digest elsewhere: {made.digest}", highlight=False)
    if not made.has_secrets:
        _err.print(
            "[yellow]The hub's keys are not in it.[/yellow] Without them no Trust knows the restored hub: keep "
            "keys/, tls/ and secrets/ elsewhere, or give --passphrase-file."
        )
    _tell_missing(made.missing)
    if made.left_out:
        listed = ", ".join(made.left_out[:_MOST_NAMES]) + (" …" if len(made.left_out) > _MOST_NAMES else "")
        _err.print(f"[yellow]Not taken, as links or not readable:[/yellow] {escape(listed)}")


def _tell_restored(done: Restored) -> None:
    _out.print(
        f"The hub of {done.made_at:%d %B %Y, %H:%M} UTC is in {done.home}: {done.rows:,} rows, and an audit log of "
        f"{done.entries:,} entries, verified. What happened since then is not in it.",
        highlight=False,
    )
    if done.kept:
        _out.print(f"What was there before is kept in {done.kept}.")
    if not done.has_secrets:
        _err.print(
            "[yellow]The backup holds no keys.[/yellow] Put keys/, tls/ and secrets/ back before you start the hub; "
            "with new ones (flip-hub init) every Trust has to pin it again."
        )
    _tell_missing(done.missing)


def _tell_missing(names: tuple[str, ...]) -> None:
    for name in names:
        _err.print(f"[yellow]A blob that the database names is missing or damaged:[/yellow] {name}")
