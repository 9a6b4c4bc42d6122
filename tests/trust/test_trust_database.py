from __future__ import annotations

import sqlite3

from flip_trust import consent
from flip_trust.database import SCHEMA_VERSION, Database
from flip_trust.schema import STEPS


def test_an_older_database_is_brought_up_to_date_and_keeps_what_it_holds(tmp_path):
    path = tmp_path / "trust.db"
    with sqlite3.connect(path) as old:
        old.executescript(f"{STEPS[0]} PRAGMA user_version = 1;")
        decided = ("breast-cytology", "opted_in", '["count"]', 3.0, 1e-5, "2030-01-01T00:00:00+00:00", "sam")
        old.execute("INSERT INTO consent VALUES (?, ?, ?, ?, ?, ?, ?, '2026-01-01T00:00:00+00:00', 1)", decided)
        old.execute("INSERT INTO release VALUES ('job', 'prepare', 0, 'x', NULL, X'00', X'01', '2026')")
    old.close()

    database = Database.open(path)

    assert database.read("PRAGMA user_version")[0]["user_version"] == SCHEMA_VERSION
    assert database.read("SELECT tensors, attempt FROM release") == [{"tensors": b"\x01", "attempt": 0}]
    kept = consent.standing(database, "breast-cytology")
    assert kept is not None
    assert kept.terms.trust_models == ("local",)


def test_what_is_deleted_is_overwritten(trust):
    assert trust.database.read("PRAGMA secure_delete")[0]["secure_delete"] == 1
