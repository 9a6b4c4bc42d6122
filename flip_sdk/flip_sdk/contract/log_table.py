"""What SQLite itself refuses of an audit log's table: it grows, and parts of old entries go as retention lets them go.

A trigger cannot reckon a digest. It lets through only what looks right: an entry of version 2 and older than a year,
whose number, moment, event and hashes stay, which gains nothing, and whose every missing part has a digest that names
the entry about to be written; and that one then has to be ``audit.reduced``. Whether the digests are right, and whether
a policy let the parts go, is for ``audit verify``. Migrations of both sides have these statements: they never change.
"""

from __future__ import annotations

_SAME = " AND ".join(f"NEW.{name} = OLD.{name}" for name in ("sequence", "version", "at", "event", "previous", "hash"))
_NEXT = "(SELECT sequence + 1 FROM audit_head)"
_BEFORE = "json_each(iif(OLD.reduced = '', '{}', OLD.reduced), '$.reduced')"
_NEW = "iif(json_valid(NEW.reduced), NEW.reduced, '{}')"
_AFTER = f"json_each({_NEW}, '$.reduced')"
_REFUSED = "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"

TOLD = "CREATE TABLE audit_reduction (sequence INTEGER PRIMARY KEY)"
"""Numbers of the entries that tell of a reduction, written before it."""
STAYS = f"CREATE TRIGGER audit_stays BEFORE DELETE ON audit {_REFUSED}"
GROWS = f"""
CREATE TRIGGER audit_grows BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE sequence = NEW.sequence)
  OR (NEW.event <> 'audit.reduced' AND EXISTS (SELECT 1 FROM audit_reduction WHERE sequence = NEW.sequence))
{_REFUSED}
"""  # noqa: S608 - constants
"""INSERT OR REPLACE takes a row away without asking the trigger of deletions: this one is asked."""
FIXED = f"""
CREATE TRIGGER audit_fixed BEFORE UPDATE ON audit WHEN NOT coalesce(
  OLD.version = 2 AND {_SAME} AND NEW.salt = ''
  AND OLD.at <= strftime('%Y-%m-%dT%H:%M:%S', 'now', '-1 year')
  AND EXISTS (SELECT 1 FROM audit_reduction WHERE sequence = {_NEXT})
  AND (NEW.actor = OLD.actor OR (
    NEW.actor = '' AND json_extract({_NEW}, '$.reduced.actor') IS NOT NULL))
  AND (NEW.subject = OLD.subject OR (
    NEW.subject = '' AND json_extract({_NEW}, '$.reduced.subject') IS NOT NULL))
  AND NOT EXISTS (SELECT 1 FROM json_each(NEW.details) AS fresh WHERE NOT EXISTS (
    SELECT 1 FROM json_each(OLD.details) AS was
    WHERE was.key = fresh.key AND was.type = fresh.type AND was.value IS fresh.value))
  AND NOT EXISTS (SELECT 1 FROM json_each(OLD.details) AS was
    WHERE NOT EXISTS (SELECT 1 FROM json_each(NEW.details) AS fresh WHERE fresh.key = was.key)
    AND NOT EXISTS (SELECT 1 FROM {_AFTER} AS gone WHERE gone.key = 'details.' || was.key))
  AND NOT EXISTS (SELECT 1 FROM {_BEFORE} AS was WHERE NOT EXISTS (
    SELECT 1 FROM {_AFTER} AS gone WHERE gone.key = was.key AND gone.value = was.value))
  AND NOT EXISTS (SELECT 1 FROM {_AFTER} AS gone
    WHERE json_extract(gone.value, '$.by') IS NOT {_NEXT}
    AND NOT EXISTS (SELECT 1 FROM {_BEFORE} AS was WHERE was.key = gone.key)),
  0) {_REFUSED}
"""  # noqa: S608 - constants
COLUMNS = (
    "ALTER TABLE audit ADD COLUMN version INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE audit ADD COLUMN salt TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE audit ADD COLUMN reduced TEXT NOT NULL DEFAULT ''",
)
