"""Who is used, and why others are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from chemores_dask.cohort.risk_signature.scored_cohort import REASONS, known_outcomes, score_cohort
from chemores_dask.errors import InputError, MissingVariableError, TooFewEventsError


def patients_of(event, months=(5.0, 1.0, 2.0, 8.0, 9.0)):
    return xr.Dataset(
        {"months": ("patient", list(months)), "event": ("patient", event)}, coords={"patient": list("edcba")}
    )


def scored(patients, risk, unscored=(1, 1, 2, 3, 3), landmark=0.0):
    return score_cohort(
        patients,
        np.array(risk, dtype=float),
        np.array(unscored),
        duration="months",
        event="event",
        landmark=landmark,
        caller="validate_risk",
    )


def test_score_cohort__puts_patients_in_order_of_names():
    found = scored(patients_of([1, 0, 1, 1, 0]), [1, 2, 3, 4, 5])
    assert found.patients.tolist() == list("abcde")
    assert found.risk.tolist() == [5, 4, 3, 2, 1]
    assert found.duration.tolist() == [9, 8, 2, 1, 5]
    assert found.rows.tolist() == [4, 3, 2, 1, 0]
    assert found.flow.tolist() == [5, 0, 0, 0, 0, 0, 0, 5]
    assert found.flow_events[-1] == 3


def test_score_cohort__counts_each_patient_by_the_first_reason():
    event = [1.0, np.nan, 1.0, 1.0, 1.0]
    found = scored(patients_of(event), [np.nan, np.nan, 3, 4, 5], landmark=2.0)
    flow = dict(zip(REASONS, found.flow.tolist(), strict=True))
    assert flow["without any expression"] == 2
    assert flow["without a known outcome"] == 0
    assert flow["with an event by the landmark"] == 1
    assert flow["used"] == 2
    assert sum(found.flow[1:]) == found.flow[0]


def test_score_cohort__says_why_nobody_is_left():
    with pytest.raises(TooFewEventsError, match=r"Found 1 among 1 of 5 patients \(4 without any expression"):
        scored(patients_of([1, 0, 1, 1, 0]), [1, np.nan, np.nan, np.nan, np.nan], unscored=(1,) * 5)
    with pytest.raises(InputError, match="infinite for: d"):
        scored(patients_of([1, 0, 1, 1, 0]), [1, np.inf, 3, 4, 5])


@pytest.mark.parametrize(
    "event",
    [[1, 0, None, 1, 0], pd.array([True, False, None, True, False], dtype="boolean"), [1.0, 0.0, np.nan, 1.0, 0.0]],
)
def test_known_outcomes__finds_what_is_missing(event):
    event = np.array(event, dtype=object) if isinstance(event, list) else event
    patients = patients_of(event)
    found = known_outcomes(patients, "months", "event", caller="x")
    assert found.tolist() == [True, True, False, True, True]
    with pytest.raises(MissingVariableError, match="'died'"):
        known_outcomes(patients, "months", "died", caller="x")
