"""The examples of docs/models.md run, in their order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from flip_sdk.models import export_model, import_model
from torch import nn

import flip_sdk as flip

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "models.md"


def test_the_examples_of_the_guide_run(capsys: pytest.CaptureFixture[str]) -> None:
    known: dict = {}
    for block in re.findall(r"^```python\n(.*?)^```", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        exec(compile(block, str(GUIDE), "exec"), known)  # our own document

    assert "ModuleValidator.fix" in capsys.readouterr().out
    for name in ("exported", "mended", "unrolled"):
        assert import_model(known[name].graph, known[name].weights)


class Masked(nn.Module):
    """How many numbers are kept is told by the data."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(1, 1)

    def forward(self, x):
        return self.head(x[x > 0].reshape(-1, 1)).sum().reshape(1, 1)


class Last(nn.Module):
    """The last state of a sequence of eight."""

    def __init__(self, cell):
        super().__init__()
        self.cell, self.head = cell(8, 4, batch_first=True), nn.Linear(4, 1)

    def forward(self, x):
        return self.head(self.cell(x.reshape(-1, 8, 8))[0][:, -1])


def test_a_shape_that_depends_on_data_is_refused_with_a_mend() -> None:
    with pytest.raises(flip.ModelError) as caught:
        export_model(Masked(), 64, "mse")
    assert caught.value.mend


@pytest.mark.parametrize("cell", [nn.RNN, nn.GRU, nn.LSTM])
def test_recurrent_layers_cross_unrolled_and_answer_the_same(cell) -> None:
    torch.manual_seed(0)
    model = Last(cell)
    exported = export_model(model, 64, "mse")
    x = torch.randn(3, 64)

    assert torch.allclose(import_model(exported.graph, exported.weights)(x), model(x), atol=1e-5)
