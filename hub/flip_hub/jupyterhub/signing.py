"""What every way of signing in has in common: only people whom governance knows, and sessions that end."""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import Any

from jupyterhub.auth import Authenticator
from jupyterhub.handlers.login import LogoutHandler
from jupyterhub.utils import url_path_join
from traitlets import Instance

from flip_hub.config import HubConfig
from flip_hub.database import Database, Person
from flip_hub.errors import NotSignedInError
from flip_hub.governance import sign_ins
from flip_hub.governance.sign_ins import Limits
from flip_hub.jupyterhub.roles import FLIP

EACH_REQUEST = -1
"""``auth_refresh_age``: JupyterHub counts it by person, not by session, so that each request asks anew."""


class SignOutHandler(LogoutHandler):  # type: ignore[misc]
    """Signing out ends the session for every part of the hub at once, and everything that was given in it."""

    _onwards = ""

    async def default_handle_logout(self) -> None:
        """End the session that this browser names, whether or not it is still open."""
        if self.current_user:
            self._onwards = await self.authenticator.farewell(self.current_user)
        session_id = self.get_session_cookie()
        if session_id:
            await asyncio.to_thread(sign_ins.end, self.authenticator.database, session_id, "asked")
        await super().default_handle_logout()
        self.clear_login_cookie()

    async def render_logout_page(self) -> None:
        """Go on to whoever has a session of their own; else say that it is done."""
        if self._onwards:
            self.redirect(self._onwards)
        else:
            await super().render_logout_page()


class KnownPeople(Authenticator):  # type: ignore[misc]
    """People whom governance knows and who are active, in sessions that end: mix in before a way of signing in.

    Attributes:
        flip_config: the hub's configuration.
        method: how people sign in here, for the audit log.
    """

    flip_config = Instance(HubConfig).tag(config=True)
    method = ""

    @cached_property
    def database(self) -> Database:
        """The hub's database."""
        return Database.of(self.flip_config)

    def get_handlers(self, app: Any) -> list[tuple[Any, ...]]:
        """Those of this way of signing in, and one for signing out."""
        others = [handler for handler in super().get_handlers(app) if handler[0] != "/logout"]
        return [*others, ("/logout", SignOutHandler)]

    def logout_url(self, base_url: str) -> str:
        """Where signing out is."""
        return str(url_path_join(base_url, "logout"))

    async def check_allowed(self, username: str, authentication: dict[str, Any] | None = None) -> bool:  # noqa: ARG002
        """Whether the person is known and active."""
        return await asyncio.to_thread(self.is_active, username)

    async def run_post_auth_hook(self, handler: Any, authentication: dict[str, Any]) -> dict[str, Any]:
        """Begin a session: with an id and a cookie of its own, whatever the browser had before."""
        model: dict[str, Any] = await super().run_post_auth_hook(handler, authentication)
        handler.request.cookies.pop(handler.hub.cookie_name, None)
        session_id = handler.set_session_cookie()
        details = self.how(model)
        await asyncio.to_thread(sign_ins.begin, self.database, session_id, model["name"], self.method, details)
        return model

    async def farewell(self, user: Any) -> str:  # noqa: ARG002
        """Where a person's browser has to sign out too; empty for nowhere."""
        return ""

    def how(self, model: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """What the audit log says of how somebody signed in."""
        return {}

    async def refresh_user(self, user: Any, handler: Any = None, **options: Any) -> Any:  # noqa: ARG002
        """Whether a person who is signed in may stay so: asked at each request."""
        if handler is not None:
            # JupyterHub 6.1 reads it of a request whose person is refused, and sets it for those by token alone
            vars(handler).setdefault("_token_authenticated", False)
        if not await asyncio.to_thread(self.is_active, user.name):
            return False
        if handler is not None and not await self._is_open(user, handler):
            return False
        return await self.still_good(user, handler)

    async def still_good(self, user: Any, handler: Any) -> Any:  # noqa: ARG002
        """Whether whoever vouches for the person still does."""
        return True

    async def vouches_for(self, user: Any) -> bool:
        """Whether a workspace may go on while its person asks for nothing: not after others ended their sessions."""
        reason = await asyncio.to_thread(sign_ins.last_end, self.database, user.name)
        return reason not in sign_ins.BY_OTHERS

    def is_active(self, name: str) -> bool:
        """Whether the hub knows a person of this name who is active."""
        with self.database.read() as session:
            person = session.get(Person, name)
            return person is not None and person.active

    async def _is_open(self, user: Any, handler: Any) -> bool:
        """Whether the session that a request belongs to is open. A workspace's own token belongs to none."""
        asking: Any = getattr(handler, "_jupyterhub_user", None)
        if asking is not user:
            return True
        by_token: bool = handler._token_authenticated
        session_id = handler.get_token().session_id if by_token else handler.get_session_cookie() or ""
        if by_token and not session_id:
            return True
        # the pages tell apart what a person does and what a page asks by itself; workspaces and dashboards cannot
        used = not by_token or handler.get_token().client_id != f"service-{FLIP}"
        limits = Limits.of(self.flip_config)
        try:
            await asyncio.to_thread(sign_ins.standing, self.database, limits, session_id, user.name, used=used)
        except NotSignedInError as error:
            self.log.info("A session of %s is not open: %s", user.name, error.message)
            return False
        return True
