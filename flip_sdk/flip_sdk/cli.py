"""``flip``: the researcher's commands outside a notebook, the same as the names of ``flip_sdk``."""

from __future__ import annotations

from flip_sdk.commands import airlock, dashboards, finding, jobs, models, offline, signing_in, statistics
from flip_sdk.commands.running import Group

app = Group(
    "flip",
    """Train models on patients whose data never leaves its hospital.

    Begin with `flip login`, or without an account with `flip offline`. A workspace is signed in already.
    """,
)
for part in (signing_in, finding, jobs, models, statistics, dashboards, airlock, offline):
    part.add_to(app)


def main() -> None:
    """The program."""
    app(prog_name="flip")


if __name__ == "__main__":
    main()
