"""What releases cost: events, how they compose, and from the epsilon that a job asks for to the noise it gets.

The Trust's ledger enforces with it, the hub mirrors with it, and ``project.price`` reckons with it beforehand: the same
pure functions on every side.
"""
