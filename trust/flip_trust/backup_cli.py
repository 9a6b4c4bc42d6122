"""``flip-trust backup`` and ``flip-trust restore``, and what ``flip-trust ledger reconcile`` does."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from flip_sdk.archives.shown import passphrase, progress

from flip_trust.commands import Home, command, err, opened, say
from flip_trust.errors import ConsentError, SetupError

Phrase = Annotated[Path | None, typer.Option(help="File with the keys' passphrase; else FLIP_BACKUP_PASSPHRASE.")]


def register(app: typer.Typer) -> None:
    """Add both commands."""
    command(app, "backup")(backup)
    command(app, "restore")(restore)


def backup(
    path: Annotated[Path, typer.Argument(help="The file to make; it must not be there yet.")],
    passphrase_file: Phrase = None,
    home: Home = None,
) -> None:
    """Write settings, opt-ins, the ledger and the audit log into one file, while the agent runs; no patient's data."""
    from flip_trust.backup import back_up

    phrase = passphrase(passphrase_file)
    config, database = opened(home)
    with progress(err) as told:
        digest, debits = back_up(config, database, path, by=_operator(), told=told, passphrase=phrase)
    say(f"{path}: {debits} debits, {path.stat().st_size:,} bytes. Keep its digest elsewhere: {digest}")
    if not phrase:
        err.print("[yellow]The Trust's keys are not in it:[/yellow] keep them elsewhere, or give --passphrase-file.")


def restore(
    path: Annotated[Path, typer.Argument(help="A file that flip-trust backup made.")],
    passphrase_file: Phrase = None,
    digest: Annotated[str, typer.Option(help="As flip-trust backup printed it: nothing else is then taken.")] = "",
    home: Home = None,
) -> None:
    """Make a Trust's home out of a backup. It answers nobody until its ledger is reconciled."""
    from flip_trust.backup import restore as run

    if home is None:
        raise SetupError("The Trust's home folder is not known.", "Give --home or set FLIP_TRUST_HOME.")
    phrase = passphrase(passphrase_file)
    with progress(err) as told:
        made_at = run(path, home.absolute(), by=_operator(), told=told, passphrase=phrase, digest=digest)
    say(
        f"The Trust of {made_at:%d %B %Y, %H:%M} UTC is in {home}. What was debited since then is not in its ledger, so"
    )
    say("it answers nobody, and every opt-in is paused. The data steward runs flip-trust ledger reconcile, with what")
    say("the hub's pages show as spent, or --write-off; then flip-trust consent resume for each project.")


def run_reconcile(spent: Sequence[str], total: float, write_off: bool, steward: str, home: Path | None) -> None:
    """Debit what is known to have been spent, and say what that was."""
    from flip_trust.backup import reconcile
    from flip_trust.backup.reconcile import WHOLE

    if write_off == bool(spent or total):
        raise ConsentError("Say what was spent, or write all of it off.", "Give --spent and --total, or --write-off.")
    config, database = opened(home)
    figures = None if write_off else {**dict(map(_figure, spent)), **({WHOLE: total} if total else {})}
    done = reconcile(database, config, steward, figures)
    for name, epsilon in done.items():
        say(f"Debited {epsilon:.4g} to {name or 'the whole data set'}.")
    say("The ledger is reconciled. Opt-ins are still paused: see flip-trust consent list.")


def _figure(text: str) -> tuple[str, float]:
    name, _, figure = text.partition("=")
    try:
        epsilon = float(figure)
    except ValueError:
        epsilon = -1.0
    if not name or not 0 <= epsilon < 1e6:
        raise ConsentError(f"'{text}' says of no project what it spent.", "Write --spent PROJECT=EPSILON.")
    return name, epsilon


def _operator() -> str:
    return f"operator/{getpass.getuser()}"
