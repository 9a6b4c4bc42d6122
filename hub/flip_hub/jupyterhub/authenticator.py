"""Signing in with a password, for a demonstration: only people whom the governance service knows, and active ones."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tornado.web import HTTPError

from flip_hub.jupyterhub.accounts import has_password
from flip_hub.jupyterhub.signing import KnownPeople

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


class PersonAuthenticator(KnownPeople):
    """Passwords by :mod:`flip_hub.jupyterhub.accounts`; who is allowed by the person table, read each time."""

    method = "password"

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
