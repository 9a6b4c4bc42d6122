"""A Trust in production keeps nothing on disks of which nobody says that they are encrypted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from flip_sdk.at_rest import is_encrypted
from flip_trust.agent import serve as agent
from flip_trust.config import TrustConfig
from flip_trust.errors import SetupError
from flip_trust.imaging import service as receiver
from flip_trust.imaging.negotiation import Rules

CONFIG = TrustConfig(Path(), "aldgate", "Aldgate", production=True)
Program = Callable[[TrustConfig], None]


def agent_of(config: TrustConfig) -> None:
    agent.serve(config, threading.Event())


def receiver_of(config: TrustConfig) -> None:
    receiver.serve(config, receiver.Listening(Rules("FLIP", frozenset()), "127.0.0.1", 0), threading.Event())


@pytest.mark.parametrize("program", [agent_of, receiver_of])
def test_production_keeps_nothing_on_disks_that_nobody_says_are_encrypted(tmp_path: Path, program: Program) -> None:
    if is_encrypted(tmp_path):
        pytest.skip("this machine's temporary folder is on an encrypted disk")
    with pytest.raises(SetupError) as caught:
        program(replace(CONFIG, home=tmp_path))
    assert "encrypted_by" in caught.value.mend
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("changes", [{"production": False}, {"encrypted_by": "the hypervisor's volumes"}])
def test_a_demonstration_and_disks_that_are_said_to_be_encrypted_are_another_matter(tmp_path: Path, changes) -> None:
    with pytest.raises(SetupError) as caught:
        agent_of(replace(CONFIG, home=tmp_path, **changes))
    assert "encrypted_by" not in caught.value.mend
