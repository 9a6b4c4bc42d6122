"""What only some work needs is installed beside flip-sdk, as an extra; whoever lacks one is told the line to run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from flip_sdk.errors import ExtraMissingError

EXTRAS = {
    "dask": "a Dask cluster in a workspace",
    "imaging": "previews of medical images (MONAI)",
    "learning": "models, simulations and prices (torch, numpy)",
    "notebook": "the live view of a job, pictures and Polars tables",
    "pandas": "pandas tables",
    "signing": "signatures and sealed archives, which hubs and Trusts make",
    "tables": "Polars tables",
    "all": "everything that a researcher may need",
}
"""Each extra of the distribution, and what it is for."""


@contextmanager
def needed(extra: str, what: str) -> Iterator[None]:
    """Around imports that only this work needs.

    Args:
        extra: whose packages they are.
        what: the work, as the beginning of a sentence: ``Training a model``.

    Raises:
        ExtraMissingError: one of them is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("", "flip_sdk"):
            raise
        raise ExtraMissingError(what, (error.name or "").partition(".")[0], extra) from error


def installed(*modules: str) -> bool:
    """Whether all of these can be imported; none of them is."""
    return all(find_spec(module) is not None for module in modules)
