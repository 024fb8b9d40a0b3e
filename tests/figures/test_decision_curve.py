"""The picture of net benefit."""

from __future__ import annotations

import numpy as np

from chemores_dask.figures.decision_curve import decision_curve
from tests.figures.drawn import by_name, said
from tests.figures.examples_of_response import performance_result, separated_result


def test_decision_curve__draws_the_model_and_both_alternatives():
    result = performance_result()
    figure = decision_curve(result)
    (model,), (everybody,), (nobody,) = (by_name(figure, name) for name in ("model", "all", "none"))
    assert np.array_equal(model.get_ydata(), result["performance_net_benefit"].values)
    assert np.array_equal(everybody.get_ydata(), result["performance_net_benefit_all"].values)
    assert set(nobody.get_ydata()) == {0}
    assert by_name(figure, "band")


def test_decision_curve__says_where_the_model_is_better():
    result = performance_result()
    words = said(decision_curve(result))
    model, everybody = result["performance_net_benefit"].values, result["performance_net_benefit_all"].values
    better = int((model > np.maximum(everybody, 0) + 1e-12).sum())
    assert f"at {better} of 99 thresholds" in words
    assert "n = 37 patients" in words
    result["performance_net_benefit"][:] = -1.0
    assert "Nowhere better" in said(decision_curve(result))


def test_decision_curve__says_that_there_are_no_probabilities():
    assert "no finite estimates" in said(decision_curve(separated_result()))
