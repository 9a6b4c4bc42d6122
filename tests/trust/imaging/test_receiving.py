"""C-STORE and C-ECHO from pynetdicom and dcmtk: who may send, what is kept, what is refused."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

import pytest
from flip_trust.imaging.dimse import _element
from flip_trust.imaging.negotiation import Rules
from pydicom import dcmread, examples
from pydicom.uid import JPEG2000Lossless
from pynetdicom import AE, _config
from pynetdicom.sop_class import PatientRootQueryRetrieveInformationModelFind, Verification

from tests.trust.imaging.senders import storescu

OUT_OF_RESOURCES = 0xA700


def kept(spool):
    return [dcmread(spool.raw / name) for name in spool.names()]


def test_an_instance_is_kept_as_it_was_sent(spool, receive, associate, study):
    dataset = study.instance()

    assert associate(receive(spool)).send_c_store(dataset).Status == 0
    [found] = kept(spool)
    assert found == dataset
    assert found.file_meta.SourceApplicationEntityTitle == "MODALITY"


def test_compressed_instances_are_kept_as_they_are(spool, receive):
    dataset = examples.jpeg2k
    ae = AE(ae_title="PACS")
    ae.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
    association = ae.associate("127.0.0.1", receive(spool).port, ae_title="FLIP")

    assert association.send_c_store(dataset).Status == 0
    association.release()
    [found] = kept(spool)
    assert found.file_meta.TransferSyntaxUID in {JPEG2000Lossless, dataset.file_meta.TransferSyntaxUID}
    assert found.PixelData == dataset.PixelData


def test_a_private_storage_class_is_taken_and_a_query_is_not(spool, receive):
    ae = AE(ae_title="PACS")
    ae.add_requested_context("1.3.12.2.1107.5.9.1")
    ae.add_requested_context(PatientRootQueryRetrieveInformationModelFind)
    association = ae.associate("127.0.0.1", receive(spool).port, ae_title="FLIP")

    assert [str(context.abstract_syntax) for context in association.accepted_contexts] == ["1.3.12.2.1107.5.9.1"]
    association.release()


@pytest.mark.parametrize(("title", "called"), [("STRANGER", "FLIP"), ("MODALITY", "OTHER")])
def test_others_are_refused(spool, receive, associate, title, called):
    association = associate(receive(spool), title, called)

    assert association.is_rejected


def test_nobody_may_send_unless_named(spool, receive, associate):
    assert associate(receive(spool, Rules("FLIP", frozenset()))).is_rejected


def test_echo(spool, receive, associate):
    assert associate(receive(spool)).send_c_echo().Status == 0


def test_a_resend_is_acknowledged_and_a_conflict_is_kept(spool, receive, associate, study):
    association = associate(receive(spool))
    first = study.instance()
    other = study.instance(sop_instance=first.SOPInstanceUID)

    assert [association.send_c_store(one).Status for one in (first, first, other)] == [0, 0, 0]
    assert len(kept(spool)) == 2


def test_a_disk_below_its_floor_refuses_politely_and_mends_itself(spool, receive, associate, study, monkeypatch):
    association = associate(receive(spool))
    monkeypatch.setattr(spool, "_floor", 1 << 60)
    refused = association.send_c_store(study.instance())
    monkeypatch.setattr(spool, "_floor", 0)

    assert refused.Status == OUT_OF_RESOURCES
    assert association.send_c_store(study.instance()).Status == 0
    assert len(kept(spool)) == 1


def test_a_uid_that_is_none_is_refused(spool, receive, associate, study):
    dataset = study.instance()
    association = associate(receive(spool))
    dataset.SOPInstanceUID = "1.2.x"
    before, _config.ENFORCE_UID_CONFORMANCE = _config.ENFORCE_UID_CONFORMANCE, False
    try:
        status = association.send_c_store(dataset)
    finally:
        _config.ENFORCE_UID_CONFORMANCE = before

    assert status.Status == 0x0117
    assert kept(spool) == []


def test_several_associations_at_once(spool, receive, associate, study):
    receiver = receive(spool)
    associations = [associate(receiver) for _ in range(4)]
    instances = [[study.instance() for _ in range(5)] for _ in associations]

    def send(association, ours):
        for one in ours:
            assert association.send_c_store(one).Status == 0

    threads = [threading.Thread(target=send, args=pair) for pair in zip(associations, instances, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(kept(spool)) == 20


def test_one_association_too_many_is_told_to_come_back(spool, receive, associate):
    receiver = receive(spool, most=1)
    first, second = associate(receiver), associate(receiver)

    assert first.is_established
    assert second.is_rejected


def test_small_pdus_and_odd_fragments(spool, receive, associate, study):
    dataset = study.instance()
    receiver = receive(spool, Rules("FLIP", frozenset({"MODALITY"}), max_pdu=4096))

    assert associate(receiver).send_c_store(dataset).Status == 0
    assert kept(spool) == [dataset]


@pytest.mark.parametrize(
    "bytes_sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        struct.pack(">BBL", 1, 0, 0xFFFFFFFF),
        struct.pack(">BBL", 1, 0, 8) + b"\0" * 8,
        struct.pack(">BBL", 4, 0, 8) + b"\0" * 8,
        b"\1",
    ],
)
def test_nonsense_ends_its_own_connection_only(spool, receive, associate, bytes_sent):
    receiver = receive(spool)
    address = ("127.0.0.1", receiver.port)
    with socket.create_connection(address, timeout=10) as connection, contextlib.suppress(OSError):
        connection.sendall(bytes_sent)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass

    assert associate(receiver).send_c_echo().Status == 0


def test_silence_is_given_up(spool, receive):
    receiver = receive(spool, patience=0.05)
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=10) as connection:
        assert connection.recv(100) == b""


def begin_half(spool, receiver, study):
    """An association that has sent the first half of an instance; and the PDU that holds the second."""
    ae = AE(ae_title="MODALITY")
    ae.add_requested_context(study.instance().SOPClassUID)
    association = ae.associate("127.0.0.1", receiver.port, ae_title="FLIP")
    context = association.accepted_contexts[0].context_id
    command = b"".join(
        _element(number, value)
        for number, value in [(2, b"1.2\0"), (0x100, b"\1\0"), (0x110, b"\1\0"), (0x800, b"\1\0"), (0x1000, b"1.2.3\0")]
    )
    half = struct.pack(">LBB", len(command) + 2, context, 3) + command
    half += struct.pack(">LBB", 102, context, 0) + b"x" * 100
    association.dul.socket.send(struct.pack(">BBL", 4, 0, len(half)) + half)
    wait_for(lambda: any(path.is_file() for path in (spool.raw.parent / "incoming").rglob("*")))
    rest = struct.pack(">LBB", 102, context, 2) + b"y" * 100
    return association, struct.pack(">BBL", 4, 0, len(rest)) + rest


def test_an_instance_under_way_is_finished_before_the_end(spool, receive, study):
    receiver = receive(spool)
    association, rest = begin_half(spool, receiver, study)
    closing = threading.Thread(target=receiver.close)
    closing.start()
    wait_for(lambda: refuses(receiver.port))
    association.dul.socket.send(rest)
    closing.join()

    assert len(list(spool.names())) == 1


def refuses(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_sender_that_dies_midway_leaves_nothing(spool, receive, study):
    association, _ = begin_half(spool, receive(spool), study)
    begun = spool.raw.parent / "incoming"
    association.abort()

    wait_for(lambda: not any(path.is_file() for path in begun.rglob("*")))
    assert kept(spool) == []


def wait_for(condition):
    for _ in range(1000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError


def test_closing_ends_idle_associations(spool, receive, associate):
    receiver = receive(spool)
    association = associate(receiver)
    assert association.send_c_echo().Status == 0
    receiver.close()

    assert association.send_c_echo().get("Status") is None


def test_a_peer_that_only_asks_for_echo_in_an_odd_syntax_is_told(spool, receive):
    ae = AE(ae_title="MODALITY")
    ae.add_requested_context(Verification, [JPEG2000Lossless])
    association = ae.associate("127.0.0.1", receive(spool).port, ae_title="FLIP")

    assert association.accepted_contexts == []


@pytest.mark.processes
def test_dcmtk_sends_a_folder(spool, receive, study, tmp_path):
    sent = study.write(tmp_path / "out", 5)
    receiver = receive(spool)

    assert storescu(receiver.port, tmp_path / "out").returncode == 0
    assert storescu(receiver.port, tmp_path / "out").returncode == 0
    assert {one.SOPInstanceUID for one in kept(spool)} == {one.SOPInstanceUID for one in sent}
    assert storescu(receiver.port, tmp_path / "out", title="STRANGER").returncode != 0
