"""Models crossing the boundary: a ``torch.nn.Module`` to an allow-listed graph with weights, and back.

Nothing here imports torch until a function is called, so that a notebook that only counts cohorts starts fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flip_sdk.extras import needed

if TYPE_CHECKING:
    import torch

    from flip_sdk.contract.graph import Loss

__all__ = ["ExportedModel", "export_model", "frozen", "import_model"]


@dataclass(frozen=True)
class ExportedModel:
    """A model as it travels.

    Attributes:
        graph: canonical JSON of ``contract.graph.GraphRecord``.
        weights: safetensors: parameters and constants by their names in the module's ``state_dict``.
    """

    graph: bytes
    weights: bytes


def export_model(module: torch.nn.Module, features: int, loss: Loss) -> ExportedModel:
    """Write a module as a graph of allowed operators and its weights; its Python never leaves the notebook.

    Args:
        module: takes float32 ``[n, features]``, answers logits: ``[n, 1]`` (binary_cross_entropy, mse) or
            ``[n, classes]``.
        features: how many features the job has.
        loss: what it is trained for. Parameters with ``requires_grad=False`` travel as constants and stay as they are.

    Raises:
        ModelError: it cannot cross (BatchNorm, control flow on data, an operator outside the list, wrong shapes); the
            message says what to do.
        ModelTooLargeError: it is over a limit.
    """
    with needed("learning", "A model"):
        from flip_sdk.models.exporting import export

    return export(module, features, loss)


def import_model(graph: bytes, weights: bytes) -> torch.nn.Module:
    """Read a graph and weights back into an ordinary module, in evaluation mode.

    Its ``state_dict`` has the names of the module that was exported, so that it loads into that class as well.

    Raises:
        ModelError: graph or weights break a rule.
    """
    with needed("learning", "A model"):
        from flip_sdk.models.importing import GraphModel

    return GraphModel.read(graph, weights).eval()


def frozen(extractor: torch.nn.Module, head: torch.nn.Module) -> torch.nn.Module:
    """A pre-trained feature extractor whose weights stay as they are, and a head that is trained behind it.

    Under differential privacy every trained number carries noise, so imaging works best from features that were learned
    on public pictures, with a small head. The extractor's weights travel as constants: Trusts compute its features and
    no gradients of it. Its BatchNorm layers become the fixed factors that they are in evaluation, so that nobody is
    mixed with anybody, and its dropout drops nothing.

    Args:
        extractor: from rows to features; a copy of it is frozen.
        head: from features to logits, such as ``torch.nn.Linear(features, 1)``.
    """
    with needed("learning", "A model"):
        from flip_sdk.models.freezing import frozen as freeze

    return freeze(extractor, head)
