"""The picture of predicted against observed survival."""

from __future__ import annotations

import numpy as np

from chemores_dask.figures.survival_calibration import survival_calibration
from tests.figures.drawn import by_name, said
from tests.figures.examples_of_validation import bare_validation_result, validation_result


def test_survival_calibration__draws_groups_of_every_horizon():
    result = validation_result()
    figure = survival_calibration(result)
    for place, line in enumerate(by_name(figure, "groups")):
        assert np.array_equal(line.get_xdata(), result["validation_group_predicted"].values[place])
        assert np.array_equal(line.get_ydata(), result["validation_group_observed"].values[place])
    assert len(by_name(figure, "groups")) == 3
    assert len(by_name(figure, "limits")) == 12


def test_survival_calibration__says_slope_and_ratios():
    words = said(survival_calibration(validation_result()))
    for part in ("calibration slope 0.7", "At 6: observed over expected", "n = 159 patients, 93 events", "log-log"):
        assert part in words
    assert "no survival" in said(survival_calibration(bare_validation_result()))


def test_survival_calibration__of_one_horizon_has_one_panel():
    assert len(by_name(survival_calibration(validation_result().isel(horizon=[1])), "groups")) == 1
