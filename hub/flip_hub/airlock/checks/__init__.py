"""What is checked before a person looks: pure functions over files, run in a sandbox.

``examine`` checks in this process (tests, the command line); the hub calls ``examine_apart``, which reads what was
uploaded in a process without network that may fall without harm. Docs: ``docs/airlock.md``.
"""

from flip_hub.airlock.checks.examining import examine
from flip_hub.airlock.checks.limits import Limits, load, presets
from flip_hub.airlock.checks.past import KnownModel, KnownResult, Past, ReleasedTable
from flip_hub.airlock.checks.running import examine_apart
from flip_hub.airlock.checks.tables import Table

__all__ = [
    "KnownModel",
    "KnownResult",
    "Limits",
    "Past",
    "ReleasedTable",
    "Table",
    "examine",
    "examine_apart",
    "load",
    "presets",
]
