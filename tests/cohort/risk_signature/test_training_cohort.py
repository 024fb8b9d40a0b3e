from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.cohort.risk_signature.training_cohort import cox_deviance, standardize_columns
from chemores_dask.errors import InputError, TooFewEventsError
from tests.cohort.risk_signature.risk_cohorts import risk_cohort, training_of


def test_read_training__does_not_depend_on_the_order_of_patients_or_genes():
    first = training_of()
    second = training_of(risk_cohort().isel(patient=np.arange(80)[::-1], gene=np.arange(12)[::-1]))
    assert first.patients.tolist() == second.patients.tolist()
    assert np.array_equal(first.columns, second.columns)


def test_read_training__takes_genes_by_patients_and_puts_covariates_first():
    training = training_of(risk_cohort().transpose("gene", "patient"), covariates=["age", "site"])
    assert training.terms == ("age", "site[S1]", "site[S2]", "site[S3]")
    assert training.columns.shape == (16, 80)
    assert training.factor.tolist() == [0.0] * 4 + [1.0] * 12


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e200])
def test_read_training__names_genes_and_patients_whose_expression_is_impossible(value):
    patients = risk_cohort()
    patients["expression"][3, 2] = value
    with pytest.raises(InputError, match=r"G02 in the patients P003"):
        training_of(patients)


def test_read_training__refuses_few_events():
    patients = risk_cohort()
    patients["event"] = ("patient", np.arange(80) < 4)
    with pytest.raises(TooFewEventsError, match=r"at least 5 events\. Found 4"):
        training_of(patients)


def test_read_training__refuses_genes_that_occur_twice_and_cohorts_that_are_unknown():
    patients = risk_cohort()
    with pytest.raises(InputError, match="more than once: G00"):
        training_of(patients.assign_coords(gene=["G00", "G00", *[f"G{n:02d}" for n in range(2, 12)]]))
    patients["site"][5] = ""
    with pytest.raises(InputError, match="P005"):
        training_of(patients, cohort="site")


def test_read_training__refuses_a_cohort_that_is_the_same_for_all():
    patients = risk_cohort().assign(site=("patient", np.full(80, "S1", dtype=object)))
    with pytest.raises(InputError, match=r"needs two or more. 'site' is 'S1' for all 80 patients"):
        training_of(patients, cohort="site")


def test_read_training__refuses_factors_that_are_negative():
    patients = risk_cohort().assign(factor=("gene", np.where(np.arange(12) == 3, -1.0, 1.0)))
    with pytest.raises(InputError, match="G03"):
        training_of(patients, factor="factor")


def test_standardize_columns__leaves_constant_genes_out():
    patients = risk_cohort()
    patients["expression"][:, 4] = 1e7
    cohort = standardize_columns(training_of(patients), mixing=1.0, scaled=True)
    assert np.isinf(cohort.cox.factor).tolist() == [number == 4 for number in range(12)]
    varying = np.arange(12) != 4
    assert cohort.cox.columns[varying].mean(axis=1) == pytest.approx(0, abs=1e-12)
    assert cohort.cox.columns[varying].std(axis=1) == pytest.approx(1)


def test_cox_deviance__is_0_for_a_saturated_model():
    training = training_of()
    null = cox_deviance(training, np.zeros(80))
    assert null > cox_deviance(training, (training.columns[0] - training.columns[1]) / 1.5) > 0
    single = training.part(np.flatnonzero(training.event)[:1])
    assert cox_deviance(single, np.zeros(1)) == pytest.approx(0)
