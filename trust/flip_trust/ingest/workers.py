"""What a worker has to share with the machine that writes the tables: the files, the Trust's home, and its key."""

from __future__ import annotations

from pathlib import Path

from flip_trust.deidentification.keyed import KEY_FILE, Keyed
from flip_trust.errors import SetupError

_MEND = "Let the workers see the same files, and the Trust's home, as this machine."


def sees(*paths: str | Path) -> None:
    """End the load where this worker does not see what it is to read: every part of it would be refused.

    Raises:
        SetupError: one of the paths is not there.
    """
    for path in paths:
        if not Path(path).exists():
            raise SetupError(f"A worker does not see {path}.", _MEND)


def mark_of(keyed: Keyed) -> str:
    """Tells a key from others, and says nothing of it."""
    return keyed.pseudonym("mark", "")


def key(home: Path, mark: str) -> Keyed:
    """The Trust's key; a worker makes none, and takes no other.

    Raises:
        SetupError: there is none here, or not the one of the mark.
    """
    sees(home / KEY_FILE)
    keyed = Keyed.load(home)
    if mark_of(keyed) != mark:
        raise SetupError("A worker has another key than this Trust: its ids would be others.", _MEND)
    return keyed
