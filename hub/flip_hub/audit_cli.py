"""``flip-hub audit``: export the log, and verify it, also an exported file alone."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from flip_hub.backup_cli import By, Home
from flip_hub.errors import AuditError, ConfigError

if TYPE_CHECKING:
    from flip_hub.config import HubConfig
    from flip_hub.database import Database

Key = Annotated[str, typer.Option(help="Public key of whose log it is; else as the file of roots has it.")]
PolicyFile = Annotated[Path | None, typer.Option("--policy", help="A policy of retention; FLIP's own unless given.")]
Roots = Annotated[Path | None, typer.Option(help="Published roots, as the hub's public page gives them.")]
_out, _err = Console(soft_wrap=True), Console(stderr=True, soft_wrap=True)


def register(
    app: typer.Typer,
    command: Callable[[typer.Typer, str], Any],
    open_: Callable[[Path | None], tuple[HubConfig, Database]],
) -> None:
    """Add the commands."""

    @command(app, "verify")  # type: ignore[untyped-decorator]
    def verify(
        exported: Annotated[Path | None, typer.Argument(help="An exported log, instead of this hub's own.")] = None,
        file: Annotated[Path | None, typer.Option(help="The same.")] = None,
        roots: Roots = None,
        key: Key = "",
        policy: PolicyFile = None,
        home: Home = None,
    ) -> None:
        """Check that no entry was changed, left out, added or moved; ends with 1 where one was."""
        if path := exported or file:
            _verify_file(path, roots, key, policy)
            return
        from flip_hub import audit
        from flip_hub.retention import policy_of

        try:
            _, database = open_(home)
            with database.read() as session:
                count, last = audit.verify(session, [policy_of(policy)])
        except AuditError as error:
            _err.print(f"[red]The audit log is broken:[/red] {escape(str(error))}.", highlight=False)
            raise typer.Exit(1) from error
        _out.print(f"The audit log is whole: {count} entries. The last one's hash is {last}.")

    @command(app, "export")  # type: ignore[untyped-decorator]
    def export(
        file: Annotated[Path | None, typer.Argument(help="File to write; printed unless given.")] = None,
        home: Home = None,
    ) -> None:
        """Write every entry as a line of JSON, and a signed root as the last: what flip-hub audit verify reads."""
        config, database = open_(home)
        lines = _lines(config, database)
        if file is None:
            sys.stdout.writelines(lines)
            return
        with file.open("w", encoding="utf-8") as stream:
            stream.writelines(lines)

    @command(app, "retain")  # type: ignore[untyped-decorator]
    def retain(
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be reduced.")] = False,
        policy: PolicyFile = None,
        by: By = "",
        home: Home = None,
    ) -> None:
        """Reduce to digests what was kept long enough, by a policy; the log tells of it and stays verifiable."""
        from flip_hub.database import now
        from flip_hub.retention import due_now, policy_of, reduce_due

        _, database = open_(home)
        chosen, moment = policy_of(policy), now()
        for line in due_now(database, chosen, moment).words(chosen.name):
            _out.print(escape(line), highlight=False)
        if not dry_run:
            count = reduce_due(database, chosen, moment, by or getpass.getuser())
            _out.print(f"{count} entries were reduced. Whoever verifies the log needs the same policy.")

    @command(app, "roots")  # type: ignore[untyped-decorator]
    def roots_(home: Home = None) -> None:
        """Print the daily roots, who countersigned them, and the keys: what verify --roots reads."""
        from flip_hub.governance.witness import published

        config, database = open_(home)
        with database.read() as session:
            sys.stdout.write(published(config, session).canonical().decode() + "\n")


def _lines(config: HubConfig, database: Database) -> Iterator[str]:
    from flip_sdk.contract.log_files import footer
    from flip_sdk.contract.merkle import Growing

    from flip_hub import audit
    from flip_hub.database import now
    from flip_hub.keys import signing_key

    tree = Growing()
    with database.read() as session:
        for entry in audit.export(session):
            tree.add(entry["hash"])
            yield json.dumps(entry, ensure_ascii=False) + "\n"
    yield footer(signing_key(config, "governance"), "hub", tree.size, tree.root(), now()) + "\n"


def _verify_file(path: Path, roots: Path | None, key: str, policy: Path | None) -> None:
    from flip_sdk.contract.log_files import Evidence, check_file, evidence_of, in_words, is_whole
    from flip_sdk.contract.signatures import PublicKey

    from flip_hub.retention import policy_of

    pinned = {"hub": PublicKey(key)} if key else {}
    try:
        evidence = evidence_of(roots.read_bytes(), "hub", pinned) if roots else Evidence(keys=pinned)
        evidence.policies = (policy_of(policy),)
        with path.open(encoding="utf-8") as stream:
            verdict, notes = check_file(stream, evidence, evidence.keys.get("hub"))
    except (OSError, UnicodeDecodeError) as error:
        name = getattr(error, "filename", None) or path
        raise ConfigError(f"{name} cannot be read.", "Give the file that flip-hub audit export wrote.") from error
    whole = is_whole(verdict, notes)
    for line in in_words(verdict, notes, evidence):
        (_out if whole else _err).print(escape(line), highlight=False)
    if not whole:
        raise typer.Exit(1)
