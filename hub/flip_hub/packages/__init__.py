"""Packages for workspaces: an index that holds what was approved, and hands on nothing else."""
