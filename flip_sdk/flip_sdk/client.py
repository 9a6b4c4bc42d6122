"""The way in: :func:`connect`, and the hub as one person sees it."""

from __future__ import annotations

from difflib import get_close_matches
from types import TracebackType
from typing import TYPE_CHECKING, Self

from flip_sdk.connection import Connection
from flip_sdk.contract.api import DashboardView, JobView, Me, ProjectView
from flip_sdk.errors import NotFoundError
from flip_sdk.settings import ADDRESS, address_of, load

if TYPE_CHECKING:
    import httpx

    from flip_sdk.frames import Frame
    from flip_sdk.jobs import Job
    from flip_sdk.project import Project
    from flip_sdk.publishing import Dashboards


def connect(
    address: str | None = None, token: str | None = None, *, transport: httpx.BaseTransport | None = None
) -> Hub:
    """Connect to the hub.

    Inside a workspace nothing needs to be given. Elsewhere run ``flip login`` once. Without an account,
    ``flip.connect("offline")`` (or ``FLIP_HUB_API=offline`` in the environment) is :func:`flip_sdk.offline`: made-up
    people on this machine.

    Args:
        address: of the hub's JSON API, instead of the workspace's or the kept one.
        token: a token for that address.
        transport: another way to reach a hub, such as ``FakeHub().transport``.

    Raises:
        ConnectionFailedError: the hub cannot be reached, or does not know you.
    """
    if transport is None and address_of(address) == ADDRESS:
        from flip_sdk.made_up import shared

        return shared()
    return Hub(Connection(load(address, token), transport=transport))


class Hub:
    """The hub, as one signed-in person sees it.

    Attributes:
        me: who you are to the hub.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.me = connection.get("me", Me)

    def __repr__(self) -> str:
        return f"Hub({self._connection.settings.api}, signed in as {self.me.name})"

    def _repr_html_(self) -> str:
        from flip_sdk import looks

        who = f"{self.me.display_name or self.me.name} ({self.me.organisation})"
        facts = [("Hub", self._connection.settings.api), ("Signed in as", who)]
        tip = looks.tip("hub.project()", "your project; hub.projects() lists all of them")
        return looks.card("Hub", looks.facts(facts), tip)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the sockets back."""
        self._connection.close()

    def project(self, project_id: str | None = None) -> Project:
        """One of your projects; without a name, the workspace's, or the only one that you have.

        Raises:
            NotFoundError: no such project, or you are no member of it.
        """
        from flip_sdk.project import Project

        wanted = project_id or self._connection.settings.project or self.me.workspace_project or self._only()
        if wanted is None:
            raise NotFoundError("Which project?", f"Name one: {self._named()}.")
        try:
            return Project(self._connection, self._connection.get(f"projects/{wanted}", ProjectView))
        except NotFoundError as error:
            near = get_close_matches(wanted, [view.project_id for view in self._views()], n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Your projects: {self._named()}."
            raise NotFoundError(f"There is no project {wanted!r} for you.", hint) from error

    def projects(self) -> Frame:
        """Your projects: one row each, with state and expiry."""
        from flip_sdk import tables

        return tables.projects(self._views())

    def dashboards(self) -> Dashboards:
        """The gallery: every dashboard, of all projects, that was released for you; the newest release first."""
        from flip_sdk.publishing import Dashboard, Dashboards

        return Dashboards(Dashboard(view) for view in self._connection.get_all("dashboards", DashboardView))

    def job(self, job_id: str) -> Job:
        """One job of any of your projects, to watch it again.

        Raises:
            NotFoundError: no such job, or you are no member of its project.
        """
        from flip_sdk.jobs import Job

        return Job(self._connection, self._connection.get(f"jobs/{job_id}", JobView))

    def _views(self) -> list[ProjectView]:
        return self._connection.get_all("projects", ProjectView)

    def _only(self) -> str | None:
        views = self._views()
        return views[0].project_id if len(views) == 1 else None

    def _named(self) -> str:
        return ", ".join(repr(view.project_id) for view in self._views()) or "none; apply for one on the hub's pages"
