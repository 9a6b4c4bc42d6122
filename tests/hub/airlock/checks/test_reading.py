from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import zipfile
from pathlib import Path

import pytest
from flip_hub.airlock.checks import Past, examine

from tests.hub.airlock.checks.conftest import Checking, rules, statement


class Hostile:
    def __reduce__(self):
        return os.system, ("touch /tmp/it-ran",)


def archive() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("sheet.xml", b"0" * 50_000_000)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("path", "content", "rule"),
    [
        ("a.csv", pickle.dumps(Hostile()), "format.disguised"),
        ("a.csv", pickle.dumps(Hostile(), protocol=0), "format.disguised"),
        ("a.pkl", pickle.dumps({"a": 1}), "format.not_allowed"),
        ("a.xlsx", archive(), "format.not_allowed"),
        ("a.csv", archive(), "format.disguised"),
        ("a.txt", gzip.compress(b"x", mtime=0), "format.disguised"),
        ("a.png", b"%PDF-1.7\n", "format.disguised"),
        ("a.csv", b"\x00" * 128 + b"DICM" + b"\x00" * 100, "format.disguised"),
        ("a.md", b"<!DOCTYPE html><html><script>alert(1)</script></html>", "format.disguised"),
        ("a.csv", b"\x7fELF\x02\x01", "format.disguised"),
        ("a.exe", b"MZ\x00", "format.not_allowed"),
        ("a", b"text", "format.not_allowed"),
        ("a.csv", "sex,n\nwomen,é".encode("utf-16"), "format.not_text"),
        ("a.csv", "sex,n\nwomen,é".encode("latin-1"), "format.not_text"),
        ("a.txt", b"bell\x07", "format.not_text"),
        ("a.csv", b"a,b\n1,2,3\n", "format.unreadable"),
        ("a.csv", b'a,b\n"1,2\n', "format.unreadable"),
        ("a.csv", b"a\n" + b"x" * 200_000, "format.unreadable"),
        ("a.json", b"[" * 100_000, "format.unreadable"),
        ("a.json", b"[" * 60 + b"1" * 5_000 + b"]" * 60, "format.unreadable"),
        ("a.json", b"{", "format.unreadable"),
        ("a.txt", b"", "format.empty"),
    ],
)
def test_what_may_not_leave_or_cannot_be_read_is_blocked(check: Checking, path: str, content: bytes, rule: str) -> None:
    examined = check({path: content})[path]

    assert (examined.verdict, rule in rules(examined)) == ("block", True)
    assert not Path("/tmp/it-ran").exists()


def test_a_sparse_file_of_a_gigabyte_is_not_read(tmp_path: Path, past: Past) -> None:
    with (tmp_path / "a.csv").open("wb") as file:
        file.truncate(2**30)
    (examined,) = examine(tmp_path, [statement("a.csv", "")], past)

    assert rules(examined) == {"format.too_large", "format.too_much"}


def test_links_pipes_and_other_bytes_are_refused(tmp_path: Path, past: Past) -> None:
    (tmp_path / "real.txt").write_text("text")
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    (tmp_path / "folder").mkdir()
    (tmp_path / "linked").symlink_to(tmp_path / "folder")
    (tmp_path / "folder" / "in.txt").write_text("text")
    os.mkfifo(tmp_path / "pipe.txt")
    names = ("link.txt", "linked/in.txt", "pipe.txt", "absent.txt", "folder.txt")
    examined = examine(tmp_path, [statement(name, "text") for name in names], past)

    assert [rules(file) for file in examined] == [{"format.not_a_file"}] * 5
    (other,) = examine(tmp_path, [statement("real.txt", "another text")], past)
    assert rules(other) == {"format.other_bytes"}


def test_json_that_is_a_table_is_checked_as_one(check: Checking) -> None:
    records = json.dumps([{"sex": "women", "persons": 120}, {"sex": "men", "persons": 3}])
    columns = json.dumps({"sex": ["women", "men"], "persons": [120, 3]})

    assert {"table.small_count"} <= rules(check({"a.json": records})["a.json"])
    assert {"table.small_count"} <= rules(check({"a.json": columns})["a.json"])
    assert check({"a.json": '{"auc": 0.81}'})["a.json"].kind == "text"


@pytest.mark.parametrize("table", ["sex;n\nwomen;3\n", "sex\tn\nwomen\t3\n", "\ufeffsex,n\r\nwomen,3\r\n"])
def test_other_ways_of_writing_a_table_are_read(check: Checking, table: str) -> None:
    assert "table.small_count" in rules(check({"a.csv": table})["a.csv"])


def test_a_request_that_is_too_large_is_blocked(check: Checking, past: Past) -> None:
    few = past.model_copy(update={"limits": past.limits.model_copy(update={"request_bytes": 10})})

    assert "format.too_much" in rules(check({"a.txt": "x" * 11}, past=few)["a.txt"])
