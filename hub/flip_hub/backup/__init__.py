"""Backup and restore of a hub: one file that holds its whole state, made while it runs."""

from flip_hub.backup.restore import Restored, restore
from flip_hub.backup.save import Saved, back_up

__all__ = ["Restored", "Saved", "back_up", "restore"]
