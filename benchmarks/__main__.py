"""``python -m benchmarks NAME [--json]``: run one benchmark and print its rows; ends with 1 where a bar is missed."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from benchmarks.rows import Row

NAMES = ("accuracy", "rounds")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--json", action="store_true", help="print one JSON list instead of a table")
    given = parser.parse_args()
    rows: list[Row] = list(importlib.import_module(f"benchmarks.{given.name}").run())
    if given.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        Console().print(_table(rows))
    return 0 if all(row.holds for row in rows) else 1


def _table(rows: list[Row]) -> Table:
    table = Table("claim", "ours", "peer", "ratio", "bar", "holds", "unit")
    for row in rows:
        peer, ratio = (f"{value:.4g}" if value is not None else "" for value in (row.peer, row.ratio))
        table.add_row(row.name, f"{row.ours:.4g}", peer, ratio, row.bar, "yes" if row.holds else "NO", row.unit)
    return table


if __name__ == "__main__":
    sys.exit(main())
