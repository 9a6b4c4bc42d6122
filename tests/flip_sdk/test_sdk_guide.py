"""The guide's code runs as it stands, one block after the other, and its job is a job."""

from __future__ import annotations

import re
from pathlib import Path

from flip_sdk.job_files import read

import flip_sdk as flip

GUIDE = (Path(__file__).parents[2] / "docs" / "sdk.md").read_text("utf-8")


def test_the_guides_code_runs() -> None:
    known: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL):
        exec(block, known)
    assert isinstance(known["result"], flip.Result)


def test_the_guides_job_is_one(tmp_path: Path) -> None:
    (content,) = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    (tmp_path / "job.toml").write_text(content)
    (tmp_path / "nets.py").write_text("from torch import nn\n\n\ndef make():\n    return nn.Linear(2, 1)\n")
    priced = read(tmp_path / "job.toml").price(flip.offline().project())
    assert all(priced["admitted"])
