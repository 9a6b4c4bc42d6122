"""Flower as the carrier between hub and Trusts. No other package of the hub imports ``flwr``."""

import os

# read by flwr when it is imported: the hub tells nobody outside about itself
os.environ["FLWR_TELEMETRY_ENABLED"] = "0"
os.environ["FLWR_DISABLE_UPDATE_CHECK"] = "1"
