"""The real gateway, with a stock Flower SuperLink API on the same state and in the same process, on a loopback port.

python -m benchmarks.gateway HUB_HOME PORT
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from flip_hub.config import HubConfig
from flip_hub.database import Database
from flip_hub.flower.state import GatewayState
from flip_hub.flower.superlink import run_gateway
from flip_hub.governance.trusts import node_keys
from flip_hub.trust_api import create_app
from flwr.superlink import main as stock
from starlette.types import ASGIApp


def stock_superlink(state: GatewayState) -> ASGIApp:
    """Flower's own application, just as `flower-superlink --insecure` serves it, over our state."""
    app = stock.create_app()
    app.state.linkstate_factory.state_instance = state
    return app


def main(home: Path, port: int) -> None:
    config = HubConfig.load(home)
    database = Database.of(config)
    run_gateway(
        config,
        create_app(config, database),
        lambda: node_keys(database),
        lambda state: {port: stock_superlink(state)},
    )


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    main(Path(sys.argv[1]), int(sys.argv[2]))
