from __future__ import annotations

from flip_sdk.dashboards import Results, learned_from

from tests.flip_sdk.dashboards.made import counted, trained


def test_whom_a_model_learned_from_where_and_when() -> None:
    (told,) = learned_from(Results([trained()])).paragraphs
    assert told == (
        "Everybody. Of them, the part that models learn from. They are of aldgate, carrick (job t1, January 2026), and "
        "were learned from in 20 rounds by full batch."
    )  # fmt: skip


def test_no_training_is_said() -> None:
    assert "No training" in repr(learned_from(Results([counted("c1", {})])))
    assert "No training" in repr(learned_from(Results([trained().model_copy(update={"spec": None})])))
