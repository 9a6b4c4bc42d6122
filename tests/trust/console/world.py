"""A Trust whose console is open, the projects that a hub told of, and people at browsers of their own."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fastapi import FastAPI
from fastapi.testclient import TestClient
from flip_sdk.contract.notices import ProjectForTrust
from flip_trust import heard
from flip_trust.console.desk import Desk
from flip_trust.console.service import Address, create_app
from flip_trust.policy import Person
from httpx import Response

from tests.trust.world import PROJECT, Trust

ADDRESS = Address(port=8601)
STYLES = Path(__file__).parents[3] / "hub" / "node_modules" / "nhsuk-frontend" / "dist" / "nhsuk"
SAM = Person("sam", "data steward")
IRIS = Person("iris", "auditor")
OLI = Person("oli", "operator")


def told(**changes: object) -> ProjectForTrust:
    """A project, as a hub tells it."""
    fields = {
        "project_id": PROJECT,
        "title": "Breast cytology",
        "lay_summary": "Can a computer tell harmless lumps from cancer?",
        "public_benefit": "Fewer needless operations.",
        "researchers": ("Ada",),
        "reviewers": ("Rufus", "Mina"),
        "job_kinds": ("count", "train", "evaluate"),
        "epsilon": 3.0,
        "delta": 1e-5,
        "expires_at": datetime.now(UTC) + timedelta(days=200),
    }
    return ProjectForTrust(**(fields | changes))


@dataclass
class Clock:
    """What time the console thinks it is."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **spans: float) -> None:
        self.now += timedelta(**spans)


@dataclass
class Browser:
    """A person's browser: it follows links, and fills in the forms of the page it looks at."""

    client: TestClient
    page: Response | None = None

    def open(self, path: str) -> Response:
        self.page = self.client.get(path)
        return self.page

    def token(self) -> str:
        assert self.page is not None
        found = re.search(r'name="form_token" value="([0-9a-f]+)"', self.page.text)
        assert found, self.page.text
        return found[1]

    def send(self, path: str, **fields: object) -> Response:
        self.page = self.client.post(path, data={"form_token": self.token(), **fields})
        return self.page

    def hidden(self) -> dict[str, object]:
        """The hidden fields of the page, as its form would send them."""
        assert self.page is not None
        found: dict[str, object] = {}
        for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', self.page.text):
            before = found.get(name)
            found[name] = value if before is None else [*(before if isinstance(before, list) else [before]), value]
        return found


@dataclass
class Console:
    """A Trust's console."""

    trust: Trust
    app: FastAPI
    clock: Clock

    @property
    def desk(self) -> Desk:
        desk: Desk = self.app.state.desk
        return desk

    def stranger(self, **changes: object) -> Browser:
        options = {"base_url": "http://127.0.0.1:8601", "follow_redirects": True} | changes
        return Browser(TestClient(self.app, raise_server_exceptions=False, **options))

    def browser(self, person: Person = SAM) -> Browser:
        found = self.stranger()
        entered = found.client.post("/enter", data={"link": self.desk.sessions.link(person)})
        assert entered.status_code == 200, entered.text
        return found

    def hear(self, *projects: ProjectForTrust) -> None:
        heard.keep(self.trust.database, projects or [told()], self.clock())


def open_console(trust: Trust) -> Console:
    """The console of a Trust."""
    clock = Clock()
    app = create_app(trust.config, trust.database, ADDRESS, components=STYLES, clock=clock)
    return Console(trust, app, clock)
