from __future__ import annotations

import pytest

from tests.trust.features.images.hospital import Hospital


@pytest.fixture
def hospital(tmp_path) -> Hospital:
    return Hospital(tmp_path / "home")
