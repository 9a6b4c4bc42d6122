"""Writes the documents that follow from the code: state diagrams, settings and commands.

`python docs/generate.py` writes them; with `--check` it only compares, and ends with 1 where they differ.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import cedarpy
import click
import typer
import yaml
from flip_hub.cli import app as hub_app
from flip_hub.config import HubConfig
from flip_hub.dispatcher.deliveries import DELIVERY
from flip_sdk.cli import app as sdk_app
from flip_sdk.contract.states import MACHINES, StateMachine
from flip_trust.cli import app as trust_app
from flip_trust.config import TrustConfig
from sdk_reference import sdk_page

DOCS = Path(__file__).resolve().parent
_NOTE = "<!-- Written by docs/generate.py out of {}. Do not edit. -->\n\n"
_COMMANDS = (
    ("flip", sdk_app, "for researchers, outside a workspace"),
    ("flip-hub", hub_app, "for the hub's operator"),
    ("flip-trust", trust_app, "for a Trust's operator and data steward"),
)


def main(arguments: list[str]) -> int:
    """Write or compare every generated document."""
    wrong = [path for path, content in documents() if not path.exists() or path.read_text("utf-8") != content]
    if "--check" in arguments:
        for path in wrong:
            print(f"{path.relative_to(DOCS.parent)} is not what the code says: run `make docs`.", file=sys.stderr)
        return 1 if wrong else 0
    for path, content in documents():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    return 0


def documents() -> Iterator[tuple[Path, str]]:
    """Every generated document: where it stands, and what it says."""
    for machine in MACHINES:
        yield DOCS / "states" / f"{machine.name}.md", state_page(machine, "flip_sdk.contract.states")
    yield DOCS / "states" / "delivery.md", state_page(DELIVERY, "flip_hub.dispatcher.deliveries")
    yield DOCS / "reference" / "settings.md", settings_page()
    yield DOCS / "reference" / "commands.md", commands_page()
    yield DOCS / "reference" / "policies.md", policies_page()
    yield DOCS / "reference" / "sdk.md", _NOTE.format("flip_sdk's docstrings") + sdk_page()


def state_page(machine: StateMachine, source: str) -> str:
    """A state machine as a Mermaid diagram and as its table."""
    diagram = [f"    [*] --> {machine.start.value}"]
    diagram += [f"    {row.source.value} --> {row.target.value}: {row.owner}" for row in machine.transitions]
    diagram += [f"    {state.value} --> [*]" for state in sorted(machine.ends())]
    rows = [f"| {row.source.value} | {row.target.value} | {row.owner} | `{row.event}` |" for row in machine.transitions]
    return "\n".join(
        [
            _NOTE.format(source) + f"# The life of a {machine.name}",
            "",
            (machine.states.__doc__ or "").strip(),
            "",
            "```mermaid",
            "stateDiagram-v2",
            *diagram,
            "```",
            "",
            "| from | to | whose step | audit event |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def settings_page() -> str:
    """Every setting of the hub and of a Trust, with its default."""
    parts = [_NOTE.format("HubConfig and TrustConfig") + "# Settings"]
    for title, record, file, prefix in (
        ("The hub", HubConfig, "hub.toml", "FLIP_HUB_"),
        ("A Trust", TrustConfig, "trust.toml", "FLIP_TRUST_"),
    ):
        parts.append(
            f"## {title}\n\nRead once at the start: `{file}` in the home folder first, then the environment "
            f"(`{prefix}` and the setting's name in capitals).\n\n| setting | default | |\n|---|---|---|\n"
            + "\n".join(_setting_rows(record))
        )
    return "\n\n".join(parts) + "\n"


def _setting_rows(record: type[HubConfig] | type[TrustConfig]) -> Iterator[str]:
    words = _attribute_words(record.__doc__ or "")
    for field in dataclasses.fields(record):
        default = "(has to be given)" if field.default is dataclasses.MISSING else f"`{field.default!r}`"
        yield f"| `{field.name}` | {default} | {words.get(field.name, '')} |"


def _attribute_words(docstring: str) -> dict[str, str]:
    """The lines of a Google docstring's Attributes section, continuation lines joined."""
    section = docstring.partition("Attributes:")[2]
    found = re.findall(r"^ {8}(\w+): (.+(?:\n {10,}.+)*)", section, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}


def commands_page() -> str:
    """Every command of the three command lines."""
    parts = [_NOTE.format("the three command lines") + "# Commands"]
    for name, app, words in _COMMANDS:
        parts.append(f"## `{name}`: {words}")
        parts += list(_command_parts(name, app if isinstance(app, click.Group) else typer.main.get_command(app)))
    return "\n\n".join(parts) + "\n"


_POLICIES = (("The hub", "hub"), ("A Trust's console", "trust"), ("Jobs at a Trust", "trust/jobs"))


def policies_page() -> str:
    """Every policy of the hub and of a Trust: what it permits or forbids, in its own words."""
    parts = [_NOTE.format("policies/hub and policies/trust") + "# Policies"]
    for title, folder in _POLICIES:
        parts.append(f"## {title}\n\n| policy | effect | actions | what a person is told |\n|---|---|---|---|")
        parts[-1] += "".join(_policy_rows(DOCS.parent / "policies" / folder))
        parts += [f"### Examples: {title[0].lower()}{title[1:]}", *_examples(folder.replace("/", "-"))]
    return "\n\n".join(parts) + "\n"


def _policy_rows(folder: Path) -> Iterator[str]:
    for file in sorted(folder.glob("*.cedar")):
        found = json.loads(cedarpy.policies_to_json_str(file.read_text("utf-8")))["staticPolicies"]
        for body in sorted(found.values(), key=lambda one: one["annotations"]["id"]):
            notes, scope = body["annotations"], body["action"]
            entities = scope.get("entities") or ([scope["entity"]] if "entity" in scope else [])
            actions = ", ".join(f"`{entity['id']}`" for entity in entities) or "everything"
            told = " ".join(notes[name] for name in ("otherwise", "reason", "mend") if notes.get(name))
            yield f"\n| `{notes['id']}` | {body['effect']} | {actions} | {told} |"


def _examples(folder: str) -> Iterator[str]:
    """Who may and who may not, in words, with the example that a test runs."""
    content = yaml.safe_load((DOCS.parent / "policies" / "examples" / f"{folder}.yaml").read_text("utf-8"))
    for example in content["policies"] if isinstance(content, dict) else content:
        lines = [f"`{example['policy']}`\n"]
        for kind in ("allowed", "denied"):
            lines += [f"- **{kind}:** {case['words']} <small>({_asked(case)})</small>" for case in example[kind]]
        yield "\n".join(lines)


def _asked(case: dict[str, str]) -> str:
    left = "" if case.get("active", True) else " who has left"
    standing = f"a project that is {case.get('standing', 'opted_in').replace('_', ' ')}"
    who = case.get("who") or (case["role"] + left if "role" in case else standing)
    on = f" on {case['what']}" if "what" in case else ""
    by = f", decided by `{case['by']}`" if "by" in case else ""
    return f"{who}: `{case['action']}`{on}{by}"


def _command_parts(path: str, command: click.Command) -> Iterator[str]:
    if isinstance(command, click.Group):
        if command.invoke_without_command:
            yield _command_part(path, command)
        for name in sorted(command.commands):
            yield from _command_parts(f"{path} {name}", command.commands[name])
        return
    if not command.hidden:
        yield _command_part(path, command)


def _command_part(path: str, command: click.Command) -> str:
    words = " ".join((command.help or "").split("\f")[0].split())
    options = [row for parameter in command.params if (row := _parameter_row(parameter))]
    return f"### `{path}`\n\n{words}" + ("\n\n" + "\n".join(options) if options else "")


def _parameter_row(parameter: object) -> str:
    if getattr(parameter, "hidden", False) or "--help" in getattr(parameter, "opts", ()):
        return ""
    if isinstance(parameter, click.Argument):
        return f"- `{(parameter.name or '').upper()}` {getattr(parameter, 'help', None) or ''}".rstrip()
    names = ", ".join(
        f"`{name}`" for name in [*getattr(parameter, "opts", ()), *getattr(parameter, "secondary_opts", ())]
    )
    words = " ".join((getattr(parameter, "help", None) or "").split())
    return f"- {names} {words}".rstrip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
