"""The airlock from a notebook: check files, ask for their release, fetch what was released, bring files in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from flip_sdk.contract.airlock import (
    Audience,
    CheckView,
    Examined,
    NewRelease,
    OutputStatement,
    ReleasedFile,
    ReleaseView,
    Severity,
)
from flip_sdk.contract.ingress import IngressView, NewIngress
from flip_sdk.contract.records import digest
from flip_sdk.contract.violations import Violation
from flip_sdk.errors import ConnectionFailedError, NotFoundError, SpecError
from flip_sdk.privacy import build
from flip_sdk.publishing import without_outputs

if TYPE_CHECKING:
    from flip_sdk.connection import Connection
    from flip_sdk.frames import Frame
    from flip_sdk.jobs import Job
    from flip_sdk.results import Result

PAUSE = 0.3
"""Seconds between two questions whether checks are done."""
PATIENCE = 900.0
"""Seconds that checks may take."""


@dataclass(frozen=True)
class Output:
    """A file that is to leave, with what a checker has to know of it.

    Attributes:
        file: where it is.
        title: what it is, in a line; its name where left out.
        context: variables, population, how it was made. Thin context is why one request in four comes back.
        jobs: whose results it is made of.
        counts: of a table, the columns that hold numbers of persons; all whole-numbered ones where left out.
        variables: of a table, what it is broken down by: it is compared with released tables of the same ones.
        underlying: the file in this request with the counts behind it, by the name that it has there.
        leaves: False for a file that only helps the checkers.
        dashboard: of a notebook, the published dashboard that is released with it.
        name: its path within the request; the file's own name where left out.
    """

    file: str | Path
    title: str = ""
    context: str = ""
    jobs: Sequence[Job | Result | str] = ()
    counts: Sequence[str] = ()
    variables: Sequence[str] = ()
    underlying: str | None = None
    leaves: bool = True
    dashboard: str | None = None
    name: str = ""


File = str | Path | Output


class ReleaseRequest:
    """A release request, to watch or to take back.

    Attributes:
        view: as the hub last told it.
    """

    def __init__(self, connection: Connection, view: ReleaseView) -> None:
        self._connection = connection
        self.view = view

    @property
    def id(self) -> str:
        """The request's id."""
        return self.view.request_id

    def __repr__(self) -> str:
        states = ", ".join(f"{o.statement.path} {_words(o.state.value)}" for o in self.view.outputs)
        return f"ReleaseRequest {self.id}: {'its checks run' if self.view.checking else states}"

    def _repr_html_(self) -> str:
        from flip_sdk import looks
        from flip_sdk import tables_of_the_airlock as tables

        view = self.view
        word = "checks run" if view.checking else "in review" if view.open else "decided"
        return looks.card(
            f"Release request {self.id}",
            looks.said(view.purpose),
            "" if view.checking else tables.outputs(view)._repr_html_(),
            looks.tip("request.status()", "asks the hub how far it is"),
            state=(word, "plain" if word == "decided" else "waiting"),
        )

    def refresh(self) -> ReleaseRequest:
        """Ask the hub how far it is."""
        self.view = self._connection.get(f"airlock/requests/{self.id}", ReleaseView)
        return self

    def wait(self) -> ReleaseRequest:
        """Wait until its checks have run. Checkers take longer: come back, and call :meth:`status`.

        Raises:
            ConnectionFailedError: they do not end.
        """
        for _ in range(int(PATIENCE / PAUSE)):
            if not self.view.checking:
                return self
            self._connection.pause(PAUSE)
            self.refresh()
        raise _too_long()

    def status(self) -> Frame:
        """One row a file: what its checks say, and what checkers decided."""
        from flip_sdk import tables_of_the_airlock as tables

        return tables.outputs(self.refresh().view)

    def findings(self) -> Frame:
        """One row a finding: which file, how grave, what is wrong, and how to mend it."""
        from flip_sdk import tables_of_the_airlock as tables

        return tables.findings([o.examined for o in self.view.outputs if o.examined])

    def withdraw(self) -> ReleaseRequest:
        """Take back what is not decided yet."""
        self.view = self._connection.post(f"airlock/requests/{self.id}/withdraw", None, ReleaseView)
        return self


class Airlock:
    """A project's airlock: the one door out of its workspaces, and into them."""

    def __init__(self, connection: Connection, project_id: str) -> None:
        self._connection, self._project = connection, project_id

    def check(self, *files: File, purpose: str = "A check beforehand.") -> Frame:
        """Run the very checks that a release runs, with nothing submitted: one row a finding.

        Args:
            files: paths, or :class:`Output` with what a checker has to know.
            purpose: as for :meth:`request`; checks read it too.

        Raises:
            NotFoundError: a file is not there.
            SpecError: files that cannot be taken; all of them.
        """
        from flip_sdk import tables_of_the_airlock as tables

        return tables.findings(self.examine(*files, purpose=purpose))

    def examine(self, *files: File, purpose: str = "A check beforehand.") -> tuple[Examined, ...]:
        """As :meth:`check`, as records: each file with its verdict and its findings."""
        return self._examined(self._wanted(files, purpose, audience="project"))

    def request(
        self,
        *files: File,
        purpose: str,
        context: str = "",
        jobs: Sequence[Job | Result | str] = (),
        audience: Audience = "project",
    ) -> ReleaseRequest:
        """Ask for files to be released. What is never released is refused at once, with all that was found.

        Args:
            files: paths, or :class:`Output` with what a checker has to know.
            purpose: which planned output they are, and who will see them.
            context: of files that are given as paths alone.
            jobs: likewise.
            audience: who may fetch them then: the ``project``'s team, everybody who is ``signed-in`` to the hub, or
                everybody (``public``). Checkers may narrow it.

        Raises:
            NotFoundError: a file is not there.
            SpecError: files that cannot be taken, or that are never released: all that was found.
        """
        given = [one if isinstance(one, Output) else Output(one, context=context, jobs=jobs) for one in files]
        wanted = self._wanted(given, purpose, audience=audience)
        leaving = {statement.path for statement in wanted.files if statement.leaves}
        blocked = [found for found in self._examined(wanted) if found.verdict == "block" and found.path in leaving]
        if blocked:
            raise SpecError([violation for found in blocked for violation in _violations(found)])
        path = f"projects/{self._project}/airlock/requests"
        return ReleaseRequest(self._connection, self._connection.post(path, wanted, ReleaseView)).wait()

    def requests(self) -> Frame:
        """The project's release requests, newest first: one row a file."""
        from flip_sdk import tables_of_the_airlock as tables

        views = self._connection.get_all(f"projects/{self._project}/airlock/requests", ReleaseView)
        return tables.requests(views)

    def open(self, request_id: str) -> ReleaseRequest:
        """A request by its id, as :meth:`requests` lists it."""
        return ReleaseRequest(self._connection, self._connection.get(f"airlock/requests/{request_id}", ReleaseView))

    def releases(self) -> Frame:
        """What the project released, newest first; what was revoked stays listed."""
        from flip_sdk import tables_of_the_airlock as tables

        return tables.releases(self._released())

    def fetch(self, release_id: str, folder: str | Path = ".", part: str = "file") -> Path:
        """Save a released file.

        Args:
            release_id: as :meth:`releases` lists it.
            folder: where to.
            part: ``file``; ``crate`` for its provenance, or ``criteria`` for what it was held to.

        Raises:
            NotFoundError: no such release of this project.
            NotAllowedError: it was revoked.
        """
        found = next((one for one in self._released() if one.release_id == release_id), None)
        if found is None:
            raise NotFoundError("This project has no such release.", "project.airlock.releases() lists them.")
        name = found.path.rpartition("/")[2] + {"crate": ".crate.zip", "criteria": ".criteria.json"}.get(part, "")
        content = self._connection.content(f"releases/{release_id}/{part}")
        expected = {"file": found.content, "crate": found.crate, "criteria": found.criteria}.get(part)
        if digest(content) != expected:
            raise ConnectionFailedError("The hub's answer was damaged on the way.", "Ask again.")
        target = Path(folder) / name
        target.write_bytes(content)
        return target

    def bring_in(
        self, file: str | Path, *, purpose: str, source: str, name: str = "", holds_people: bool = False
    ) -> IngressView:
        """Ask for a file to appear, read-only, in the ``incoming`` folder of the project's workspaces.

        Args:
            file: where it is.
            purpose: what it is for.
            source: where it comes from, and under which licence or agreement.
            name: its path below ``incoming``; the file's own name where left out.
            holds_people: whether it holds data of persons.

        Raises:
            NotFoundError: the file is not there.
            PublicError: its kind does not come in, the scanner found something, or the hub has no scanner.
        """
        content = _read(Path(file))
        address = digest(content)
        wanted = build(
            NewIngress,
            path=name or Path(file).name,
            content=address,
            purpose=purpose,
            source=source,
            holds_people=holds_people,
            idempotency_key=uuid4().hex,
        )
        self._connection.put(f"projects/{self._project}/ingress/uploads/{address}", content)
        return self._connection.post(f"projects/{self._project}/ingress", wanted, IngressView)

    def incoming(self) -> Frame:
        """Files that were brought in, or wait for it, newest first."""
        from flip_sdk import tables_of_the_airlock as tables

        return tables.incoming(self._connection.get_all(f"projects/{self._project}/ingress", IngressView))

    def _released(self) -> list[ReleasedFile]:
        return self._connection.get_all(f"projects/{self._project}/releases", ReleasedFile)

    def _wanted(self, files: Sequence[File], purpose: str, *, audience: Audience) -> NewRelease:
        given = [one if isinstance(one, Output) else Output(one) for one in files]
        contents = [_content(one) for one in given]
        statements = tuple(_statement(one, content) for one, content in zip(given, contents, strict=True))
        wanted = build(NewRelease, purpose=purpose, files=statements, audience=audience, idempotency_key=uuid4().hex)
        for content in contents:
            self._connection.upload(self._project, content)
        return wanted

    def _examined(self, wanted: NewRelease) -> tuple[Examined, ...]:
        body = wanted.model_copy(update={"idempotency_key": uuid4().hex})
        check = self._connection.post(f"projects/{self._project}/airlock/checks", body, CheckView)
        for _ in range(int(PATIENCE / PAUSE)):
            if check.done:
                return check.files
            self._connection.pause(PAUSE)
            check = self._connection.get(f"airlock/checks/{check.check_id}", CheckView)
        raise _too_long()


def _statement(output: Output, content: bytes) -> OutputStatement:
    name = output.name or Path(output.file).name
    return build(
        OutputStatement,
        path=name,
        content=digest(content),
        title=output.title or name,
        context=output.context,
        jobs=tuple(job if isinstance(job, str) else job.id for job in output.jobs),
        counts=tuple(output.counts),
        variables=tuple(output.variables),
        underlying=output.underlying,
        leaves=output.leaves,
        dashboard=output.dashboard,
    )


def _content(output: Output) -> bytes:
    """What leaves: of a dashboard, the very notebook that was published, which has no stored outputs."""
    path = Path(output.file)
    return _read(path) if output.dashboard is None else without_outputs(path)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotFoundError(f"{path} cannot be read ({error.strerror}).", "Give the path of a saved file.") from error


def _violations(found: Examined) -> list[Violation]:
    grave: dict[Severity, int] = {"block": 0, "flag": 1}
    findings = sorted((f for f in found.findings if f.severity in grave), key=lambda f: grave[f.severity])
    return [Violation(rule=f.rule, where=found.path, message=f.message, mend=f.mend) for f in findings]


def _too_long() -> ConnectionFailedError:
    return ConnectionFailedError("The checks take very long.", "Ask again later; if it stays, tell the hub's operator.")


def _words(state: str) -> str:
    return state.replace("_", " ")
