from __future__ import annotations

import pytest
from flip_sdk.prototyping.share import SMALLEST_BYTES, Share, resized, share

GIB = 2**30


@pytest.mark.parametrize(
    ("limits", "wanted"),
    [
        ({}, Share(4, 1, 3 * GIB)),
        ({"CPU_LIMIT": "2.0"}, Share(2, 1, 6 * GIB)),
        ({"CPU_LIMIT": "0.5"}, Share(1, 1, 12 * GIB)),
        ({"MEM_LIMIT": str(8 * GIB)}, Share(4, 1, int(1.5 * GIB))),
        ({"CPU_LIMIT": "64", "MEM_LIMIT": str(640 * GIB)}, Share(4, 1, 3 * GIB)),
        ({"CPU_LIMIT": "many", "MEM_LIMIT": ""}, Share(4, 1, 3 * GIB)),
    ],
    ids=["computer", "cores", "half", "memory", "larger", "unreadable"],
)
def test_a_cluster_is_as_large_as_the_profile_and_the_computer_allow(limits: dict[str, str], wanted: Share) -> None:
    assert share(4, 16 * GIB, limits) == wanted


def test_little_memory_takes_fewer_workers_with_more_threads() -> None:
    assert share(8, 2 * GIB, {}) == Share(3, 2, GIB // 2)
    assert share(2, SMALLEST_BYTES, {}).workers == 1


def test_another_number_of_workers_divides_the_same() -> None:
    assert resized(Share(4, 1, 3 * GIB), 2) == Share(2, 2, 6 * GIB)
    assert resized(Share(1, 1, 3 * GIB), 3) == Share(3, 1, GIB)
