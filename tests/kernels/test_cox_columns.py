"""One model per gene: twins, the general kernel, missing values, interactions, hopeless genes."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.kernels import cox, cox_columns
from chemores_dask.kernels.cox import fit_cox, risk_order, standardize
from chemores_dask.kernels.cox_columns import ESTIMATES, GeneModel, scan_genes
from chemores_dask.kernels.cox_robust import robust_covariance

PATIENTS = 50
NOBODY = np.full(PATIENTS, -np.inf)


def _model(*, covariates=0, late=False, weighted=False, interaction=False, cluster=False, steps=50, efron=True):
    rng = np.random.default_rng(7)
    duration = rng.integers(3, 15, PATIENTS).astype(float)
    entry = np.minimum(rng.integers(0, 9, PATIENTS), duration - 1) if late else NOBODY
    weight = rng.uniform(0.5, 2, PATIENTS) if weighted else None
    order, risk = risk_order(duration, rng.random(PATIENTS) < 0.7, entry, np.zeros(PATIENTS), weight)
    beside = rng.normal(size=(PATIENTS, covariates))
    if interaction:
        beside = np.column_stack([beside, rng.integers(0, 2, PATIENTS)])
    scaled, center, spread = standardize(beside)
    none = np.zeros(0)
    return GeneModel(
        order,
        risk,
        np.ascontiguousarray(scaled[order]),
        -center[-1:] / spread[-1:] if interaction else none,
        1 / spread[-1:] if interaction else none,
        rng.integers(0, 9, PATIENTS) if cluster else np.zeros(0, dtype=np.int64),
        efron,
        steps,
    ), beside


def _genes(genes=6):
    return np.random.default_rng(2).normal(size=(genes, PATIENTS))


def _named(found):
    assert tuple(found[0]) == ESTIMATES
    return found[0]


def _table(found):
    return np.column_stack([*found[0].values(), found[1], *found[2]])


SETTINGS = [
    {},
    {"weighted": True, "cluster": True},
    {"late": True, "cluster": True},
    {"covariates": 2, "weighted": True},
    {"covariates": 1, "interaction": True, "cluster": True, "efron": False},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_scan_genes__is_the_same_compiled_and_plain(settings, monkeypatch):
    model, _ = _model(**settings)
    matrix = _genes(3)
    matrix[1, 3] = np.nan
    matrix[2] = model.risk.duration[np.argsort(model.order)] == model.risk.duration.max()
    compiled = _table(scan_genes(matrix, model))
    for name in ("scan_alone", "scan_beside", "robust_genes", "firth_genes"):
        monkeypatch.setattr(cox_columns, name, getattr(cox_columns, name).python)
    np.testing.assert_allclose(compiled, _table(scan_genes(matrix, model)), rtol=1e-8)


@pytest.mark.parametrize("settings", SETTINGS)
def test_scan_genes__leaves_out_patients_without_a_value(settings):
    model, beside = _model(**settings)
    matrix = _genes(2)
    missing = np.isin(np.arange(PATIENTS), [0, 5, 17])
    matrix[:, missing] = np.nan
    found = scan_genes(matrix, model)
    back = np.argsort(model.order)
    kept = ~missing
    risk = model.risk
    order, small = risk_order(
        *(column[back][kept] for column in (risk.duration, risk.event, risk.entry)),
        np.zeros(kept.sum()),
        risk.weight[back][kept],
    )
    scaled, center, spread = standardize(beside[kept])
    fewer = model._replace(order=order, risk=small, covariates=np.ascontiguousarray(scaled[order]))
    if model.cluster.size:
        fewer = fewer._replace(cluster=model.cluster[back][kept][order])
    if model.zero.size:
        fewer = fewer._replace(zero=-center[-1:] / spread[-1:], unit=1 / spread[-1:])
    expected = scan_genes(np.ascontiguousarray(matrix[:, kept]), fewer)
    np.testing.assert_allclose(_table(found)[:, :-2], _table(expected)[:, :-2], rtol=1e-7)
    assert found[2][0].tolist() == [PATIENTS - 3] * 2
    assert found[2][1].tolist() == [small.event.sum()] * 2


@pytest.mark.parametrize("late", [False, True])
def test_scan_genes__gives_the_interaction_per_unit(late):
    model, beside = _model(covariates=1, interaction=True, late=late, cluster=True, weighted=True)
    gene = _genes(1)[0] * 3 + 5
    found = _named(scan_genes(gene[None], model))
    plain = np.column_stack([beside, gene, gene * beside[:, -1]])
    scaled, _, spread = standardize(plain)
    b, covariance, log_likelihood, _, status = fit_cox(scaled[model.order].copy(), model.risk, True, np.zeros(4), 50)
    robust = robust_covariance(b, scaled[model.order].copy(), model.risk, True, covariance, model.cluster)
    assert status == cox.OK
    assert found["log_likelihood"][0] == pytest.approx(log_likelihood, rel=1e-12)
    for name, j in (("", 2), ("interaction_", 3)):
        value = found[f"{name}coefficient"][0]
        assert value == pytest.approx(b[j] / spread[j], rel=1e-8)
        assert found[f"{name}error"][0] == pytest.approx(covariance[j, j] ** 0.5 / spread[j], rel=1e-8)
        assert found[f"{name}robust_error"][0] == pytest.approx(robust[j, j] ** 0.5 / spread[j], rel=1e-8)
    assert found["without"][0] < found["main"][0] < log_likelihood


@pytest.mark.parametrize("covariates", [0, 2])
def test_scan_genes__gives_hopeless_genes_a_status(covariates):
    model, beside = _model(covariates=covariates)
    matrix = _genes()
    matrix[0] = 0.1 + 0.2
    matrix[1, 4] = np.inf
    matrix[2] = np.nan
    matrix[3] = beside[:, 0] * 3 + 1 if covariates else matrix[5] * 1e-120
    matrix[4, :] = -1e101
    estimates, status, _ = scan_genes(matrix, model)
    follows = cox.COLLINEAR if covariates else cox.CONSTANT
    assert status.tolist() == [cox.CONSTANT, cox.INFINITE, cox.TOO_FEW_EVENTS, follows, cox.INFINITE, cox.OK]
    for name in ("coefficient", "error"):
        assert np.isfinite(estimates[name]).tolist() == [False] * 5 + [True]


@pytest.mark.parametrize("settings", [{}, {"covariates": 1}, {"late": True}, {"covariates": 1, "interaction": True}])
def test_scan_genes__gives_separated_genes_an_estimate_by_firth(settings):
    model, _ = _model(**settings)
    last = model.risk.event & (model.risk.duration == model.risk.duration.max())
    model = model._replace(risk=model.risk._replace(event=model.risk.event & ~last))
    gene = (model.risk.duration == model.risk.duration.max())[np.argsort(model.order)].astype(float)
    order, risk = risk_order(model.risk.duration, model.risk.event, model.risk.entry, np.zeros(PATIENTS))
    model = model._replace(order=model.order[order], risk=risk, covariates=model.covariates[order].copy())
    estimates, status, _ = scan_genes(gene[None], model)
    found = {name: estimates[name][0] for name in ESTIMATES}
    assert status[0] == cox.SEPARATED
    assert np.isnan(found["coefficient"])
    assert -20 < found["firth_coefficient"] < 0
    assert 0 < found["firth_error"] < 20
    assert found["firth_ratio"] > 0
    assert found["log_likelihood"] > found["without"]
    assert found["score"] > 0


def test_scan_genes__does_not_care_for_shift_and_scale():
    model, _ = _model()
    matrix = _genes()
    plain, shifted = _named(scan_genes(matrix, model)), _named(scan_genes(matrix * 1e-5 + 1e2, model))
    for name in ("coefficient", "error"):
        np.testing.assert_allclose(shifted[name] * 1e-5, plain[name], rtol=1e-6)


def test_scan_genes__says_when_the_steps_were_too_few():
    for settings in ({}, {"covariates": 1}):
        model, _ = _model(**settings)
        assert scan_genes(_genes(1), model._replace(max_iterations=1))[1].tolist() == [cox.NOT_CONVERGED]
