"""A played Trust's part in noise shares: its numbers are made up, its keys and masks are real."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
from flip_sdk.contract.jobs import DistributedNoise, TrainSpec
from flip_sdk.contract.records import digest
from flip_sdk.contract.signatures import PublicKey
from flip_sdk.contract.tasks import KeyShare, RefusalCode, SignedOffJob, Task
from flip_sdk.secure_sum.keys import EphemeralKey
from flip_sdk.secure_sum.layout import layout_of
from flip_sdk.secure_sum.masking import SumContext, mask
from flip_sdk.secure_sum.roster import verify_roster
from flip_sdk.secure_sum.vector import Shapes, flatten
from safetensors.numpy import save

from flip_hub.dispatcher.tensors import Tensors

Shared = dict[tuple[str, str, int, int], npt.NDArray[np.int64]]


@dataclass
class PlayedShares:
    """Keys and masks of one Trust. They outlive its restarts.

    Attributes:
        trust: its name.
        peers: identity keys that its operator confirmed, its own included.
        shared: (job, step, round, try) → what it put into the sum, before it was masked.
    """

    trust: str
    peers: dict[str, PublicKey] = field(default_factory=dict)
    shared: Shared = field(default_factory=dict)
    _keys: dict[str, EphemeralKey] = field(default_factory=dict)

    def key_share(self, task: Task) -> KeyShare:
        """The answer to the step ``keys``: one key for a job, however often it is asked for."""
        key = self._keys.setdefault(task.job_id, EphemeralKey.generate())
        return KeyShare(
            task_id=task.task_id,
            job_id=task.job_id,
            trust=self.trust,
            public_key=key.public_hex,
            issued_at=datetime.now(UTC),
        )

    def objection(self, task: Task, job: SignedOffJob) -> RefusalCode | None:
        """What a Trust has against a sum."""
        assert isinstance(job.spec, TrainSpec)
        model = job.spec.privacy.trust_model
        assert isinstance(model, DistributedNoise)
        place = (task.job_id, task.step, task.round)
        before = [attempt for (*known, attempt) in self.shared if tuple(known) == place]
        if len(task.summed) < model.honest_of(len(job.trusts)) or self.trust not in task.summed:
            return RefusalCode.ROSTER_REFUSED
        return RefusalCode.OUT_OF_ORDER if max(before, default=0) >= task.sum_attempt else None

    def masked(
        self, task: Task, spec: TrainSpec, parts: Mapping[str, bytes], parameters: Shapes, numbers: Tensors
    ) -> bytes:
        """The numbers as a masked vector."""
        assert digest(parts["roster"]) == task.roster
        layout, key = layout_of(spec, task.step, parameters), self._keys[task.job_id]
        publics = verify_roster(
            parts["roster"], job_id=task.job_id, trust=self.trust, own_public=key.public_hex, peers=self.peers
        )
        vector = layout.encoding.encode(flatten(numbers, layout.shapes))
        self.shared[task.job_id, task.step, task.round, task.sum_attempt] = vector
        context = SumContext(task.job_id, task.step, task.round, task.sum_attempt, task.summed, task.roster or "")
        return bytes(save({"masked": mask(vector.view(np.uint64), key, publics, self.trust, context)}))
