"""The picture of a hazard ratio along a spline."""

from __future__ import annotations

import json

import numpy as np
import pytest

from chemores_dask.errors import ParameterError
from chemores_dask.figures.hazard_ratio_curve import hazard_ratio_curve
from chemores_dask.kernels.spline_basis import spline_basis
from chemores_dask.testing.cox_nouns import tiny_cox_model
from chemores_dask.testing.nouns import tiny_patients
from tests.figures.drawn import by_name, said

MODEL = tiny_cox_model(tiny_patients())


def test_hazard_ratio_curve__is_one_at_the_reference():
    figure = hazard_ratio_curve(MODEL)
    knots = np.array(json.loads(MODEL.attrs["design"])["age"]["knots"])
    (ratio,), (reference,), (marks,) = (by_name(figure, name) for name in ("ratio", "reference", "knots"))
    assert reference.get_xdata() == [knots[1]]
    np.testing.assert_allclose(np.interp(knots[1], ratio.get_xdata(), np.log(ratio.get_ydata())), 0, atol=1e-3)
    np.testing.assert_array_equal(marks.get_xdata(), knots)
    b = MODEL["cox_model_coefficient"].values[:2]
    apart = (spline_basis(knots[[0, 2]], knots) - spline_basis(knots[[1]], knots)) @ b
    np.testing.assert_allclose(np.log(ratio.get_ydata()[[0, -1]]), apart)


def test_hazard_ratio_curve__states_n_events_and_the_test_of_its_bends():
    noted = MODEL.assign_attrs(note="5 events for 3 coefficients")
    words = said(hazard_ratio_curve(noted, reference=9.0, labels={"age": "Age (years)"}))
    for expected in ("n = 40 patients", "bends (non-linearity) P = ", "beside arm", "Age (years)", "dot at 9"):
        assert expected in words
    assert "5 events for 3 coefficients" in words


def test_hazard_ratio_curve__says_when_there_is_no_spline():
    with pytest.raises(ParameterError, match="splines: age"):
        hazard_ratio_curve(MODEL, covariate="arm")
    missing = MODEL.copy(deep=True)
    missing["cox_model_coefficient"][:] = np.nan
    assert "not estimated" in said(hazard_ratio_curve(missing))
