"""A cluster at the hub's dask-gateway, for the person and the project of this workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flip_sdk.errors import ExtraMissingError, SetupError

if TYPE_CHECKING:
    from distributed import Client

WORKERS = 2
"""Of a new cluster, where nobody says how many."""


def client_of(address: str, workers: int | None) -> Client:
    """A client of the person's cluster that runs at a gateway, or of a new one, which ends with this kernel.

    The gateway asks JupyterHub who this is, by the workspace's own token.

    Raises:
        ExtraMissingError: its package is not installed.
        SetupError: the gateway is not there, or refuses.
    """
    try:
        import dask_gateway
        from aiohttp import ClientError
    except ImportError as error:
        raise ExtraMissingError("A cluster at a gateway", "dask-gateway", "dask") from error
    untyped: Any = dask_gateway
    try:
        gateway = untyped.Gateway(address, auth="jupyterhub")
        running = gateway.list_clusters()
        cluster = gateway.connect(running[0].name) if running else gateway.new_cluster()
        if not running:
            cluster.scale(workers or WORKERS)
        client: Client = cluster.get_client()
    except (ClientError, OSError, ValueError, untyped.GatewayServerError, untyped.GatewayClusterError) as error:
        mend = "Try again in a moment; if it stays so, tell the hub's operator."
        raise SetupError(f"The Dask gateway at {address} gives no cluster: {error}.", mend) from error
    return client
