"""A receiver on a free port, with its raw store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flip_trust.imaging.negotiation import Rules
from flip_trust.imaging.receiver import Receiver
from flip_trust.imaging.spool import Spool
from pynetdicom import AE, StoragePresentationContexts
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification

from tests.trust.imaging.senders import Study

RULES = Rules("FLIP", frozenset({"MODALITY", "PACS"}))


@pytest.fixture
def study() -> Study:
    return Study()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path / "imaging", floor=0) as spool:
        yield spool


@pytest.fixture
def receive() -> Iterator[Callable[..., Receiver]]:
    """Starts receivers over a spool; all are closed in the end."""
    running: list[Receiver] = []

    def start(spool: Spool, rules: Rules = RULES, **settings: Any) -> Receiver:
        running.append(Receiver(spool, rules, "127.0.0.1", 0, **settings))
        return running[-1]

    yield start
    for receiver in running:
        receiver.close()


@pytest.fixture
def associate() -> Iterator[Callable[..., Association]]:
    """Opens pynetdicom associations with a receiver; all are released in the end."""
    opened: list[Association] = []

    def open_one(receiver: Receiver, title: str = "MODALITY", called: str = "FLIP", **settings: Any) -> Association:
        ae = AE(ae_title=title)
        ae.requested_contexts = StoragePresentationContexts[:120]
        ae.add_requested_context(Verification)
        opened.append(ae.associate("127.0.0.1", receiver.port, ae_title=called, **settings))
        return opened[-1]

    yield open_one
    for association in opened:
        if association.is_established:
            association.release()
