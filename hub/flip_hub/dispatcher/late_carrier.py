"""A carrier that connects at its first use: the dispatcher starts, and can end jobs, while the gateway is away."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from flip_hub.config import HubConfig
from flip_hub.flower.grid import Carrier, Incoming, connect


class LateCarrier:
    """A :class:`flip_hub.flower.grid.Carrier` that need not be there yet: until it is, everything raises."""

    def __init__(self, config: HubConfig) -> None:
        self._config = config
        self._carrier: Carrier | None = None

    @property
    def epoch(self) -> str:
        """See :attr:`flip_hub.flower.grid.Carrier.epoch`."""
        return self._there().epoch

    def push(self, trust: str, parts: Mapping[str, bytes]) -> str:
        """See :meth:`flip_hub.flower.grid.Carrier.push`."""
        return self._there().push(trust, parts)

    def pull(self, ids: Collection[str], wait: float = 0.0) -> list[Incoming]:
        """See :meth:`flip_hub.flower.grid.Carrier.pull`."""
        return self._there().pull(ids, wait)

    def online(self) -> frozenset[str]:
        """See :meth:`flip_hub.flower.grid.Carrier.online`."""
        return self._there().online()

    def close(self) -> None:
        """See :meth:`flip_hub.flower.grid.Carrier.close`."""
        if self._carrier is not None:
            self._carrier.close()

    def _there(self) -> Carrier:
        if self._carrier is None:
            self._carrier = connect(self._config, patience=0.0)
        return self._carrier
