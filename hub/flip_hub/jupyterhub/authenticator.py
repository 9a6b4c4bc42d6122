"""Signing in with a password, for a demonstration: only people whom the governance service knows, and active ones."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jupyterhub.auth import Authenticator
from tornado.web import HTTPError
from traitlets import Instance

from flip_hub.config import HubConfig
from flip_hub.database import Database, Person
from flip_hub.jupyterhub.accounts import has_password

ALLOWED_FAILURES = 5
LOCKED_SECONDS = 300.0


@dataclass
class Lockout:
    """Repeated wrong passwords close a name for a while, whether or not anybody has it.

    Attributes:
        clock: seconds, rising.
    """

    clock: Callable[[], float] = time.monotonic
    _failures: dict[str, list[float]] = field(default_factory=dict)

    def is_closed(self, name: str) -> bool:
        """Whether the name may not be tried now."""
        return len(self._recent(name)) >= ALLOWED_FAILURES

    def failed(self, name: str) -> None:
        """Count a wrong password."""
        self._failures = {known: recent for known in self._failures if (recent := self._recent(known))}
        self._failures.setdefault(name, []).append(self.clock())

    def succeeded(self, name: str) -> None:
        """Forget what went wrong before."""
        self._failures.pop(name, None)

    def _recent(self, name: str) -> list[float]:
        since = self.clock() - LOCKED_SECONDS
        return [moment for moment in self._failures.get(name, []) if moment > since]


class PersonAuthenticator(Authenticator):  # type: ignore[misc]
    """Passwords by :mod:`flip_hub.jupyterhub.accounts`; who is allowed by the person table, read each time.

    Attributes:
        flip_config: the hub's configuration.
    """

    flip_config = Instance(HubConfig).tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lockout = Lockout()

    async def authenticate(self, handler: Any, data: dict[str, str]) -> str | None:  # noqa: ARG002
        """The person's name where the password is theirs.

        Raises:
            HTTPError: 403 after repeated wrong passwords.
        """
        name = data["username"]
        if self.lockout.is_closed(name):
            raise HTTPError(403, "Too many wrong passwords for this name. Try again in a few minutes.")
        if await asyncio.to_thread(has_password, self.flip_config, name, data["password"]):
            self.lockout.succeeded(name)
            return name
        self.lockout.failed(name)
        return None

    def check_allowed(self, username: str, authentication: dict[str, Any] | None = None) -> bool:  # noqa: ARG002
        """Whether the person is known and active."""
        return is_active(self.flip_config, username)

    async def refresh_user(self, user: Any, handler: Any = None) -> bool:  # noqa: ARG002
        """Whether a person who is signed in may stay so: off-boarding takes effect without their doing."""
        return is_active(self.flip_config, user.name)


def is_active(config: HubConfig, name: str) -> bool:
    """Whether the hub knows a person of this name who is active."""
    database = Database.of(config)
    try:
        with database.read() as session:
            person = session.get(Person, name)
            return person is not None and person.active
    finally:
        database.close()
