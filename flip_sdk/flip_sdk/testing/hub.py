"""A hub that is only played: the JSON API, kept in memory, behind an httpx transport or a loopback server."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import httpx

from flip_sdk.contract.api import (
    DashboardView,
    ErrorBody,
    JobEvents,
    JobResult,
    JobView,
    Me,
    ProjectChanges,
    ProjectView,
    PublishDashboard,
    SubmitJob,
)
from flip_sdk.contract.applications import Application
from flip_sdk.contract.check import Violation, check
from flip_sdk.contract.concepts import unknown_concepts
from flip_sdk.contract.jobs import AnySpec, EvaluateSpec, TrainSpec
from flip_sdk.contract.notices import CatalogueConcept
from flip_sdk.contract.records import Record, digest
from flip_sdk.contract.states import JobState, OutputState, ProjectState
from flip_sdk.contract.workspaces import WorkspaceNotice
from flip_sdk.errors import NotAllowedError, NotFoundError, PublicError, RecordError, SpecError
from flip_sdk.simulate.noise import SILENT, Noise
from flip_sdk.testing.airlock import FakeAirlock
from flip_sdk.testing.changes import changes
from flip_sdk.testing.jobs import FakeJob
from flip_sdk.testing.links import PlayedLinks
from flip_sdk.testing.trusts import FakeTrust, demo_trusts

PREFIX = "/services/flip/api/"
Fault = Literal["restarting", "unreachable", "answer_lost"]
Answer = Record | Sequence[Record] | bytes | None
Route = tuple[str, re.Pattern[str], Callable[..., Answer]]


class NotNowError(NotAllowedError):
    """The project's state does not allow this at present."""

    code = "not_now"


_STATUS: dict[type[PublicError], int] = {NotNowError: 409, NotAllowedError: 403, NotFoundError: 404}


class FakeHub:
    """One project at a hub, and its Trusts.

    Attributes:
        api: address for ``flip.connect``; nothing listens there, use it with ``transport``.
        token: the one token that the hub knows.
        transport: give it to ``flip.connect(hub.api, hub.token, transport=hub.transport)``.
        airlock: its release requests; ``hub.airlock.decide(…)`` plays the checkers.
        trusts: by name; change a FakeTrust to play what Trusts do.
        view: the project; ``hub.expire()`` and ``hub.set_state()`` change it.
        faults: what happens to the next requests, in order: ``restarting`` (503), ``unreachable`` (no connection),
            ``answer_lost`` (the request is carried out, its answer never arrives).
    """

    api = f"http://fake-hub{PREFIX.rstrip('/')}"
    token = "fake-token"  # noqa: S105 (opens nothing)

    def __init__(
        self,
        trusts: Sequence[FakeTrust] | None = None,
        project_id: str = "breast-cytology",
        noise: Noise = SILENT,
    ) -> None:
        self._noise = noise
        self.trusts = {trust.name: trust for trust in (demo_trusts() if trusts is None else trusts)}
        self.faults: deque[Fault] = deque()
        self.jobs: dict[str, FakeJob] = {}
        self.blobs: dict[str, bytes] = {}
        self.dashboards: dict[str, DashboardView] = {}
        self.me = Me(name="ada", display_name="Ada", organisation="Northbridge University", roles=("researcher",))
        self.notices: list[WorkspaceNotice] = []
        self.links = PlayedLinks(self.dashboards, _now, self.me.name)
        self.view = _project(project_id, tuple(self.trusts), _now())
        self.transport: httpx.BaseTransport = httpx.MockTransport(self._answer)
        self.airlock = FakeAirlock(project_id, self.me.name, self.blobs, self._must_be_open, _now)
        self._by_key: dict[str, str] = {}
        self._routes = self._table()

    def set_state(self, state: ProjectState) -> None:
        """Put the project into a state."""
        self.view = self.view.model_copy(update={"state": state})

    def expire(self) -> None:
        """Let the project be expired since yesterday."""
        self.view = self.view.model_copy(update={"expires_at": _now() - timedelta(days=1)})

    @contextmanager
    def serve(self) -> Iterator[dict[str, str]]:
        """A real server on loopback; yields the environment variables with which a workspace finds it."""
        from flip_sdk.testing.server import serving

        with serving(self._answer) as address:
            yield {
                "FLIP_HUB_API": f"{address}{PREFIX.rstrip('/')}",
                "JUPYTERHUB_API_TOKEN": self.token,
                "FLIP_PROJECT": self.view.project_id,
            }

    def _table(self) -> tuple[Route, ...]:
        project = f"projects/{re.escape(self.view.project_id)}"
        rows: tuple[tuple[str, str, Callable[..., Answer]], ...] = (
            ("GET", "me", lambda: self.me),
            ("GET", "projects", lambda: [self.view]),
            ("GET", project, lambda: self.view),
            ("GET", f"{project}/budget", self._budgets),
            ("GET", f"{project}/notices", lambda: self.notices),
            ("GET", f"{project}/catalogue", self._catalogues),
            ("PUT", f"{project}/blobs/(?P<address>[^/]+)", self._put_blob),
            ("GET", f"{project}/blobs/(?P<address>[^/]+)", self._get_blob),
            ("POST", f"{project}/jobs", self._submit),
            ("GET", f"{project}/jobs", lambda: [job.view for job in self.jobs.values()]),
            ("GET", f"{project}/changes", self._changes),
            ("POST", f"{project}/dashboards", self._publish),
            ("GET", "dashboards", lambda: [one for one in self.dashboards.values() if one.shown]),
            ("GET", f"{project}/dashboards", lambda: list(self.dashboards.values())),
            ("POST", f"{project}/dashboards/(?P<board>[^/]+)/links", self.links.ask),
            ("GET", f"{project}/dashboards/(?P<board>[^/]+)/links", self.links.of),
            ("POST", "links/(?P<link>[^/]+)/end", self.links.end),
            ("GET", "jobs/(?P<job>[^/]+)", lambda job: self._job(job).view),
            ("GET", "jobs/(?P<job>[^/]+)/events", self._events),
            ("POST", "jobs/(?P<job>[^/]+)/cancel", self._cancel),
            ("GET", "jobs/(?P<job>[^/]+)/result", self._result),
            ("POST", f"{project}/airlock/checks", self.airlock.begin_check),
            ("GET", "airlock/checks/(?P<check>[^/]+)", self.airlock.show_check),
            ("POST", f"{project}/airlock/requests", self.airlock.request),
            ("GET", f"{project}/airlock/requests", self.airlock.all_requests),
            ("GET", "airlock/requests/(?P<request>[^/]+)", self.airlock.show),
            ("POST", "airlock/requests/(?P<request>[^/]+)/withdraw", self.airlock.withdraw),
            ("GET", f"{project}/releases", self.airlock.all_releases),
            ("GET", "releases/(?P<release>[^/]+)/(?P<part>file|crate|criteria)", self.airlock.fetch),
            ("PUT", f"{project}/ingress/uploads/(?P<address>[^/]+)", self.airlock.upload),
            ("POST", f"{project}/ingress", self.airlock.bring_in),
            ("GET", f"{project}/ingress", self.airlock.all_incoming),
        )
        return tuple((method, re.compile(pattern), handler) for method, pattern, handler in rows)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        fault = self.faults.popleft() if self.faults else None
        if fault == "restarting":
            return httpx.Response(503, text="Service unavailable")
        if fault == "unreachable":
            raise httpx.ConnectError("connection refused", request=request)
        response = self._respond(request)
        if fault == "answer_lost":
            raise httpx.ReadError("connection reset", request=request)
        return response

    def _respond(self, request: httpx.Request) -> httpx.Response:
        if request.headers.get("authorization") != f"token {self.token}":
            return _error(401, ErrorBody(code="not_signed_in", message="Nobody is signed in.", mend="Sign in again."))
        try:
            return _success(request, self._route(request))
        except SpecError as error:
            body = ErrorBody(code=error.code, message="The job breaks rules.", violations=error.violations)
            return _error(422, body)
        except PublicError as error:
            body = ErrorBody(code=error.code, message=error.message, mend=error.mend)
            return _error(_STATUS.get(type(error), 422), body)

    def _route(self, request: httpx.Request) -> Answer:
        parts = urlsplit(str(request.url))
        path = parts.path.removeprefix(PREFIX)
        for method, pattern, handler in self._routes:
            match = pattern.fullmatch(path)
            if match and method == request.method:
                arguments: dict[str, object] = dict(match.groupdict())
                if method != "GET" and not path.endswith(("/cancel", "/withdraw")):
                    arguments["content"] = request.read()
                elif pattern.pattern.endswith("/events"):
                    arguments["after"] = int(parse_qs(parts.query).get("after", ["0"])[0])
                elif pattern.pattern.endswith("/changes"):
                    arguments["after"] = parse_qs(parts.query).get("after", [""])[0]
                return handler(**arguments)
        raise NotFoundError("There is no such thing here, or not for you.", "Check the name.")

    def _budgets(self) -> list[Record]:
        return [trust.budget(_now(), self.view.expires_at) for trust in self.trusts.values()]

    def _catalogues(self) -> list[Record]:
        return [trust.catalogue(_now()) for trust in self.trusts.values()]

    def _put_blob(self, address: str, content: bytes) -> None:
        if digest(content) != address:
            raise RecordError("blob", ValueError("the content does not have this digest"))
        self.blobs[address] = content

    def _get_blob(self, address: str) -> bytes:
        if address not in self.blobs:
            raise NotFoundError("There is no such blob in this project.", "Upload it first.")
        return self.blobs[address]

    def _submit(self, content: bytes) -> JobView:
        self._must_be_open()
        asked = SubmitJob.parse(content)
        if asked.idempotency_key in self._by_key:
            return self.jobs[self._by_key[asked.idempotency_key]].view
        spec = asked.spec
        found = [*check(spec), *unknown_concepts(spec, self._concepts()), *self._missing_blobs(spec)]
        if found:
            raise SpecError(found)
        # a Trust that has not opted in is never asked
        chosen = [t for t in self.trusts.values() if t.consent != "none" and (not spec.trusts or t.name in spec.trusts)]
        view = JobView(
            job_id=f"job-{len(self.jobs) + 1}",
            project_id=self.view.project_id,
            kind=spec.kind,
            state=JobState.SUBMITTED,
            rounds=getattr(spec, "rounds", 0),
            trusts=tuple(trust.name for trust in chosen),
            submitted_by=self.me.name,
            submitted_at=_now(),
        )
        self._by_key[asked.idempotency_key] = view.job_id
        self.jobs[view.job_id] = FakeJob(view, spec, chosen, self._keep, self.blobs, _now, self._noise)
        return view

    def _concepts(self) -> Iterator[CatalogueConcept]:
        return (concept for trust in self.trusts.values() for concept in trust.concepts)

    def _missing_blobs(self, spec: AnySpec) -> list[Violation]:
        model = spec.model if isinstance(spec, TrainSpec | EvaluateSpec) else None
        named = (("graph", model.graph), ("weights", model.weights)) if model else ()
        return [
            Violation(
                rule="blob_missing",
                where=f"model.{name}",
                message=f"The project has no such {name}.",
                mend="Upload it first, in this project.",
            )
            for name, address in named
            if address not in self.blobs
        ]

    def _keep(self, content: bytes) -> str:
        self.blobs[digest(content)] = content
        return digest(content)

    def _must_be_open(self) -> None:
        if self.view.expires_at <= _now():
            raise NotNowError("The project has expired.", "Ask governance to extend it.")
        if self.view.state != ProjectState.APPROVED:
            raise NotNowError(f"The project is {self.view.state.value}.", "Jobs run once it is approved.")

    def _job(self, job: str) -> FakeJob:
        if job not in self.jobs:
            raise NotFoundError(f"There is no job {job!r}.", "project.jobs() lists them.")
        return self.jobs[job]

    def _events(self, job: str, after: int) -> JobEvents:
        found = self._job(job)
        if not found.ended:
            found.advance()
        return JobEvents(job=found.view, events=tuple(event for event in found.events if event.sequence > after))

    def _changes(self, after: str) -> ProjectChanges:
        """Answered at once. It is a look at the project's jobs: it takes each one step further."""
        for job in self.jobs.values():
            if not job.ended:
                job.advance()
        return changes(
            after,
            project=self.view,
            budget=self._budgets(),
            jobs=[record for job in self.jobs.values() for record in (job.view, *job.events)],
            releases=self.airlock.all_requests(),
            dashboards=list(self.dashboards.values()),
        )

    def _cancel(self, job: str) -> JobView:
        self._job(job).cancel()
        return self._job(job).view

    def _result(self, job: str) -> JobResult:
        result = self._job(job).result
        if result is None:
            raise NotFoundError("The job has no result.", "Wait until it is completed.")
        return result

    def _publish(self, content: bytes) -> DashboardView:
        asked = PublishDashboard.parse(content)
        self._get_blob(asked.notebook)
        for job in asked.jobs:
            self._result(job)
        version = self.dashboards[asked.name].version + 1 if asked.name in self.dashboards else 1
        self.dashboards[asked.name] = DashboardView(
            version=version,
            title=asked.title or asked.name,
            kind=asked.kind,
            personal=asked.personal,
            frames=asked.frames,
            project_id=self.view.project_id,
            name=asked.name,
            state=OutputState.REQUESTED,
            address=f"/services/dashboards/{self.view.project_id}/{asked.name}/",
            published_by=self.me.name,
            published_at=_now(),
        )
        return self.dashboards[asked.name]


def _success(request: httpx.Request, answer: Answer) -> httpx.Response:
    created = request.method == "POST" and request.url.path.endswith(
        ("/jobs", "/requests", "/checks", "/ingress", "/links")
    )
    match answer:
        case None:
            return httpx.Response(204)
        case bytes():
            return httpx.Response(200, content=answer, headers={"Content-Type": "application/octet-stream"})
        case Record():
            content = answer.model_dump_json().encode()
        case _:
            content = b"[" + b",".join(one.model_dump_json().encode() for one in answer) + b"]"
    return httpx.Response(201 if created else 200, content=content, headers={"Content-Type": "application/json"})


def _error(status: int, body: ErrorBody) -> httpx.Response:
    return httpx.Response(status, content=body.model_dump_json(), headers={"Content-Type": "application/json"})


def _project(project_id: str, trusts: tuple[str, ...], now: datetime) -> ProjectView:
    application = Application(
        title="Telling malignant from benign breast masses",
        lay_summary="A computer learns to tell harmful from harmless lumps by cells seen under a microscope.",
        public_benefit="Fewer people wait for a diagnosis, and fewer need a second biopsy.",
        organisation="Northbridge University",
        team=("ada",),
        trusts=trusts or ("nobody",),
        epsilon=10.0,
        expires_at=now + timedelta(days=365),
    )
    return ProjectView(
        project_id=project_id,
        state=ProjectState.APPROVED,
        application=application,
        owner="ada",
        members=("ada",),
        reviews=(),
        created_at=now - timedelta(days=7),
        expires_at=application.expires_at,
    )


def _now() -> datetime:
    return datetime.now(UTC)
