"""The picture of predicted survival."""

from __future__ import annotations

import numpy as np

from chemores_dask.cohort.survival.cox_models import cox_model
from chemores_dask.cohort.survival.cox_prediction import cox_prediction
from chemores_dask.figures.predicted_survival import predicted_survival
from chemores_dask.testing.nouns import tiny_patients
from tests.figures.drawn import by_name, said

PATIENTS = tiny_patients()
MODEL = cox_model(PATIENTS, duration="months", event="event", covariates=["age"])


def _drawn(rows):
    return cox_prediction(PATIENTS.isel(patient=rows), model=MODEL, times=[5.0, 10.0])


def test_predicted_survival__draws_curves_from_one():
    prediction = _drawn([3, 9])
    figure = predicted_survival(prediction, labels={"P03": "the first"})
    curves = by_name(figure, "curve")
    drawn = sorted(tuple(curve.get_ydata()) for curve in curves)
    expected = sorted((1.0, *row) for row in prediction["cox_prediction_survival"].values)
    np.testing.assert_allclose(drawn, expected)
    words = said(figure)
    for text in ("n = 40 patients", "events", "95% limits", "the first", "P09", "Time (months)"):
        assert text in words


def test_predicted_survival__of_many_shows_the_range_of_risks():
    prediction = _drawn(np.arange(40))
    figure = predicted_survival(prediction)
    curves = by_name(figure, "curve")
    assert len(curves) == 8
    ends = [curve.get_ydata()[-1] for curve in curves]
    assert ends == sorted(ends, reverse=True)
    lowest, highest = (
        float(part)
        for part in (
            prediction["cox_prediction_survival"][:, 1].max(),
            prediction["cox_prediction_survival"][:, 1].min(),
        )
    )
    assert (ends[0], ends[-1]) == (lowest, highest)
    words = said(figure)
    assert "Shown are 8" in words
    assert "95% limits" not in words


def test_predicted_survival__leaves_out_what_lies_beyond_the_follow_up():
    far = cox_prediction(PATIENTS.isel(patient=[0]), model=MODEL, times=[5.0, 1e4])
    (curve,) = by_name(predicted_survival(far), "curve")
    assert np.isnan(curve.get_ydata()[-1])
    assert "no patients" in said(predicted_survival(far.isel(patient=[])))
