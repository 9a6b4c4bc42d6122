"""A stand-in for a file that takes the process down that reads it (in a decoder, say)."""

from __future__ import annotations

import os

from flip_trust.deidentification import run

DEADLY = "deadly.dcm"
_real = run.work


def work(target: str, quarantine: str, profile_text: str, key_file: str, sources: list[str]) -> list[run.Outcome]:
    if any(source.endswith(DEADLY) for source in sources):
        os._exit(9)
    return _real(target, quarantine, profile_text, key_file, sources)
