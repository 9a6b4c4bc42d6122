"""Whole jobs, from sign-off to their end, against Trusts that sign real answers."""

from __future__ import annotations


def test_a_count_asks_every_trust_once_and_completes(hub) -> None:
    hub.submit(hub.count_spec())
    job = hub.run()
    assert job.state == "completed", job.reason
    assert hub.result().counts == dict.fromkeys(hub.trusts, 100)
    assert {name: hub.steps(name) for name in hub.trusts} == {name: [("count", 0)] for name in hub.trusts}


def test_training_goes_through_prepare_and_every_round(hub) -> None:
    hub.submit(hub.train_spec())
    job = hub.run()
    assert job.state == "completed", job.reason
    assert job.round == 3
    assert hub.steps("aldgate") == [("prepare", 0), ("train", 1), ("train", 2), ("train", 3)]
    result = hub.result()
    assert result.trusts == tuple(hub.trusts)
    assert hub.blobs.has(result.model.weights)
    assert [row["round"] for row in result.history] == [0, 1, 2, 3]
