"""How long do 50 rounds of secure aggregation take, over 4 and over 16 Trusts?

The platform as it is, every Trust with an agent and an engine process of its own: keys exchanged and verified, each
round computed, noised in integers, masked, signed, sent, added up and checkpointed. Beside it, over the same 4 Trusts
in the same run, the same job with local noise: what is more is what sharing the noise costs.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from flip_sdk.contract.jobs import DistributedNoise, LocalNoise, Privacy, TrustModel
from flip_sdk.contract.notices import PeerKey, fingerprint
from flip_trust import peers
from flip_trust.config import TrustConfig
from flip_trust.database import Database
from flip_trust.keys import load_identity
from rich.console import Console

from benchmarks.rows import Row
from benchmarks.submitting import finished, submit, training, upload_model
from demo import patients
from demo.platform import Platform, TrustPlan, password
from demo.story import Story
from demo.telling import Teller

ROUNDS = 50
EPSILON = 4.0
"""Enough that no Trust's own noisy look at its floor says no."""
MOST_SECONDS = {4: 20.0, 16: 90.0}


def run() -> Iterator[Row]:
    """A row for each number of Trusts."""
    teller = Teller(Console(stderr=True, highlight=False, soft_wrap=True))
    for trusts, most in MOST_SECONDS.items():
        with _story(trusts, teller) as story:
            alone = _seconds(story, LocalNoise(), teller) if trusts == min(MOST_SECONDS) else None
            shared = _seconds(story, DistributedNoise(), teller)
        yield Row(
            f"sums/seconds for {ROUNDS} rounds over {trusts} Trusts that share noise; peer: local noise",
            shared,
            alone,
            "s",
            shared / alone if alone else None,
            f"< {most:g} s",
            shared < most,
        )


def _seconds(story: Story, model: TrustModel, teller: Teller) -> float:
    """From the submission to the end of the last round."""
    privacy = Privacy(epsilon=EPSILON, scaling_share=0.5, trust_model=model)
    job_id, submitted = submit(story, training(upload_model(story), ROUNDS, privacy))
    seconds = (finished(story, job_id)[-1] - submitted).total_seconds()
    teller.say(f"{ROUNDS} rounds over {len(story.trusts)} Trusts, {model.kind} noise: {seconds:.1f} s")
    return seconds


@contextmanager
def _story(trusts: int, teller: Teller) -> Iterator[Story]:
    """An approved project over so many Trusts, which have all confirmed each other."""
    with (
        tempfile.TemporaryDirectory(prefix="flip-sums-") as folder,
        Platform(Path(folder), _plans(trusts), progress=teller.say) as platform,
    ):
        story = Story(platform, password(), teller)
        story.set_up()
        _confirm_everybody(platform, story.trusts)
        yield story


def _plans(trusts: int) -> list[TrustPlan]:
    """So many hospitals; the same patients may be at several of them."""
    larger = patients.HOSPITALS[:2]
    return [
        TrustPlan(f"trust-{i:02}", f"Trust {i}", functools.partial(patients.load, larger[i % len(larger)].name))
        for i in range(1, trusts + 1)
    ]


def _confirm_everybody(platform: Platform, trusts: Sequence[str]) -> None:
    """What ``flip-trust peers confirm`` does, for every pair, without starting a program each time."""
    configs = {name: TrustConfig.load(platform.trust_home(name)) for name in trusts}
    keys = {name: PeerKey(trust=name, identity_key=load_identity(c).public.x) for name, c in configs.items()}
    for name, config in configs.items():
        with closing(Database.open(config.database)) as database:
            for other in trusts:
                if other != name:
                    peers.confirm(database, keys[name], [keys[other]], fingerprint(keys[other]), "operator")
