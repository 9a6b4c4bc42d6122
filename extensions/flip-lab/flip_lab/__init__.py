"""FLIP inside JupyterLab: what the panel's own server answers, and where its built scripts are.

The page talks to its workspace's server alone, under ``flip/``; the workspace's token never reaches a script. The
server asks the hub by ``flip_sdk``, as a notebook does, and may do nothing that a notebook may not.
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Where JupyterLab finds the built scripts."""
    return [{"src": "labextension", "dest": "@flip/lab"}]


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """What Jupyter Server loads."""
    return [{"module": "flip_lab"}]


def _load_jupyter_server_extension(server: Any) -> None:
    """Add the addresses under ``flip/`` to a Jupyter Server."""
    from flip_lab.extension import load

    load(server)
