"""A hub with output checkers, a ready project, and files that wait at its airlock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flip_hub.airlock import checking, decisions, requests
from flip_hub.airlock.checks import Past
from flip_hub.database import Routine
from flip_hub.governance import people
from flip_hub.models import allow_blob
from flip_hub.testing import show_records
from flip_sdk.contract.airlock import (
    CellMark,
    DecideOutputs,
    Examined,
    Finding,
    NewRelease,
    OutputStatement,
    ReleaseView,
    verdict_of,
)

from tests.hub.airlock.situations import World, every_situation

CHECKERS = {
    "cora": "Health Data Board",
    "cyril": "Patient Council",
    "chloe": "Aldgate Hospital",
    "nina": "Northbridge  university",
}
CLEAN = b"sex,persons\nfemale,120\nmale,130\n"
SMALL = b"sex,persons\nfemale,3\nmale,130\n"


def flags(folder: Path, statements: Sequence[OutputStatement], past: Past) -> tuple[Examined, ...]:
    """Checks as tests need them: ``,3`` is a small count, ``,0`` is never released, and nothing else is wrong."""
    del past
    return tuple(_examined(folder / statement.path, statement) for statement in statements)


def _examined(path: Path, statement: OutputStatement) -> Examined:
    content = path.read_bytes()
    found = []
    if b",3\n" in content:
        cell = CellMark(row=0, column=1)
        found.append(
            Finding(rule="table.small_count", severity="flag", message="3 persons.", mend="Suppress it.", cells=(cell,))
        )
    if b",0\n" in content:
        found.append(Finding(rule="table.zero", severity="block", message="Nobody.", mend="Take it out."))
    kind = "table" if statement.path.endswith(".csv") else "text"
    return Examined(
        path=statement.path,
        content=statement.content,
        bytes=len(content),
        kind=kind,
        findings=tuple(found),
        verdict=verdict_of(found),
    )


@dataclass
class Airlock:
    """Shortcuts to bring files to where a test needs them."""

    hub: Any
    examine: Callable[..., tuple[Examined, ...]] = flags
    keys: list[str] = field(default_factory=list)

    def upload(self, content: bytes, project: str = "cytology", by: str = "ada") -> str:
        address = self.hub.office.blobs.put(content)
        with self.hub.office.database.write(Routine("a test uploads")) as session:
            allow_blob(session, project, address, len(content), by, inside=True, outside=False)
        return address

    def wanted(self, files: dict[str, bytes], **changes: Any) -> NewRelease:
        statements = tuple(
            OutputStatement(path=path, content=self.upload(content), title=f"Title of {path}", **changes.pop(path, {}))
            for path, content in files.items()
        )
        key = f"key-{len(self.keys)}"
        self.keys.append(key)
        content = {"purpose": "Table 1 of the paper.", "files": statements, "idempotency_key": key}
        return NewRelease.model_validate(content | changes)

    def submitted(self, files: dict[str, bytes] | None = None, by: str = "ada", **changes: Any) -> ReleaseView:
        wanted = self.wanted(files or {"table.csv": CLEAN}, **changes)
        return requests.submit(self.hub.office, self.hub.who(by), "cytology", wanted)

    def checked(self, files: dict[str, bytes] | None = None, by: str = "ada", **changes: Any) -> ReleaseView:
        request = self.submitted(files, by, **changes)
        self.work()
        return self.show(request.request_id)

    def work(self) -> int:
        return checking.work_off(self.hub.office, self.examine)

    def show(self, request_id: str, who: str = "ada") -> ReleaseView:
        return requests.show(self.hub.office, self.hub.who(who), request_id)

    def decide(
        self, request: ReleaseView, who: str, decision: str = "approve", *paths: str, reason: str = ""
    ) -> ReleaseView:
        chosen = [
            o.output_id for o in request.outputs if o.statement.leaves and (not paths or o.statement.path in paths)
        ]
        wanted = DecideOutputs(outputs=tuple(chosen), decision=decision, reason=reason)
        return decisions.decide(self.hub.office, self.hub.who(who), request.request_id, wanted)

    def released(self, files: dict[str, bytes] | None = None, **changes: Any) -> ReleaseView:
        request = self.checked(files, **changes)
        self.decide(request, "cora")
        return self.decide(request, "cyril")


@pytest.fixture
def airlock(hub) -> Airlock:
    for name, organisation in CHECKERS.items():
        people.add_person(
            hub.office.database,
            name,
            display_name=name.title(),
            organisation=organisation,
            roles=("output checker",),
            by="olga",
        )
    show_records(hub.office.database, *CHECKERS)
    hub.approved(team=("alan",))
    return Airlock(hub)


@pytest.fixture
def world(airlock: Airlock) -> World:
    return every_situation(airlock)
