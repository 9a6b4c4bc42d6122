"""FLIP on one computer: the real programs on loopback, four Trusts, real patients, and the main job from end to end."""
