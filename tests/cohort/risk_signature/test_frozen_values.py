from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.cohort.risk_signature.frozen_values import cutoff_values, frozen_values, held_out_values, path_values
from chemores_dask.cohort.risk_signature.penalty_choice import ChosenModel, HeldOut, PenaltyCurve
from chemores_dask.cohort.risk_signature.penalty_path import PenaltyPath
from tests.cohort.risk_signature.risk_cohorts import training_of


@pytest.fixture
def model():
    training = training_of()
    coefficients = np.zeros((2, 12))
    coefficients[1, [0, 3]] = 0.5, -0.25
    deviation = training.columns.std(axis=1)
    path = PenaltyPath(
        np.array([2.0, 1.0]), coefficients, np.array([0.0, 0.2]), training.columns.mean(axis=1), deviation
    )
    curve = PenaltyCurve(path, np.array([5.0, 4.0]), np.array([0.1, 0.1]), 1, 1)
    return ChosenModel((curve,), 0, 1, coefficients[1])


def test_frozen_values__hold_the_genes_with_a_weight(model):
    training = training_of()
    values, genes = frozen_values(training, model)
    assert genes.tolist() == ["G00", "G03"]
    assert values["risk_signature_weight"] == pytest.approx([0.5, -0.25] * training.columns[[0, 3]].std(axis=1))
    assert values["risk_signature_center"] == pytest.approx(training.columns[[0, 3]].mean(axis=1))


def test_path_values__hold_the_genes_that_enter(model):
    values, genes = path_values(training_of(), model, [1.0])
    assert genes.tolist() == ["G00", "G03"]
    assert values["risk_signature_path_genes"].tolist() == [0, 2]
    assert values["risk_signature_chosen_lambda"] == 1.0


def test_cutoff_values__say_the_score_at_the_cut(model):
    training = training_of()
    score = np.array([0.5, -0.25]) @ (training.columns[[0, 3]] - training.columns[[0, 3]].mean(axis=1, keepdims=True))
    quantile, times = cutoff_values(training, model, scale="quantile", cutoff=0.75)
    z, _ = cutoff_values(training, model, scale="zscore", cutoff=1.0)
    assert quantile["risk_signature_cutoff_score"] == pytest.approx(np.quantile(score, 0.75))
    assert z["risk_signature_cutoff_score"] == pytest.approx(score.std())
    assert times.tolist() == np.unique(training.duration[training.event]).tolist()
    assert (np.diff(quantile["risk_signature_baseline_hazard"]) > 0).all()


def test_held_out_values__pool_pairs_over_folds():
    parts = [
        HeldOut(np.array([3.0, 1.0, 0.0]), np.zeros((4, 3)), 9.0, 10.0, 4, 2, 1, 1.0, 0.1),
        HeldOut(np.array([1.0, 1.0, 2.0]), np.zeros((4, 3)), 9.0, 10.0, 4, 2, 1, 1.0, 0.1),
    ]
    values = held_out_values(parts)
    assert values["risk_signature_outer_concordance"].tolist() == [0.75, 0.5]
    assert values["risk_signature_concordance"] == pytest.approx(5 / 8)
    assert values["risk_signature_held_out_deviance_ratio"] == pytest.approx(0.1)
