"""One hospital's FLIP node."""
