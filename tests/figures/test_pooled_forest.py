"""The picture of pooled studies."""

from __future__ import annotations

import numpy as np

from chemores_dask.figures.pooled_forest import pooled_forest
from chemores_dask.testing.validation_nouns import tiny_meta_analysis, tiny_studies
from tests.figures.drawn import by_name, said
from tests.figures.examples_of_validation import pooled_result


def test_pooled_forest__draws_studies_by_weight_and_diamonds():
    result = pooled_result()
    figure = pooled_forest(result)
    marks = by_name(figure, "study")
    assert [mark.get_xdata()[0] for mark in marks] == result["meta_ratio"].values.tolist()
    weights = result["meta_weight"].sel(model="restricted_likelihood").values
    sizes = np.array([mark.get_markersize() for mark in marks])
    np.testing.assert_allclose(sizes**2 / sizes.max() ** 2, weights / weights.max())
    diamonds = by_name(figure, "pooled")
    assert len(diamonds) == 4
    low, high = (float(result[f"meta_pooled_ratio_{end}"].sel(model="fixed")) for end in ("lower", "upper"))
    places = diamonds[0].get_xy()[:, 0]
    assert (places.min(), places.max()) == (low, high)
    assert len(by_name(figure, "prediction")) == 1


def test_pooled_forest__says_patients_tests_and_heterogeneity():
    words = said(pooled_forest(pooled_result()))
    for part in (
        "3 studies, n = 277 patients, 109 events",
        "Wald test",
        "Cochran's Q test",
        "I²",
        "PKPH",
        "Another study",
    ):
        assert part in words


def test_pooled_forest__of_two_studies_predicts_nothing():
    result = tiny_meta_analysis(tiny_studies().isel(study=[0, 1]))
    figure = pooled_forest(result)
    assert not by_name(figure, "prediction")
    assert "Pooled hazard ratio 2.23 (1.39 to 3.58)" in said(figure)


def test_pooled_forest__without_numbers_of_patients_and_with_wide_limits():
    result = pooled_result().drop_vars(["meta_study_patients", "meta_study_events", "meta_patients", "meta_events"])
    result["meta_ratio_upper"][0] = 1e5
    figure = pooled_forest(result)
    assert "n =" not in said(figure)
    assert figure.axes[0].get_xlim()[1] <= 100
