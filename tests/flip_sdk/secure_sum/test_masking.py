"""Masks: the protocol's own numbers written down, exact sums, and that one Trust's numbers look like nothing."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from flip_sdk.errors import SecureSumError
from flip_sdk.secure_sum.keys import EphemeralKey
from flip_sdk.secure_sum.masking import SumContext, add_up, key_stream, mask

NAMES = ("aldgate", "brookfield", "carrick")
SECRETS = {name: bytes([number]) * 32 for number, name in enumerate(NAMES, start=1)}
PUBLICS = {
    "aldgate": "a4e09292b651c278b9772c569f5fa9bb13d906b46ab68c9df9dc2b4409f8a209",
    "brookfield": "ce8d3ad1ccb633ec7b70c17814a5c76ecd029685050d344745ba05870e587d59",
    "carrick": "5dfedd3b6bd47f6fa28ee15d969d5bb0ea53774d488bdaf9df1c6e0124b3ef22",
}
ROSTER = "sha256:ef9f4447314d38babde7c9ac1160117e3c841e612811b1944a50a37cd3ec7463"
CONTEXT = SumContext("job-1", "train", 7, 2, NAMES, ROSTER)
VALUES = {"aldgate": [1, 2, -3], "brookfield": [10, -20, 30], "carrick": [0, 0, 5]}
MASKED = {
    "aldgate": [7451713690467424238, 16256111875252910773, 15592232892361702628],
    "brookfield": [7681088636728670303, 13758862968786066501, 15747660293899492599],
    "carrick": [3313941746513457086, 6878513303380125940, 5553594961157908037],
}
"""What each sends for its values: reckoned once by another implementation (PyCryptodome's ChaCha20, HMAC by hand)."""


def masked_by(name: str, values, context=CONTEXT):
    ring = np.array(values, dtype=np.int64).view(np.uint64)
    return mask(ring, EphemeralKey.from_bytes(SECRETS[name]), PUBLICS, name, context)


@pytest.mark.parametrize("name", NAMES)
def test_the_protocols_numbers_stay_what_they_are(name):
    assert EphemeralKey.from_bytes(SECRETS[name]).public_hex == PUBLICS[name]
    assert masked_by(name, VALUES[name]).tolist() == MASKED[name]


def test_the_sum_of_the_vectors_is_the_sum_of_the_values():
    assert add_up([np.array(MASKED[name], dtype=np.uint64) for name in NAMES]).tolist() == [11, -18, 32]


def test_a_pairs_stream_by_hand():
    """X25519, HKDF out of two HMACs (RFC 5869), ChaCha20 from block 0 with a zero nonce, little-endian."""
    ours = X25519PrivateKey.from_private_bytes(SECRETS["aldgate"])
    secret = ours.exchange(X25519PublicKey.from_public_bytes(bytes.fromhex(PUBLICS["carrick"])))
    about = b'["flip-secure-sum/1","job-1","train",7,2,["aldgate","brookfield","carrick"],["aldgate","carrick"]]\x01'
    extracted = hmac.new(ROSTER.encode(), secret, hashlib.sha256).digest()
    key = hmac.new(extracted, about, hashlib.sha256).digest()
    stream = Cipher(algorithms.ChaCha20(key, bytes(16)), mode=None).encryptor().update(bytes(24))
    by_hand = [int.from_bytes(stream[start : start + 8], "little") for start in (0, 8, 16)]

    assert key_stream(secret, ("carrick", "aldgate"), CONTEXT, 3).tolist() == by_hand


@pytest.mark.parametrize(
    "change",
    [
        {"job_id": "job-2"},
        {"step": "prepare"},
        {"round": 8},
        {"attempt": 3},
        {"summed": ("aldgate", "brookfield")},
        {"roster_digest": "sha256:" + "0" * 64},
    ],
)
def test_another_context_has_unrelated_masks(change):
    secret = EphemeralKey.from_bytes(SECRETS["aldgate"]).agree(PUBLICS["brookfield"])
    here = key_stream(secret, ("aldgate", "brookfield"), CONTEXT, 1000)
    there = key_stream(secret, ("aldgate", "brookfield"), replace(CONTEXT, **change), 1000)

    assert np.intersect1d(here, there).size == 0


@pytest.mark.parametrize("trusts", [2, 3, 16])
def test_sums_are_exact_at_the_edges_of_the_ring(trusts):
    names = tuple(sorted(f"trust-{number}" for number in range(trusts)))
    keys = {name: EphemeralKey.generate() for name in names}
    publics = {name: key.public_hex for name, key in keys.items()}
    context = replace(CONTEXT, summed=names)
    random = np.random.default_rng(3)
    values = {name: random.integers(-(2**62) // trusts, 2**62 // trusts, 5000) for name in names}

    parts = [mask(values[name].view(np.uint64), keys[name], publics, name, context) for name in names]

    assert add_up(parts).tolist() == np.sum([values[name] for name in names], axis=0).tolist()


def test_one_trusts_numbers_are_indistinguishable_from_uniform_bytes():
    """Chi-square on a million bytes of masked zeros: 255 degrees of freedom, 310.5 and 205.4 are its 1 % and 99 %."""
    content = np.frombuffer(masked_by("aldgate", np.zeros(131_072, dtype=np.int64)).tobytes(), dtype=np.uint8)
    counts = np.bincount(content, minlength=256)
    expected = content.size / 256

    assert 205.4 < float(np.square(counts - expected).sum() / expected) < 310.5


def test_numbers_without_one_of_the_masks_stay_uniform():
    """The hub and one colluding Trust take off what they know: what is left is still masked by the honest pair."""
    known = EphemeralKey.from_bytes(SECRETS["carrick"]).agree(PUBLICS["aldgate"])
    left = masked_by("aldgate", np.zeros(131_072, dtype=np.int64)) - key_stream(
        known, ("aldgate", "carrick"), CONTEXT, 131_072
    )
    counts = np.bincount(np.frombuffer(left.tobytes(), dtype=np.uint8), minlength=256)
    expected = left.nbytes / 256

    assert 205.4 < float(np.square(counts - expected).sum() / expected) < 310.5


def test_different_sets_of_trusts_do_not_cancel():
    """A hub that tells one Trust another set than the rest gets noise of the whole ring."""
    split = replace(CONTEXT, summed=("aldgate", "brookfield"))
    total = add_up([masked_by("aldgate", np.zeros(2000), split), *(masked_by(n, np.zeros(2000)) for n in NAMES[1:])])

    assert float(np.abs(total).min()) > 2**40


@pytest.mark.parametrize("summed", [(), ("aldgate",), ("brookfield", "aldgate"), ("aldgate", "aldgate")])
def test_a_sum_needs_two_trusts_in_order(summed):
    with pytest.raises(SecureSumError):
        replace(CONTEXT, summed=summed)


def test_only_who_is_in_the_sum_with_its_own_key_can_mask():
    key, ring = EphemeralKey.from_bytes(SECRETS["aldgate"]), np.zeros(2, dtype=np.uint64)
    for publics, name, context in (
        (PUBLICS, "aldgate", replace(CONTEXT, summed=NAMES[1:])),
        (PUBLICS, "brookfield", CONTEXT),
        ({"aldgate": PUBLICS["aldgate"]}, "aldgate", CONTEXT),
        (PUBLICS | {"carrick": PUBLICS["aldgate"]}, "aldgate", CONTEXT),
        (PUBLICS | {"carrick": "00" * 32}, "aldgate", CONTEXT),
    ):
        with pytest.raises(SecureSumError):
            mask(ring, key, publics, name, context)


def test_a_sum_of_one_or_of_different_lengths_is_none():
    for parts in ([], [np.zeros(2, dtype=np.uint64)], [np.zeros(2, dtype=np.uint64), np.zeros(3, dtype=np.uint64)]):
        with pytest.raises(SecureSumError):
            add_up(parts)


def test_what_was_given_is_not_changed():
    values = np.arange(5, dtype=np.uint64)
    mask(values, EphemeralKey.from_bytes(SECRETS["aldgate"]), PUBLICS, "aldgate", CONTEXT)

    assert values.tolist() == [0, 1, 2, 3, 4]
