"""What was run in a workspace, as its server tells the hub: a record, not a control."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from flip_sdk.contract.records import Digest, Instant, Record, Text, Token


class ExecutedCell(Record):
    """One request to execute code.

    Attributes:
        run: an id of its own; the hub keeps each once.
        at: when it was asked for, by the workspace's clock.
        kernel: which kernel was asked.
        code_digest: of the whole code, in UTF-8.
        characters: of the whole code.
        code: its first characters.
    """

    run: Token
    at: Instant
    kernel: Token
    code_digest: Digest
    characters: Annotated[int, Field(ge=0, le=2**31)]
    code: Text


class ExecutedCells(Record):
    """Cells in the order in which they were asked for.

    Attributes:
        cells: the cells.
        lost: how many were let go before these, as too many waited for a hub that was away.
    """

    cells: Annotated[tuple[ExecutedCell, ...], Field(max_length=2000)]
    lost: Annotated[int, Field(ge=0, le=2**31)] = 0
