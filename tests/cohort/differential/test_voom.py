"""Voom on tables in memory; ``test_differential_expression`` holds it against limma."""

from __future__ import annotations

import numpy as np

from chemores_dask.cohort.design_formula import design_of
from chemores_dask.cohort.differential.model_design import model_design
from chemores_dask.cohort.differential.voom import patient_directions, voom_tests
from tests.cohort.differential.simulated_samples import paired


def _model(data):
    table = data[["patient", "stage"]].to_dataframe()[["patient", "stage"]]
    design = design_of(table, "~ patient + stage", caller="test")
    return model_design(design, table["patient"].to_numpy(), "stage[T.relapse]", caller="test")


def test_voom_tests__find_the_effects_that_were_planted():
    data = paired(patients=20, genes=300, effect=1.0, seed=3)
    counts = data["pseudobulk_count"].values
    tests = voom_tests(counts, counts.sum(axis=1).astype(float), _model(data), robust=False)
    assert (tests.p_value[:30] < 0.01).mean() > 0.9
    assert (tests.p_value[30:] < 0.01).mean() < 0.04
    assert np.abs(np.abs(tests.log_fold_change[:30]) - 1).mean() < 0.25


def test_voom_tests__do_not_depend_on_the_order_of_samples_or_genes():
    data = paired(patients=5, genes=50)
    counts = data["pseudobulk_count"].values
    library = counts.sum(axis=1).astype(float)
    whole = voom_tests(counts, library, _model(data), robust=False)
    rng = np.random.default_rng(1)
    samples, genes = rng.permutation(10), rng.permutation(50)
    turned = voom_tests(counts[samples][:, genes], library[samples], _model(data.isel(sample=samples)), robust=False)
    np.testing.assert_allclose(turned.statistic, whole.statistic[genes], rtol=1e-8)


def test_patient_directions__add_up_to_the_patients():
    data = paired(patients=5, genes=50, mean=500)
    counts = data["pseudobulk_count"].values
    up, down = patient_directions(counts, counts.sum(axis=1).astype(float), _model(data))
    assert (up + down <= 5).all()
    assert (up + down == 5).mean() > 0.9
