from __future__ import annotations

import errno
import json
import signal
import stat
from multiprocessing import get_context
from pathlib import Path

import pydicom
import pytest
from flip_trust.cli import app
from flip_trust.deidentification import profile, run
from flip_trust.deidentification.keyed import Keyed
from flip_trust.deidentification.refusals import Reason
from flip_trust.deidentification.run import Order
from flip_trust.durable import Together
from flip_trust.errors import SetupError
from flip_trust.scaleout import HERE, Where
from typer.testing import CliRunner

from tests.trust.deidentification import killer
from tests.trust.deidentification.canaries import as_bytes, plain

NAME = "basic"


@pytest.fixture
def order(tmp_path) -> Order:
    source = tmp_path / "SMITH JOHN"
    source.mkdir()
    for number in range(3):
        (source / f"{number}.dcm").write_bytes(as_bytes(plain(SOPInstanceUID=f"1.2.3.{number}")))
    (source / "letter.txt").write_text("Dear Mr Smith")
    key = tmp_path / "key"
    Keyed.from_file(key)
    return Order(source, tmp_path / "out", tmp_path / "quarantine", profile.load(NAME), key)


def outcomes(order: Order, where: Where = HERE) -> list[run.Outcome]:
    return list(run.run(order, run.found(order.source), where))


def test_a_bad_file_stops_nothing_and_is_kept_with_its_reason(order) -> None:
    done = outcomes(order)

    bad = [each for each in done if each.reason]
    assert [each.reason for each in bad] == [Reason.NOT_DICOM.name]
    kept = order.quarantine / f"{bad[0].digest}.dcm"
    assert kept.read_text() == "Dear Mr Smith"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(order.quarantine.stat().st_mode) == 0o700
    assert json.loads(kept.with_suffix(".json").read_text())["reason"] == Reason.NOT_DICOM.name


def test_names_of_what_is_written_identify_nobody(order) -> None:
    outcomes(order)

    written = [path for path in order.target.rglob("*") if path.is_file()]
    assert len(written) == 3
    assert not any("SMITH" in str(path.relative_to(order.target)) for path in written)
    assert {path.stem for path in written} == {str(pydicom.dcmread(path).SOPInstanceUID) for path in written}


def test_what_is_done_is_not_done_again(order) -> None:
    outcomes(order)
    before = {path: path.stat().st_mtime_ns for path in order.target.rglob("*.dcm")}
    lost, *others = sorted(before)
    lost.unlink()
    (order.source / "3.dcm").write_bytes(as_bytes(plain(SOPInstanceUID="1.2.3.3")))

    again = outcomes(order)

    assert len(again) == 5
    assert lost.exists()
    assert {path: path.stat().st_mtime_ns for path in others} == {path: before[path] for path in others}
    assert len(run.journal_path(order).read_text().splitlines()) == 6


def test_a_journal_cut_off_by_a_crash_is_taken_up(order) -> None:
    first = outcomes(order)
    path = run.journal_path(order)
    path.write_text(path.read_text()[:-20])

    assert sorted(each.digest for each in outcomes(order)) == sorted(each.digest for each in first)


def test_two_files_of_one_instance_uid_do_not_replace_each_other(order) -> None:
    (order.source / "other.dcm").write_bytes(as_bytes(plain(SOPInstanceUID="1.2.3.0", KVP="120")))

    assert Reason.DUPLICATE.name in {each.reason for each in outcomes(order)}


def test_in_one_batch_the_first_of_one_instance_uid_stays_and_the_same_again_is_the_same(order) -> None:
    for name, dataset in (
        ("0-other", plain(SOPInstanceUID="1.2.3.0", KVP="120")),
        ("0-same", plain(SOPInstanceUID="1.2.3.0")),
    ):
        (order.source / f"{name}.dcm").write_bytes(as_bytes(dataset))
    sources = sorted(str(path) for path in order.source.glob("0*"))
    assert len(sources) == 3 < run.batch_of(3)

    by_name = {each.source.rpartition("/")[2]: each for each in run.work(*run._arguments(order), sources)}

    [first] = order.target.rglob("*.dcm")
    assert by_name["0-other.dcm"].reason == ""
    assert first.relative_to(order.target).as_posix() == by_name["0-other.dcm"].path
    refused = [by_name["0-same.dcm"], by_name["0.dcm"]]
    assert [each.reason for each in refused] == [Reason.DUPLICATE.name] * 2
    assert len({each.digest for each in refused}) == 1
    assert (order.quarantine / f"{refused[0].digest}.dcm").is_file()


def test_an_instance_uid_that_another_worker_has_named_meanwhile_is_a_duplicate(order, monkeypatch) -> None:
    real = Together.name

    def later(self: Together) -> set[Path]:
        for path in [path for path, _, replace in self._begun if not replace]:
            path.write_bytes(b"of another worker")
        return real(self)

    monkeypatch.setattr(Together, "name", later)
    done = outcomes(order)

    assert [each.reason for each in done].count(Reason.DUPLICATE.name) == 3
    assert {path.read_bytes() for path in order.target.rglob("*.dcm")} == {b"of another worker"}
    assert len(list(order.quarantine.glob("*.json"))) == 4


@pytest.mark.parametrize("full", ["open", "fsync"])
def test_a_full_disk_ends_the_run_says_so_and_leaves_no_half_file(order, monkeypatch, full) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(f"flip_trust.durable.os.{full}", none)
        with pytest.raises(SetupError):
            run.work(*run._arguments(order), [str(path) for path in run.found(order.source)])
    assert not [path for path in order.target.rglob("*") if path.is_file()]

    assert [each.reason for each in outcomes(order)].count("") == 3


@pytest.mark.processes
@pytest.mark.parametrize("named", [0, 2])
def test_a_kill_while_files_get_their_names_leaves_whole_ones_and_the_next_run_goes_on(order, tmp_path, named) -> None:
    dying = get_context("spawn").Process(target=killer.die_while_naming, args=(order, named))
    dying.start()
    dying.join()
    assert dying.exitcode == -signal.SIGKILL
    whole = {path: path.stat().st_mtime_ns for path in order.target.rglob("*.dcm")}
    assert len(whole) == named
    assert len(list(order.target.rglob(".*.part"))) == 3 - named
    assert run.journal_path(order).read_text() == ""

    assert [each.reason for each in outcomes(order)].count("") == 3
    assert not [*order.target.rglob("*.part"), *order.quarantine.rglob("*.part")]
    assert {path: path.stat().st_mtime_ns for path in whole} == whole
    apart = Order(order.source, tmp_path / "apart", tmp_path / "apart-quarantine", order.profile, order.key_file)
    outcomes(apart)
    written = {path.relative_to(order.target): path.read_bytes() for path in order.target.rglob("*.dcm")}
    assert written == {path.relative_to(apart.target): path.read_bytes() for path in apart.target.rglob("*.dcm")}


def test_a_failing_engine_sends_the_file_to_quarantine(order, monkeypatch) -> None:
    monkeypatch.setattr("flip_trust.deidentification.part10.opened", lambda _: 1 / 0)

    assert {each.reason for each in outcomes(order)} == {Reason.FAILED.name}
    assert not list(order.target.rglob("*.dcm"))


def test_folders_in_one_another_are_refused(order) -> None:
    inside = Order(order.source, order.source / "out", order.quarantine, order.profile, order.key_file)

    with pytest.raises(SetupError):
        outcomes(inside)


def test_another_key_in_the_same_place_is_taken_at_once(order, tmp_path) -> None:
    before = {each.path for each in outcomes(order, HERE)}
    order.key_file.unlink()
    again = Order(order.source, tmp_path / "again", tmp_path / "again-quarantine", order.profile, order.key_file)

    assert not before & {each.path for each in outcomes(again, HERE) if not each.reason}


@pytest.mark.processes
def test_two_workers_do_what_one_process_does(order, tmp_path) -> None:
    apart = Order(order.source, tmp_path / "apart", tmp_path / "apart-quarantine", order.profile, order.key_file)
    outcomes(order)

    assert len(outcomes(apart, Where(workers=2))) == 4
    written = {path.relative_to(order.target): path.read_bytes() for path in order.target.rglob("*.dcm")}
    assert written == {path.relative_to(apart.target): path.read_bytes() for path in apart.target.rglob("*.dcm")}


@pytest.mark.processes
@pytest.mark.parametrize("where", [Where(), pytest.param(Where(workers=2), marks=pytest.mark.slow)])
def test_a_file_that_kills_its_worker_is_found_out_and_stops_nothing(order, monkeypatch, where) -> None:
    (order.source / killer.DEADLY).write_bytes(as_bytes(plain(SOPInstanceUID="1.2.3.9")))
    monkeypatch.setattr(run, "work", killer.work)

    reasons = sorted(each.reason for each in outcomes(order, where))

    assert reasons == ["", "", "", Reason.FAILED.name, Reason.NOT_DICOM.name]


def test_a_target_that_cannot_be_written_ends_the_run(order) -> None:
    order.target.write_text("a file, not a folder")

    with pytest.raises(SetupError):
        outcomes(order)


def test_the_command_writes_a_report_without_identifiers(order, tmp_path) -> None:
    report = tmp_path / "report.html"
    options = ["--profile", NAME, "--key-file", str(order.key_file), "--report", str(report)]

    result = CliRunner().invoke(app, ["deid", str(order.source), str(order.target), *options])

    assert result.exit_code == 2
    page = report.read_text()
    assert Reason.NOT_DICOM.value in page
    assert order.profile.digest in page
    assert "SMITH" not in page
    assert "943" not in page.replace(order.profile.digest, "")


def test_without_a_key_nothing_is_done(order) -> None:
    result = CliRunner().invoke(app, ["deid", str(order.source), str(order.target)], env={"FLIP_TRUST_HOME": ""})

    assert result.exit_code == 1
    assert not order.target.exists()


@pytest.mark.parametrize(("files", "batch"), [(3, 8), (300, 9), (1_600, 48), (1_000_000, 48)])
def test_a_small_folder_makes_small_batches_and_a_large_one_batches_that_cost_little(files: int, batch: int) -> None:
    assert run.batch_of(files) == batch
