"""Backup and restore of a hub: one file that holds its whole state, made while it runs."""
