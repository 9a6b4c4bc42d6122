"""A folder of files: in this process where there are few, else on dask.distributed; taken up again where it stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flip_trust.deidentification import files, profile
from flip_trust.deidentification.engine import Engine
from flip_trust.deidentification.files import Outcome
from flip_trust.deidentification.keyed import Keyed
from flip_trust.deidentification.profile import Profile
from flip_trust.deidentification.refusals import Reason
from flip_trust.errors import SetupError

if TYPE_CHECKING:
    from distributed import Client

FEW: Final = 64
"""So many files are done sooner than a cluster has started."""
BATCH: Final = 16
_TRIED_AGAIN: Final = frozenset({Reason.NO_TESSERACT.name, Reason.FAILED.name})
"""Refusals that are not the file's own fault."""

Attempt = list[Outcome] | SetupError


@dataclass(frozen=True)
class Order:
    """What is to be done; the key itself is read where the work is done and never sent.

    Attributes:
        key_file: the Trust's secret; every worker reads it from the same path.
    """

    source: Path
    target: Path
    quarantine: Path
    profile: Profile
    key_file: Path

    def check(self) -> None:
        """Refuse folders that lie in one another, which would read what was written.

        Raises:
            SetupError: they do, or the source is not a folder.
        """
        places = [each.resolve() for each in (self.source, self.target, self.quarantine)]
        if not places[0].is_dir():
            raise SetupError(f"{self.source} is not a folder.", "Give the folder with the DICOM files.")
        inside = [(a, b) for a in places for b in places if a != b and a.is_relative_to(b)]
        if inside or len(set(places)) < len(places):
            raise SetupError("Source, target and quarantine lie in one another.", "Give three separate folders.")


def found(source: Path) -> list[Path]:
    """Every file below a folder; links to folders are not followed."""
    return sorted(Path(folder) / name for folder, _, names in os.walk(source) for name in names)


def run(order: Order, sources: list[Path], dask: str = "", workers: int = 0) -> Iterator[Outcome]:
    """De-identify files; what an earlier run has done under the same profile is not done again.

    Args:
        order: what is to be done.
        sources: the files, as :func:`found` lists them.
        dask: address of a cluster; without one, a cluster of this machine where there are many files.
        workers: processes of the cluster of this machine; 0: one per processor.

    Yields:
        What became of each file, in no particular order.

    Raises:
        SetupError: folders, key or cluster cannot be used.
    """
    order.check()
    Keyed.from_file(order.key_file)
    earlier = _journal(order)
    with _appending(order) as note:
        todo = []
        for path in sources:
            known = earlier.get(files.digest_of(path)) if earlier else None
            if known and _stands(known, order):
                yield known
            else:
                todo.append(path)
        alone = not dask and workers in {0, 1} and len(todo) <= FEW
        for outcome in _here(order, todo) if alone else _there(order, todo, dask, workers):
            note(outcome)
            yield outcome


def journal_path(order: Order) -> Path:
    """The list of what was done under a profile; beside the quarantine, because it names the sources."""
    return order.quarantine / f"journal-{order.profile.digest[-16:]}.jsonl"


def work(target: str, quarantine: str, profile_text: str, key_file: str, sources: list[str]) -> list[Outcome]:
    """What a worker does with one batch."""
    engine = _engine(profile_text, key_file)
    return [files.process(engine, Path(source), Path(target), Path(quarantine)) for source in sources]


def attempt(target: str, quarantine: str, profile_text: str, key_file: str, sources: list[str]) -> Attempt:
    """The same on a cluster; nothing is raised there, because Dask would log the arguments, and paths identify."""
    try:
        return work(target, quarantine, profile_text, key_file, sources)
    except SetupError as error:
        return error


def _stands(outcome: Outcome, order: Order) -> bool:
    if outcome.reason:
        return outcome.reason not in _TRIED_AGAIN
    return (order.target / outcome.path).is_file()


def _arguments(order: Order) -> tuple[str, str, str, str]:
    target, quarantine = str(order.target.absolute()), str(order.quarantine.absolute())
    return target, quarantine, order.profile.model_dump_json(), str(order.key_file.absolute())


@lru_cache(maxsize=4)
def _engine(profile_text: str, key_file: str) -> Engine:
    return Engine(profile.parsed(profile_text), Keyed.from_file(Path(key_file)))


def _here(order: Order, sources: list[Path]) -> Iterator[Outcome]:
    for source in sources:
        yield from work(*_arguments(order), [str(source.absolute())])


def _there(order: Order, sources: list[Path], dask: str, workers: int) -> Iterator[Outcome]:
    import distributed

    untyped: Any = distributed

    names = [str(source.absolute()) for source in sources]
    with _client(dask, workers) as client:
        batches = {}
        for start in range(0, len(names), BATCH):
            batch = names[start : start + BATCH]
            batches[client.submit(attempt, *_arguments(order), batch, pure=False)] = batch
        waiting = untyped.as_completed(list(batches))
        for future in waiting:
            batch = batches.pop(future)
            if future.status == "finished":
                if isinstance(done := future.result(), SetupError):
                    raise done
                yield from done
            elif len(batch) > 1:  # one of them took its worker down: find out which
                for name in batch:
                    again = client.submit(attempt, *_arguments(order), [name], pure=False)
                    batches[again] = [name]
                    waiting.add(again)
            else:
                path = Path(batch[0])
                yield files.refuse(path, files.digest_of(path), Reason.FAILED, order.quarantine)


@contextmanager
def _client(address: str, workers: int) -> Iterator[Client]:
    import distributed

    untyped: Any = distributed
    if address:
        try:
            client = untyped.Client(address, timeout=20)
        except (OSError, ValueError) as error:
            raise SetupError(f"No Dask scheduler answers at {address}.", "Check the address.") from error
        with client:
            yield client
        return
    options = {
        "n_workers": workers or None,
        "threads_per_worker": 1,
        "host": "127.0.0.1",
        "dashboard_address": None,
        "security": True,  # TLS with keys made for the occasion: other people of this machine can reach the ports
        "scheduler_kwargs": {"allowed_failures": 1},  # a file that kills its worker is not tried on every other one
    }
    with untyped.LocalCluster(**options) as cluster, untyped.Client(cluster) as client:
        yield client


def _journal(order: Order) -> Mapping[str, Outcome]:
    path = journal_path(order)
    if not path.exists():
        return {}
    known = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            outcome = Outcome(**json.loads(line))
        except (ValueError, TypeError):
            continue  # the line that was being written when the machine went down
        known[outcome.digest] = outcome
    return {digest: outcome for digest, outcome in known.items() if digest}


@contextmanager
def _appending(order: Order) -> Iterator[Callable[[Outcome], object]]:
    try:
        order.quarantine.mkdir(mode=0o700, parents=True, exist_ok=True)
        order.target.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(journal_path(order), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise SetupError(f"{order.quarantine} cannot be written.", "Check the folder.") from error
    with os.fdopen(descriptor, "a", encoding="utf-8") as stream:
        yield lambda outcome: stream.write(outcome.as_line())
        stream.flush()
        os.fsync(stream.fileno())
