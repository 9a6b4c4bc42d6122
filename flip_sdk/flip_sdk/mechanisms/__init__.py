"""What is computed on people's records, and how a result becomes a release: the same code wherever it runs.

A Trust runs it inside its sandboxed workers and its disclosure step, the hub runs ``aggregate`` over what Trusts have
released, and ``flip_sdk.simulate`` runs all of it in a notebook, on made-up or public data. Nothing here decides what
may leave a Trust.

- :mod:`~flip_sdk.mechanisms.computation`: exact sums over persons: statistics, clipped gradients, scores.
- :mod:`~flip_sdk.mechanisms.noise`: noise out of the operating system's random numbers.
- :mod:`~flip_sdk.mechanisms.aggregate`: the hub's arithmetic over what Trusts released.
"""
