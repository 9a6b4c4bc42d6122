"""A cluster of the workspace's own processors, run by the kernel that asked first."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from flip_sdk.errors import SetupError
from flip_sdk.prototyping import meeting
from flip_sdk.prototyping.meeting import Meeting
from flip_sdk.prototyping.share import Share, resized, share

if TYPE_CHECKING:
    from distributed import Client

START_SECONDS = 60.0
"""How long a cluster may take to start, that another notebook is starting."""
ANSWER_SECONDS = 5.0
"""How long a cluster that runs may take to answer, before it is asked again."""
SPILL = ".dask"
"""Folder of the workspace that holds what does not fit into memory; empty when nothing runs."""

_kept: list[Any] = []
"""This kernel's client, and its cluster where it runs here: without a reference, a cluster would end."""


def client_here(workers: int | None) -> Client:
    """This kernel's client; else one of the cluster that runs, or of a new one.

    Raises:
        SetupError: another notebook is starting one, and it does not answer.
    """
    if _kept and _kept[0].status == "running":
        known: Client = _kept[0]
        return known
    deadline = time.monotonic() + START_SECONDS
    while True:
        lock = meeting.claim()
        client = _begin(lock, workers) if lock is not None else _join(meeting.found())
        if client is not None:
            return client
        if time.monotonic() > deadline:
            raise SetupError(
                "The workspace's Dask cluster does not answer.",
                "Restart the kernel of the notebook that started it, and try again.",
            )
        time.sleep(0.1)


def _begin(lock: IO[str], workers: int | None) -> Client:
    import distributed

    untyped: Any = distributed
    size = whole() if workers is None else resized(whole(), workers)
    try:
        cluster = _cluster(lock, size)
    except BaseException:
        meeting.gone(lock)
        raise
    client: Client = untyped.Client(cluster)
    _kept[:] = [client, cluster]
    return client


def whole() -> Share:
    """What this workspace may use."""
    from dask.system import cpu_count
    from distributed.system import memory_limit

    untyped: tuple[Any, Any] = cpu_count, memory_limit
    return share(untyped[0](), untyped[1]())


def _cluster(lock: IO[str], size: Share) -> Any:
    """TLS with keys made for the occasion: whoever else reaches this loopback is not let in. No pages on a port."""
    import dask
    import distributed

    from flip_sdk.prototyping.panes import Panes

    untyped: Any = distributed
    security = untyped.Security.temporary()
    told = Meeting(
        id=meeting.new_id(),
        address="",
        certificate=security.tls_client_cert,
        key=security.tls_client_key,
        workers=size.workers,
        cores=size.workers * size.threads,
        memory_bytes=size.workers * size.memory_bytes,
    )
    spill = Path.home() / SPILL
    spill.mkdir(exist_ok=True, mode=0o700)
    dask.config.set({"distributed.dashboard.link": link(told.id)})
    pages: dict[str, list[str]] = {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}
    with dask.config.set(pages):
        return untyped.LocalCluster(
            n_workers=size.workers,
            threads_per_worker=size.threads,
            memory_limit=size.memory_bytes,
            host="127.0.0.1",
            security=security,
            dashboard_address="127.0.0.1:0",
            local_directory=str(spill),
            silence_logs=logging.ERROR,
            # each has its share of the processors: as many threads more would only wait for each other
            env={"POLARS_MAX_THREADS": str(size.threads)},
            scheduler_kwargs={"dashboard": False, "allowed_failures": 1, "plugins": [Panes(told, lock)]},
        )


def link(cluster: str) -> str:
    """Where JupyterLab shows a cluster's dashboard; braces are Dask's own way to write one."""
    prefix = os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "/")
    return f"{prefix}dask/dashboard/{cluster}/status".replace("{", "{{").replace("}", "}}")


def _join(known: Meeting | None) -> Client | None:
    """A client of the cluster that another notebook, or an earlier cell, started; None while it cannot be reached."""
    if known is None:
        return None
    import dask
    import distributed

    untyped: Any = distributed
    dask.config.set({"distributed.dashboard.link": link(known.id)})
    security = untyped.Security(
        require_encryption=True,
        tls_ca_file=known.certificate,
        tls_client_cert=known.certificate,
        tls_client_key=known.key,
    )
    try:
        client: Client = untyped.Client(known.address, security=security, timeout=ANSWER_SECONDS)
    except OSError:
        return None
    _kept[:] = [client]
    return client
