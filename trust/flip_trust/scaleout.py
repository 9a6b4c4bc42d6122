"""Work on many items, spread over processes: a child of this one, a Dask cluster here, or the hospital's own.

The work comes in batches. A batch that fails, or that takes its worker down, is tried again item by item, each alone on
the whole cluster: a worker's death is counted against everything that was waiting there, so only who was alone is told
apart from bystanders. One bad item so costs itself and never the rest. Nothing is raised where the work is done: Dask
would log the arguments, and paths identify.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, islice
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from flip_sdk.errors import PublicError

from flip_trust.errors import SetupError

if TYPE_CHECKING:
    from distributed import Client

FEW: Final = 4
"""So many batches are done sooner by one child than a cluster has started."""
LITTLE: Final = 256
KILLED: Final = "it took its worker down"
CONNECT_SECONDS: Final = 20
_AHEAD: Final = 3
_ASK_SECONDS: Final = 1.0
_NO_WORKERS_SECONDS: Final = 120

Item = TypeVar("Item")
Result = TypeVar("Result")
Work = Callable[[list[Item]], Result]
"""Can be pickled: a function of a module, or a ``functools.partial`` of one. Doing a batch twice must be harmless."""


@dataclass(frozen=True)
class Where:
    """Where work is done.

    Attributes:
        dask: address of the hospital's scheduler, ``tcp://…`` or ``tls://…``.
        workers: processes on this machine; 0: one for little work, else one per processor.
        here: in this process instead, without protection from items that take it down.
    """

    dask: str = ""
    workers: int = 0
    here: bool = False

    def unless_little(self, items: int) -> Where:
        """For work that cannot take its process down: this process, where there is little of it."""
        return HERE if not self.dask and not self.workers and items <= LITTLE else self


LOCAL: Final = Where()
HERE: Final = Where(here=True)


@dataclass(frozen=True)
class Done(Generic[Item, Result]):
    """A batch, or one item of a batch that failed, and what the work made of it."""

    items: list[Item]
    result: Result


@dataclass(frozen=True)
class Failed(Generic[Item]):
    """An item on which the work fails, alone too.

    Attributes:
        why: the error's type, or :data:`KILLED`; never the error's text, which may quote data.
    """

    item: Item
    why: str


@dataclass(frozen=True)
class _Trouble:
    why: str


_Answer = tuple[list[Any], Any]
_Spread = Callable[[Work[Any, Any], Iterable[list[Any]]], Iterator[_Answer]]


def run(
    work: Work[Item, Result], batches: Iterable[list[Item]], where: Where = LOCAL, *, in_order: bool = False
) -> Iterator[Done[Item, Result] | Failed[Item]]:
    """Do the work on every batch.

    Args:
        work: what is done with one batch. A ``PublicError`` that it raises ends the whole run.
        batches: taken as they are needed, so that there may be more of them than fit into memory.
        where: on what.
        in_order: results come in the order of the batches, a batch that failed in its place; workers go no further
            ahead than they have batches at hand, so that few results wait. Else in that in which they are done.

    Yields:
        Each batch's result; each item that is in none of them as failed.

    Raises:
        SetupError: the cluster cannot be used, or went away.
        PublicError: the work raised it.
    """
    with _pool(where, iter(batches), in_order=in_order) as (spread, left):
        suspects: list[Item] = []
        for items, answer in spread(work, left):
            if not isinstance(answer, _Trouble):
                yield Done(items, _unless_public(answer))
            elif in_order:
                yield from _each_alone(spread, work, items)
            else:
                suspects += items
        yield from _each_alone(spread, work, suspects)


def _each_alone(
    spread: _Spread, work: Work[Item, Result], suspects: list[Item]
) -> Iterator[Done[Item, Result] | Failed[Item]]:
    for item in suspects:
        [(items, answer)] = spread(work, [[item]])
        yield Failed(item, answer.why) if isinstance(answer, _Trouble) else Done(items, _unless_public(answer))


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Items in lists of so many; the last one has the rest."""
    left = iter(items)
    while batch := list(islice(left, size)):
        yield batch


def sees(*paths: str | Path) -> None:
    """For work: end the run where this worker does not see what it needs, as it would fail on every item.

    Raises:
        SetupError: one of the paths is not there.
    """
    for path in paths:
        if not Path(path).exists():
            raise SetupError(f"A worker does not see {path}.", "Let the workers see the same files as this machine.")


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on standard error; gives a function that moves it on by so many."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from flip_trust.commands import err

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err) as bars:
        bar = bars.add_task(what, total=total)
        yield lambda count: bars.advance(bar, count)


@contextmanager
def _pool(
    where: Where, batches: Iterator[list[Item]], *, in_order: bool
) -> Iterator[tuple[_Spread, Iterable[list[Item]]]]:
    if where.here:
        yield _here, batches
        return
    first = [] if where.dask or where.workers else list(islice(batches, FEW + 1))
    batches = chain(first, batches)
    if not where.dask and (where.workers == 1 or (not where.workers and len(first) <= FEW)):
        with _Child() as child:
            yield child.spread, batches
        return
    with _client(where) as client:
        cluster = _Cluster(client)
        yield cluster.in_order if in_order else cluster.spread, batches


def _attempt(work: Work[Any, Any], items: list[Any]) -> Any:
    try:
        return work(items)
    except PublicError as error:
        plain = type(error).__init__ is PublicError.__init__
        return error if plain else SetupError(error.message, error.mend)  # others may not survive the way back
    except Exception as error:  # noqa: BLE001 (whatever an item leads to, the rest goes on)
        return _Trouble(type(error).__name__)


def _unless_public(answer: Any) -> Any:
    if isinstance(answer, PublicError):
        raise answer
    return answer


def _here(work: Work[Any, Any], batches: Iterable[list[Any]]) -> Iterator[_Answer]:
    for items in batches:
        yield items, _attempt(work, items)


class _Child:
    """One process at a time; a new one after a death."""

    def __init__(self) -> None:
        self._executor: ProcessPoolExecutor | None = None

    def __enter__(self) -> _Child:
        return self

    def __exit__(self, *_: object) -> None:
        if self._executor:
            self._executor.shutdown()

    def spread(self, work: Work[Any, Any], batches: Iterable[list[Any]]) -> Iterator[_Answer]:
        for items in batches:
            if self._executor is None:
                self._executor = ProcessPoolExecutor(1, get_context("spawn"), _begin_child)
            try:
                yield items, self._executor.submit(_attempt, work, items).result()
            except BrokenProcessPool:
                self._executor.shutdown()
                self._executor = None
                yield items, _Trouble(KILLED)


def _begin_child() -> None:
    """Ctrl-C is the parent's to handle; a child whose parent was killed ends too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()


def end_with_parent() -> None:
    """Let this process, a child by ``multiprocessing``, end when its parent is gone, whatever it is at."""
    if parent := parent_process():
        sentinel = parent.sentinel
        threading.Thread(target=lambda: connection.wait([sentinel]) and os._exit(1), daemon=True).start()


class _Cluster:
    """A Dask cluster, kept busy with a few batches ahead for each of its threads."""

    def __init__(self, client: Client) -> None:
        self._client: Any = client
        self._known_threads, self._ask_again = 1, 0.0

    def spread(self, work: Work[Any, Any], batches: Iterable[list[Any]]) -> Iterator[_Answer]:
        import distributed

        untyped: Any = distributed
        left, waiting = iter(batches), untyped.as_completed()
        flying: dict[Any, list[Any]] = {}

        def fill() -> None:
            for items in islice(left, max(0, _AHEAD * self._threads() - len(flying))):
                future = self._client.submit(_attempt, work, items, pure=False)
                flying[future] = items
                waiting.add(future)

        fill()
        self._wait_for_workers()
        for future in waiting:
            items = flying.pop(future)
            fill()
            yield items, _answer(future)

    def in_order(self, work: Work[Any, Any], batches: Iterable[list[Any]]) -> Iterator[_Answer]:
        left, flying = iter(batches), deque[tuple[list[Any], Any]]()

        def fill() -> None:
            for items in islice(left, max(0, _AHEAD * self._threads() - len(flying))):
                flying.append((items, self._client.submit(_attempt, work, items, pure=False)))

        fill()
        self._wait_for_workers()
        while flying:
            items, future = flying.popleft()
            answer = _answer(future)
            if isinstance(answer, _Trouble):
                _land([one for _, one in flying])  # it is tried again alone
            else:
                fill()
            yield items, answer
            fill()

    def _threads(self) -> int:
        """How many the cluster has; asked now and then, because a batch is done sooner than the scheduler answers."""
        now = time.monotonic()
        if now >= self._ask_again:
            self._known_threads = max(1, sum(self._client.nthreads().values()))
            self._ask_again = now + _ASK_SECONDS
        return self._known_threads

    def _wait_for_workers(self) -> None:
        """Only now: a cluster that grows and shrinks has workers once there is work."""
        try:
            self._client.wait_for_workers(1, timeout=_NO_WORKERS_SECONDS)
        except TimeoutError as error:
            raise SetupError("The Dask cluster has no workers.", "Start some, then run this again.") from error


def _answer(future: Any) -> Any:
    """What became of a batch. An answer that died with its worker before it was fetched is made again, and waited for.

    Raises:
        SetupError: the cluster went away, or cannot do this at all.
    """
    from distributed import KilledWorker

    try:
        return future.result()
    except KilledWorker:
        return _Trouble(KILLED)
    except (asyncio.CancelledError, CancelledError) as error:
        raise SetupError("The Dask cluster went away.", "Run the same again: it goes on where it stopped.") from error
    except Exception as error:
        raise SetupError(
            f"The Dask cluster's workers cannot do this ({type(error).__name__}).",
            "Install the same flip-trust on them.",
        ) from error


def _land(futures: list[Any]) -> None:
    """Wait until they are done, whatever became of them."""
    import distributed

    untyped: Any = distributed
    with suppress(asyncio.CancelledError, CancelledError):  # told where their answers are taken
        untyped.wait(futures)


@contextmanager
def _client(where: Where) -> Iterator[Client]:
    import distributed

    untyped: Any = distributed
    if where.dask:
        try:
            client = untyped.Client(where.dask, timeout=CONNECT_SECONDS)
        except (OSError, ValueError) as error:
            raise SetupError(f"No Dask scheduler answers at {where.dask}.", "Check the address.") from error
        with client:
            yield client
        return
    with _own_cluster(where.workers) as cluster, untyped.Client(cluster) as client:
        yield client


@contextmanager
def _own_cluster(workers: int) -> Iterator[Any]:
    """Workers on this machine, out of reach for its other people: TLS with keys made for the occasion, no web pages."""
    import dask
    import distributed

    untyped: Any = distributed
    options = {
        "n_workers": workers or None,
        "threads_per_worker": 1,
        "host": "127.0.0.1",
        "dashboard_address": "127.0.0.1:0",
        "security": True,
        "silence_logs": logging.ERROR,
        # each has its share of the processors: as many threads more would only wait for each other
        "env": {"POLARS_MAX_THREADS": f"{max(1, (os.cpu_count() or 1) // (workers or os.cpu_count() or 1))}"},
        # an item that kills its worker is not tried on every other one
        "scheduler_kwargs": {"allowed_failures": 1, "dashboard": False},
    }
    pages: dict[str, list[str]] = {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}
    with dask.config.set(pages), untyped.LocalCluster(**options) as cluster:
        yield cluster
