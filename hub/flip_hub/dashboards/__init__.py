"""Dashboards: published notebooks, rendered by Voila for the members of their project."""

from __future__ import annotations

import sys

from flip_hub.config import HubConfig

__all__ = ["serve"]


def serve(config: HubConfig) -> None:
    """Serve dashboards until JupyterHub, which starts this service, ends it.

    Raises:
        ConfigError: production without bubblewrap.
    """
    # jsonschema compiles a grammar for seconds, to check IRIs, which Jupyter never does
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    from flip_hub.dashboards.app import run

    run(config)
