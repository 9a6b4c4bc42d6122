"""Benches: Trusts whose patients are canaries, made once for all tests of a process."""

from __future__ import annotations

import pytest

from tests.audit.bench import Bench
from tests.audit.canaries import DP_SGD, FULL_BATCH

_ROUNDS = {"full_batch": 20, "dp_sgd": 2}


@pytest.fixture(scope="session")
def bench(tmp_path_factory):
    """A bench by mechanism and by the way in which gradients are computed."""
    made: dict[tuple, Bench] = {}

    def get(mechanism: str, form: str = "closed form", *, number: int = 0, **changes) -> Bench:
        key = (mechanism, form, number, *sorted(changes.items()))
        if key not in made:
            kind = {"full_batch": FULL_BATCH, "dp_sgd": DP_SGD}[mechanism]
            settings = {"rounds": _ROUNDS[mechanism]} | changes
            made[key] = Bench(tmp_path_factory.mktemp("bench"), kind, form, **settings)
        return made[key]

    yield get
    for one in made.values():
        one.trust.database.close()
