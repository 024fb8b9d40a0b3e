from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.cohort.risk_signature.risk_folds import risk_folds
from chemores_dask.errors import ParameterError, TooFewEventsError
from tests.cohort.risk_signature.risk_cohorts import risk_cohort, training_of


def test_risk_folds__have_events_and_patients_alike():
    training = training_of()
    fold = risk_folds(training, folds=7, seed=3, caller="test")
    events = np.bincount(fold, weights=training.event)[1:]
    assert np.ptp(np.bincount(fold)[1:]) <= 1
    assert np.ptp(events) <= 1


def test_risk_folds__belong_to_names_and_seed():
    whole = training_of()
    fold = dict(zip(whole.patients, risk_folds(whole, folds=4, seed=3, caller="test"), strict=True))
    turned = training_of(risk_cohort().isel(patient=np.arange(80)[::-1]))
    assert fold == dict(zip(turned.patients, risk_folds(turned, folds=4, seed=3, caller="test"), strict=True))
    assert fold != dict(zip(whole.patients, risk_folds(whole, folds=4, seed=4, caller="test"), strict=True))


def test_risk_folds__keep_cohorts_whole_and_balance_their_events():
    patients = risk_cohort()
    patients["site"] = ("patient", np.repeat(["A", "B", "C", "D", "E"], [30, 20, 10, 10, 10]).astype(object))
    training = training_of(patients, cohort="site")
    fold = risk_folds(training, folds=3, seed=1, caller="test")
    assert all(np.unique(fold[training.cohort == label]).size == 1 for label in "ABCDE")
    assert np.unique(fold).tolist() == [1, 2, 3]
    assert risk_folds(training, folds=10, seed=1, caller="test").max() == 5


def test_risk_folds__refuse_a_fold_without_events():
    patients = risk_cohort()
    patients["event"] = ("patient", np.isin(np.arange(80), range(6)))
    with pytest.raises(TooFewEventsError, match="6 events in 80 patients, 2 of 8 folds have none"):
        risk_folds(training_of(patients), folds=8, seed=1, caller="test")
    patients["site"] = ("patient", np.where(np.arange(80) < 40, "with", "without").astype(object))
    with pytest.raises(TooFewEventsError, match="cohorts without"):
        risk_folds(training_of(patients, cohort="site"), folds=2, seed=1, caller="test")
    with pytest.raises(ParameterError, match="folds"):
        risk_folds(training_of(), folds=1, seed=1, caller="test")
