"""The dispatcher is killed after each of its side effects in turn, in a job with noise shares that loses a Trust.

Whatever the moment: the job completes over the Trusts that are left, no Trust is asked for two different sums under one
number, and no more tries are made than the job paid for.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.hub.dispatcher.test_crashes import Fate, Killed, assert_ended_well, mortal, outcome, run_killed
from tests.hub.dispatcher.test_sums import assert_no_trust_was_asked_for_anything_twice, goes_away, shared_spec

TRUSTS = ("aldgate", "brookfield", "carrick")
EFFECTS = 44
EFFECTS_WITH_A_LOSS = 64


def _every(nth, effects):
    """Every moment; all but each nth with the heavy proofs, as they are much alike."""
    heavy = {"marks": pytest.mark.slow}
    return [pytest.param(after, **(heavy if after % nth else {})) for after in range(1, effects + 1)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory, hub_class) -> dict[str, object]:
    hub = hub_class(tmp_path_factory.mktemp("uninterrupted"))
    fate = Fate()
    hub.submit(shared_spec(hub, rounds=2), trusts=TRUSTS)
    hub.dispatcher = mortal(hub, fate)
    assert hub.run().state == "completed"
    assert fate.effects <= EFFECTS, "some effects are no crash point yet"
    return outcome(hub)


@pytest.mark.parametrize("after", _every(2, EFFECTS))
def test_a_job_with_noise_shares_ends_the_same_after_a_crash_anywhere(hub, trained, after) -> None:
    hub.submit(shared_spec(hub, rounds=2), trusts=TRUSTS)
    run_killed(hub, after)
    hub.new_dispatcher()
    assert_ended_well(hub, trained)
    assert_no_trust_was_asked_for_anything_twice(hub)


@pytest.mark.parametrize("after", range(1, EFFECTS + 1, 4))
def test_it_ends_the_same_when_the_gateway_goes_with_it(hub, trained, after) -> None:
    hub.submit(shared_spec(hub, rounds=2), trusts=TRUSTS)
    run_killed(hub, after)
    hub.carrier.restart()
    hub.new_dispatcher()
    assert_ended_well(hub, trained)


def submit_with_a_loss(hub) -> None:
    hub.use(patience=timedelta(seconds=3), task=timedelta(seconds=5))
    goes_away(hub, "carrick", 1)
    hub.submit(shared_spec(hub, rounds=2))


@pytest.fixture(scope="module")
def with_a_loss(tmp_path_factory, hub_class) -> dict[str, object]:
    hub = hub_class(tmp_path_factory.mktemp("uninterrupted"))
    fate = Fate()
    submit_with_a_loss(hub)
    hub.dispatcher = mortal(hub, fate)
    assert hub.run(seconds=1).state == "completed"
    assert fate.effects <= EFFECTS_WITH_A_LOSS, f"some of {fate.effects} effects are no crash point yet"
    return outcome(hub)


@pytest.mark.parametrize("after", _every(4, EFFECTS_WITH_A_LOSS))
def test_a_loss_and_a_crash_anywhere(hub, with_a_loss, after) -> None:
    submit_with_a_loss(hub)
    hub.dispatcher = mortal(hub, Fate(after))
    try:
        hub.run(seconds=1)
    except Killed:
        hub.new_dispatcher()
    assert_ended_well(hub, with_a_loss)
    assert_no_trust_was_asked_for_anything_twice(hub)


@pytest.mark.parametrize("after", [17, 23])
def test_killed_again_and_again_with_a_loss(hub, with_a_loss, after) -> None:
    submit_with_a_loss(hub)
    for _ in range(40):
        hub.dispatcher = mortal(hub, Fate(after))
        try:
            hub.run(seconds=1)
        except Killed:
            continue
        break
    assert hub.job().state == "completed"
    assert outcome(hub) == with_a_loss
