from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import threading
from collections.abc import Iterator

import pytest
from flip_trust.deidentification.keyed import Keyed
from flip_trust.errors import IngestError
from flip_trust.ingest import links
from flip_trust.ingest.hl7 import journal, messages
from flip_trust.ingest.hl7.journal import Journal
from flip_trust.ingest.hl7.listener import JOURNAL_FOLDER, Listener
from flip_trust.ingest.hl7.load import PLACE_FILE, load_file, load_journal
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trust.certificates import client, issued
from tests.trust.ingest import samples
from tests.trust.ingest.hl7_samples import (
    ADMISSION,
    CANCELLED,
    DISCHARGE,
    MALFORMED,
    RESULT,
    SAMPLES,
    TAKEN_BACK,
    Sender,
    message,
)
from tests.trust.ingest.samples import tables


@pytest.fixture
def listening(home) -> Iterator[int]:
    """The port of a listener that runs until the test is over."""
    with listener(home) as port:
        yield port


@contextlib.contextmanager
def listener(home, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    ports: list[int] = []
    ready, loops = threading.Event(), []

    async def run() -> None:
        stop = asyncio.Event()
        loops.append((asyncio.get_running_loop(), stop))
        await Listener(home).run("127.0.0.1", 0, stop, lambda port: (ports.append(port), ready.set()), tls)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    assert ready.wait(20)
    yield ports[0]
    loop, stop = loops[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(20)
    assert not thread.is_alive()


def test_over_tls_a_sender_needs_a_certificate_of_the_authority(home, tmp_path):
    with listener(home, issued(tmp_path).context()) as port:
        sender = Sender(port, client(tmp_path))
        sender.send(ADMISSION)
        assert sender.answer() == ("AA", "a1")
        sender.close()
        for context in (client(tmp_path, known=False), None):
            with pytest.raises(OSError):  # noqa: PT011 (however TLS ends it)
                sent(port, context)

    assert [raw for _, raw in journal.read(home / JOURNAL_FOLDER)] == [ADMISSION]


def sent(port, context):
    sender = Sender(port, context)
    sender.send(RESULT)
    return sender.answer()


def written(tmp_path, *raw: bytes):
    file = tmp_path / "messages.hl7"
    file.write_bytes(b"".join(b"\x0b" + one + b"\x1c\r" for one in raw))
    return file


def test_valid_messages_of_each_type_map(with_vocabulary, tmp_path):
    report = load_file(with_vocabulary, written(tmp_path, *SAMPLES.values()))
    found, keyed = tables(with_vocabulary), Keyed.load(with_vocabulary)

    assert report.refused == {}
    person = found["person"].row(0, named=True)
    assert person["person_id"] == links.person_of(keyed, samples.HOSPITAL_NUMBER)
    assert (person["year_of_birth"], person["gender_concept_id"]) == (1970, 8532)
    assert str(found["death"]["death_date"][0]) == "2025-01-02"
    visit = found["visit_occurrence"].row(0, named=True)
    assert [str(visit[f"visit_{end}_date"]) for end in ("start", "end")] == ["2024-01-01", "2024-01-03"]
    assert visit["visit_concept_id"] == 9201
    measured = found["measurement"].sort("value_as_number").to_dicts()
    assert [row["value_as_number"] for row in measured] == [1, 5, 7.25]
    assert [row["measurement_concept_id"] for row in measured] == [0, samples.GLUCOSE, samples.GLUCOSE]
    assert (measured[2]["unit_concept_id"], measured[2]["range_high"]) == (samples.MMOL, 5.6)
    assert measured[1]["operator_concept_id"] == 4171756
    assert {row["visit_occurrence_id"] for row in measured} == {visit["visit_occurrence_id"]}
    smoker = found["observation"].row(0, named=True)
    assert (smoker["observation_concept_id"], smoker["value_as_concept_id"]) == (samples.SMOKER, samples.POSITIVE)
    orders = found["image_order"].sort("accession_number").to_dicts()
    assert [row["accession_number"] for row in orders] == ["ACC7", "ACC8"]
    assert {row["procedure_concept_id"] for row in orders} == {samples.APPENDECTOMY}
    assert orders[1]["image_study_uid"] == keyed.uid("1.2.3")
    assert report.unmapped == {("99RX1", "local"): 1}
    kept = str({name: frame.rows() for name, frame in found.items()})
    assert "hurts" not in kept
    assert "Doe" not in kept


def test_the_same_person_comes_by_fhir_and_by_hl7(with_vocabulary, tmp_path):
    from flip_trust.ingest.fhir.load import load

    load(with_vocabulary, samples.bundle(tmp_path / "b.json", *samples.RESOURCES))
    load_file(with_vocabulary, written(tmp_path, RESULT))

    assert len(tables(with_vocabulary)["person"]) == 1


def test_mapping_again_changes_no_byte(with_vocabulary, tmp_path):
    file = written(tmp_path, *SAMPLES.values())
    load_file(with_vocabulary, file)
    before = {path: path.read_bytes() for path in (with_vocabulary / "omop").glob("*.parquet")}
    load_file(with_vocabulary, file)

    assert {path: path.read_bytes() for path in (with_vocabulary / "omop").glob("*.parquet")} == before


def test_a_discharge_before_its_admission_and_a_cancelled_one(home, tmp_path):
    load_file(home, written(tmp_path, DISCHARGE))
    assert [str(d) for d in tables(home)["visit_occurrence"]["visit_start_date"]] == ["2024-01-03"]
    load_file(home, written(tmp_path, ADMISSION))
    row = tables(home)["visit_occurrence"].row(0, named=True)
    assert [str(row[f"visit_{end}_date"]) for end in ("start", "end")] == ["2024-01-01", "2024-01-03"]
    load_file(home, written(tmp_path, CANCELLED))
    assert len(tables(home)["visit_occurrence"]) == 0


@pytest.mark.parametrize("trigger", ["A02", "A06", "A07", "A08", "A12"])
def test_an_update_of_a_visit_changes_its_kind_and_keeps_its_beginning(home, tmp_path, trigger):
    update = message(f"ADT^{trigger}", f"EVN|{trigger}|20240102", "PV1|1|O|W1" + "|" * 16 + "V1", control="u1")
    load_file(home, written(tmp_path, ADMISSION, update))
    visit = tables(home)["visit_occurrence"].row(0, named=True)

    assert (visit["visit_concept_id"], str(visit["visit_start_date"])) == (9202, "2024-01-01")


def test_a_result_that_is_taken_back_is_removed(with_vocabulary, tmp_path):
    load_file(with_vocabulary, written(tmp_path, RESULT))
    report = load_file(with_vocabulary, written(tmp_path, TAKEN_BACK))

    assert report.withdrawn == 1
    assert sorted(tables(with_vocabulary)["measurement"]["value_as_number"]) == [1, 5]


@pytest.mark.parametrize("name", [name for name in MALFORMED if name != "nothing"])
def test_a_malformed_message_in_a_file_is_refused_and_kept_and_the_rest_goes_in(home, tmp_path, name):
    bad, _ = MALFORMED[name]
    report = load_file(home, written(tmp_path, bad, ADMISSION))

    assert len(tables(home)["visit_occurrence"]) == 1
    assert report.refused.total() == 1
    kept = json.loads(report.kept_in[0].read_text())
    assert kept["content"].encode("latin-1") == bad
    assert kept["reason"] == next(iter(report.refused))


def test_somebody_unknown_without_a_date_of_birth_is_refused_until_known(home, tmp_path):
    unborn = RESULT.replace(b"19700405", b"")
    assert load_file(home, written(tmp_path, unborn)).refused.total() == 1
    assert load_file(home, written(tmp_path, ADMISSION, unborn)).refused.total() == 0


def test_each_message_is_acknowledged_in_order_and_then_mapped(home, listening):
    sender = Sender(listening)
    for number, raw in enumerate(SAMPLES.values()):
        sender.send(raw)
        if number % 2:
            sender.send(b"nonsense")
    answers = [sender.answer()[0] for _ in range(len(SAMPLES) * 3 // 2)]
    sender.close()

    assert answers == ["AA", "AA", "AR"] * (len(SAMPLES) // 2)
    assert [raw for _, raw in journal.read(home / JOURNAL_FOLDER)] == list(SAMPLES.values())
    assert load_journal(home).read["messages"] == len(SAMPLES)
    assert load_journal(home).read["messages"] == 0
    before = tables(home)
    (home / PLACE_FILE).unlink()
    load_journal(home)
    assert all(frame.equals(before[name]) for name, frame in tables(home).items())


def test_malformed_messages_are_answered_with_the_reason_and_kept(home, listening):
    sender = Sender(listening)
    for raw, code in MALFORMED.values():
        sender.send(raw)
        assert sender.answer()[0] == code
    sender.raw(b"no frame" + b"\x1c\r")
    assert sender.answer()[0] == "AR"
    sender.send(ADMISSION)
    assert sender.answer() == ("AA", "a1")
    sender.close()
    (file,) = (home / "quarantine" / "hl7").glob("received-*.jsonl")
    kept = [json.loads(line) for line in file.read_text().splitlines()]

    assert [one["content"].encode("latin-1") for one in kept] == [raw for raw, _ in MALFORMED.values()] + [b"no frame"]
    assert all(one["reason"] for one in kept)
    assert file.stat().st_mode & 0o077 == 0


def test_a_sender_that_hangs_up_in_the_middle_is_not_taken_for_a_message(home, listening):
    first = Sender(listening)
    first.raw(b"\x0b" + ADMISSION[:50])
    first.close()
    second = Sender(listening)
    second.send(RESULT)
    assert second.answer() == ("AA", "r1")
    second.close()

    assert [raw for _, raw in journal.read(home / JOURNAL_FOLDER)] == [RESULT]


def test_a_full_disk_is_answered_and_nothing_is_half_written(home, listening, monkeypatch):
    sender = Sender(listening)
    sender.send(ADMISSION)
    assert sender.answer()[0] == "AA"
    with monkeypatch.context() as patched:
        patched.setattr("flip_trust.ingest.hl7.journal.os.fdatasync", full_disk)
        sender.send(RESULT)
        assert sender.answer()[0] == "AE"
    sender.send(RESULT)
    assert sender.answer()[0] == "AA"
    sender.close()

    assert [raw for _, raw in journal.read(home / JOURNAL_FOLDER)] == [ADMISSION, RESULT]


def full_disk(_: int) -> None:
    raise OSError(28, "No space left on device")


def test_a_message_that_is_too_long_is_refused_and_its_connection_ended(monkeypatch, request):
    monkeypatch.setattr("flip_trust.ingest.hl7.listener.MOST_MESSAGE_BYTES", 2000)
    sender = Sender(request.getfixturevalue("listening"))
    sender.raw(b"\x0b" + ADMISSION + b"x" * 10_000)
    assert sender.answer()[0] == "AR"
    with pytest.raises(ConnectionError):
        sender.answer()
    sender.close()


def test_a_second_listener_is_refused(home, listening):
    with pytest.raises(IngestError):
        Journal.open(home / JOURNAL_FOLDER)


def test_what_a_crash_left_half_written_is_cut_off(tmp_path):
    whole = Journal.open(tmp_path)
    whole.append([b"one", b"two"])
    whole.close()
    (file,) = tmp_path.glob("*.journal")
    content = file.read_bytes()
    for length in range(len(content)):
        file.write_bytes(content[:length])
        again = Journal.open(tmp_path)
        again.append([b"three"])
        again.close()
        kept = [raw for _, raw in journal.read(tmp_path)]
        assert kept == [[b"three"], [b"one", b"three"]][len(kept) - 1]


def test_files_follow_each_other(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "MOST_BYTES", 40)
    writer = Journal.open(tmp_path)
    for number in range(9):
        writer.append([b"message %d" % number])
    writer.close()

    records = list(journal.read(tmp_path))
    assert [raw for _, raw in records] == [b"message %d" % number for number in range(9)]
    assert len(list(tmp_path.glob("*.journal"))) > 2
    for number, (position, _) in enumerate(records):
        assert [raw for _, raw in journal.read(tmp_path, position)] == [raw for _, raw in records[number + 1 :]]


@settings(max_examples=150, deadline=None)
@given(raw=st.one_of(st.binary(max_size=200), st.binary(max_size=60).map(lambda tail: ADMISSION[:-20] + tail)))
def test_any_bytes_are_taken_or_rejected_and_can_be_answered(raw):
    with contextlib.suppress(messages.RejectedError):
        messages.check(messages.parse(raw))
    assert messages.acknowledge(raw, "AE", "why|not").count(b"\rMSA|AE|") == 1


def test_other_separators_and_escapes_are_read():
    raw = message("ADT^A31").replace(b"|", b"#").replace(b"^", b"$").replace(b"MSH#$~\\&", b"MSH#$~\\&")
    read = messages.parse(raw.replace(b"Doe$Jane", b"D\\S\\e$J\\F\\"))

    messages.check(read)
    assert read.get(read.first("PID"), 5, 1) == "D$e"
