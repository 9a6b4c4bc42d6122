"""The Trust's tables, as a series of steps: a database of any earlier step is brought up to date when it is opened."""

from __future__ import annotations

from flip_sdk.contract.log_table import COLUMNS, FIXED, GROWS, STAYS, TOLD

_FIRST = """
CREATE TABLE consent (
    project_id TEXT PRIMARY KEY, state TEXT NOT NULL, job_kinds TEXT NOT NULL, epsilon REAL NOT NULL,
    delta REAL NOT NULL, expires_at TEXT NOT NULL, decided_by TEXT NOT NULL, decided_at TEXT NOT NULL,
    announced INTEGER NOT NULL DEFAULT 0);
CREATE TABLE ledger (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, project_id TEXT, job_id TEXT NOT NULL,
    purpose TEXT NOT NULL, event TEXT NOT NULL, UNIQUE (job_id, purpose));
CREATE INDEX ledger_project ON ledger (project_id);
CREATE TABLE job (
    job_id TEXT PRIMARY KEY, project_id TEXT NOT NULL, kind TEXT NOT NULL, spec TEXT NOT NULL, state TEXT NOT NULL,
    persons REAL, accepted_at TEXT NOT NULL, expires_at TEXT NOT NULL);
CREATE TABLE task (
    task_id TEXT PRIMARY KEY, job_id TEXT NOT NULL, project_id TEXT NOT NULL, step TEXT NOT NULL,
    round INTEGER NOT NULL, attempt INTEGER NOT NULL, inputs TEXT NOT NULL, state TEXT NOT NULL, refusal TEXT,
    received_at TEXT NOT NULL, expires_at TEXT NOT NULL);
CREATE INDEX task_state ON task (state);
CREATE TABLE release (
    job_id TEXT NOT NULL, step TEXT NOT NULL, round INTEGER NOT NULL, inputs TEXT NOT NULL, refusal TEXT, record BLOB,
    tensors BLOB, at TEXT NOT NULL, PRIMARY KEY (job_id, step, round));
CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY, at TEXT NOT NULL, actor TEXT NOT NULL, event TEXT NOT NULL, subject TEXT NOT NULL,
    details TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL);
CREATE TABLE audit_head (id INTEGER PRIMARY KEY CHECK (id = 1), sequence INTEGER NOT NULL, hash TEXT NOT NULL);
CREATE TRIGGER audit_stays BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_fixed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER ledger_stays BEFORE DELETE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_fixed BEFORE UPDATE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
"""

_NOISE_SHARES = """
ALTER TABLE consent ADD COLUMN trust_models TEXT NOT NULL DEFAULT '["local"]';
ALTER TABLE consent ADD COLUMN epsilon_alone REAL;
CREATE TABLE peer (
    trust TEXT PRIMARY KEY, identity_key TEXT NOT NULL UNIQUE, confirmed_by TEXT NOT NULL, confirmed_at TEXT NOT NULL);
CREATE TABLE sharing (
    job_id TEXT PRIMARY KEY REFERENCES job (job_id), secret BLOB, roster TEXT, last_at TEXT);
CREATE TABLE release_with_attempts (
    job_id TEXT NOT NULL, step TEXT NOT NULL, round INTEGER NOT NULL, inputs TEXT NOT NULL, refusal TEXT, record BLOB,
    tensors BLOB, at TEXT NOT NULL, attempt INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (job_id, step, round, attempt));
INSERT INTO release_with_attempts SELECT *, 0 FROM release;
DROP TABLE release;
ALTER TABLE release_with_attempts RENAME TO release;
"""

_TOLD_COUNTS = """
CREATE TABLE told_count (
    project_id TEXT, cohort TEXT NOT NULL, persons INTEGER NOT NULL, epsilon REAL NOT NULL, rounding INTEGER NOT NULL,
    at TEXT NOT NULL);
"""

_QUERIES = """
CREATE TABLE query (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT NOT NULL UNIQUE, project_id TEXT NOT NULL,
    kind TEXT NOT NULL, question TEXT NOT NULL, cohort TEXT NOT NULL, epsilon REAL NOT NULL, at TEXT NOT NULL,
    answer_of TEXT, void INTEGER NOT NULL DEFAULT 0);
CREATE INDEX query_project ON query (project_id, question);
"""

_RESTORED = """
CREATE TABLE restored (at TEXT NOT NULL, archive TEXT NOT NULL, reconciled_at TEXT);
"""

_CONSOLE = """
CREATE TABLE told_project (
    project_id TEXT PRIMARY KEY, record TEXT NOT NULL, first_at TEXT NOT NULL, changed_at TEXT NOT NULL,
    listed INTEGER NOT NULL);
CREATE TABLE seen_job (
    job_id TEXT PRIMARY KEY, project_id TEXT NOT NULL, record TEXT NOT NULL, persons INTEGER, at TEXT NOT NULL);
CREATE TABLE model_graph (digest TEXT PRIMARY KEY, graph BLOB NOT NULL);
CREATE TABLE console_person (
    name TEXT PRIMARY KEY, role TEXT NOT NULL, passphrase TEXT NOT NULL, active INTEGER NOT NULL,
    added_at TEXT NOT NULL);
CREATE INDEX task_project ON task (project_id, received_at);
CREATE INDEX task_received ON task (received_at);
CREATE INDEX task_job ON task (job_id);
CREATE INDEX audit_event ON audit (event);
CREATE INDEX audit_actor ON audit (actor);
CREATE INDEX audit_subject ON audit (subject);
"""

_PURGES = """
CREATE TABLE purge (
    order_id TEXT PRIMARY KEY, project_id TEXT NOT NULL, record TEXT NOT NULL, purged_at TEXT NOT NULL);
"""

_ROOTS = """
CREATE TABLE audit_block (
    level INTEGER NOT NULL, place INTEGER NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (level, place));
CREATE TABLE own_root (day TEXT PRIMARY KEY, signed TEXT NOT NULL, told INTEGER NOT NULL DEFAULT 0);
CREATE TABLE hub_root (
    day TEXT PRIMARY KEY, signed TEXT NOT NULL, seen_at TEXT NOT NULL, countersigned INTEGER NOT NULL DEFAULT 0);
CREATE TABLE hub_alarm (digest TEXT PRIMARY KEY, at TEXT NOT NULL, why TEXT NOT NULL, signed TEXT NOT NULL);
"""

_RETENTION = f"""
DROP TRIGGER audit_stays;
DROP TRIGGER audit_fixed;
{"; ".join((TOLD, *COLUMNS, STAYS, GROWS, FIXED))};
CREATE TRIGGER ledger_grows BEFORE INSERT ON ledger
WHEN EXISTS (SELECT 1 FROM ledger WHERE sequence = NEW.sequence OR (job_id = NEW.job_id AND purpose = NEW.purpose))
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
"""  # noqa: S608 - constants
"""INSERT OR REPLACE takes a row away without asking the trigger of deletions: of the ledger, too."""

STEPS = (_FIRST, _NOISE_SHARES, _TOLD_COUNTS, _QUERIES, _RESTORED, _CONSOLE, _PURGES, _ROOTS, _RETENTION)
"""Step number n brings a database of version n to version n + 1. Steps are added at the end, never changed."""
