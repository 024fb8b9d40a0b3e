"""``cv.glmnet(x, Surv(time, event), family = "cox", foldid = fold, lambda = f$lambda[1:20], thresh = 1e-15, grouped = TRUE)``,
glmnet 4.1.6, R 4.2.2: lambda.min 0.1503437, lambda.1se 0.2411090."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dask import delayed

from chemores_dask.cohort.risk_signature import penalty_choice
from chemores_dask.cohort.risk_signature.penalty_choice import (
    ChoiceSettings,
    choose_lazily,
    count_pairs,
    hold_out_lazily,
    with_mixings,
)
from chemores_dask.cohort.risk_signature.penalty_path import PathSettings, PenaltyPath
from chemores_dask.stream import compute
from tests.cohort.risk_signature.risk_cohorts import glmnet_training, risk_cohort, training_of

EXPECTED = Path(__file__).parent / "expected"
SHORT = PathSettings(1.0, 10, 0.1, scaled=True)


def settings(*, rule="minimum", refit="penalized", mixings=(1.0,), folds=4):
    return ChoiceSettings(with_mixings(SHORT, mixings), folds, rule, refit)


def choose(training, chosen, seed=1):
    return compute(choose_lazily(training, delayed(training), chosen, seed=seed, caller="test"))[0]


def test_choose_lazily__equals_cv_glmnet(monkeypatch):
    table = pd.read_csv(EXPECTED / "glmnet_cv.csv")
    fold = pd.read_csv(EXPECTED / "glmnet_input.csv")["fold"].to_numpy()
    monkeypatch.setattr(penalty_choice, "risk_folds", lambda *_, **__: fold)
    path = PathSettings(1.0, 40, None, scaled=True)
    model = choose(glmnet_training(), ChoiceSettings([path], 5, "one_error", "penalized"))
    curve = model.curve
    assert curve.path.penalties[:20] == pytest.approx(table["lambda"].to_numpy(), rel=1e-6)
    assert curve.deviance[:20] == pytest.approx(table["cvm"].to_numpy(), abs=1e-5)
    assert curve.error[:20] == pytest.approx(table["cvsd"].to_numpy(), abs=1e-5)
    assert curve.path.penalties[curve.minimum] == pytest.approx(0.1503437, abs=1e-7)
    assert curve.path.penalties[curve.one_error] == pytest.approx(0.2411090, abs=1e-7)
    assert model.place == curve.one_error


def test_choose_lazily__takes_the_mixing_with_the_lowest_deviance():
    model = choose(training_of(), settings(mixings=(0.1, 1.0)))
    lowest = [curve.deviance.min() for curve in model.curves]
    assert model.number == int(np.argmin(lowest))
    assert np.array_equal(model.coefficients, model.curve.path.coefficients[model.place])


def test_choose_lazily__fits_chosen_genes_again_without_a_penalty():
    training = training_of(covariates=["age"])
    shrunken = choose(training, settings(rule="one_error"))
    free = choose(training, settings(rule="one_error", refit="unpenalized"))
    assert np.array_equal(shrunken.coefficients != 0, free.coefficients != 0)
    assert np.abs(free.coefficients[1:]).sum() > np.abs(shrunken.coefficients[1:]).sum()


def test_choose_lazily__leaves_out_penalties_that_a_fold_did_not_reach():
    path = PenaltyPath(np.array([3.0, 2.0, 1.0]), np.zeros((3, 1)), np.zeros(3), np.zeros(1), np.ones(1))
    parts = [np.array([4.0, 2.0, 1.0]), np.array([6.0, 4.0, np.nan])]
    curve = penalty_choice._curve(path, parts, np.array([1.0, 3.0]))
    assert curve.deviance[:2] == pytest.approx([(4 + 6) / 4, (2 + 4) / 4])
    assert np.isnan(curve.deviance[2])
    assert curve.minimum == 1


def test_hold_out_lazily__judges_patients_by_models_made_without_them():
    training = training_of()
    parts = compute(*hold_out_lazily(training, delayed(training), settings(), folds=4, seed=2, caller="test"))
    assert sum(part.patients for part in parts) == 80
    assert sum(part.events for part in parts) == training.event.sum()
    # Of outcomes that were dealt out anew nothing can be foretold, whatever the training patients say.
    rng = np.random.default_rng(3)
    shares = []
    for _ in range(3):
        order = rng.permutation(80)
        patients = risk_cohort()
        patients["expression"] = ("patient", "gene"), patients["expression"].values[order]
        mixed = training_of(patients)
        found = compute(*hold_out_lazily(mixed, delayed(mixed), settings(), folds=4, seed=2, caller="test"))
        counts = np.sum([part.counts for part in found], axis=0)
        shares.append((counts[0] + counts[2] / 2) / counts.sum())
    assert 0.38 < np.mean(shares) < 0.6
    counts = np.sum([part.counts for part in parts], axis=0)
    assert counts[0] / counts.sum() > 0.7


def test_count_pairs__stay_within_strata():
    training = training_of(strata="site")
    counts, _ = count_pairs(training, np.zeros(80))
    whole, _ = count_pairs(training_of(), np.zeros(80))
    assert counts[:2].sum() == 0
    assert 0 < counts[2] < whole[2] / 3


def test_choose_lazily__passes_over_penalties_that_foretell_a_fold_infinitely_badly(monkeypatch):
    # Coefficients that explode at small penalties give infinite deviances: no warning, and never the minimum.
    found = penalty_choice.left_out_deviance

    def exploding(training, left_out, path, penalties):
        deviances = found(training, left_out, path, penalties)
        return np.where(np.arange(penalties.size) > 5, np.inf, deviances)

    monkeypatch.setattr(penalty_choice, "left_out_deviance", exploding)
    curve = choose(training_of(risk_cohort()), settings()).curve
    assert curve.minimum <= 5
    assert np.isinf(curve.deviance[6:]).all()
    assert np.isnan(curve.error[6:]).all()
    assert np.isfinite(curve.error[:6]).all()
