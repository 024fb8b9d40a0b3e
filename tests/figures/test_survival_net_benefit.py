"""The picture of net benefit by a horizon."""

from __future__ import annotations

import numpy as np

from chemores_dask.figures.survival_net_benefit import survival_net_benefit
from tests.figures.drawn import by_name, said
from tests.figures.examples_of_validation import bare_validation_result, validation_result


def test_survival_net_benefit__draws_the_model_and_both_alternatives():
    result = validation_result()
    figure = survival_net_benefit(result)
    for name, variable in (("model", "validation_net_benefit"), ("all", "validation_net_benefit_all")):
        drawn = [line.get_ydata() for line in by_name(figure, name)]
        np.testing.assert_array_equal(drawn, result[variable].values)
    assert len(by_name(figure, "none")) == len(by_name(figure, "band")) == 3


def test_survival_net_benefit__says_where_the_model_is_better():
    result = validation_result()
    words = said(survival_net_benefit(result))
    model, everybody = (result[f"validation_net_benefit{end}"].values[1] for end in ("", "_all"))
    better = int((model > np.maximum(everybody, 0) + 1e-12).sum())
    assert f"Event by 12: better than treating all and treating nobody at {better} of 99" in words
    assert "n = 159 patients, 93 events" in words
    result["validation_net_benefit"][:] = -1.0
    assert "nowhere better" in said(survival_net_benefit(result))
    assert "no survival" in said(survival_net_benefit(bare_validation_result()))
