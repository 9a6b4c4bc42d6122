"""How long is a round with four Trusts, and how soon does the first of them work?

Ours is the platform as it is: submitted through the API, dispatched, verified, admitted, debited, computed in a
sandboxed engine, noised, signed, sent, checked, aggregated and checkpointed. The peer is a stock Flower app that does
the arithmetic alone, afterwards, on the same SuperLink state in the same gateway process.
"""

from __future__ import annotations

import secrets
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median

import torch
from flip_sdk.connection import Connection
from flip_sdk.contract.api import JobEvents, JobView, SubmitJob
from flip_sdk.contract.cohorts import Feature, Label
from flip_sdk.contract.jobs import ModelRef, Privacy, TrainSpec
from flip_sdk.contract.records import digest
from flip_sdk.contract.states import JOB, JobState
from flip_sdk.models import export_model
from flip_sdk.settings import load
from rich.console import Console

from benchmarks.rows import Row
from benchmarks.stock import Measured, run_stock
from demo.measurements import MALIGNANT, MEASUREMENTS
from demo.patients import patients_of
from demo.people import ADA, PROJECT
from demo.platform import Platform, password
from demo.processes import Keeper, PlatformError, free_ports
from demo.story import Story, plans
from demo.telling import Teller

LONG, SHORT = 20, 2
SUBMISSIONS = 4
EPSILON = 2.0
"""Of a budget of 10 at each Trust, and enough that the smallest one's noisy count stays above its floor."""
MOST_SECONDS_A_ROUND = 0.4
LEAST_RATIO = 10.0
MOST_SECONDS_TO_FIRST_WORK = 2.0


class Bench(Platform):
    """The platform, with a stock SuperLink API beside the gateway."""

    superlink = 0

    def launch(self, name: str, *command: str, folder: Path | None = None) -> Keeper:
        """As the platform does, but for the gateway."""
        if name == "gateway":
            self.superlink = self.superlink or free_ports(["superlink"])["superlink"]
            root = Path(__file__).resolve().parents[1]
            program = (sys.executable, "-m", "benchmarks.gateway", str(self.hub_home), str(self.superlink))
            return super().launch(name, *program, folder=root)
        return super().launch(name, *command, folder=folder)


def run() -> Iterator[Row]:
    """Two rows: seconds a round, and from submit to first work."""
    teller = Teller(Console(stderr=True, highlight=False, soft_wrap=True))
    with (
        tempfile.TemporaryDirectory(prefix="flip-rounds-") as folder,
        Bench(Path(folder), plans(), progress=teller.say) as platform,
    ):
        story = Story(platform, password(), teller)
        story.set_up()
        ours = _ours(story)
        teller.say(f"ours: {ours}")
        platform.stop("dispatcher", "hub", *(f"trust-{name}" for name in story.trusts))
        stock = run_stock(platform, platform.superlink, {name: patients_of(name) for name in story.trusts})
        teller.say(f"stock: {stock}")
    ratio = stock.round / ours.round
    yield Row(
        "rounds/seconds a round, 4 Trusts, median",
        ours.round,
        stock.round,
        "s",
        ratio,
        f"< {MOST_SECONDS_A_ROUND} s and {LEAST_RATIO:g} times faster than stock Flower",
        ours.round < MOST_SECONDS_A_ROUND and ratio >= LEAST_RATIO,
    )
    yield Row(
        "rounds/seconds from submit to the first Trust's work",
        ours.first_work,
        stock.first_work,
        "s",
        stock.first_work / ours.first_work,
        f"< {MOST_SECONDS_TO_FIRST_WORK:g} s",
        ours.first_work < MOST_SECONDS_TO_FIRST_WORK,
    )


def _ours(story: Story) -> Measured:
    """One long job for the rounds, and a few short ones more for what lies before the first."""
    torch.manual_seed(0)
    model = export_model(torch.nn.Linear(len(MEASUREMENTS), 1), len(MEASUREMENTS), "binary_cross_entropy")
    story.visitor(ADA).api("GET", "me")
    connection = Connection(load(story.platform.api, story.visitor(ADA).cookies["flip-session"]))
    for content in (model.graph, model.weights):
        connection.upload(PROJECT, content)
    reference = ModelRef(graph=digest(model.graph), weights=digest(model.weights))
    first_work, rounds = [], []
    for number in range(SUBMISSIONS):
        job_id, submitted = _submit(story, _spec(reference, SHORT if number else LONG))
        closed = _finished(story, job_id)
        first_work.append(_began(story, job_id) - submitted)
        if not number:
            rounds = [(later - earlier).total_seconds() for earlier, later in pairwise(closed)]
    return Measured(rounds, median(first_work))


def _spec(model: ModelRef, rounds: int) -> TrainSpec:
    features = tuple(Feature(concept_id=m.concept_id, low=m.low, high=m.high, name=m.name) for m in MEASUREMENTS)
    return TrainSpec(
        project_id=PROJECT,
        features=features,
        label=Label(condition_concept_ids=(MALIGNANT,)),
        model=model,
        # a good count keeps the smallest Trust above its floor; how noisy the gradients are takes no time
        privacy=Privacy(epsilon=EPSILON, scaling_share=0.8),
        rounds=rounds,
    )


def _submit(story: Story, spec: TrainSpec) -> tuple[str, float]:
    record = SubmitJob(spec=spec, idempotency_key=secrets.token_urlsafe(16))
    submitted = datetime.now(UTC).timestamp()
    answer = story.visitor(ADA).api("POST", f"projects/{PROJECT}/jobs", record)
    return JobView.parse(answer.content).job_id, submitted


def _finished(story: Story, job_id: str) -> list[datetime]:
    """When each round closed, once the job is over."""
    closed: list[datetime] = []
    after = 0
    while True:
        page = JobEvents.parse(story.visitor(ADA).api("GET", f"jobs/{job_id}/events?after={after}&wait=20").content)
        closed += [event.at for event in page.events if event.event == "round"]
        if any(event.numbers["trusts"] < len(story.trusts) for event in page.events if event.event == "round"):
            raise PlatformError(f"A Trust did not take part: {page.job.refusals}")
        after = max([after, *(event.sequence for event in page.events)])
        if page.job.state == JobState.COMPLETED:
            return closed
        if page.job.state in JOB.ends():
            raise PlatformError(f"The job ended without a result: {page.job.reason}")


def _began(story: Story, job_id: str) -> float:
    """When the first Trust had admitted the job and began to compute, by its own database."""
    found = []
    for name in story.trusts:
        with sqlite3.connect(f"file:{story.platform.trust_home(name) / 'trust.db'}?mode=ro", uri=True) as database:
            found += [at for (at,) in database.execute("SELECT accepted_at FROM job WHERE job_id = ?", (job_id,))]
    return min(datetime.fromisoformat(at).timestamp() for at in found)
