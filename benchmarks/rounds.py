"""How long is a round with four Trusts, and how soon does the first of them work?

Ours is the platform as it is: submitted through the API, dispatched, verified, admitted, debited, computed in a
sandboxed engine, noised, signed, sent, checked, aggregated and checkpointed. The peer is a stock Flower app that does
the arithmetic alone, afterwards, on the same SuperLink state in the same gateway process.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import median

from flip_sdk.contract.jobs import Privacy
from rich.console import Console

from benchmarks.rows import Row
from benchmarks.stock import Measured, run_stock
from benchmarks.submitting import finished, submit, training, upload_model
from demo.patients import patients_of
from demo.platform import Platform, password
from demo.processes import Keeper, free_ports
from demo.story import Story, plans
from demo.telling import Teller

LONG, SHORT = 20, 2
SUBMISSIONS = 4
PRIVACY = Privacy(epsilon=2.0, scaling_share=0.8)
"""Of a budget of 10 at each Trust. A good count keeps the smallest one above its floor; noise takes no time."""
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
    model = upload_model(story)
    first_work, rounds = [], []
    for number in range(SUBMISSIONS):
        job_id, submitted = submit(story, training(model, SHORT if number else LONG, PRIVACY))
        closed = finished(story, job_id)
        first_work.append(_began(story, job_id) - submitted.timestamp())
        if not number:
            rounds = [(later - earlier).total_seconds() for earlier, later in pairwise(closed)]
    return Measured(rounds, median(first_work))


def _began(story: Story, job_id: str) -> float:
    """When the first Trust had admitted the job and began to compute, by its own database."""
    found = []
    for name in story.trusts:
        with sqlite3.connect(f"file:{story.platform.trust_home(name) / 'trust.db'}?mode=ro", uri=True) as database:
            found += [at for (at,) in database.execute("SELECT accepted_at FROM job WHERE job_id = ?", (job_id,))]
    return min(datetime.fromisoformat(at).timestamp() for at in found)
