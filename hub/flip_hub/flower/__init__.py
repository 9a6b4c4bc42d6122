"""Flower as the carrier between hub and Trusts. No other package of the hub imports ``flwr``."""
