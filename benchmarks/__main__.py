"""``python -m benchmarks [NAME …] [--json]``: run benchmarks and print their rows; ends with 1 where a bar is missed.

A benchmark is a module of this folder with a function ``run() -> Iterable[Row]``. Without a name, all of them run.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.rows import Row


def names() -> list[str]:
    """The benchmarks there are."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if _has_run(path))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*names(), "all", []], help=_help())
    parser.add_argument("--json", action="store_true", help="print one JSON object a row, as it is measured")
    given = parser.parse_args()
    rows = []
    for row in _rows(names() if "all" in given.names or not given.names else given.names):
        rows.append(row)
        if given.json:
            print(json.dumps(asdict(row)), flush=True)
    if not given.json:
        Console().print(_table(rows))
    return 0 if all(row.holds for row in rows) else 1


def _help() -> str:
    return f"of {', '.join(names())}, or all"


def _rows(chosen: list[str]) -> Iterator[Row]:
    for name in chosen:
        yield from importlib.import_module(f"benchmarks.{name}").run()


def _has_run(path: Path) -> bool:
    return any(isinstance(node, ast.FunctionDef) and node.name == "run" for node in ast.parse(path.read_text()).body)


def _table(rows: list[Row]) -> Table:
    table = Table("claim", "ours", "peer", "ratio", "bar", "holds", "unit")
    for row in rows:
        peer, ratio = (f"{value:.4g}" if value is not None else "" for value in (row.peer, row.ratio))
        table.add_row(row.name, f"{row.ours:.4g}", peer, ratio, row.bar, "yes" if row.holds else "NO", row.unit)
    return table


if __name__ == "__main__":
    sys.exit(main())
