"""``flip-hub gateway``: the one address that Trusts dial, with the state and handlers of Flower's SuperLink inside.

Two listeners in one event loop: the public one speaks TLS and passes on only what :class:`PublicGuard` knows; the
loopback one is for the dispatcher alone. State is in memory only: the hub keeps its own checkpoints, and a restart is
told by the epoch.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator, Mapping
from logging import WARNING, getLogger
from pathlib import Path

import uvicorn
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_ssh_public_key
from flwr.supercore.object_store.in_memory_object_store import InMemoryObjectStore
from flwr.supercore.primitives.asymmetric import public_key_to_bytes
from flwr.superlink.federation import NoOpFederationManager
from starlette.types import ASGIApp

from flip_hub.config import HubConfig
from flip_hub.errors import ConfigError
from flip_hub.flower.client import CREDENTIAL
from flip_hub.flower.fleet import FleetApi
from flip_hub.flower.guard import PublicGuard, SecretGuard
from flip_hub.flower.loopback import loopback_app
from flip_hub.flower.state import GatewayState
from flip_hub.keys import secret

NodeKeys = Callable[[], Mapping[str, bytes]]
Beside = Callable[[GatewayState], Mapping[int, ASGIApp]]
SECONDS_BETWEEN_POLLS = 1.0
_log = getLogger(__name__)


def run_gateway(config: HubConfig, trust_app: ASGIApp, node_keys: NodeKeys, beside: Beside = lambda _: {}) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        config: its home, ports and TLS folder; ``secrets/runtime.secret`` is made where it is missing.
        trust_app: what answers below ``/flip/v1`` (mounted: its routes begin after that; its lifespan is not run).
        node_keys: Trust name → its P-384 public key as an OpenSSH line; asked about every second in a thread.
        beside: further applications on the same state, by loopback port (the benchmark puts a stock Flower there).

    Raises:
        ConfigError: the TLS certificate or its key is missing.
    """
    fastest_loop = uvicorn.Config(trust_app).get_loop_factory()
    with asyncio.Runner(loop_factory=fastest_loop) as runner:
        runner.run(_serve(config, trust_app, node_keys, beside))


async def _serve(config: HubConfig, trust_app: ASGIApp, node_keys: NodeKeys, beside: Beside) -> None:
    getLogger("flwr").setLevel(WARNING)
    state = GatewayState(NoOpFederationManager(), InMemoryObjectStore())
    state.inward.attach()
    state.outward.attach()
    servers = [
        _public(config, PublicGuard(FleetApi(state), trust_app)),
        _loopback(config.control_port, SecretGuard(loopback_app(state), secret(config, CREDENTIAL))),
        *(_loopback(port, app) for port, app in beside(state).items()),
    ]

    def stop() -> None:
        state.inward.close()
        state.outward.close()
        for server in servers:
            server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await _enrol(state, node_keys)
    polling = asyncio.create_task(_keep_enrolled(state, node_keys))
    try:
        await asyncio.gather(*(server.serve() for server in servers))
    finally:
        polling.cancel()


class _Server(uvicorn.Server):
    """Two servers share one process, so neither may take its signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the gateway."""
        yield


def _public(config: HubConfig, app: ASGIApp) -> _Server:
    certificate, key = config.tls / "server.pem", config.tls / "server.key"
    for path in (certificate, key):
        if not path.is_file():
            raise ConfigError(f"There is no {path}.", "Make the hub's home with: flip-hub init")
    return _Server(_settings(app, config.gateway_host, config.gateway_port, certificate, key))


def _loopback(port: int, app: ASGIApp) -> _Server:
    return _Server(_settings(app, "127.0.0.1", port))


def _settings(
    app: ASGIApp, host: str, port: int, certificate: Path | None = None, key: Path | None = None
) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=3,
        timeout_keep_alive=60,
    )


async def _keep_enrolled(state: GatewayState, node_keys: NodeKeys) -> None:
    while True:
        await asyncio.sleep(SECONDS_BETWEEN_POLLS)
        await _enrol(state, node_keys)
        state.sweep()


async def _enrol(state: GatewayState, node_keys: NodeKeys) -> None:
    try:
        lines = await asyncio.to_thread(node_keys)
    except Exception:  # noqa: BLE001 - whatever failed (a locked database …), the Trusts of before stay connected
        _log.exception("the enrolled keys could not be read; going on with those of before")
        return
    state.enrol({name: pem for name, line in lines.items() if (pem := _pem(name, line)) is not None})


def _pem(name: str, line: bytes) -> bytes | None:
    try:
        key = load_ssh_public_key(line)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP384R1):
        return public_key_to_bytes(key)
    _log.error("%s cannot connect: its node key is not a P-384 public key", name)
    return None
