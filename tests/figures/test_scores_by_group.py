"""The picture of a score by response."""

from __future__ import annotations

import numpy as np

from chemores_dask.figures.scores_by_group import scores_by_group
from tests.figures.drawn import by_name, said
from tests.figures.examples_of_response import few_patients_result, groups_result, many_groups_result


def test_scores_by_group__draws_every_patient_once():
    result = groups_result()
    drawn = [cloud.get_offsets() for cloud in by_name(scores_by_group(result), "patients")]
    values, labels = result["response_score"].values, result["response_label"].values
    for place, (cloud, name) in enumerate(zip(drawn, result["group"].values, strict=True)):
        assert np.array_equal(cloud[:, 1], np.sort(values[labels == name]))
        assert (np.abs(cloud[:, 0] - place) < 0.5).all()


def test_scores_by_group__draws_medians_of_the_result():
    result = groups_result()
    medians = [line.get_ydata()[0] for line in by_name(scores_by_group(result), "median")]
    np.testing.assert_allclose(medians, result["response_group_median"].values)


def test_scores_by_group__states_n_tests_and_who_is_missing():
    result = groups_result()
    words = said(scores_by_group(result))
    for expected in (
        f"n = {result.sizes['patient']} patients",
        "Wilcoxon rank-sum test over patients, two-sided, exact",
        "Jonckheere-Terpstra",
        "Kruskal-Wallis",
        "3 no known response",
        "Correlation of score and depth",
        *(f"n = {size}" for size in result["response_group_patients"].values),
    ):
        assert expected in words
    assert len(by_name(scores_by_group(result), "bracket")) == 3
    assert words.count("Holm") == 3
    assert "*" not in words


def test_scores_by_group__says_what_few_patients_can_reach():
    words = said(scores_by_group(few_patients_result()))
    assert "least possible" in words


def test_scores_by_group__leaves_most_pairs_to_the_table():
    assert len(by_name(scores_by_group(many_groups_result()), "bracket")) == 5


def test_scores_by_group__of_two_groups_shows_the_area():
    result = groups_result()
    two = result.isel(pair=[1], group=[0, 2])
    two = two.sel(patient=two["response_label"].values != "M2")
    assert "Area under the ROC curve" in said(scores_by_group(two))


def test_scores_by_group__leaves_room_for_a_group_that_nobody_is_in():
    result = groups_result()
    result["response_group_patients"][1] = 0
    words = said(scores_by_group(result.sel(patient=result["response_label"].values != "M2")))
    assert "n = 0" in words


def test_scores_by_group__says_that_there_is_nobody():
    assert "no patients" in said(scores_by_group(groups_result().isel(patient=[])))
