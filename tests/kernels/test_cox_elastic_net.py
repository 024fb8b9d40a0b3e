from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from chemores_dask.cohort.risk_signature.penalty_path import TOLERANCE
from chemores_dask.kernels import cox_elastic_net
from chemores_dask.kernels.cox_elastic_net import (
    ENOUGH_GENES,
    PATH_NOT_CONVERGED,
    PATH_OK,
    SATURATED,
    descend_path,
    fit_unpenalized,
)
from chemores_dask.kernels.penalized_cox import PenalizedCox, breslow_residuals, gene_slopes, order_of_risk
from tests.kernels.penalized_models import likelihood, made


@pytest.fixture(params=["compiled", "python"])
def plain(request, monkeypatch):
    """Every kernel of the module compiled, or as plain Python all the way down."""
    if request.param == "python":
        for name in dir(cox_elastic_net):
            if hasattr(getattr(cox_elastic_net, name), "python"):
                monkeypatch.setattr(cox_elastic_net, name, getattr(cox_elastic_net, name).python)
    return cox_elastic_net


def null_limits(cox):
    zeros = np.zeros(cox.event.size)
    null = breslow_residuals(zeros, cox.event, cox.starts, cox.opens, zeros.copy(), zeros.copy())
    deaths = np.add.reduceat(cox.event.astype(float), cox.starts[:-1])
    return null, -float(np.sum(deaths[deaths > 0] * np.log(deaths[deaths > 0])))


def sequence(cox, penalties=20, ratio=0.05):
    residual = np.zeros(cox.event.size)
    breslow_residuals(np.zeros(cox.event.size), cox.event, cox.starts, cox.opens, residual, residual.copy())
    first = np.abs(gene_slopes(cox.columns, residual)).max() / max(cox.mixing, 1e-3)
    return first * ratio ** (np.arange(penalties) / (penalties - 1))


def wrongness(cox, b, penalty):
    """How far the slopes at ``b`` are from what a minimum asks for, by differences of the likelihood."""
    n, step = cox.event.size, 1e-5
    unit = np.eye(b.size) * step
    slope = np.array([(likelihood(cox, b + u) - likelihood(cox, b - u)) / (2 * step * n) for u in unit])
    slope -= penalty * (1 - cox.mixing) * cox.factor * b
    edge = penalty * cox.mixing * cox.factor
    return np.where(b != 0, np.abs(slope - edge * np.sign(b)), np.maximum(np.abs(slope) - edge, 0)).max()


@pytest.mark.parametrize(("mixing", "strata"), [(1.0, 1), (0.5, 2), (0.0, 1)])
def test_descend_path__meets_the_conditions_of_a_minimum(mixing, strata):
    cox = made(1, mixing=mixing, strata=strata)
    penalties = sequence(cox)
    found, log_likelihoods, ended = descend_path(
        cox, penalties, null_limits(cox), tolerance=1e-12, most_rounds=10_000, most_genes=99, stop_early=False
    )
    assert (len(found), ended) == (20, PATH_OK)
    for k in (0, 7, 19):
        assert wrongness(cox, found[k], penalties[k]) < 2e-6 * max(1.0, penalties[k])
        assert log_likelihoods[k] == pytest.approx(likelihood(cox, found[k]), abs=1e-9)


def test_descend_path__is_the_same_in_plain_python(plain):
    cox = made(2, patients=40, genes=8, mixing=0.8)
    penalties = sequence(cox, 6, 0.1)
    found = plain.descend_path(
        cox, penalties, null_limits(cox), tolerance=1e-10, most_rounds=1000, most_genes=99, stop_early=False
    )
    again = descend_path(
        cox, penalties, null_limits(cox), tolerance=1e-10, most_rounds=1000, most_genes=99, stop_early=False
    )
    assert np.allclose(found[0], again[0], atol=1e-9)
    assert found[2] == again[2]


@pytest.mark.parametrize("seed", range(3))
def test_descend_path__loses_no_gene_where_there_are_more_genes_than_patients(seed):
    cox = made(seed, patients=30, genes=80)
    penalties = sequence(cox, 15, 0.1)
    found = descend_path(
        cox, penalties, null_limits(cox), tolerance=1e-12, most_rounds=10_000, most_genes=999, stop_early=False
    )[0]
    assert max(wrongness(cox, b, penalty) for b, penalty in zip(found, penalties, strict=True)) < 1e-6


def test_descend_path__leaves_free_columns_in_and_infinite_ones_out():
    cox = made(3)
    cox = cox._replace(factor=np.where(np.arange(15) == 14, 0.0, np.where(np.arange(15) == 0, np.inf, 1.0)))
    found = descend_path(
        cox, np.array([1.0, 0.01]), null_limits(cox), tolerance=1e-10, most_rounds=1000, most_genes=99, stop_early=False
    )[0]
    assert np.flatnonzero(found[0]).tolist() == [14]
    assert (found[:, 0] == 0).all()
    assert np.count_nonzero(found[1]) > 1
    state, _, converged = fit_unpenalized(cox, 1e-12, 1000)
    assert converged
    assert state.b[14] == pytest.approx(found[0, 14], abs=1e-6)


def test_descend_path__splits_twins_by_ridge_and_takes_either_by_lasso():
    cox = made(4, genes=6)
    columns = np.concatenate([cox.columns, cox.columns[:1]])
    twins = cox._replace(columns=columns, factor=np.ones(7))
    penalty = np.array([0.05])
    lasso = descend_path(
        twins, penalty, null_limits(cox), tolerance=1e-14, most_rounds=10_000, most_genes=99, stop_early=False
    )[0][0]
    alone = descend_path(
        cox, penalty, null_limits(cox), tolerance=1e-14, most_rounds=10_000, most_genes=99, stop_early=False
    )[0][0]
    assert lasso[0] + lasso[6] == pytest.approx(alone[0], abs=1e-6)
    both = descend_path(
        twins._replace(mixing=0.5),
        penalty,
        null_limits(cox),
        tolerance=1e-14,
        most_rounds=10_000,
        most_genes=99,
        stop_early=False,
    )[0][0]
    assert both[0] == pytest.approx(both[6], abs=1e-5)


def test_descend_path__stops_with_enough_genes_and_when_nothing_is_left():
    cox = made(5)
    found, _, ended = descend_path(
        cox, sequence(cox, 30, 1e-3), null_limits(cox), tolerance=1e-9, most_rounds=1000, most_genes=3, stop_early=False
    )
    assert ended == ENOUGH_GENES
    assert np.count_nonzero(found[-1]) >= 3
    assert np.count_nonzero(found[-2]) < 3
    found, _, ended = descend_path(
        cox,
        sequence(cox, 100, 1e-6),
        null_limits(cox),
        tolerance=1e-9,
        most_rounds=1000,
        most_genes=99,
        stop_early=True,
    )
    assert ended == SATURATED
    assert len(found) < 100


def test_descend_path__says_where_it_does_not_converge():
    cox = made(6)
    found, _, ended = descend_path(
        cox, sequence(cox), null_limits(cox), tolerance=0.0, most_rounds=2, most_genes=99, stop_early=False
    )
    assert ended == PATH_NOT_CONVERGED
    assert len(found) < 20


def test_descend_path__stays_finite_for_a_gene_that_separates():
    cox = made(7, genes=3)
    rank = np.linspace(-1.7, 1.7, 60)  # later rows die earlier
    cox = cox._replace(columns=np.concatenate([cox.columns, rank[None]]), factor=np.ones(4))
    found, _, _ = descend_path(
        cox,
        sequence(cox, 20, 0.01),
        null_limits(cox),
        tolerance=1e-9,
        most_rounds=10_000,
        most_genes=99,
        stop_early=False,
    )
    assert len(found) == 20
    assert np.isfinite(found).all()
    assert found[-1, 3] > 1


def read_reference(folder):
    fits = json.loads((folder / "glmnet_cox.json").read_text())["fits"]
    table = pd.read_csv(folder / "scan_expression.csv.gz", index_col=0)
    clinical = pd.read_csv(folder / "scan_clinical.csv")
    return fits, table, clinical


@pytest.mark.parametrize("number", range(6))
def test_descend_path__equals_glmnet(reference_folder, number):
    fits, table, clinical = read_reference(reference_folder / "reference" / "survival")
    fit = fits[number]
    genes = [f"G{gene:04d}" for gene in range(101, 301)]
    x = (table if "G0101" in table.columns else table.T)[genes].to_numpy().T
    order, starts, opens = order_of_risk(clinical["time"].to_numpy(), np.zeros(len(clinical)))
    columns = x[:, order] - x.mean(axis=1, keepdims=True)
    scale = columns.std(axis=1, keepdims=True) if fit["standardize"] else np.ones((len(genes), 1))
    event = clinical["event"].to_numpy()[order] == 1
    cox = PenalizedCox(np.ascontiguousarray(columns / scale), event, starts, opens, np.ones(len(genes)), fit["alpha"])
    penalties = np.array(fit["lambda_path"])
    assert sequence(cox)[0] == pytest.approx(penalties[0], rel=1e-9)
    null, saturated = null_limits(cox)
    found, log_likelihoods, _ = descend_path(
        cox, penalties, (null, saturated), tolerance=TOLERANCE, most_rounds=100_000, most_genes=999, stop_early=False
    )
    assert len(found) == penalties.size
    for at in fit["at"]:
        place = int(np.argmin(np.abs(penalties - at["lambda"])))
        expected = pd.Series(at["coef"], index=at["genes"]).reindex(genes, fill_value=0.0).to_numpy()
        assert np.abs(found[place] / scale[:, 0] - expected).max() < 1e-5
        ratio = (log_likelihoods[place] - null) / (saturated - null)
        assert ratio == pytest.approx(at["dev_ratio"], abs=1e-6)
