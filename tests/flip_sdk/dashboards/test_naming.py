from __future__ import annotations

from flip_sdk.contract.cohorts import Cohort, HasCondition
from flip_sdk.dashboards.naming import group_of, named, widest

from tests.flip_sdk.dashboards.made import DESCRIBED, ILL, WOMEN, counted, scored, trained


def test_a_group_is_told_in_words_with_the_names_that_the_page_knows() -> None:
    ill, women = counted("c1", {}, ILL), scored("e1", 0.8, cohort=WOMEN)
    assert group_of(ill, named([ill])) == "Persons with a record of concept 9."
    assert group_of(ill, named([ill, trained()])) == "Persons with a record of malignant."
    assert group_of(ill, named([ill, trained()], {9: "cancer"})) == "Persons with a record of cancer."
    assert (
        group_of(women, named([]))
        == "Persons whose recorded sex is female. Of them, the part that is set aside for testing."
    )
    assert group_of(women, named([]), part=False) == "Persons whose recorded sex is female."
    assert named([DESCRIBED])[8507] == "male"


def test_a_result_without_its_request_says_so() -> None:
    assert "Not told" in group_of(trained().model_copy(update={"spec": None}), {})


def test_the_widest_evaluation_is_the_latest_with_the_fewest_rules() -> None:
    both = Cohort(criteria=(*WOMEN.criteria, HasCondition(concept_ids=(9,))))
    some = [scored("e1", 0.8), scored("e2", 0.8), scored("e3", 0.8, cohort=WOMEN), scored("e4", 0.8, cohort=both)]
    assert widest(some) is some[1]
    assert widest([some[3], some[2]]) is some[2]
    assert widest([]) is None
