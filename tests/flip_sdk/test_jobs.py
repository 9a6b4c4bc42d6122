from __future__ import annotations

import pytest
from flip_sdk.contract.states import JobState
from flip_sdk.testing import FakeHub
from flip_sdk.watching.progress import Progress

import flip_sdk as flip


class Recorder:
    """A view that remembers, and may interrupt."""

    def __init__(self, interrupt_at: int = 0) -> None:
        self.updates = 0
        self.said: list[str] = []
        self.opened = self.closed = False
        self.last: Progress | None = None
        self._interrupt_at = interrupt_at

    def open(self, progress: Progress) -> None:
        self.opened = True

    def update(self, progress: Progress) -> None:
        self.updates += 1
        self.last = progress
        if self.updates == self._interrupt_at:
            raise KeyboardInterrupt

    def note(self, line: str) -> None:
        self.said.append(line)

    def close(self, progress: Progress) -> None:
        self.closed = True
        self.last = progress


@pytest.fixture
def job(project: flip.Project) -> flip.Job:
    from torch import nn

    return project.train(nn.Linear(8, 1), features=project.catalogue().features(), label="malignant", rounds=4)


def test_watching_shows_every_round_until_the_end(job: flip.Job) -> None:
    view = Recorder()
    assert job.watch(view) is job
    assert job.state == JobState.COMPLETED
    assert view.last is not None
    assert [number for number, _ in view.last.curve] == [1, 2, 3, 4]
    assert view.last.epsilon == 3
    assert view.closed


def test_watching_an_ended_job_shows_it_all_again(job: flip.Job, hub: flip.Hub) -> None:
    job.result()
    view = Recorder()
    hub.job(job.id).watch(view)
    assert view.last is not None
    assert len(view.last.curve) == 4


def test_interrupting_leaves_the_job_running_and_says_how_to_come_back(job: flip.Job) -> None:
    view = Recorder(interrupt_at=2)
    with pytest.raises(KeyboardInterrupt):
        job.watch(view)
    assert view.closed
    assert view.last is not None
    assert "job.watch()" in view.last.note
    assert "job.cancel()" in view.last.note
    assert job.refresh().state not in (JobState.CANCELLED, JobState.FAILED)
    assert job.result().record.model is not None


def test_a_hub_that_restarts_while_watched_is_survived(
    job: flip.Job, fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job._connection, "_sleep", lambda seconds: None)
    fake_hub.faults.extend(["restarting", "unreachable", "answer_lost"])
    view = Recorder()
    job.watch(view)
    assert job.state == JobState.COMPLETED
    assert len(view.said) == 2
    assert view.last is not None
    assert [number for number, _ in view.last.curve] == [1, 2, 3, 4]


def test_events_are_a_frame_with_their_numbers(job: flip.Job) -> None:
    job.watch(Recorder())
    events = job.events()
    assert events["event"].to_list()[-1] == "job.completed"
    assert events.filter(events["event"] == "round")["gradient_norm"].drop_nulls().len() == 4


def test_cancelling_ends_it_and_says_so(job: flip.Job) -> None:
    assert job.cancel().state == JobState.CANCELLED
    assert job.cancel().state == JobState.CANCELLED
    with pytest.raises(flip.JobFailedError) as caught:
        job.result()
    assert caught.value.reason


def test_a_trust_that_leaves_is_named(project: flip.Project, fake_hub: FakeHub, job: flip.Job) -> None:
    fake_hub.trusts["carrick"].consent = "left"
    record = job.result().record
    assert [refusal.trust for refusal in record.refusals] == ["carrick"]
    assert "carrick" not in record.trusts


def test_a_job_says_what_it_is(job: flip.Job, hub: flip.Hub) -> None:
    assert job.id in repr(job)
    assert JobState.SUBMITTED.value in repr(job)
    assert repr(hub.job(job.id)) == repr(job).splitlines()[0]
    assert "aldgate 3 of 10" in repr(job)


def test_a_job_reports_the_tighter_figure(job: flip.Job, hub: flip.Hub) -> None:
    told = job.report()
    assert told.debited == pytest.approx(3.0, rel=1e-6)
    assert 2.8 < told.tight < told.debited

    with pytest.raises(flip.NotFoundError):
        hub.job(job.id).report()
    job.result()
    assert hub.job(job.id).report() == told
