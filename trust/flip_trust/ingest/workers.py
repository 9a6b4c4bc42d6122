"""The Trust's key where a worker reads records: it has to be that of the machine that writes the tables."""

from __future__ import annotations

from pathlib import Path

from flip_trust import scaleout
from flip_trust.deidentification.keyed import KEY_FILE, Keyed
from flip_trust.errors import SetupError


def mark_of(keyed: Keyed) -> str:
    """Tells a key from others, and says nothing of it."""
    return keyed.pseudonym("mark", "")


def key(home: Path, mark: str) -> Keyed:
    """The Trust's key; a worker makes none, and takes no other.

    Raises:
        SetupError: there is none here, or not the one of the mark.
    """
    scaleout.sees(home / KEY_FILE)
    keyed = Keyed.load(home)
    if mark_of(keyed) != mark:
        raise SetupError(
            "A worker has another key than this Trust: its ids would be others.", "Let it see the Trust's home."
        )
    return keyed
