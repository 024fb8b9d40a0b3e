"""What the covariates of a Cox model must be like."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from chemores_dask.cohort.outcome import check_outcome
from chemores_dask.cohort.survival.cox_checks import check_design, check_events, check_information
from chemores_dask.cohort.survival.cox_design import model_design
from chemores_dask.errors import InputError, TooFewEventsError


def _design(**columns):
    patients = xr.Dataset({name: ("patient", np.asarray(values, dtype=float)) for name, values in columns.items()})
    return model_design(patients, list(columns), splines={}, caller="test")


def test_check_design__names_what_follows_from_what():
    a, b = np.arange(6.0), np.array([1.0, 0, 2, 5, 1, 1])
    nowhere, two = np.zeros(6, dtype=int), np.array([0, 0, 0, 1, 1, 1])
    check_design(_design(a=a, b=b), nowhere, caller="test")
    with pytest.raises(InputError, match="Constant: c"):
        check_design(_design(a=a, c=np.full(6, 3.0)), nowhere, caller="test")
    with pytest.raises(InputError, match="'c' follows from the strata and a, b"):
        check_design(_design(a=a, b=b, c=2 * a - b + 1e7), nowhere, caller="test")
    with pytest.raises(InputError, match="'c' follows from the strata and a"):
        check_design(_design(a=a, c=a + 4 * two), two, caller="test")


def test_check_events__counts_events_and_terms():
    patients = xr.Dataset({"t": ("patient", [1.0, 2.0, 3.0]), "e": ("patient", [True, True, False])})
    outcome = check_outcome(patients, duration="t", event="e", caller="test")
    check_events(outcome, ["a"], event="e", caller="test")
    with pytest.raises(TooFewEventsError, match=r"Found 2 with 'e' among 3 patients, for 2 coefficients \(a, b\)"):
        check_events(outcome, ["a", "b"], event="e", caller="test")
    with pytest.raises(InputError, match="at least one covariate"):
        check_events(outcome, [], event="e", caller="test")


def test_check_information__names_terms_without_any():
    check_information(np.eye(2), ["a", "b"], events=5.0, caller="test")
    with pytest.raises(InputError, match="Not so: b"):
        check_information(np.diag([1.0, 0.0]), ["a", "b"], events=5.0, caller="test")
    with pytest.raises(InputError, match="Not so: a, b"):
        check_information(np.ones((2, 2)), ["a", "b"], events=5.0, caller="test")
