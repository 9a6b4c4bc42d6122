"""A stand-in for an instance that takes the process down that de-identifies it (in a decoder, say)."""

from __future__ import annotations

import os

from flip_trust.imaging import cleaning

DEADLY = "FLIP_TEST_DEADLY"
_real = cleaning.clean


def clean(home: str, profile_text: str, names: list[str]) -> list[cleaning.Row]:
    if os.environ[DEADLY] in names:
        os._exit(9)
    return _real(home, profile_text, names)
