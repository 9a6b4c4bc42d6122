from __future__ import annotations

import pytest
from flip_trust.deidentification import profile
from flip_trust.deidentification.engine import Engine
from flip_trust.deidentification.keyed import Keyed


@pytest.fixture(scope="session")
def keyed() -> Keyed:
    return Keyed(b"k" * 32)


@pytest.fixture(scope="session")
def default(keyed) -> Engine:
    return Engine(profile.load("research-default"), keyed)


@pytest.fixture(scope="session")
def shifting(keyed) -> Engine:
    return Engine(profile.load("retain-dates-shifted"), keyed)
