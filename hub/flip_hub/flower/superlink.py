"""``flip-hub gateway``: the one address that Trusts dial."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.types import ASGIApp

from flip_hub.flower.grid import GatewayConfig


def run_gateway(config: GatewayConfig, trust_app: ASGIApp, node_keys: Callable[[], Mapping[str, bytes]]) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        config: HubConfig (``home``, ``gateway_host``, ``gateway_port``, ``runtime_port``). TLS comes from
            ``home/tls/server.pem`` and ``server.key``; ``home/secrets/runtime.secret`` is made where it is missing.
        trust_app: what answers below ``/flip/v1`` (mounted: it sees paths without that prefix).
        node_keys: Trust name → its P-384 public key as an OpenSSH line; asked about every second in a thread.
    """
    raise NotImplementedError
