"""Work spread over processes: whatever an item does, it costs itself and nothing else."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from flip_trust import scaleout
from flip_trust.errors import IngestError, SetupError
from flip_trust.scaleout import HERE, KILLED, LOCAL, Done, Failed, Where

from tests.trust.world import wait_until

ROOT = Path(__file__).parents[2]
BATCHES = [[1, 2, 3], [4, 5], [6]]


def double(items: list[int]) -> list[int]:
    return [2 * item for item in items]


def trouble(kind: str, bad: int, items: list[int]) -> list[int]:
    """Doubles, but for one item."""
    if bad in items:
        if kind == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        raise IngestError("No.", "Stop.") if kind == "public" else ValueError("Jane Doe")
    return double(items)


def process(_items: list[int]) -> int:
    return os.getpid()


def told(ended):
    done, failed = [], []
    for one in ended:
        if isinstance(one, Done):
            done += one.result
        else:
            failed.append((one.item, one.why))
    return sorted(done), failed


@pytest.mark.parametrize(
    "where", [HERE, LOCAL, pytest.param(Where(workers=2), marks=[pytest.mark.processes, pytest.mark.slow])]
)
def test_an_item_that_fails_is_told_and_the_rest_is_done(where):
    done, failed = told(scaleout.run(functools.partial(trouble, "raises", 2), BATCHES, where))

    assert done == [2, 6, 8, 10, 12]
    assert failed == [(2, "ValueError")]


@pytest.mark.processes
@pytest.mark.parametrize("where", [LOCAL, pytest.param(Where(workers=2), marks=pytest.mark.slow)])
def test_an_item_that_kills_is_found_out_and_no_bystander_is_blamed(where):
    batches = [[number] for number in range(10)] if where.workers else BATCHES
    done, failed = told(scaleout.run(functools.partial(trouble, "dies", 2), batches, where))

    assert failed == [(2, KILLED)]
    assert len(done) == sum(map(len, batches)) - 1


@pytest.mark.parametrize("where", [HERE, LOCAL])
def test_an_error_for_people_ends_the_run(where):
    with pytest.raises(IngestError):
        list(scaleout.run(functools.partial(trouble, "public", 2), BATCHES, where))


@pytest.mark.parametrize(
    "where", [HERE, LOCAL, pytest.param(Where(workers=2), marks=[pytest.mark.processes, pytest.mark.slow])]
)
def test_in_order_what_failed_has_its_place_too(where):
    ended = scaleout.run(
        functools.partial(trouble, "raises", 2), [[1, 2, 3], *([n] for n in range(4, 40))], where, in_order=True
    )

    told = [one.result[0] if isinstance(one, Done) else one.item for one in ended]
    assert told == [2, 2, 6, *(2 * n for n in range(4, 40))]


@pytest.mark.processes
@pytest.mark.slow
def test_in_order_an_item_that_kills_has_its_place_and_no_bystander_is_blamed():
    ended = list(
        scaleout.run(functools.partial(trouble, "dies", 3), [[n] for n in range(12)], Where(workers=2), in_order=True)
    )

    assert [one for one in ended if isinstance(one, Failed)] == [ended[3]] == [Failed(3, KILLED)]
    assert [one.result for one in ended if isinstance(one, Done)] == [[2 * n] for n in range(12) if n != 3]


def test_batches_are_taken_as_they_are_needed():
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield [len(taken)]

    first = next(scaleout.run(double, endless(), HERE))
    assert first == Done([1], [2])
    assert len(taken) == 1


def test_items_are_put_into_batches():
    assert list(scaleout.batched(range(5), 2)) == [[0, 1], [2, 3], [4]]


def test_an_address_where_nobody_answers_is_said():
    with pytest.raises(SetupError):
        list(scaleout.run(double, BATCHES, Where("nonsense://nowhere")))


@pytest.mark.processes
def test_a_child_ends_with_a_parent_that_is_killed():
    script = (
        "from flip_trust import scaleout; from tests.trust.test_scaleout import process;"
        "going = scaleout.run(process, [[1], [2]]); print(next(going).result, flush=True); input()"
    )
    command = [sys.executable, "-c", script]
    parent = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()

    assert psutil.wait_procs([child], 20)[1] == []


@pytest.mark.processes
@pytest.mark.slow
def test_a_cluster_of_the_hospitals_own_is_used():
    import distributed

    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as own:
        done, failed = told(scaleout.run(double, [[n] for n in range(20)], Where(own.scheduler_address)))

    assert (len(done), failed) == (20, [])


@pytest.mark.processes
@pytest.mark.slow
def test_an_answer_that_dies_with_its_worker_is_made_again():
    import distributed

    with scaleout._own_cluster(1) as cluster, distributed.Client(cluster) as client:
        future = client.submit(scaleout._attempt, process, [1], pure=False)
        distributed.wait(future)
        [first] = client.run(os.getpid).values()
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: future.status != "finished")

        assert scaleout._answer(future) != first


def test_progress_moves_on():
    with scaleout.progress("Doing", 3) as advance:
        advance(2)
        advance(1)


def test_failed_says_no_text_of_the_error():
    [failed] = scaleout.run(functools.partial(trouble, "raises", 1), [[1]], HERE)
    assert failed == Failed(1, "ValueError")
