"""Sums over Trusts of which the hub learns nothing but the sum (docs/adr/0004-secure-aggregation.md).

The one-round core of Bonawitz et al., "Practical Secure Aggregation for Privacy-Preserving Machine Learning" (CCS
2017): every pair of Trusts agrees on a mask that one adds and the other subtracts, in the integers modulo 2^64. Nothing
recovers the masks of a Trust that drops out: its sum is thrown away and tried again without it.

Pure: numpy and ``cryptography``, no files, no network, no clock; only a fresh key asks for random numbers.

- :mod:`~flip_sdk.secure_sum.keys`: one fresh X25519 key for each job.
- :mod:`~flip_sdk.secure_sum.roster`: the job's public keys, each signed by its Trust's identity key.
- :mod:`~flip_sdk.secure_sum.masking`: masks, and the sum in which they cancel.
- :mod:`~flip_sdk.secure_sum.encoding`: numbers as integers, and what that does to their sensitivity.
- :mod:`~flip_sdk.secure_sum.vector`: several tensors as one vector.
- :mod:`~flip_sdk.secure_sum.layout`: which numbers a job's step sums, and how they are encoded.
"""
