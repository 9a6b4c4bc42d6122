"""``flip-hub satre report``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from flip_hub.errors import ConfigError

_out, _err = Console(soft_wrap=True), Console(stderr=True, soft_wrap=True)


def register(app: typer.Typer, command: Callable[[typer.Typer, str], Any]) -> None:
    """Add the command."""

    @command(app, "report")  # type: ignore[untyped-decorator]
    def report(
        folder: Annotated[Path, typer.Argument(help="Folder to write satre.html and satre.xlsx into.")],
        evidence: Annotated[
            Path | None, typer.Option(help="Results of tests that `make test` wrote; else those shipped with the hub.")
        ] = None,
    ) -> None:
        """Write where this version stands on each of SATRE's requirements, as a page and as a spreadsheet."""
        from flip_hub import satre

        found = satre.Evidence.read(evidence)
        judgements, now = satre.judge(satre.requirements(), found), datetime.now(UTC)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            page = satre.draw(satre.requirements(), judgements, found, now)
            (folder / "satre.html").write_text(page, encoding="utf-8")
            satre.write_sheet(folder / "satre.xlsx", satre.requirements(), judgements, found, now)
        except OSError as error:
            raise ConfigError(f"{folder} cannot be written: {error.strerror}.", "Name another folder.") from error
        _tell(folder, Counter(item.standing.value for item in judgements), bool(found.outcomes))


def _tell(folder: Path, counts: Counter[str], has_run: bool) -> None:
    told = ", ".join(f"{number} {standing}" for standing, number in counts.most_common())
    _out.print(f"{folder / 'satre.html'} and satre.xlsx: {told}.", highlight=False)
    if not has_run:
        _err.print("[yellow]No results of tests were found: what tests would show is not shown as met.[/yellow]")
