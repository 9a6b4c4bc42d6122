"""The privacy engine: per-person clipped gradients, computed in a sandboxed process of its own.

The agent holds an :class:`EnginePool` of warm workers. ``pool.open(snapshot, bounds, graph)`` gives a job its own
worker as an :class:`EngineSession`; each call on it returns a :class:`RawUpdate`. Nothing here decides what may leave
the Trust.
"""

from flip_sdk.mechanisms.snapshot import Snapshot

from flip_trust.engine.pool import EnginePool
from flip_trust.engine.records import EngineError, RawUpdate
from flip_trust.engine.sandbox import SandboxKind, sandbox_available
from flip_trust.engine.session import EngineSession

__all__ = ["EngineError", "EnginePool", "EngineSession", "RawUpdate", "SandboxKind", "Snapshot", "sandbox_available"]
