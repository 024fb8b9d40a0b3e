"""The picture of hazard ratios over time."""

from __future__ import annotations

import numpy as np

from chemores_dask.figures.schoenfeld_plot import schoenfeld_plot
from chemores_dask.testing.cox_nouns import tiny_proportional_hazards
from chemores_dask.testing.nouns import tiny_patients
from tests.figures.drawn import by_name, said


def test_schoenfeld_plot__draws_residuals_smooth_and_constant():
    trend = tiny_proportional_hazards(tiny_patients())
    figure = schoenfeld_plot(trend)
    residuals, smooth, constant = (by_name(figure, name) for name in ("residuals", "smooth", "constant"))
    assert len(residuals) == len(smooth) == len(constant) == 2
    for place in range(2):
        part = trend.isel(term=place)
        np.testing.assert_array_equal(residuals[place].get_ydata(), part["hazard_trend_residual"])
        np.testing.assert_array_equal(residuals[place].get_xdata(), part["hazard_trend_scale"].sel(transform="km"))
        np.testing.assert_array_equal(smooth[place].get_ydata(), part["hazard_trend_smooth"])
        assert set(constant[place].get_ydata()) == {float(part["hazard_trend_coefficient"])}


def test_schoenfeld_plot__states_n_events_and_tests():
    trend = tiny_proportional_hazards(tiny_patients())
    words = said(schoenfeld_plot(trend, labels={"age": "Age at diagnosis"}))
    for expected in ("n = 40 patients", "events", "Score test", "Age at diagnosis: P = ", "Time (months)"):
        assert expected in words


def test_schoenfeld_plot__shows_the_terms_that_change_most():
    trend = tiny_proportional_hazards(tiny_patients())
    surest = str(trend["term"].values[int(np.argmin(trend["hazard_trend_p_value"].sel(transform="km").values))])
    words = said(schoenfeld_plot(trend, terms=1))
    assert surest in words
    assert "1 further terms are not shown" in words


def test_schoenfeld_plot__draws_dots_where_there_is_no_smooth():
    trend = tiny_proportional_hazards(tiny_patients())
    for end in ("", "_lower", "_upper"):
        trend[f"hazard_trend_smooth{end}"][:] = np.nan
    assert len(by_name(schoenfeld_plot(trend), "residuals")) == 2
    assert "no events" in said(schoenfeld_plot(trend.isel(event=[])))
