"""The disclosure criteria that a release was held to, as JSON: what a program reads, bound to the release by digest."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import rfc8785

from flip_hub.airlock.checks import load
from flip_hub.database import Output
from flip_hub.governance.office import Office

SCHEMA = "flip-disclosure-criteria/1"


def make_criteria(office: Office, output: Output) -> bytes:
    """Canonical JSON of the limits in force, what each check found, and how it was decided, without names."""
    examined = output.examined
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "content": output.content,
        "path": output.path,
        "kind": examined.kind if examined else None,
        "verdict": examined.verdict if examined else None,
        "limits": load(office.config.disclosure_limits).model_dump(mode="json"),
        "findings": [
            finding.model_dump(mode="json", exclude={"cells"}) for finding in (examined.findings if examined else ())
        ],
        "decisions": [
            {"decision": row.decision, "reason": row.reason, "decided_at": row.decided_at.isoformat()}
            for row in output.decisions
        ],
        "checkers": len(output.decisions),
        "policies": office.policies.digest,
        "software": {"flip-hub": version("flip-hub")},
    }
    return rfc8785.dumps(content)
