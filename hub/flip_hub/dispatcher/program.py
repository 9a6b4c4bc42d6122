"""``flip-hub dispatch``: the dispatcher as a process."""

from __future__ import annotations

import fcntl
import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flip_hub.config import HubConfig
from flip_hub.database import Database
from flip_hub.dispatcher.errors import AlreadyRunningError
from flip_hub.dispatcher.late_carrier import LateCarrier
from flip_hub.dispatcher.loop import Dispatcher
from flip_hub.dispatcher.tools import Tools
from flip_hub.dispatcher.watch import Limits
from flip_hub.keys import signing_key
from flip_hub.models import BlobStore

LOG = logging.getLogger(__name__)


def run(config: HubConfig) -> None:
    """Dispatch every job of a hub until SIGTERM or SIGINT.

    Raises:
        AlreadyRunningError: another dispatcher does so already.
        ConfigError: the hub's keys are missing.
    """
    # a line for every call to the gateway would drown what is worth reading
    logging.getLogger("httpx").setLevel(logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with only_one(config):
        carrier, database = LateCarrier(config), Database.of(config)
        tools = Tools(
            database=database,
            blobs=BlobStore(config.blobs),
            carrier=carrier,
            key=signing_key(config, "dispatcher"),
            governance=signing_key(config, "governance").public,
            limits=Limits.of(config),
        )
        LOG.info("dispatching")
        try:
            Dispatcher(tools).serve(stop)
        finally:
            carrier.close()
            database.close()


@contextmanager
def only_one(config: HubConfig) -> Iterator[None]:
    """Hold the hub's jobs. The lock goes with the process, however it ends.

    Raises:
        AlreadyRunningError: another process holds them.
    """
    with (config.home / "dispatcher.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            mend = "Stop it first; it is the process that holds dispatcher.lock in the hub's home."
            raise AlreadyRunningError("Another dispatcher holds this hub's jobs.", mend) from error
        yield
