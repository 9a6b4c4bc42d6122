"""FLIP's central service."""
