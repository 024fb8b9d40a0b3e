"""The picture of AUC over time."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.errors import MissingVariableError
from chemores_dask.figures.auc_over_time import auc_over_time
from tests.figures.drawn import by_name, said
from tests.figures.examples_of_validation import null_result, validation_result


def test_auc_over_time__draws_curve_and_horizons():
    result = validation_result()
    figure = auc_over_time(result)
    (curve,) = by_name(figure, "curve")
    assert np.array_equal(curve.get_ydata(), result["validation_curve_auc"].values)
    marks = by_name(figure, "horizon")
    assert [mark.get_xdata()[0] for mark in marks] == [6, 12, 24]
    assert [mark.get_ydata()[0] for mark in marks] == result["validation_auc"].values.tolist()
    assert len(by_name(figure, "limits")) == 3
    assert by_name(figure, "band")


def test_auc_over_time__says_patients_events_and_estimates():
    result = validation_result()
    words = said(auc_over_time(result, time_label="Months since diagnosis"))
    for part in ("n = 159 patients, 93 events", "At 12: AUC 0.8", "Harrell 0.7", "Months since diagnosis", "bootstrap"):
        assert part in words


def test_auc_over_time__says_that_there_is_nothing_to_draw():
    result = validation_result()
    result["validation_curve_auc"][:] = np.nan
    assert "At no time" in said(auc_over_time(result))
    with pytest.raises(MissingVariableError, match="auc_over_time"):
        auc_over_time(null_result())
