from __future__ import annotations

import pytest
from argon2 import PasswordHasher
from flip_trust.console import people

from tests.trust.console.world import Console, open_console


@pytest.fixture(autouse=True)
def quick_passphrases(monkeypatch) -> None:
    """The same function with numbers that take no time: how slow it is matters in a hospital, not here."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(people, "_hasher", hasher)
    monkeypatch.setattr(people, "_NOBODY", hasher.hash("nobody"))


@pytest.fixture
def console(trust) -> Console:
    return open_console(trust)
