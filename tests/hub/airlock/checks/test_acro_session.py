from __future__ import annotations

import json

from tests.hub.airlock.checks.conftest import Checking, found, rules

SESSION = {
    "version": "1.0.2",
    "results": {
        "output_0": {
            "status": "fail",
            "files": [{"name": "output_0_0.csv"}],
            "summary": "FrequencyTable:\n MinimumThresholdCheck: 1 cells may need suppressing",
            "exception": "agreed with the Trust",
        }
    },
}


def test_what_acro_said_is_shown_beside_our_own_checks(check: Checking) -> None:
    files = {"out/output_0_0.csv": "sex,0,1\nm,13,12\nw,15,3\n", "out/results.json": json.dumps(SESSION)}
    examined = check(files, {"out/results.json": {"leaves": False}})["out/output_0_0.csv"]

    said = found(examined, "acro.summary")
    assert all(words in said.message for words in ("1.0.2", "fail", "1 cells may need", "agreed with the Trust"))
    assert "table.small_count" in rules(examined)


def test_evidence_of_acros_federated_mode_never_leaves(check: Checking) -> None:
    evidence = json.dumps({"tool": "ACRO", "mode": "federated", "evidence": {"count_table": [[1, 2]]}})

    assert check({"evidence.json": evidence})["evidence.json"].verdict == "block"
