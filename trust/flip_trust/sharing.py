"""This Trust's part in a job with noise shares: its key for the job, the other Trusts' keys, and which try at a sum.

The key is made when the job begins, kept in the database with the job, and overwritten when the job ends. The roster of
a job is the first one that was good; another one is refused. A try at a sum is one release: its masked numbers are kept
before they are sent, and sent again when they are asked for again; another set of Trusts needs another try, which is
paid for and has fresh noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from flip_sdk.accounting.events import AnyEvent
from flip_sdk.contract.jobs import TrainSpec
from flip_sdk.contract.signatures import PublicKey
from flip_sdk.contract.tasks import RefusalCode
from flip_sdk.errors import PeerUnknownError, RosterError
from flip_sdk.secure_sum.keys import EphemeralKey
from flip_sdk.secure_sum.masking import SumContext
from flip_sdk.secure_sum.roster import verify_roster

from flip_trust import peers
from flip_trust.audit import Entry, Reader
from flip_trust.database import Statement, Transaction
from flip_trust.errors import RefusedError
from flip_trust.sums import sharing_of
from flip_trust.verify import VerifiedTask


@dataclass(frozen=True)
class Sharing:
    """What a Trust masks its numbers with.

    Attributes:
        key: its own key for the job.
        publics: every Trust's public key for the job; empty in the step ``keys``.
        context: which sum the task is for; None in the step ``keys``.
        new: what the acceptance of the task makes durable: the key that was made, or the roster that is now the job's.
    """

    key: EphemeralKey = field(repr=False)
    publics: Mapping[str, str]
    context: SumContext | None
    new: tuple[Statement, ...] = field(default=(), repr=False)


def join(reader: Reader, verified: VerifiedTask, identity: PublicKey) -> Sharing | None:
    """Take part in what a task asks for; None where the job does not share noise.

    Args:
        reader: where the job's key is kept.
        verified: the task.
        identity: this Trust's own identity key, which its entry in the roster has to be signed by.

    Raises:
        RefusedError: PEER_NOT_CONFIRMED, ROSTER_REFUSED.
    """
    task, job = verified.task, verified.job
    if sharing_of(job.spec) is None:
        return None
    require_confirmed(reader, verified)
    rows = reader.read("SELECT secret, roster FROM sharing WHERE job_id = ?", (task.job_id,))
    if task.step == "keys" and not rows:
        key = EphemeralKey.generate()
        made = ("INSERT INTO sharing (job_id, secret) VALUES (?, ?)", (task.job_id, key.to_bytes()))
        return Sharing(key, {}, None, (made,))
    # without a key the job has ended here, or never began; and its first roster is its only one
    if not rows or rows[0]["secret"] is None or rows[0]["roster"] not in (None, task.roster or rows[0]["roster"]):
        raise RefusedError(RefusalCode.ROSTER_REFUSED)
    key = EphemeralKey.from_bytes(rows[0]["secret"])
    if task.step == "keys" or task.roster is None:
        return Sharing(key, {}, None)
    publics = _publics(verified, key, _identities(reader) | {task.trust: identity.x})
    context = SumContext(task.job_id, task.step, task.round, task.sum_attempt, task.summed, task.roster)
    fixed = ("UPDATE sharing SET roster = ? WHERE job_id = ?", (task.roster, task.job_id))
    return Sharing(key, publics, context, (fixed,) if rows[0]["roster"] is None else ())


def described(shared: Sharing | None) -> dict[str, Any]:
    """What the audit log keeps of a job's keys, once."""
    return {"keys": dict(shared.publics)} if shared and shared.new and shared.publics else {}


def check_try(reader: Reader, verified: VerifiedTask, event: AnyEvent | None) -> None:
    """Whether a sum that was not released yet may be: newer than every other try at it, and paid for.

    Raises:
        RefusedError: OUT_OF_ORDER, BUDGET_EXCEEDED, or what an earlier try was refused for.
    """
    task, paid = verified.task, getattr(event, "steps", 0)
    rows = reader.read(
        "SELECT round, attempt, refusal FROM release WHERE job_id = ? AND step = ?", (task.job_id, task.step)
    )
    for row in rows:
        if row["refusal"]:
            raise RefusedError(RefusalCode(row["refusal"]))
        if row["round"] == task.round and row["attempt"] >= task.sum_attempt:
            raise RefusedError(RefusalCode.OUT_OF_ORDER)
    if len(rows) >= paid:
        raise RefusedError(RefusalCode.BUDGET_EXCEEDED)


def require_confirmed(reader: Reader, verified: VerifiedTask) -> None:
    """Every other Trust that the task shares noise with is confirmed here: at the step ``keys``, all of the job's.

    Raises:
        RefusedError: PEER_NOT_CONFIRMED.
    """
    task, job = verified.task, verified.job
    if sharing_of(job.spec) is not None and not {*(task.summed or job.trusts)} <= {task.trust, *_identities(reader)}:
        raise RefusedError(RefusalCode.PEER_NOT_CONFIRMED)


def noted(verified: VerifiedTask, now: datetime) -> tuple[Statement, ...]:
    """With the last round's release: since when a job only waits for another try at it."""
    task, spec = verified.task, verified.job.spec
    if sharing_of(spec) is None or not isinstance(spec, TrainSpec) or task.round != spec.rounds:
        return ()
    return (("UPDATE sharing SET last_at = ? WHERE job_id = ?", (now.astimezone(UTC).isoformat(), task.job_id)),)


def forget(transaction: Transaction, job_id: str) -> None:
    """Overwrite a job's key; that there was one stays known, so that no second one is ever made."""
    if transaction.read("SELECT 1 FROM sharing WHERE job_id = ? AND secret IS NOT NULL", (job_id,)):
        transaction.write(
            Entry("agent", "sharing.key_deleted", f"job/{job_id}"),
            ("UPDATE sharing SET secret = NULL WHERE job_id = ?", (job_id,)),
        )


def _identities(reader: Reader) -> dict[str, str]:
    return {peer.record.trust: peer.record.identity_key for peer in peers.every(reader)}


def _publics(verified: VerifiedTask, key: EphemeralKey, known: Mapping[str, str]) -> Mapping[str, str]:
    task, job = verified.task, verified.job
    try:
        content, identities = verified.roster or b"", tuple(sorted(known.items()))
        publics = _verified(content, task.job_id, task.trust, key.public_hex, identities)
    except PeerUnknownError as error:
        raise RefusedError(RefusalCode.PEER_NOT_CONFIRMED) from error
    except RosterError as error:
        raise RefusedError(RefusalCode.ROSTER_REFUSED) from error
    if not {*task.summed} <= {*publics} <= {*job.trusts}:
        raise RefusedError(RefusalCode.ROSTER_REFUSED)
    return publics


@lru_cache(maxsize=256)
def _verified(
    content: bytes, job_id: str, trust: str, own_public: str, identities: tuple[tuple[str, str], ...]
) -> Mapping[str, str]:
    """A job's rounds come with one roster: it is verified once for the same keys of the same peers."""
    known = {name: PublicKey(x) for name, x in identities}
    found = verify_roster(content, job_id=job_id, trust=trust, own_public=own_public, peers=known)
    return MappingProxyType(found)
