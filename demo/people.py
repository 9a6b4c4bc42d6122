"""The demo's people, and what each of them does with a browser: sign in, open pages, send forms, call the API."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from types import TracebackType
from typing import Any, Self

import httpx
from flip_hub.governance.requirements import requirements
from flip_sdk.contract.records import Record, digest

from demo.processes import PlatformError

PROJECT = "breast-cytology"
_SERVICE = "/services/flip"
_SESSION = "flip-session"


@dataclass(frozen=True)
class Actor:
    """A person of the demo, as the hub's operator registers them."""

    name: str
    display_name: str
    organisation: str
    role: str
    part: str


ADA = Actor("ada", "Ada Marsh", "Northbridge University", "researcher", "the researcher")
RUFUS = Actor("rufus", "Rufus Hale", "Health Data Board", "governance reviewer", "a reviewer")
MINA = Actor("mina", "Mina Osei", "Patient Council", "governance reviewer", "a reviewer")
SAM = Actor("sam", "Sam Whitlock", "Aldgate University Hospital", "data steward", "data steward of aldgate")
OLGA = Actor("olga", "Olga Brandt", "FLIP operations", "operator", "the hub's operator")
CORA = Actor("cora", "Cora Lindqvist", "Health Data Board", "output checker", "an output checker")
CYRIL = Actor("cyril", "Cyril Banner", "Patient Council", "output checker", "an output checker")
PEOPLE = (ADA, RUFUS, MINA, CORA, CYRIL, SAM, OLGA)
COLLEAGUE = "otto"
"""The other operator: nobody verifies their own records."""
STEWARDS = {"aldgate": SAM.name, "brookfield": "bella", "carrick": "conor", "dunmore": "dilys"}
"""Each Trust's data steward. They work at their own Trusts; only sam also has an account at the hub."""


def steward_of(trust: str) -> str:
    """A Trust's data steward."""
    return STEWARDS.get(trust, f"steward-of-{trust}")


def operator_of(trust: str) -> str:
    """The one who runs a Trust's node, and compares fingerprints with the others."""
    return f"operator-of-{trust}"


def records_of(actors: Sequence[Actor]) -> str:
    """The table of what people showed, as an office of training and contracts hands it over: a year from today."""
    today = datetime.now(UTC).date()
    lines = ["name,kind,reference,issued_on,expires_on,evidence"]
    for actor in actors:
        for kind in requirements().of([actor.role]):
            number = f"DEMO-{actor.name}-{kind}".upper()
            evidence = digest(f"Certificate {number}".encode())
            lines.append(f"{actor.name},{kind},{number},{today},{today + timedelta(days=365)},{evidence}")
    return "\n".join(lines) + "\n"


class Visitor:
    """One person with a browser of their own: a signed-in session with JupyterHub and its services."""

    def __init__(self, hub_url: str, name: str, password: str) -> None:
        self.name = name
        self.hub_url = hub_url
        self._client = httpx.Client(
            base_url=hub_url, follow_redirects=True, timeout=httpx.Timeout(60, connect=5), trust_env=False
        )
        page = self._client.get("/hub/login")
        form = {"username": name, "password": password, "_xsrf": self._xsrf("/hub/")}
        signed_in = self._client.post("/hub/login", params={"next": "/hub/home"}, data=form)
        if page.is_error or signed_in.is_error or "/hub/login" in str(signed_in.url):
            raise PlatformError(f"{name} cannot sign in: {signed_in.status_code} at {signed_in.url}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the browser. Whatever was started stays up."""
        self._client.close()

    @property
    def cookies(self) -> httpx.Cookies:
        """The browser's cookies."""
        return self._client.cookies

    @property
    def token(self) -> str:
        """The governance service's token of this session, which its cookie holds."""
        if not self._client.cookies.get(_SESSION):
            self._client.get(f"{_SERVICE}/")
        return self._client.cookies.get(_SESSION) or ""

    def get(self, path: str, **arguments: Any) -> httpx.Response:
        """Open a page."""
        return self._client.get(path, **arguments)

    def send_form(self, page: str, action: str, **fields: str | list[str]) -> httpx.Response:
        """Open a page of the governance service, fill in the form that goes to ``action``, and send it.

        Raises:
            PlatformError: the page has no such form for this person, or what was sent is not accepted.
        """
        shown = self._client.get(f"{_SERVICE}/{page}")
        forms = [form for form in _Forms.of(shown.text) if form["action"].endswith(action)]
        if not forms:
            raise PlatformError(f"{self.name} sees no form for {action} at {page} ({shown.status_code}).")
        answer = self._client.post(str(shown.url.join(forms[0]["action"])), data={**forms[0]["fields"], **fields})
        if answer.is_error:
            raise PlatformError(f"{self.name}: the form {action} was not accepted ({answer.status_code}).")
        return answer

    def api(self, method: str, path: str, record: Record | None = None) -> httpx.Response:
        """Call the governance service's API with the token of this person's own session.

        Raises:
            PlatformError: it refuses.
        """
        headers = {"Authorization": f"token {self.token}", "Content-Type": "application/json"}
        content = record.canonical() if record else None
        answer = self._client.request(method, f"{_SERVICE}/api/{path}", content=content, headers=headers)
        if answer.is_error:
            raise PlatformError(f"{self.name}: {method} {path}: {answer.status_code} {answer.text}")
        return answer

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Ask anything at the hub's address, as the page does to which the path belongs."""
        headers = {"X-XSRFToken": self._xsrf(path), "Referer": f"{self.hub_url}/hub/home"}
        return self._client.request(method, path, headers=headers, **arguments)

    def follow(self, path: str) -> AbstractContextManager[httpx.Response]:
        """An answer that goes on, as it comes."""
        headers = {"X-XSRFToken": self._xsrf(path), "Referer": f"{self.hub_url}/hub/home"}
        return self._client.stream("GET", path, headers=headers)

    def hub_api(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Call JupyterHub's own API, as its pages do."""
        return self.request(method, f"/hub/api/{path}", **arguments)

    def open_workspace(self, project: str) -> httpx.Response:
        """Follow the link that starts a project's workspace. A refusal is a page with status 403."""
        return self._client.get(f"/hub/spawn/{self.name}/{project}")

    def workspace_is_ready(self, project: str) -> bool:
        """Whether JupyterHub shows the project's workspace as running."""
        answer = self.hub_api("GET", f"users/{self.name}")
        server = answer.json().get("servers", {}).get(project) if answer.is_success else None
        return bool(server and server.get("ready"))

    def _xsrf(self, path: str) -> str:
        """The token against forged forms of the part of the hub to which a path belongs."""
        tokens = {cookie.path: cookie.value for cookie in self._client.cookies.jar if cookie.name == "_xsrf"}
        return tokens.get(max((part for part in tokens if path.startswith(part)), key=len, default="")) or ""


class _Forms(HTMLParser):
    """The forms of a page: where each goes, and what its fields hold before anybody types."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, Any]] = []

    @classmethod
    def of(cls, page: str) -> list[dict[str, Any]]:
        parser = cls()
        parser.feed(page)
        return parser.found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "form":
            self.found.append({"action": values.get("action") or "", "fields": {}})
        elif tag == "input" and self.found and values.get("name") and values.get("type") == "hidden":
            self.found[-1]["fields"][values["name"]] = values.get("value") or ""
