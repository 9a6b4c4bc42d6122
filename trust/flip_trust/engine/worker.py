"""The worker process: waits warm for one job, computes what it is asked on that job's snapshot, and ends with it.

Started as ``python -m flip_trust.engine.worker SLOT MEMORY_BYTES`` with one end of a socket as its standard input. It
opens no file but its slot's snapshot, and answers in frames of JSON and safetensors.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flip_sdk.contract.jobs import DPSGD, Scaling
from flip_sdk.contract.tasks import RefusalCode
from flip_sdk.errors import ModelError
from flip_sdk.mechanisms.snapshot import Snapshot
from safetensors.numpy import load, save

from flip_trust.engine.checks import refused
from flip_trust.engine.frames import FrameError, receive, send
from flip_trust.engine.records import IMAGES_FILE, EngineError

_LOG_BYTES = 1024 * 1024
_IDLE_SECONDS = 5.0


def main() -> None:
    """Serve one job over standard input's socket, then end."""
    slot, memory = Path(sys.argv[1]), int(sys.argv[2])
    _bound(memory)
    channel = socket.socket(fileno=os.dup(0))
    _warm_up()
    with contextlib.suppress(FrameError):
        send(channel, {"ready": True})
        if not select.select([channel], [], [], _IDLE_SECONDS)[0]:
            _warm_up_more()
        _Job(slot).serve(channel)


class _Job:
    """The one job of this worker."""

    def __init__(self, slot: Path) -> None:
        self._slot = slot
        self._computation: Any = None

    def serve(self, channel: socket.socket) -> None:
        while True:
            header, payload = receive(channel)
            answer, tensors = self._answer(header, payload)
            send(channel, answer, tensors)

    def _answer(self, header: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        try:
            tensors = self._do(header, payload)
        except EngineError as error:
            return {"ok": False, "code": error.code.value, "detail": error.detail[:500]}, b""
        except ModelError as error:
            return {"ok": False, "code": refused(error).code.value, "detail": error.message[:500]}, b""
        except Exception as error:  # noqa: BLE001 - whatever torch raises: the reason is for the Trust's own log
            traceback.print_exc()
            full = isinstance(error, MemoryError) or "alloc" in str(error)
            code = RefusalCode.MODEL_TOO_LARGE if full else RefusalCode.ENGINE_FAILED
            return {"ok": False, "code": code.value, "detail": f"{type(error).__name__}: {error}"[:500]}, b""
        return {"ok": True}, bytes(save(tensors)) if tensors else b""

    def _do(self, header: dict[str, Any], payload: bytes) -> dict[str, Any]:
        steps: dict[str, Callable[[dict[str, Any], bytes], dict[str, Any]]] = {
            "open": self._open,
            "statistics": self._statistics,
            "gradient": self._gradient,
            "dp_sgd": self._dp_sgd,
            "sufficient_statistics": self._sufficient_statistics,
            "scores": self._scores,
            "confusion": self._confusion,
        }
        return steps[header["do"]](header, payload)

    def _open(self, header: dict[str, Any], payload: bytes) -> dict[str, Any]:
        from flip_sdk.mechanisms.computation import Computation

        images = self._slot / IMAGES_FILE
        rows = (self._slot / "snapshot.safetensors").read_bytes()
        snapshot = Snapshot.from_bytes(rows, images if images.exists() else None)
        bounds = load((self._slot / "bounds.safetensors").read_bytes())["bounds"]
        self._computation = Computation(snapshot, bounds, payload if header["graph"] else None)
        return {}

    def _statistics(self, header: dict[str, Any], _payload: bytes) -> dict[str, Any]:
        return dict(self._computation.statistics(header["weight_of_count"]))

    def _gradient(self, header: dict[str, Any], payload: bytes) -> dict[str, Any]:
        return dict(self._computation.gradient(payload, _scaling(header), header["loss"], header["max_grad_norm"]))

    def _dp_sgd(self, header: dict[str, Any], payload: bytes) -> dict[str, Any]:
        from flip_sdk.mechanisms.computation import Descent

        mechanism = DPSGD.parse(header["mechanism"])
        # the correction, where there is one, follows on the weights
        weights, correction = payload[: header["weights"]], payload[header["weights"] :]
        drift = load(correction) if correction else {}
        descent = Descent(mechanism, header["noise_multiplier"], header["expected_persons"], drift)
        return dict(self._computation.dp_sgd(weights, _scaling(header), header["loss"], descent))

    def _sufficient_statistics(self, header: dict[str, Any], _payload: bytes) -> dict[str, Any]:
        return dict(self._computation.sufficient_statistics(_scaling(header), header["loss"]))

    def _scores(self, header: dict[str, Any], payload: bytes) -> dict[str, Any]:
        return dict(self._computation.scores(payload, _scaling(header), header["bins"]))

    def _confusion(self, header: dict[str, Any], payload: bytes) -> dict[str, Any]:
        return dict(self._computation.confusion(payload, _scaling(header), header["classes"]))


def _scaling(header: dict[str, Any]) -> Scaling | None:
    return Scaling.parse(header["scaling"]) if header["scaling"] is not None else None


def _bound(memory_bytes: int) -> None:
    """Limits on this process, set before anything from outside is read."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # memory of its own, not what it maps read-only: a cohort's images may be larger than any memory
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_LOG_BYTES, _LOG_BYTES))


def _warm_up() -> None:
    """Import and run what the first job would otherwise wait for."""
    import flip_sdk.mechanisms.computation  # noqa: F401 - imported so that the job does not wait for it
    import torch

    torch.set_num_threads(1)
    # tiny numbers would make one person's row many times slower than another's
    torch.set_flush_denormal(True)
    torch.manual_seed(int.from_bytes(os.urandom(8), "little"))


def _warm_up_more() -> None:
    """What only models that are not linear need, and takes as long again: done where nothing else is waiting."""
    import torch
    from torch.func import grad, vmap

    def one(weight: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.linear(x, weight).sum()

    vmap(grad(one), in_dims=(None, 0))(torch.zeros(1, 2), torch.zeros(2, 1, 2))
    one(torch.zeros(1, 2, device="meta"), torch.zeros(1, 2, device="meta"))


if __name__ == "__main__":
    main()
