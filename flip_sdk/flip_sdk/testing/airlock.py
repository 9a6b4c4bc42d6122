"""An airlock that is only played: it checks for small counts alone, and its checkers do what a test tells them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from flip_sdk.contract.airlock import (
    CellMark,
    CheckView,
    DecisionView,
    Examined,
    FileKind,
    Finding,
    NewRelease,
    OutputDecision,
    OutputStatement,
    OutputView,
    ReleasedFile,
    ReleaseView,
    verdict_of,
)
from flip_sdk.contract.ingress import IngressView, NewIngress
from flip_sdk.contract.records import digest
from flip_sdk.contract.states import IngressState, OutputState
from flip_sdk.contract.violations import Violation
from flip_sdk.errors import NotAllowedError, NotFoundError, PublicError, SpecError

THRESHOLD = 10
KINDS: dict[str, FileKind] = {
    ".csv": "table",
    ".txt": "text",
    ".json": "text",
    ".md": "text",
    ".png": "image",
    ".ipynb": "notebook",
    ".safetensors": "model",
}
_WAITING = (OutputState.CHECKED, OutputState.IN_REVIEW)


@dataclass
class FakeAirlock:
    """Requests, releases and files that come in, of one project.

    Attributes:
        project: its id.
        person: who asks.
        blobs: what was uploaded, by digest.
        must_be_open: raises where the project is not.
        now: the time.
    """

    project: str
    person: str
    blobs: dict[str, bytes]
    must_be_open: Callable[[], None]
    now: Callable[[], datetime]
    requests: dict[str, ReleaseView] = field(default_factory=dict)
    releases: dict[str, ReleasedFile] = field(default_factory=dict)
    incoming: dict[str, IngressView] = field(default_factory=dict)
    checks: dict[str, CheckView] = field(default_factory=dict)
    _keys: dict[str, str] = field(default_factory=dict)

    def decide(self, request: str, path: str, *decisions: OutputDecision, reason: str = "") -> ReleaseView:
        """Play checkers: each decision is another one's; two that agree release or withhold the file."""
        view = self._request(request)
        output = next(o for o in view.outputs if o.statement.path == path)
        if not output.statement.leaves or output.state not in _WAITING:
            raise PublicError(f"{path} does not wait for a decision.", "Decide on the others.")
        made = (*output.decisions, *(DecisionView(decision=d, reason=reason, decided_at=self.now()) for d in decisions))
        agreed = [d for d in ("approve", "withhold") if sum(one.decision == d for one in made) >= 2]
        changes: dict[str, object] = {"state": OutputState.IN_REVIEW, "decisions": made, "decided": len(made)}
        if agreed == ["approve"]:
            changes |= {"state": OutputState.RELEASED, "released_at": self.now(), **self._release(view, output)}
        elif agreed:
            changes |= {"state": OutputState.WITHHELD, "reason": reason}
        return self._put(view, {path: changes})

    def revoke(self, release: str, reason: str) -> None:
        """Play a checker who revokes a release."""
        found = self._released(release)
        self.releases[release] = found.model_copy(update={"revoked_at": self.now(), "revoked_because": reason})
        view = self._request(found.request_id)
        self._put(view, {found.path: {"state": OutputState.REVOKED, "reason": reason}})

    def admit(self, ingress: str) -> IngressView:
        """Play a checker who lets a file in."""
        admitted = {"state": IngressState.ADMITTED, "decided_at": self.now()}
        self.incoming[ingress] = self.incoming[ingress].model_copy(update=admitted)
        return self.incoming[ingress]

    def begin_check(self, content: bytes) -> CheckView:
        """``POST …/airlock/checks``: done at once."""
        self.must_be_open()
        wanted = self._taken(content)
        view = CheckView(
            check_id=f"check-{len(self.checks) + 1}",
            project_id=self.project,
            done=True,
            files=tuple(map(self._examined, wanted.files)),
        )
        self.checks[view.check_id] = view
        return view

    def show_check(self, check: str) -> CheckView:
        """``GET airlock/checks/…``."""
        if check not in self.checks:
            raise NotFoundError("There are no such checks of yours.", "Begin them again.")
        return self.checks[check]

    def request(self, content: bytes) -> ReleaseView:
        """``POST …/airlock/requests``: checked at once."""
        self.must_be_open()
        wanted = self._taken(content)
        if wanted.idempotency_key in self._keys:
            return self.show(self._keys[wanted.idempotency_key])
        name = f"request-{len(self.requests) + 1}"
        outputs = tuple(self._output(f"{name}-{n}", file) for n, file in enumerate(wanted.files, start=1))
        view = ReleaseView(
            request_id=name,
            project_id=self.project,
            purpose=wanted.purpose,
            audience=wanted.audience,
            requested_by=self.person,
            requested_at=self.now(),
            outputs=outputs,
        )
        self._keys[wanted.idempotency_key] = name
        self.requests[name] = view
        return self._put(view, {})

    def show(self, request: str) -> ReleaseView:
        """``GET airlock/requests/…``: what checkers said is theirs."""
        view = self._request(request)
        outputs = tuple(output.model_copy(update={"decisions": ()}) for output in view.outputs)
        return view.model_copy(update={"outputs": outputs})

    def all_requests(self) -> list[ReleaseView]:
        """``GET …/airlock/requests``."""
        return [self.show(name) for name in reversed(self.requests)]

    def withdraw(self, request: str) -> ReleaseView:
        """``POST airlock/requests/…/withdraw``."""
        view = self._request(request)
        if not view.open:
            raise PublicError("Everything of this request is decided.", "A released file is revoked by a checker.")
        waiting = [o.statement.path for o in view.outputs if o.state in _WAITING]
        self._put(view, {path: {"state": OutputState.WITHDRAWN} for path in waiting})
        return self.show(request)

    def all_releases(self) -> list[ReleasedFile]:
        """``GET …/releases``."""
        return list(reversed(self.releases.values()))

    def fetch(self, release: str, part: str) -> bytes:
        """``GET releases/…/file``, ``crate`` or ``criteria``."""
        found = self._released(release)
        if found.revoked_at is not None:
            raise NotAllowedError("This release was revoked.", "See the project's releases for what may be used.")
        return self.blobs[{"file": found.content, "crate": found.crate, "criteria": found.criteria}[part]]

    def upload(self, address: str, content: bytes) -> None:
        """``PUT …/ingress/uploads/…``."""
        if digest(content) != address:
            raise PublicError("The bytes do not have the digest they are sent under.", "Upload them again.")
        self.blobs[address] = content

    def bring_in(self, content: bytes) -> IngressView:
        """``POST …/ingress``."""
        self.must_be_open()
        wanted = NewIngress.parse(content)
        if wanted.content not in self.blobs:
            raise NotFoundError("The project has no file with this digest.", "Upload it first, in this project.")
        if not wanted.path.endswith(tuple(KINDS)):
            raise PublicError("Files of this kind are not brought in.", f"Bring one of: {', '.join(KINDS)}.")
        view = IngressView(
            ingress_id=f"ingress-{len(self.incoming) + 1}",
            project_id=self.project,
            path=wanted.path,
            content=wanted.content,
            bytes=len(self.blobs[wanted.content]),
            purpose=wanted.purpose,
            source=wanted.source,
            holds_people=wanted.holds_people,
            state=IngressState.CHECKED,
            kind=_kind(wanted.path) or "",
            requested_by=self.person,
            requested_at=self.now(),
        )
        self.incoming[view.ingress_id] = view
        return view

    def all_incoming(self) -> list[IngressView]:
        """``GET …/ingress``."""
        return list(reversed(self.incoming.values()))

    def _taken(self, content: bytes) -> NewRelease:
        wanted = NewRelease.parse(content)
        missing = [file.path for file in wanted.files if file.content not in self.blobs]
        if missing:
            words = ("The project has no file with this digest.", "Upload it first, in this project.")
            raise SpecError([Violation(rule="blob_missing", where=p, message=words[0], mend=words[1]) for p in missing])
        return wanted

    def _output(self, name: str, statement: OutputStatement) -> OutputView:
        examined = self._examined(statement)
        blocked = examined.verdict == "block"
        return OutputView(
            output_id=name,
            statement=statement,
            state=OutputState.BLOCKED if blocked else OutputState.CHECKED,
            examined=examined,
            reason=examined.findings[0].message if blocked else "",
        )

    def _examined(self, statement: OutputStatement) -> Examined:
        content = self.blobs[statement.content]
        kind = _kind(statement.path)
        findings = tuple(_small(content)) if kind == "table" else ()
        if kind is None:
            message = "Files of this kind never leave: they cannot be checked."
            findings = (Finding(rule="format.not_allowed", severity="block", message=message, mend="Send a table."),)
        return Examined(
            path=statement.path,
            content=statement.content,
            bytes=len(content),
            kind=kind,
            findings=findings,
            verdict=verdict_of(findings),
        )

    def _release(self, view: ReleaseView, output: OutputView) -> dict[str, object]:
        played = [f"A played {part} of {output.output_id}.".encode() for part in ("crate", "criteria")]
        self.blobs |= {digest(content): content for content in played}
        released = ReleasedFile(
            release_id=f"release-{len(self.releases) + 1}",
            request_id=view.request_id,
            project_id=self.project,
            path=output.statement.path,
            title=output.statement.title,
            content=output.statement.content,
            bytes=len(self.blobs[output.statement.content]),
            kind=_kind(output.statement.path),
            crate=digest(played[0]),
            criteria=digest(played[1]),
            audience=view.audience,
            released_at=self.now(),
        )
        self.releases[released.release_id] = released
        return {"release_id": released.release_id}

    def _put(self, view: ReleaseView, changes: dict[str, dict[str, object]]) -> ReleaseView:
        outputs = tuple(o.model_copy(update=changes.get(o.statement.path, {})) for o in view.outputs)
        is_open = any(o.statement.leaves and o.state in _WAITING for o in outputs)
        self.requests[view.request_id] = view.model_copy(update={"outputs": outputs, "open": is_open})
        return self.requests[view.request_id]

    def _request(self, request: str) -> ReleaseView:
        if request not in self.requests:
            raise NotFoundError("There is no such release request of yours.", "project.airlock.requests() lists them.")
        return self.requests[request]

    def _released(self, release: str) -> ReleasedFile:
        if release not in self.releases:
            raise NotFoundError("There is no such release, or not for you.", "project.airlock.releases() lists them.")
        return self.releases[release]


def _kind(path: str) -> FileKind | None:
    return KINDS.get("." + path.rpartition(".")[2].lower())


def _small(content: bytes) -> list[Finding]:
    rows = list(csv.reader(io.StringIO(content.decode())))[1:]
    cells = [
        CellMark(row=r, column=c)
        for r, row in enumerate(rows)
        for c, text in enumerate(row)
        if text.isdigit() and 0 < int(text) < THRESHOLD
    ]
    if not cells:
        return []
    message = f"Fewer than {THRESHOLD} persons are counted in {len(cells)} cells."
    return [
        Finding(rule="table.small_count", severity="flag", message=message, mend="Suppress them.", cells=tuple(cells))
    ]
