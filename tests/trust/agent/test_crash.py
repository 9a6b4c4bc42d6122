"""SIGKILL at chosen points: what was released is in the ledger, and nothing is released twice or differently."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from multiprocessing.process import BaseProcess

import numpy as np
import pytest
from flip_sdk.contract.tasks import SafeUpdate
from flip_trust import audit, taskbook
from flip_trust.database import Database

from tests.trust.agent.victim import main, read, write
from tests.trust.world import answer_of, count_spec, evaluate_spec, train_spec, wait_until

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.trust.agent.victim", "opendp.prelude"])
"""A process of its own that has imported everything: agents are forked off it, so that a start takes no seconds."""


class Victim:
    """The agent as a process, and this test's own view of its database."""

    def __init__(self, trust) -> None:
        self.trust, self.home = trust, trust.config.home
        for name in ("in", "out"):
            (self.home / name).mkdir()
        self._sent = 0
        self._process: BaseProcess | None = None

    def start(self) -> None:
        (self.home / "ready").unlink(missing_ok=True)
        keys = (self.trust.hub.governance.public.x, self.trust.hub.dispatcher.public.x)
        self._process = PROCESSES.Process(target=main, args=(self.home, *keys))
        self._process.start()
        wait_until((self.home / "ready").exists, 60)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.join()
        self._process = None

    def put(self, parts) -> str:
        self._sent += 1
        name = f"{self._sent:06}"
        write(self.home / "in", name, parts)
        return name

    def answer(self, name: str):
        wait_until((self.home / "out" / name).exists, 30)
        return answer_of(self.trust, read(self.home / "out" / name))

    def states(self) -> list[str]:
        return [row["state"] for row in self.trust.database.read("SELECT state FROM task ORDER BY rowid")]

    def set(self, name: str, *, on: bool) -> None:
        (self.home / name).touch() if on else (self.home / name).unlink()


@pytest.fixture
def victim(trust) -> Iterator[Victim]:
    trust.opt_in(epsilon=100.0)
    made = Victim(trust.with_config(max_epsilon_per_job=100.0))
    yield made
    made.kill()


def test_killed_while_computing(victim):
    trust, job = victim.trust, victim.trust.hub.job(train_spec())
    victim.set("hold", on=True)
    victim.start()
    victim.put(trust.hub.prepare(job))
    wait_until(lambda: victim.states() == ["accepted"])
    victim.kill()

    assert len(trust.ledger()) == 2, "the debit is there before anything is computed"
    victim.set("hold", on=False)
    victim.start()
    assert victim.states() == ["failed"]
    update, _ = victim.answer(victim.put(trust.hub.prepare(job, attempt=2)))
    assert isinstance(update, SafeUpdate)
    assert len(trust.ledger()) == 2, "and it is made once"


def test_killed_between_release_and_sending(victim):
    trust, job = victim.trust, victim.trust.hub.job(evaluate_spec())
    victim.set("mute", on=True)
    victim.start()
    victim.put(trust.hub.evaluate(job))
    wait_until(lambda: victim.states() == ["protected"])
    victim.kill()
    (kept,) = trust.database.read("SELECT * FROM release")

    victim.set("mute", on=False)
    victim.start()
    update, tensors = victim.answer(victim.put(trust.hub.evaluate(job, attempt=2)))

    from safetensors.numpy import load

    assert np.array_equal(tensors["histogram"], load(kept["tensors"])["histogram"])
    assert update.claim == SafeUpdate.parse(kept["record"]).claim
    assert len(trust.events("task.executed")) == 1, "nothing was computed again"


def test_killed_again_and_again_the_ledger_never_shows_less_than_was_released(victim):
    trust = victim.trust
    for _ in range(2):
        victim.start()
        before = len(list((victim.home / "out").iterdir()))
        for _ in range(25):
            victim.put(trust.hub.parts(trust.hub.job(count_spec(epsilon=0.05)), "count"))
        wait_until(lambda enough=before + 10: len(list((victim.home / "out").iterdir())) > enough)
        victim.kill()

    released = {
        answer_of(trust, read(path))[0].job_id
        for path in (victim.home / "out").iterdir()
        if not path.name.endswith(".new")
    }
    fresh = Database.open(trust.config.database)
    debited = {row["job_id"] for row in fresh.read("SELECT job_id FROM ledger")}
    assert len(released) > 20
    assert released <= debited
    assert audit.verify_database(fresh)[0] > 0
    taskbook.abandon(fresh)
    assert not fresh.read("SELECT 1 FROM task WHERE state IN ('accepted', 'executed')")
