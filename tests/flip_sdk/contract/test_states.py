from __future__ import annotations

import pytest
from flip_sdk.contract.states import JOB, MACHINES, OUTPUT, PROJECT, TASK, JobState, StateMachine, TransitionError


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_every_state_is_reached_and_every_step_has_one_owner_and_event(machine: StateMachine) -> None:
    reached, frontier = {machine.start}, [machine.start]
    while frontier:
        state = frontier.pop()
        following = {row.target for row in machine.transitions if row.source == state} - reached
        reached |= following
        frontier += following
    assert reached == set(machine.states)
    assert all(row.owner and row.event.startswith(f"{machine.name}.") for row in machine.transitions)
    steps = [(row.source, row.target) for row in machine.transitions]
    assert len(steps) == len(set(steps))


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_a_step_that_the_table_does_not_have_is_refused(machine: StateMachine) -> None:
    for source in machine.states:
        for target in machine.states:
            if machine.allows(source, target):
                assert machine.step(source, target).target == target
            else:
                with pytest.raises(TransitionError):
                    machine.step(source, target)


def test_the_ends_are_these() -> None:
    assert {end.value for end in JOB.ends()} == {"completed", "rejected", "cancelled", "failed"}
    assert {end.value for end in TASK.ends()} == {"refused", "reported", "failed", "expired", "cancelled"}
    assert {end.value for end in PROJECT.ends()} == {"rejected", "closed"}
    assert {end.value for end in OUTPUT.ends()} == {"blocked", "withheld", "withdrawn", "revoked"}


def test_only_governance_and_the_dispatcher_move_jobs() -> None:
    assert {row.owner for row in JOB.transitions} == {"governance", "dispatcher"}
    assert all(row.owner == "dispatcher" for row in JOB.transitions if row.source == JobState.EXECUTING)
