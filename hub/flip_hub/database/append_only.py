"""What the database itself refuses of the audit log: on PostgreSQL the same as ``flip_sdk.contract.log_table``."""

from __future__ import annotations

from flip_sdk.contract.log_table import FIXED, GROWS, STAYS

NAMES = ("audit_stays", "audit_grows", "audit_fixed")
SQLITE = (STAYS, GROWS, FIXED)
_SAME = " AND ".join(f"NEW.{name} = OLD.{name}" for name in ("sequence", "version", "at", "event", "previous", "hash"))
_FUNCTION = f"""
CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  due integer;
  gone json;
  went json;
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.event = 'audit.reduced' OR NOT EXISTS (SELECT 1 FROM audit_reduction WHERE sequence = NEW.sequence) THEN
      RETURN NEW;
    END IF;
  ELSIF TG_OP = 'UPDATE' THEN
    SELECT sequence + 1 INTO due FROM audit_head;
    gone := CASE NEW.reduced WHEN '' THEN '{{}}'::json ELSE NEW.reduced::json -> 'reduced' END;
    went := CASE OLD.reduced WHEN '' THEN '{{}}'::json ELSE OLD.reduced::json -> 'reduced' END;
    IF coalesce(
      OLD.version = 2 AND {_SAME} AND NEW.salt = ''
      AND OLD.at::timestamptz <= now() - interval '1 year'
      AND EXISTS (SELECT 1 FROM audit_reduction WHERE sequence = due)
      AND (NEW.actor = OLD.actor OR (NEW.actor = '' AND gone -> 'actor' IS NOT NULL))
      AND (NEW.subject = OLD.subject OR (NEW.subject = '' AND gone -> 'subject' IS NOT NULL))
      AND NOT EXISTS (SELECT 1 FROM json_each_text(NEW.details::json) AS fresh WHERE NOT EXISTS (
        SELECT 1 FROM json_each_text(OLD.details::json) AS was
        WHERE was.key = fresh.key AND was.value IS NOT DISTINCT FROM fresh.value))
      AND NOT EXISTS (SELECT 1 FROM json_each_text(OLD.details::json) AS was
        WHERE NOT EXISTS (SELECT 1 FROM json_each_text(NEW.details::json) AS fresh WHERE fresh.key = was.key)
        AND NOT EXISTS (SELECT 1 FROM json_each(gone) AS lost WHERE lost.key = 'details.' || was.key))
      AND NOT EXISTS (SELECT 1 FROM json_each_text(went) AS was WHERE NOT EXISTS (
        SELECT 1 FROM json_each_text(gone) AS lost WHERE lost.key = was.key AND lost.value = was.value))
      AND NOT EXISTS (SELECT 1 FROM json_each(gone) AS lost
        WHERE (lost.value ->> 'by')::integer IS DISTINCT FROM due
        AND NOT EXISTS (SELECT 1 FROM json_each(went) AS was WHERE was.key = lost.key)),
      false) THEN
      RETURN NEW;
    END IF;
  END IF;
  RAISE EXCEPTION 'the audit log is append-only';
END $$
"""  # noqa: S608 - constants
POSTGRESQL = (
    _FUNCTION,
    "CREATE TRIGGER audit_stays BEFORE DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_only_grows()",
    "CREATE TRIGGER audit_whole BEFORE TRUNCATE ON audit EXECUTE FUNCTION audit_only_grows()",
    "CREATE TRIGGER audit_grows BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_only_grows()",
    "CREATE TRIGGER audit_fixed BEFORE UPDATE ON audit FOR EACH ROW EXECUTE FUNCTION audit_only_grows()",
)


def opening(dialect: str) -> list[str]:
    """Statements that take the triggers away, as a migration that makes the table anew has to."""
    suffix = " ON audit" if dialect == "postgresql" else ""
    dropped = [f"DROP TRIGGER {name}{suffix}" for name in NAMES]
    further = ["DROP TRIGGER audit_whole ON audit", "DROP FUNCTION audit_only_grows()"]
    return [*dropped, *further] if dialect == "postgresql" else dropped
