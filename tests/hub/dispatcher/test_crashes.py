"""The dispatcher is killed after each of its side effects in turn, and another one takes over."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

import pytest
from flip_hub.audit import verify
from flip_hub.database import Database, Entry, Routine
from flip_hub.dispatcher.loop import Dispatcher
from flip_hub.flower.grid import Carrier, Incoming
from flip_hub.models import BlobStore
from sqlalchemy.orm import Session

TRUSTS = ("aldgate", "brookfield")
EFFECTS_OF_TRAINING = 30
EFFECTS_OF_A_COUNT = 10


class Killed(BaseException):
    """As if by SIGKILL: nothing handles it."""


@dataclass
class Fate:
    """Counts side effects and kills after one of them."""

    after: int = 0
    effects: int = 0

    def effect(self) -> None:
        self.effects += 1
        if self.effects == self.after:
            raise Killed


class MortalDatabase(Database):
    def __init__(self, inner: Database, fate: Fate) -> None:
        self._inner, self._fate = inner, fate

    @contextmanager
    def read(self) -> Iterator[Session]:
        with self._inner.read() as session:
            yield session

    @contextmanager
    def write(self, entry: Entry | Routine) -> Iterator[Session]:
        with self._inner.write(entry) as session:
            yield session
        self._fate.effect()


class MortalBlobs(BlobStore):
    def __init__(self, inner: BlobStore, fate: Fate) -> None:
        super().__init__(inner._folder)
        self._fate = fate

    def put(self, content: bytes) -> str:
        digest = super().put(content)
        self._fate.effect()
        return digest


@dataclass
class MortalCarrier:
    inner: Carrier
    fate: Fate

    @property
    def epoch(self) -> str:
        return self.inner.epoch

    def push(self, trust: str, parts: Mapping[str, bytes]) -> str:
        message_id = self.inner.push(trust, parts)
        self.fate.effect()
        return message_id

    def pull(self, ids: Collection[str], wait: float = 0.0) -> list[Incoming]:
        incoming = self.inner.pull(ids, wait)
        if incoming:
            self.fate.effect()
        return incoming

    def online(self) -> frozenset[str]:
        return self.inner.online()

    def close(self) -> None:
        self.inner.close()


def mortal(hub, fate: Fate) -> Dispatcher:
    return Dispatcher(
        replace(
            hub.tools,
            database=MortalDatabase(hub.database, fate),
            blobs=MortalBlobs(hub.blobs, fate),
            carrier=MortalCarrier(hub.carrier, fate),
        )
    )


def run_killed(hub, after: int) -> None:
    hub.dispatcher = mortal(hub, Fate(after))
    with suppress(Killed):
        hub.run()


def outcome(hub) -> dict[str, object]:
    """What must not depend on crashes."""
    result = hub.result()
    return {
        "model": result.model,
        "scaling": result.scaling,
        "counts": result.counts,
        "trusts": result.trusts,
        "refusals": result.refusals,
        "history": [{name: n for name, n in row.items() if name != "seconds"} for row in result.history],
        "releases": {name: sorted(trust.released) for name, trust in hub.trusts.items()},
    }


def assert_ended_well(hub, expected: dict[str, object]) -> None:
    job = hub.run(seconds=0.25)
    assert job.state == "completed", job.reason
    assert outcome(hub) == expected
    with hub.database.read() as session:
        verify(session)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, hub_class) -> dict[str, object]:
    hub = hub_class(tmp_path_factory.mktemp("uninterrupted"))
    fate = Fate()
    hub.submit(hub.train_spec(rounds=2), trusts=TRUSTS)
    hub.dispatcher = mortal(hub, fate)
    assert hub.run().state == "completed"
    assert fate.effects <= EFFECTS_OF_TRAINING, "some effects are no crash point yet"
    return outcome(hub)


@pytest.fixture(scope="module")
def counted(tmp_path_factory, hub_class) -> dict[str, object]:
    hub = hub_class(tmp_path_factory.mktemp("uninterrupted"))
    fate = Fate()
    hub.submit(hub.count_spec(), trusts=TRUSTS)
    hub.dispatcher = mortal(hub, fate)
    assert hub.run().state == "completed"
    assert fate.effects <= EFFECTS_OF_A_COUNT, "some effects are no crash point yet"
    return outcome(hub)


@pytest.mark.parametrize("after", range(1, EFFECTS_OF_TRAINING + 1))
def test_training_ends_the_same_after_a_crash_anywhere(hub, trained, after) -> None:
    hub.submit(hub.train_spec(rounds=2), trusts=TRUSTS)
    run_killed(hub, after)
    hub.new_dispatcher()
    assert_ended_well(hub, trained)


@pytest.mark.parametrize("after", range(1, EFFECTS_OF_TRAINING + 1, 3))
def test_training_ends_the_same_when_the_gateway_goes_with_it(hub, trained, after) -> None:
    hub.submit(hub.train_spec(rounds=2), trusts=TRUSTS)
    run_killed(hub, after)
    hub.carrier.restart()
    hub.new_dispatcher()
    assert_ended_well(hub, trained)


@pytest.mark.parametrize("after", range(1, EFFECTS_OF_A_COUNT + 1))
def test_a_count_ends_the_same_after_a_crash_anywhere(hub, counted, after) -> None:
    hub.submit(hub.count_spec(), trusts=TRUSTS)
    run_killed(hub, after)
    hub.new_dispatcher()
    assert_ended_well(hub, counted)


@pytest.mark.parametrize("after", [14, 19])
def test_killed_again_and_again(hub, trained, after) -> None:
    """Every life is ``after`` effects long; the job still gets to its end."""
    hub.submit(hub.train_spec(rounds=2), trusts=TRUSTS)
    for _ in range(40):
        hub.dispatcher = mortal(hub, Fate(after))
        try:
            hub.run()
        except Killed:
            continue
        break
    assert hub.job().state == "completed"
    assert outcome(hub) == trained
