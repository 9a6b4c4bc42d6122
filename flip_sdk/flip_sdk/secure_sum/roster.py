"""The roster of a job: every Trust's fresh public key, signed by its identity key. Each Trust checks all of them.

The hub hands the keys round, so a key counts only with the signature of an identity key that the Trust's own operator
confirmed: a hub that puts its own keys in is found out, and so is an old roster, which names another job.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from flip_sdk.contract.jobs import FEWEST_FOR_DISTRIBUTED
from flip_sdk.contract.signatures import PublicKey, signer_of, verify
from flip_sdk.contract.tasks import KeyShare
from flip_sdk.errors import PeerUnknownError, RecordError, RosterError, SecureSumError, SignatureError
from flip_sdk.secure_sum.keys import check_public

MOST_TRUSTS = 200
MAX_ROSTER_BYTES = MOST_TRUSTS * 2048


def build_roster(tokens: Mapping[str, str]) -> bytes:
    """The roster out of each Trust's signed ``KeyShare`` (compact JWS), in the order of the Trusts' names."""
    return json.dumps([tokens[trust] for trust in sorted(tokens)], separators=(",", ":")).encode("ascii")


def verify_roster(
    content: bytes, *, job_id: str, trust: str, own_public: str, peers: Mapping[str, PublicKey]
) -> dict[str, str]:
    """Every Trust's public key for this job, by name, each signed by the identity key known for that name.

    Args:
        content: the roster as it arrived.
        job_id: the job it has to be for.
        trust: this Trust's name.
        own_public: the public half of this Trust's own key for the job.
        peers: identity keys by name: this Trust's own, and those its operator confirmed.

    Raises:
        PeerUnknownError: a key in it is signed by an identity key that is not among ``peers``.
        RosterError: anything else does not fit.
    """
    publics: dict[str, str] = {}
    for token in _tokens(content):
        share = _share(token, job_id, peers)
        if publics and share.trust <= max(publics):
            raise RosterError("The roster names a Trust twice, or is out of order.")
        publics[share.trust] = share.public_key
    if len(set(publics.values())) != len(publics):
        raise RosterError("Two Trusts of the roster have the same key.")
    if publics.get(trust) != own_public:
        raise RosterError("The roster does not hold this Trust's own key.")
    return publics


def _tokens(content: bytes) -> list[str]:
    if len(content) > MAX_ROSTER_BYTES:
        raise RosterError("The roster is larger than any may be.")
    try:
        tokens = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RosterError("The roster cannot be read.") from error
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise RosterError("The roster is not a list of signed keys.")
    if not FEWEST_FOR_DISTRIBUTED <= len(tokens) <= MOST_TRUSTS:
        raise RosterError(f"A roster has {FEWEST_FOR_DISTRIBUTED} to {MOST_TRUSTS} Trusts.")
    return tokens


def _share(token: str, job_id: str, peers: Mapping[str, PublicKey]) -> KeyShare:
    try:
        name, key = signer_of(token, peers)
    except SignatureError as error:
        raise PeerUnknownError(
            "A key of the roster is signed by a Trust that is not confirmed here.", "Confirm its fingerprint."
        ) from error
    try:
        share = verify(token, key, KeyShare)
        check_public(share.public_key)
    except (SignatureError, RecordError, SecureSumError) as error:
        raise RosterError("A key of the roster does not verify.") from error
    if share.trust != name or share.job_id != job_id:
        raise RosterError("A key of the roster is another Trust's, or for another job.")
    return share
