"""The proportional odds model against statsmodels and the logistic model; with R in tests of the analysis."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from statsmodels.miscmodels.ordinal_model import OrderedModel

from chemores_dask.kernels.logistic import fit_logistic
from chemores_dask.kernels.newton import OK, SEPARATED
from chemores_dask.kernels.proportional_odds import fit_proportional_odds, parallel_test


def simulated(patients=300, *, seed=0, levels=4):
    generator = np.random.default_rng(seed)
    matrix = generator.normal(size=(patients, 2)) * [1, 100] + [5, 3]
    hidden = 0.8 * matrix[:, 0] + generator.logistic(size=patients)
    return matrix, np.digitize(hidden, np.quantile(hidden, np.linspace(0, 1, levels + 1)[1:-1]))


def test_fit_proportional_odds__equals_statsmodels():
    matrix, codes = simulated()
    found = fit_proportional_odds(matrix, codes)
    model = OrderedModel(codes, matrix / [1, 100], distr="logit")
    expected = model.fit(method="bfgs", disp=False, gtol=1e-9, maxiter=2000)
    assert found.status == OK
    assert found.coefficients * [1, 100] == pytest.approx(expected.params[:2], abs=1e-7)
    assert found.log_likelihood == pytest.approx(expected.llf, rel=1e-12)
    assert np.sqrt(np.diag(found.covariance))[3:] * [1, 100] == pytest.approx(expected.bse[:2], rel=1e-5)
    assert found.thresholds == pytest.approx(model.transform_threshold_params(expected.params)[1:-1], abs=1e-6)


def test_fit_proportional_odds__of_two_levels_is_logistic():
    matrix, codes = simulated(levels=2)
    found, logistic = fit_proportional_odds(matrix, codes), fit_logistic(matrix, codes == 1)
    assert found.coefficients == pytest.approx(logistic.coefficients[1:], rel=1e-9)
    assert found.thresholds[0] == pytest.approx(-logistic.coefficients[0], rel=1e-9)
    assert found.log_likelihood == pytest.approx(logistic.log_likelihood, rel=1e-12)
    assert parallel_test(matrix, codes) is None


def test_fit_proportional_odds__has_the_likelihood_of_its_probabilities():
    matrix, codes = simulated(60)
    found = fit_proportional_odds(matrix, codes)
    upto = expit(np.append(found.thresholds, np.inf)[None, :] - (matrix @ found.coefficients)[:, None])
    chances = np.diff(upto, axis=1, prepend=0.0)[np.arange(60), codes]
    assert found.log_likelihood == pytest.approx(np.log(chances).sum(), rel=1e-10)
    shares = np.bincount(codes) / 60
    assert found.null == pytest.approx(60 * (shares * np.log(shares)).sum())


def test_fit_proportional_odds__says_that_a_covariate_separates():
    found = fit_proportional_odds(np.arange(9.0)[:, None], np.repeat([0, 1, 2], 3))
    assert found.status == SEPARATED
    assert found.runaway.all()
    assert found.log_likelihood == pytest.approx(0, abs=1e-6)
    assert parallel_test(np.arange(9.0)[:, None], np.repeat([0, 1, 2], 3)) is None


def test_parallel_test__holds_its_level_and_finds_what_differs():
    rejected = 0
    for seed in range(200):
        found = parallel_test(*simulated(300, seed=seed, levels=3))
        assert found.degrees == 2
        rejected += found.p_value < 0.05
    assert 2 <= rejected <= 20
    # The covariate parts the first level from the others, and does nothing beyond.
    generator = np.random.default_rng(1)
    x = generator.normal(size=(400, 1))
    codes = np.where(generator.random(400) < expit(2 * x[:, 0]), 1 + generator.integers(0, 2, 400), 0)
    found = parallel_test(x, codes)
    assert found.p_value < 1e-4
    assert found.term_p_values[0] == pytest.approx(found.p_value)
