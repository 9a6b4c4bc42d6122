"""``flip-trust audit``: export the log, verify it, also an exported file alone, and compare it with the hub's."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from flip_trust.commands import Home, command, opened, say
from flip_trust.errors import SetupError

if TYPE_CHECKING:
    from flip_trust.config import TrustConfig
    from flip_trust.database import Database

audit_app = typer.Typer(no_args_is_help=True, help="The audit log.")
PolicyFile = Annotated[Path | None, typer.Option("--policy", help="A policy of retention; FLIP's own unless given.")]
_MEND = "Give the file that audit export wrote."


@command(audit_app, "verify")
def audit_verify(
    exported: Annotated[Path | None, typer.Argument(help="An exported log, instead of this Trust's own.")] = None,
    file: Annotated[Path | None, typer.Option(help="The same.")] = None,
    roots: Annotated[Path | None, typer.Option(help="Published roots, as the hub's public page gives them.")] = None,
    log: Annotated[str, typer.Option(help="Whose log it is: hub, or trust/NAME; as its roots say unless given.")] = "",
    key: Annotated[str, typer.Option(help="Public key of whose log it is; else as the file of roots has it.")] = "",
    policy: PolicyFile = None,
    home: Home = None,
) -> None:
    """Check that no entry was changed, left out, added or moved; ends with 1 where one was."""
    from flip_trust import audit
    from flip_trust.retention import policy_of

    if path := exported or file:
        _verify_file(path, roots, log, key, policy)
        return
    count, last = audit.verify_database(opened(home)[1], [policy_of(policy)])
    say(f"The audit log is whole: {count} entries, the last with hash {last}.")


@command(audit_app, "export")
def audit_export(
    file: Annotated[Path | None, typer.Argument(help="File to write; standard output unless given.")] = None,
    to: Annotated[Path | None, typer.Option(help="The same.")] = None,
    home: Home = None,
) -> None:
    """Write the audit log as one JSON object a line, and a signed root as the last."""
    lines = _lines(*opened(home))
    path = file or to
    if path is None:
        sys.stdout.writelines(lines)
        return
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(lines)


@command(audit_app, "retain")
def audit_retain(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be reduced.")] = False,
    policy: PolicyFile = None,
    operator: Annotated[str, typer.Option(help="Who does this; your login name unless given.")] = "",
    home: Home = None,
) -> None:
    """Reduce to digests what was kept long enough, by a policy; the log tells of it and stays verifiable."""
    from flip_trust.retention import due_now, policy_of, reduce_due

    database = opened(home)[1]
    chosen, moment = policy_of(policy), datetime.now(UTC)
    for line in due_now(database, chosen, moment).words(chosen.name):
        say(escape(line))
    if not dry_run:
        count = reduce_due(database, chosen, moment, f"operator/{operator or getpass.getuser()}")
        say(f"{count} entries were reduced. Whoever verifies the log needs the same policy.")


@command(audit_app, "compare")
def audit_compare(
    hub: Annotated[Path, typer.Argument(help="The hub's log, as flip-hub audit export wrote it.")],
    home: Home = None,
) -> None:
    """Look for orders that this Trust received and the hub's log does not know; ends with 1 where there are any."""
    from flip_sdk.contract.log_check import orders_not_in
    from flip_sdk.contract.log_files import Export

    from flip_trust import audit

    try:
        with hub.open(encoding="utf-8") as stream:
            hidden = orders_not_in((one for one in Export(stream) if one), audit.entries_of(opened(home)[1]))
    except (OSError, UnicodeDecodeError, KeyError) as error:
        raise SetupError(f"{hub} cannot be read as an audit log.", _MEND) from error
    for entry in hidden:
        job, spec = entry["details"]["job"], entry["details"].get("spec", "of an earlier version")
        say(escape(f"{entry['at']}: {entry['subject']} of job {job} (what was asked: {spec}) is not in the hub's log."))
    if hidden:
        raise typer.Exit(1)
    say("The hub's log knows every job that this Trust was asked for.")


@command(audit_app, "alarms")
def audit_alarms(home: Home = None) -> None:
    """List what was wrong with the hub's log, and who dealt with it; ends with 1 while nobody has."""
    from flip_trust import witness

    listed = witness.alarms(opened(home)[1])
    for number, one in enumerate(listed, start=1):
        done = (
            f"Dealt with by {one['by']}, {one['dealt_at'][:10]}: {one['reason']}"
            if one["by"]
            else "Nobody dealt with it."
        )
        say(escape(f"{number}. {one['at'][:16]}: {one['why']} {done}"))
    if not listed:
        say("There was no alarm.")
    if not all(one["by"] for one in listed):
        raise typer.Exit(1)


@command(audit_app, "deal-with")
def audit_deal_with(
    number: Annotated[int, typer.Argument(help="Number of the alarm, as audit alarms lists them.")],
    reason: Annotated[str, typer.Option(help="What you found out; kept in the audit log.")],
    steward: Annotated[str, typer.Option(help="Who dealt with it.")],
    home: Home = None,
) -> None:
    """Say that an alarm about the hub's log was dealt with, by whom and how; it stays in the list."""
    from flip_trust import witness

    one = witness.deal_with(opened(home)[1], number, f"steward/{steward}", reason)
    say(escape(f"Alarm {number} of {one['at'][:10]} is dealt with. Another one would be told again."))


def _lines(config: TrustConfig, database: Database) -> Iterator[str]:
    from flip_sdk.contract.log_files import footer
    from flip_sdk.contract.merkle import Growing

    from flip_trust import audit
    from flip_trust.keys import load_identity

    tree = Growing()
    for entry in audit.entries_of(database):
        tree.add(entry["hash"])
        yield json.dumps(entry) + "\n"
    yield footer(load_identity(config), f"trust/{config.name}", tree.size, tree.root(), datetime.now(UTC)) + "\n"


def _verify_file(path: Path, roots: Path | None, log: str, key: str, policy: Path | None) -> None:
    from flip_sdk.contract.log_files import Evidence, check_file, evidence_of, in_words, is_whole, log_of
    from flip_sdk.contract.signatures import PublicKey

    from flip_trust.retention import policy_of

    try:
        with path.open(encoding="utf-8") as stream:
            log = log or log_of(stream)
        pinned = {log: PublicKey(key)} if key else {}
        evidence = evidence_of(roots.read_bytes(), log, pinned) if roots else Evidence(keys=pinned)
        evidence.policies = (policy_of(policy),)
        with path.open(encoding="utf-8") as stream:
            verdict, notes = check_file(stream, evidence, evidence.keys.get(log))
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"{getattr(error, 'filename', None) or path} cannot be read.", _MEND) from error
    for line in in_words(verdict, notes, evidence):
        say(escape(line))
    if not is_whole(verdict, notes):
        raise typer.Exit(1)
