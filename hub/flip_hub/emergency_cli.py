"""``flip-hub emergency``: opened, ended and listed at the hub's own machine; reviews are written on the hub's pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from flip_hub.backup_cli import Home
from flip_hub.errors import InvalidError

if TYPE_CHECKING:
    from flip_hub.config import HubConfig
    from flip_hub.database import Database
    from flip_hub.governance.office import Office
    from flip_hub.policy import Subject

By = Annotated[str, typer.Option(help="The registered operator who does this; your login name unless given.")]
_out = Console(soft_wrap=True)


def register(
    app: typer.Typer,
    command: Callable[[typer.Typer, str], Any],
    open_: Callable[[Path | None], tuple[HubConfig, Database]],
    by_: Callable[[str], str],
) -> None:
    """Add the three commands."""

    @command(app, "open")  # type: ignore[untyped-decorator]
    def open_one(
        scope: Annotated[str, typer.Argument(help="read or suspend a project, or end a person's sessions.")],
        target: Annotated[str, typer.Argument(help="The project's id, or the person's name.")],
        reason: Annotated[str, typer.Option(help="What happened, and why it cannot wait; reviewers read it at once.")],
        hours: Annotated[float, typer.Option(help="How long it reads.")] = 1.0,
        home: Home = None,
        by: By = "",
    ) -> None:
        """Open emergency access, of which everybody who oversees the hub is told."""
        from flip_sdk.contract.emergencies import NewEmergency

        from flip_hub.governance import emergencies

        try:
            sent = {"scope": scope, "target": target, "reason": reason, "hours": hours}
            wanted = NewEmergency.model_validate(sent)
        except ValidationError as error:
            wrong = ", ".join(sorted({str(found["loc"][0]) for found in error.errors()}))
            mend = "The scope is read, suspend or sessions; the reason has at least 20 signs."
            raise InvalidError(f"This cannot be taken: {wrong}.", mend) from error
        office, subject = _asking(open_, by_, home, by)
        made = emergencies.open_(office, subject, wanted)
        _out.print(f"Emergency access {made.emergency_id} is {made.state}, until {made.expires_at:%Y-%m-%d %H:%M} UTC.")

    @command(app, "end")  # type: ignore[untyped-decorator]
    def end(
        emergency_id: Annotated[str, typer.Argument(help="As flip-hub emergency list shows it.")],
        home: Home = None,
        by: By = "",
    ) -> None:
        """End one before its time."""
        from flip_hub.governance import emergencies

        office, subject = _asking(open_, by_, home, by)
        emergencies.end(office, subject, emergency_id)
        _out.print(f"Emergency access {emergency_id} is over. Somebody else reviews it.")

    @command(app, "list")  # type: ignore[untyped-decorator]
    def list_all(home: Home = None, by: By = "") -> None:
        """List every emergency access; those that wait for a review first."""
        from flip_hub.governance import emergencies

        office, subject = _asking(open_, by_, home, by)
        table = Table("Id", "What", "Opened by", "At", "State", "Finding")
        for one in emergencies.listed(office, subject):
            at = f"{one.opened_at:%Y-%m-%d %H:%M}"
            table.add_row(one.emergency_id, f"{one.scope} {one.target}", one.opened_by, at, one.state, one.finding)
        _out.print(table, soft_wrap=False)


def _asking(
    open_: Callable[[Path | None], tuple[HubConfig, Database]],
    by_: Callable[[str], str],
    home: Path | None,
    by: str,
) -> tuple[Office, Subject]:
    from flip_hub.governance.office import Office, identify

    config, _ = open_(home)
    office = Office.of(config)
    with office.database.read() as session:
        return office, identify(session, by_(by))
