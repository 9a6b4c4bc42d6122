"""Sums of clipped per-person gradients of any allowed graph: one pass forward, one pass back, one weighted sum.

Per-person gradients are what DP-SGD costs. They need not be computed one by one: a layer's gradient for one person is
made of what that person put into it and what came back to it, so one batched forward pass and one backward pass to the
layers' outputs are enough for everybody's norm and for the clipped sum ("book-keeping", Bu, Wang, Zha and Karypis,
"Differentially Private Optimization on Large Model at Small Cost", ICML 2023, arXiv 2210.00038).

- :mod:`~flip_sdk.mechanisms.bookkeeping.run`: micro-batches, and the sum over them.
- :mod:`~flip_sdk.mechanisms.bookkeeping.plan`: how a graph is run for many rows at once.
- :mod:`~flip_sdk.mechanisms.bookkeeping.layers`, ``convolution``: layers that keep the books.
- :mod:`~flip_sdk.mechanisms.bookkeeping.batched`: every other operator, on all rows at once.
- :mod:`~flip_sdk.mechanisms.bookkeeping.sink`: norms, clipping, sums.

``gradients.general_clipped_sum`` computes the same by ``vmap`` over ``grad``; tests compare the two.
"""
