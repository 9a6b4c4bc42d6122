"""Masks that cancel in the sum (Bonawitz et al., CCS 2017, section 4.0.1, without recovery of dropped masks).

For every other Trust in the sum a Trust derives a key stream that only the two of them can: X25519, then HKDF-SHA256
(RFC 5869) bound to job, round, try, the exact set of Trusts and the roster, then ChaCha20 (RFC 8439). The Trust whose
name comes first adds the stream, the other subtracts it, in the integers modulo 2^64. What one Trust sends is uniform
to whoever lacks one of its pairwise secrets, and the sum over exactly ``summed`` is the sum of the values.

A context must never mask two different vectors: their difference would be in the open. The Trust's admission sees to
that, by keeping what it released.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import rfc8785
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from flip_sdk.errors import SecureSumError
from flip_sdk.secure_sum.keys import EphemeralKey

PROTOCOL = "flip-secure-sum/1"
_NONCE = bytes(16)
Ring = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class SumContext:
    """Which sum a mask is for. Two sums that differ in anything here have unrelated masks.

    Attributes:
        job_id: the job.
        step: ``prepare`` or ``train``.
        round: the job's round.
        attempt: which try at this round's sum it is.
        summed: the Trusts of the sum, in the order of their names.
        roster_digest: ``sha256:…`` of the job's roster, which holds every public key.
    """

    job_id: str
    step: str
    round: int
    attempt: int
    summed: tuple[str, ...]
    roster_digest: str

    def __post_init__(self) -> None:
        """Refuse a sum that would show a Trust's own numbers, or that two Trusts would write down differently."""
        if len(self.summed) < 2 or list(self.summed) != sorted(set(self.summed)):
            raise SecureSumError("A sum is over two Trusts or more, each named once, in the order of their names.")


def mask(
    values: Ring, key: EphemeralKey, publics: Mapping[str, str], trust: str, context: SumContext
) -> npt.NDArray[np.uint64]:
    """One Trust's values with its masks.

    Args:
        values: ``(n,)`` integers modulo 2^64.
        key: the Trust's own key for the job.
        publics: the job's public keys by Trust, out of a verified roster.
        trust: the Trust's own name.
        context: which sum it is for.

    Raises:
        SecureSumError: the Trust is not in the sum, or a key is missing or cannot be agreed with.
    """
    if trust not in context.summed or publics.get(trust) != key.public_hex:
        raise SecureSumError("This Trust, with this key, is not part of the sum.")
    masked = values.astype(np.uint64)
    for peer in context.summed:
        if peer == trust:
            continue
        if peer not in publics:
            raise SecureSumError("The roster lacks a Trust of the sum.")
        stream = key_stream(key.agree(publics[peer]), (trust, peer), context, masked.size)
        masked = masked + stream if trust < peer else masked - stream
    return masked


def add_up(masked: Sequence[Ring]) -> npt.NDArray[np.int64]:
    """The sum of what all Trusts of a context sent: masks cancel, and the result is read as signed.

    Raises:
        SecureSumError: fewer than two, or of different lengths.
    """
    if len(masked) < 2 or len({part.shape for part in masked}) != 1:
        raise SecureSumError("A sum needs the masked values of two Trusts or more, all of one length.")
    total = np.zeros_like(masked[0], dtype=np.uint64)
    for part in masked:
        total = total + part.astype(np.uint64)
    return total.view(np.int64)


def key_stream(secret: bytes, pair: tuple[str, str], context: SumContext, size: int) -> Ring:
    """The pair's common stream for one sum: ``size`` integers, little-endian out of ChaCha20 with a zero nonce.

    The key is HKDF-SHA256 of the pair's X25519 secret, with the roster's digest as salt and the protocol's name, the
    context and both names in order, in canonical JSON (RFC 8785), as info. So no key is ever used with two nonces.
    """
    about = rfc8785.dumps(
        [PROTOCOL, context.job_id, context.step, context.round, context.attempt, [*context.summed], sorted(pair)]
    )
    derived = HKDF(SHA256(), 32, context.roster_digest.encode("ascii"), about).derive(secret)
    stream = Cipher(algorithms.ChaCha20(derived, _NONCE), mode=None).encryptor().update(bytes(8 * size))
    return np.frombuffer(stream, dtype="<u8").astype(np.uint64, copy=False)
