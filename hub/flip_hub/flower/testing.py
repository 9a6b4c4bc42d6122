"""A carrier without processes, for tests of whatever drives one."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from flip_hub.flower.grid import CarrierUnavailableError, Incoming, IncomingError, TrustOfflineError

Parts = Mapping[str, bytes]
Responder = Callable[[Parts], Parts | None]


@dataclass(frozen=True)
class Sent:
    """One message as the Trust would have received it."""

    trust: str
    message_id: str
    parts: Parts


@dataclass
class FakeCarrier:
    """A :class:`flip_hub.flower.grid.Carrier` in memory.

    Answers come from ``responders`` (by Trust; None = no answer) at the moment of ``push``, or by ``answer`` and
    ``fail`` later. ``restart`` is a gateway that lost its state, ``unavailable`` one that is down.
    """

    trusts: Iterable[str] = ()
    responders: Mapping[str, Responder] = field(default_factory=dict)
    unavailable: bool = False
    epoch: str = field(default_factory=lambda: secrets.token_hex(8))
    sent: list[Sent] = field(default_factory=list)
    closed: bool = False

    def __post_init__(self) -> None:
        self._online = set(self.trusts) | set(self.responders)
        self._outstanding: dict[str, str] = {}
        self._arrived: dict[str, Incoming] = {}

    def push(self, trust: str, parts: Parts) -> str:
        """See :meth:`flip_hub.flower.grid.Carrier.push`."""
        self._check_available()
        if trust not in self._online:
            raise TrustOfflineError(f"{trust} is not connected")
        message_id = secrets.token_hex(16)
        self.sent.append(Sent(trust, message_id, dict(parts)))
        self._outstanding[message_id] = trust
        responder = self.responders.get(trust)
        if responder is not None and (answer := responder(parts)) is not None:
            self.answer(message_id, answer)
        return message_id

    def pull(self, ids: Collection[str], wait: float = 0.0) -> list[Incoming]:  # noqa: ARG002 - never has to wait
        """See :meth:`flip_hub.flower.grid.Carrier.pull`."""
        self._check_available()
        return [
            self._arrived.pop(i) if i in self._arrived else Incoming(i, None, "lost")
            for i in ids
            if i in self._arrived or i not in self._outstanding
        ]

    def online(self) -> frozenset[str]:
        """See :meth:`flip_hub.flower.grid.Carrier.online`."""
        self._check_available()
        return frozenset(self._online)

    def close(self) -> None:
        """See :meth:`flip_hub.flower.grid.Carrier.close`."""
        self.closed = True

    def answer(self, message_id: str, parts: Parts) -> None:
        """The Trust answers a message."""
        if self._outstanding.pop(message_id, None) is not None:
            self._arrived[message_id] = Incoming(message_id, dict(parts))

    def fail(self, message_id: str, error: IncomingError) -> None:
        """A message ends without an answer."""
        if self._outstanding.pop(message_id, None) is not None:
            self._arrived[message_id] = Incoming(message_id, None, error)

    def go_offline(self, trust: str) -> None:
        """The Trust is gone, and so are its answers."""
        self._online.discard(trust)
        for message_id in [i for i, owner in self._outstanding.items() if owner == trust]:
            self.fail(message_id, "offline")

    def go_online(self, trust: str) -> None:
        """The Trust is back."""
        self._online.add(trust)

    def restart(self) -> None:
        """The gateway restarted: another epoch, nothing outstanding."""
        self.epoch = secrets.token_hex(8)
        self._outstanding.clear()
        self._arrived.clear()

    def _check_available(self) -> None:
        if self.unavailable:
            raise CarrierUnavailableError("The gateway cannot be reached.")
