"""A hub's TLS, made as the hub makes it."""

from __future__ import annotations

from pathlib import Path

import pytest
from flip_hub.certificates import certificate_authority, make_certificates
from flip_hub.config import HubConfig


@pytest.fixture(scope="session")
def tls_config(tmp_path_factory) -> HubConfig:
    config = HubConfig(home=tmp_path_factory.mktemp("hub"))
    make_certificates(config)
    return config


@pytest.fixture(scope="session")
def tls_folder(tls_config) -> Path:
    return tls_config.tls


@pytest.fixture(scope="session")
def tls_authority(tls_config) -> str:
    return certificate_authority(tls_config)
