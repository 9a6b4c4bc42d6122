"""Governance: who may do what with which project, and what the hub signs off."""
