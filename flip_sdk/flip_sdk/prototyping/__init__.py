"""Dask for prototyping: the workspace's own processors, or the hub's dask-gateway, for a notebook.

    import flip_sdk as flip

    client = flip.dask_client()
    client.gather(client.map(features, pictures))

On made-up and public data only: there is none of anybody's in a workspace, and nothing here reaches a Trust.
"""

from __future__ import annotations

import multiprocessing
import os
from typing import TYPE_CHECKING

from flip_sdk.errors import ExtraMissingError, SetupError

if TYPE_CHECKING:
    from distributed import Client

GATEWAY = "FLIP_DASK_GATEWAY"
"""Environment variable with the address of the hub's dask-gateway, where it has one."""

__all__ = ["dask_client"]


def dask_client(workers: int | None = None) -> Client:
    """A client of this workspace's Dask cluster, which is started where there is none yet.

    The cluster is as large as the workspace: its processors and its memory, as the profile limits them. All notebooks
    of a workspace share it; it ends with the kernel that started it, or with ``client.shutdown()``. What does not fit
    into memory is kept in the workspace's own folder. Where the hub has a dask-gateway, the cluster is there instead.

    Args:
        workers: how many processes; without it, one for each processor, or 2 at a gateway. A cluster that runs already
            stays as it is.

    Raises:
        ExtraMissingError: Dask is not installed.
        SetupError: no cluster starts, or none answers.
    """
    if workers is not None and workers < 1:
        raise SetupError("A cluster has at least one worker.", "Leave workers out, or give a number from 1 on.")
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        mend = 'Put what the script does below: if __name__ == "__main__":'
        raise SetupError("Each worker runs a script from its beginning, and would start a cluster of its own.", mend)
    try:
        import distributed  # noqa: F401 - whether it is there
    except ImportError as error:
        raise ExtraMissingError("A Dask cluster", "distributed", "dask") from error
    address = os.environ.get(GATEWAY)
    if address:
        from flip_sdk.prototyping.gateway import client_of

        return client_of(address, workers)
    from flip_sdk.prototyping.local import client_here

    return client_here(workers)
