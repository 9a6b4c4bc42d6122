"""TLS on both ports: who has no certificate of the authority gets nowhere, and a silent peer holds nobody up."""

from __future__ import annotations

import socket

import httpx
import pytest
from flip_trust.errors import SetupError
from flip_trust.imaging.stow import Stow
from flip_trust.tls import Tls

from tests.trust.certificates import client, issued


@pytest.fixture
def tls(tmp_path):
    return issued(tmp_path)


def test_a_sender_with_a_certificate_of_the_authority_sends(tmp_path, spool, receive, associate, study, tls):
    receiver = receive(spool, tls=tls)
    association = associate(receiver, tls_args=(client(tmp_path), "localhost"))

    assert association.send_c_store(study.instance()).Status == 0


def test_without_one_nothing_is_kept(tmp_path, spool, receive, associate, tls):
    receiver = receive(spool, tls=tls)

    assert not associate(receiver, tls_args=(client(tmp_path, known=False), "localhost")).is_established
    assert not associate(receiver).is_established


def test_a_silent_peer_holds_nobody_up(tmp_path, spool, receive, associate, tls):
    receiver = receive(spool, tls=tls)
    with socket.create_connection(("127.0.0.1", receiver.port)):
        assert associate(receiver, tls_args=(client(tmp_path), "localhost")).send_c_echo().Status == 0


def test_stow_over_tls(tmp_path, spool, tls):
    with (
        Stow(spool, "t", "127.0.0.1", tls=tls) as stow,
        socket.create_connection(("127.0.0.1", stow.port)),
        httpx.Client(verify=client(tmp_path)) as sender,
    ):
        assert sender.post(f"https://localhost:{stow.port}/studies").status_code == 401


def test_files_that_do_not_fit_are_said(tmp_path, spool, receive, tls):
    with pytest.raises(SetupError):
        receive(spool, tls=Tls(tls.certificate, tmp_path / "modality.key"))
