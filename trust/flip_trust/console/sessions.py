"""Who is at the console: links that work once, sessions that end by themselves, and the token of each form.

All of it is in this program's memory alone: when the program ends, everybody is signed out.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from flip_trust.policy import Person

LINK_MINUTES = 10
LONGEST = timedelta(hours=10)
MOST_SESSIONS = 100
_TRIES = 5
_MOST_NOTED = 20
_LOCKED = timedelta(minutes=1)


@dataclass(frozen=True)
class Session:
    """Somebody who is signed in.

    Attributes:
        person: who.
        account: the account of the machine that began it; None where that is not known.
        registered: whether they came in by passphrase, and so go out when their registration is closed.
        begun: when.
        seen: when they last asked for something.
        key: of the tokens in this session's forms.
    """

    person: Person
    account: int | None
    registered: bool
    begun: datetime
    seen: datetime
    key: bytes = field(repr=False, default_factory=lambda: secrets.token_bytes(32))

    @property
    def form_token(self) -> str:
        """What every form of this session has to send back."""
        return hmac.new(self.key, b"form", "sha256").hexdigest()


class Sessions:
    """Links and sessions of one console. Safe to share among threads.

    Args:
        idle: how long a session lasts without being used.
        clock: what time it is.
    """

    def __init__(self, idle: timedelta, clock: Callable[[], datetime]) -> None:
        self._idle, self._clock = idle, clock
        self._links: dict[str, tuple[Person, datetime]] = {}
        self._sessions: dict[str, Session] = {}
        self._refused: list[datetime] = []
        self._failures: dict[str, tuple[int, datetime]] = {}
        self._lock = threading.Lock()

    def link(self, person: Person) -> str:
        """A secret that lets this person in, once and soon."""
        secret = secrets.token_urlsafe(32)
        with self._lock:
            self._links[_hash(secret)] = (person, self._clock() + timedelta(minutes=LINK_MINUTES))
        return secret

    def whose(self, secret: str) -> Person | None:
        """Whom a link lets in, without using it."""
        with self._lock:
            person, until = self._links.get(_hash(secret), (None, self._clock()))
        return person if self._clock() < until else None

    def use(self, secret: str) -> Person | None:
        """The same, and it lets nobody in again."""
        person = self.whose(secret)
        with self._lock:
            return person if self._links.pop(_hash(secret), None) else None

    def begin(self, person: Person, account: int | None, *, registered: bool) -> str:
        """Sign somebody in; the secret for their cookie."""
        secret, now = secrets.token_urlsafe(32), self._clock()
        with self._lock:
            self._forget(now)
            self._sessions[_hash(secret)] = Session(person, account, registered, now, now)
        return secret

    def find(self, secret: str, account: int | None) -> Session | None:
        """The session of a cookie, where it is still good and comes from the account that began it."""
        now = self._clock()
        with self._lock:
            self._forget(now)
            found = self._sessions.get(_hash(secret))
            if found is None or found.account != account:
                return None
            self._sessions[_hash(secret)] = replace(found, seen=now)
        return found

    def end(self, secret: str) -> None:
        """Sign out."""
        with self._lock:
            self._sessions.pop(_hash(secret), None)

    def wait_for(self, name: str) -> int:
        """Seconds for which a name may not sign in, as somebody tried too often."""
        with self._lock:
            count, last = self._failures.get(name, (0, self._clock()))
        left = last + _LOCKED - self._clock()
        return max(0, int(left.total_seconds()) + 1) if count >= _TRIES and left > timedelta() else 0

    def failed(self, name: str) -> bool:
        """Nobody was let in; whether that is to be noted. A program that tries all day must not fill the audit log."""
        with self._lock:
            lately = [at for at in self._refused if self._clock() - at < _LOCKED]
            self._refused = [*lately, self._clock()][-_MOST_NOTED:]
            if len(self._failures) > 10 * MOST_SESSIONS:
                self._failures.clear()
            count, last = self._failures.get(name, (0, self._clock()))
            count = 0 if self._clock() - last > _LOCKED else count
            self._failures[name] = (count + 1, self._clock())
        return len(lately) < _MOST_NOTED

    def succeeded(self, name: str) -> None:
        """A passphrase was right."""
        with self._lock:
            self._failures.pop(name, None)

    def _forget(self, now: datetime) -> None:
        over = [k for k, s in self._sessions.items() if now - s.seen > self._idle or now - s.begun > LONGEST]
        most = sorted(self._sessions, key=lambda k: self._sessions[k].seen)[
            : max(0, len(self._sessions) - MOST_SESSIONS)
        ]
        for key in {*over, *most}:
            del self._sessions[key]
        for key in [k for k, (_, until) in self._links.items() if until <= now]:
            del self._links[key]


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
