"""Messages in pieces: on workers, interrupted, with merges across pieces, and with a piece that cannot be read."""

from __future__ import annotations

import json
from functools import partial

import pytest
from flip_trust.deidentification.keyed import Keyed
from flip_trust.errors import SetupError
from flip_trust.ingest import workers
from flip_trust.ingest.hl7 import drafts, journal, messages, pieces
from flip_trust.ingest.hl7 import load as loading
from flip_trust.ingest.hl7.journal import Journal
from flip_trust.ingest.hl7.listener import JOURNAL_FOLDER
from flip_trust.ingest.hl7.load import load_file, load_journal
from flip_trust.scaleout import Where

from tests.trust.ingest.hl7_samples import message
from tests.trust.ingest.samples import tables

PERSONS, RESUME = 9, "hl7/load.json"


def pid(number: int, other: str = "") -> str:
    more = f"~{other}^^^NHS^NI" if other else ""
    return f"PID|1||RX{number}^^^RX1^MR{more}||Doe^J||19{50 + number}0101|F"


def admitted(number: int, visit: str, kind: str = "A01") -> bytes:
    return message(f"ADT^{kind}", f"PV1|1|I|W1{'|' * 16}{visit}{'|' * 25}20240101", control=visit, pid=pid(number))


def result(number: int, order: str, value: str) -> bytes:
    observed = f"OBX|1|NM|g1^Glucose^LN||{value}|mmol/L^^UCUM|||||F"
    return message("ORU^R01", f"OBR|1|P|{order}|p^P^L|||20240102", observed, control=order, pid=pid(number))


def history() -> list[bytes]:
    """Where the order counts: updates, a merge, what follows it under either number, and what is taken back."""
    told = [admitted(n, f"V{n}") for n in range(PERSONS)]
    told += [admitted(n, f"V{n}", "A08") for n in range(0, PERSONS, 2)]
    told += [result(n, f"F{n}", f"{n}.5") for n in range(PERSONS)]
    told.append(message("ADT^A40", "EVN|A40|20240301", "MRG|RX1^^^RX1^MR", control="m1", pid=pid(2)))
    told += [result(2, "F1", "7.7"), result(1, "F1b", "8.8"), admitted(1, "V1", "A08")]
    told += [b"MSH|nonsense\r", admitted(3, "V3", "A11"), message("ADT^A31", control="x", pid="PID|1||new^^^RX1^MR")]
    # another number of a person whom a worker knows only by the first, then of that number alone
    told += [message("ADT^A31", control="y", pid=pid(4, "N4"))]
    told += [message("ADT^A31", control="z", pid="PID|1||N4^^^NHS^NI||Doe^J||19990101|M")]
    return [*told, result(5, "F5", "5.9")]


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A few messages a piece; the first lines are a batch's header."""
    monkeypatch.setattr(pieces, "MESSAGES_A_PIECE", 4)
    monkeypatch.setattr(loading, "PIECES_AT_A_TIME", 2)
    path = tmp_path / "messages.hl7"
    path.write_bytes(b"BHS|^~\\&|LAB\r" + b"".join(history()))
    return path


def content(home) -> dict[str, list]:
    return {name: frame.rows() for name, frame in tables(home).items()}


def forget(home) -> None:
    for path in (home / "omop").glob("*.parquet"):
        path.unlink()


def at_once(home, file, monkeypatch) -> tuple[dict, dict]:
    """Everything in one piece and one batch, as one process reads it; and the report."""
    with monkeypatch.context() as patched:
        patched.setattr(pieces, "MESSAGES_A_PIECE", 4_000)
        report = load_file(home, file)
        found = content(home)
    forget(home)
    return found, report.as_json()


@pytest.mark.parametrize("begin", [b"", b"\xef\xbb\xbf", b"\r\n", b"nonsense\r", b"FHS|x\rBHS|y\r"])
@pytest.mark.parametrize("between", [b"", b"\r\n", b"\x1c\r\x0b"])
def test_pieces_are_the_file(tmp_path, monkeypatch, begin, between):
    monkeypatch.setattr(pieces, "MESSAGES_A_PIECE", 4)
    monkeypatch.setattr(pieces, "_BYTES_AT_A_TIME", 50)
    path = tmp_path / "m.hl7"
    path.write_bytes(begin + between.join(history()))
    found = list(pieces.of_file(path))

    assert sum(piece.length for piece in found) == path.stat().st_size
    told = [one for piece in found for one in piece.messages()]
    assert [raw for _, raw in told] == list(messages.messages_of(path.read_bytes()))
    assert [name for name, _ in told] == [f"message {n}" for n in range(1, len(told) + 1)]
    assert len(found) >= 7


def test_in_pieces_the_tables_and_the_report_are_the_same(home, file, monkeypatch):
    whole, told = at_once(home, file, monkeypatch)
    moved: list[int] = []
    report = load_file(home, file, advance=moved.append)

    assert content(home) == whole
    # loaded, mapped and withdrawn are counted by what is written at a time
    for what in ("read", "refused", "passed_over", "moved", "observation_periods", "kept_in"):
        assert report.as_json()[what] == told[what]
    assert report.refused.total() == 2
    assert sum(moved) == file.stat().st_size
    kept = [json.loads(line) for line in report.kept_in[0].read_text().splitlines()]
    assert [one["content"].encode() for one in kept] == [b"MSH|nonsense\r", history()[-4]]


@pytest.mark.parametrize("begun", [2, 3])
def test_a_load_that_was_interrupted_goes_on(home, file, monkeypatch, begun):
    whole, told = at_once(home, file, monkeypatch)
    write, calls = loading._write, []

    def killed(*arguments):
        calls.append(1)
        if len(calls) == begun:
            raise KeyboardInterrupt
        write(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(loading, "_write", killed)
        with pytest.raises(KeyboardInterrupt):
            load_file(home, file)
    report = load_file(home, file)

    assert content(home) == whole
    assert 0 < report.read["messages"] < len(history())
    assert report.refused.total() == sum(one["count"] for one in told["refused"])
    assert not (home / RESUME).exists()
    assert load_file(home, file).read["messages"] == len(history())


def test_a_draft_holds_unless_its_person_is_another_by_then(home, file, monkeypatch):
    held: list[bool] = []
    holds = drafts.Draft.holds_for
    monkeypatch.setattr(drafts.Draft, "holds_for", lambda *given: held.append(holds(*given)) or held[-1])
    load_file(home, file)

    # read again: what came after the merge about either, and who was known by another number alone
    assert held.count(False) == 5
    assert len(held) == len(history()) - 1


def test_a_piece_that_takes_its_worker_down_is_kept_message_by_message(home, file, monkeypatch):
    found = list(pieces.of_file(file))
    ended = [loading.scaleout.Failed(piece, "it took its worker down") for piece in found]
    monkeypatch.setattr(loading.scaleout, "run", lambda *_, **__: iter(ended))
    report = load_file(home, file)

    assert report.refused == {"its part of the messages could not be read (it took its worker down)": len(history())}
    kept = [json.loads(line) for line in report.kept_in[0].read_text().splitlines()]
    assert [one["content"].encode("latin-1") for one in kept] == history()


def test_the_journal_in_pieces_is_the_file(home, file, monkeypatch):
    whole, _ = at_once(home, file, monkeypatch)
    taken = Journal.open(home / JOURNAL_FOLDER)
    taken.append(history())
    taken.close()
    assert journal.size(home / JOURNAL_FOLDER) > sum(map(len, history()))
    report = load_journal(home)

    assert content(home) == whole
    assert report.refused.total() == 2
    assert load_journal(home).read == {}


@pytest.mark.parametrize("key", [None, "ab" * 32])
def test_a_worker_without_the_trusts_key_makes_none(home, tmp_path, file, key):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if key:
        (elsewhere / "deidentification.key").write_text(key)
        (elsewhere / "deidentification.key").chmod(0o600)
    mark = workers.mark_of(Keyed.load(home))

    with pytest.raises(SetupError):
        drafts.read(str(elsewhere), mark, "run", list(pieces.of_file(file)))
    assert key or not list(elsewhere.iterdir())


def test_a_worker_that_does_not_see_the_file_ends_the_load(home, tmp_path, file):
    gone = [piece.__class__(0, str(tmp_path / "gone"), 0, 1, 1) for piece in pieces.of_file(file)]
    with pytest.raises(SetupError):
        partial(drafts.read, str(home), workers.mark_of(Keyed.load(home)), "run")(gone)


@pytest.mark.slow
@pytest.mark.processes
def test_on_a_cluster_the_tables_are_the_same(home, file, monkeypatch):
    whole, told = at_once(home, file, monkeypatch)
    report = load_file(home, file, Where(workers=2))

    assert content(home) == whole
    assert report.as_json()["refused"] == told["refused"]
