"""How far a load came: kept beside the tables, so that one that was interrupted goes on and does not begin again."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from flip_trust.ingest.quarantine import Refused
from flip_trust.ingest.report import MappingReport
from flip_trust.keys import write_private

FILE = "load.json"


@dataclass
class Resume:
    """The pieces that are in the tables, and what was refused of them.

    Attributes:
        path: the file that says so.
        source: what tells these files (and the vocabulary that they are mapped with) from others.
    """

    path: Path
    source: str
    done: set[int] = field(default_factory=set)
    refused: dict[str, list[Refused]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, home: Path, kind: str, files: Sequence[Path]) -> Resume:
        """Where a load of these files came to; nothing is done where they are others, or the file is damaged.

        Args:
            home: the Trust's home.
            kind: of records: its folder in the home.
            files: what is loaded.
        """
        path, source = home / kind / FILE, state_of([*files, home / "vocabulary" / "concept.parquet"])
        fresh = cls(path, source)
        try:
            kept = json.loads(path.read_bytes()) if path.exists() else {}
            if kept.get("source") != source:
                return fresh
            refused = {name: [Refused(**one) for one in found] for name, found in kept["refused"].items()}
            return cls(path, source, set(kept["done"]), defaultdict(list, refused))
        except (ValueError, TypeError, KeyError, AttributeError):
            return fresh

    def tell(self, report: MappingReport) -> None:
        """Say in a report how much was done before."""
        if self.done:
            report.passed_over["parts of the files that an interrupted load had taken before"] = len(self.done)

    def note(self, number: int, file: str, refused: Sequence[Refused]) -> None:
        """A piece is about to be written, or was."""
        self.done.add(number)
        self.refused[file] += refused

    def save(self) -> None:
        """Everything that was noted is in the tables."""
        self.path.parent.mkdir(mode=0o700, exist_ok=True)
        refused = {name: [asdict(one) for one in found] for name, found in self.refused.items() if found}
        kept = {"source": self.source, "done": sorted(self.done), "refused": refused}
        write_private(self.path, json.dumps(kept).encode())

    def end(self) -> None:
        """The load is whole: the next one begins at the beginning."""
        self.path.unlink(missing_ok=True)


def state_of(files: Sequence[Path]) -> str:
    """What tells files from others, and from what they were before, without reading them."""
    told = hashlib.sha256()
    for file in files:
        state = file.stat() if file.exists() else None
        told.update(f"{file.absolute()}\0{(state.st_size, state.st_mtime_ns) if state else None}\0".encode())
    return told.hexdigest()
