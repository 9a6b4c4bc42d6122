"""``flip-hub airlock check``: the checks of a folder, on the command line."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from flip_hub.errors import InvalidError

if TYPE_CHECKING:
    from flip_sdk.contract.airlock import Examined, Finding, OutputStatement

_COLOURS = {"pass": "green", "note": "dim", "flag": "yellow", "block": "red"}
_VERDICTS = {"pass": "passes", "flag": "a person must decide", "block": "may not leave"}
_out = Console(soft_wrap=True)
_log = logging.getLogger(__name__)


def register(app: typer.Typer, command: Callable[[typer.Typer, str], Any]) -> None:
    """Add the command."""

    @command(app, "check")  # type: ignore[untyped-decorator]
    def check(
        folder: Annotated[Path, typer.Argument(help="The folder with the files.", exists=True, file_okay=False)],
        statement: Annotated[Path | None, typer.Option(help="YAML: what is said of each file.")] = None,
        limits: Annotated[
            str, typer.Option(help="Preset of limits, of policies/disclosure; else the hub's own (FLIP_HUB_HOME).")
        ] = "",
        as_json: Annotated[bool, typer.Option("--json", help="Print the records instead.")] = False,
    ) -> None:
        """Check files as the airlock would; ends with 1 where one does not pass.

        The hub knows earlier releases and results of jobs, and compares with them; this command knows the folder alone.
        """
        preset = limits or _hubs_limits()
        examined = _examine(folder, statement, preset)
        if as_json:
            sys.stdout.write(json.dumps([file.model_dump(mode="json") for file in examined], indent=2) + "\n")
        else:
            for file in examined:
                _show(file)
            _out.print(f"[dim]By the limits {preset}, and compared with no earlier release.[/dim]", highlight=False)
        if any(file.verdict != "pass" for file in examined):
            raise typer.Exit(1)


def _hubs_limits() -> str:
    """What the hub holds files to: by its settings where it has a home here, else by their default.

    Raises:
        ConfigError: the home that is named cannot be used.
    """
    from flip_hub.config import ENVIRONMENT_PREFIX, HubConfig

    if os.environ.get(ENVIRONMENT_PREFIX + "HOME"):
        return HubConfig.load().disclosure_limits
    return HubConfig.disclosure_limits


def _examine(folder: Path, statement: Path | None, limits: str) -> tuple[Examined, ...]:
    from flip_hub import sandbox
    from flip_hub.airlock.checks import Past, examine_apart, load

    stated = statements(folder, statement)
    if not stated:
        raise InvalidError(f"There is no file in {folder}.", "Give the folder with the files that are to leave.")
    past = Past(project="checked-here", limits=load(limits))
    sandboxed = sandbox.usable()
    if not sandboxed:
        _log.warning("bubblewrap does not work here: the checks run without a sandbox")
    return examine_apart(folder, stated, past, sandboxed=sandboxed)


def statements(folder: Path, path: Path | None) -> tuple[OutputStatement, ...]:
    """What is said of each file of a folder: by a YAML file, or by nothing but its name.

    Raises:
        InvalidError: the YAML, or a file's name, cannot be used; every violation at once.
    """
    from flip_sdk.contract.airlock import OutputStatement

    said = _said(path) if path else {}
    found = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p != path)
    if unknown := sorted(set(said) - set(found)):
        raise InvalidError(f"{path} names files that are not there: {', '.join(unknown)}.", "Correct it.")
    made, wrong = [], []
    for name in found:
        stated = {"title": f"File {name}"[:200], **said.get(name, {}), "path": name, "content": _digest(folder / name)}
        try:
            made.append(OutputStatement.model_validate(stated))
        except ValidationError as error:
            wrong += [f"{name}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
    if wrong:
        raise InvalidError(f"What is said of files cannot be used: {'; '.join(wrong)}", "Correct it.")
    return tuple(made)


def _said(path: Path) -> dict[str, dict[str, Any]]:
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
        return {str(file["path"]): dict(file) for file in content["files"]}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise InvalidError(
            f"{path} cannot be read as a statement: {error}", "Write files:, and for each of them path: and title:."
        ) from error


def _digest(path: Path) -> str:
    import hashlib

    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def _show(file: Examined) -> None:
    colour = _COLOURS[file.verdict]
    kind = file.kind or "not read"
    _out.print(f"[bold]{escape(file.path)}[/bold] ({kind}): [{colour}]{_VERDICTS[file.verdict]}[/{colour}]")
    for finding in file.findings:
        _show_finding(finding)


def _show_finding(finding: Finding) -> None:
    colour = _COLOURS[finding.severity]
    _out.print(
        f"  [{colour}]{finding.severity}[/{colour}] {escape(finding.message)} [dim]{finding.rule}[/dim]",
        highlight=False,
    )
    if finding.cells:
        places = ", ".join(f"{mark.row + 1}:{mark.column + 1}" for mark in finding.cells[:12])
        _out.print(f"    cells (row:column) {places}{' …' if len(finding.cells) > 12 else ''}", highlight=False)
    if finding.mend:
        _out.print(f"    → {escape(finding.mend)}", highlight=False)
