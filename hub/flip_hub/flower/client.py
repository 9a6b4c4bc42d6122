"""The dispatcher's carrier: a thin HTTP client of the gateway's loopback listener. It does not import ``flwr``."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

import httpx

from flip_hub.config import HubConfig
from flip_hub.errors import CarrierUnavailableError
from flip_hub.flower.grid import Incoming, TrustOfflineError
from flip_hub.flower.parts import pack, unpack_incoming
from flip_hub.keys import secret

CREDENTIAL = "runtime.secret"
"""Name of the secret that the gateway and the dispatcher share."""
_TIMEOUT = httpx.Timeout(120.0, connect=5.0)
_SECONDS_BETWEEN_TRIES = 0.2


class FlowerCarrier:
    """A :class:`flip_hub.flower.grid.Carrier` over the running gateway."""

    def __init__(self, config: HubConfig, patience: float) -> None:
        self._config = config
        self._epoch = ""
        self._client = httpx.Client(
            base_url=f"http://127.0.0.1:{config.control_port}", timeout=_TIMEOUT, trust_env=False
        )
        deadline = time.monotonic() + patience
        while not self._epoch:
            try:
                self.online()
            except CarrierUnavailableError:
                if time.monotonic() > deadline:
                    self.close()
                    raise
                time.sleep(_SECONDS_BETWEEN_TRIES)

    @property
    def epoch(self) -> str:
        """See :attr:`flip_hub.flower.grid.Carrier.epoch`: as the gateway's last answer had it."""
        return self._epoch

    def push(self, trust: str, parts: Mapping[str, bytes]) -> str:
        """See :meth:`flip_hub.flower.grid.Carrier.push`."""
        response = self._call("POST", f"/trusts/{trust}/messages", content=pack(parts))
        if response.status_code == httpx.codes.CONFLICT:
            raise TrustOfflineError(f"{trust} is not connected.")
        return str(_checked(response).json())

    def pull(self, ids: Collection[str], wait: float = 0.0) -> list[Incoming]:
        """See :meth:`flip_hub.flower.grid.Carrier.pull`."""
        if not ids:
            return []
        response = self._call("POST", "/answers", json={"ids": sorted(ids), "wait": wait})
        return unpack_incoming(_checked(response).content)

    def online(self) -> frozenset[str]:
        """See :meth:`flip_hub.flower.grid.Carrier.online`."""
        return frozenset(_checked(self._call("GET", "/trusts")).json())

    def close(self) -> None:
        """See :meth:`flip_hub.flower.grid.Carrier.close`."""
        self._client.close()

    def _call(self, method: str, path: str, **content: object) -> httpx.Response:
        try:
            # read each time: the gateway may have been set up anew since
            headers = {"authorization": f"Bearer {secret(self._config, CREDENTIAL)}"}
            response = self._client.request(method, path, headers=headers, **content)  # type: ignore[arg-type]
        except (OSError, httpx.HTTPError) as error:
            raise CarrierUnavailableError(f"The gateway does not answer: {error}") from error
        self._epoch = response.headers.get("x-flip-epoch", self._epoch)
        return response


def _checked(response: httpx.Response) -> httpx.Response:
    if response.status_code != httpx.codes.OK:
        raise CarrierUnavailableError(f"The gateway answered {response.status_code}.")
    return response
