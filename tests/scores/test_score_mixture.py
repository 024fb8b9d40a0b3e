"""Two Gaussians: against scikit-learn on the scores themselves, and an honest no where there is one group."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from chemores_dask.errors import InputError, ParameterError, SmallSampleWarning
from chemores_dask.scores.score_mixture import STATUS, score_mixture
from chemores_dask.scores.score_states import score_states
from tests.scores.score_tables import scores_of, two_groups


def status_of(result):
    return STATUS[int(result["mixture_status"])]


@pytest.mark.parametrize(("share", "gap"), [(0.3, 3.0), (0.1, 5.0), (0.5, 4.0)])
def test_score_mixture__equals_scikit_learn_on_raw_scores(share, gap):
    values, _, _ = two_groups(2, cells=5000, share=share, gap=gap)
    result = score_mixture(scores_of(values), gene_set="set", seed=1)
    start = np.array([[0.0], [gap]])
    theirs = GaussianMixture(2, tol=1e-12, max_iter=20000, reg_covar=0, means_init=start).fit(values[:, None])
    order = np.argsort(theirs.means_[:, 0])
    spread = values.std()
    np.testing.assert_allclose(result["mixture_weight"], theirs.weights_[order], atol=2e-4)
    np.testing.assert_allclose(result["mixture_mean"], theirs.means_[order, 0], atol=2e-4 * spread)
    np.testing.assert_allclose(
        result["mixture_standard_deviation"], np.sqrt(theirs.covariances_[order, 0, 0]), atol=2e-4 * spread
    )
    assert float(result["mixture_bic_two"]) == pytest.approx(theirs.bic(values[:, None]), rel=5e-5)
    one = GaussianMixture(1).fit(values[:, None])
    assert float(result["mixture_bic_one"]) == pytest.approx(one.bic(values[:, None]), rel=5e-5)
    posterior = theirs.predict_proba([[float(result["mixture_threshold"])]])[0]
    np.testing.assert_allclose(posterior, 0.5, atol=2e-3)
    assert status_of(result) == "two_groups"
    assert float(result["mixture_valley_depth"]) > 0


@pytest.mark.parametrize("seed", range(5))
def test_score_mixture__says_that_one_gaussian_fits_and_gives_no_threshold(seed):
    values = np.random.default_rng(seed).normal(size=1000)
    result = score_mixture(scores_of(values), gene_set="set", seed=1)
    assert status_of(result) == "one_gaussian" == result.attrs["status"]
    for name in ("mixture_threshold", "mixture_threshold_zscore", "mixture_threshold_quantile"):
        assert np.isnan(result[name])
    assert float(result["mixture_bic_one"]) < float(result["mixture_bic_two"])
    with pytest.raises(ParameterError, match="nothing to freeze"):
        score_states(scores_of(values), gene_set="set", threshold=result["mixture_threshold"])


def test_score_mixture__names_a_skew_a_shoulder_and_a_pile_of_zeros():
    skewed = np.random.default_rng(1).gamma(3.0, size=5000)
    result = score_mixture(scores_of(skewed), gene_set="set", seed=1)
    assert status_of(result) == "shoulder"
    assert float(result["mixture_valley_depth"]) == 0.0
    piled = np.concatenate([np.zeros(400), np.random.default_rng(2).normal(5, 1, size=600)])
    assert status_of(score_mixture(scores_of(piled), gene_set="set", seed=1)) == "collapsed"
    wide = np.concatenate([np.random.default_rng(3).normal(0, scale, size=2000) for scale in (1.0, 8.0)])
    assert status_of(score_mixture(scores_of(wide), gene_set="set", seed=1)) == "no_crossing"


@pytest.mark.parametrize("lazy", [1, 17, 400])
def test_score_mixture__has_the_same_bits_for_any_blocks_and_order(lazy):
    values, patients, _ = two_groups(4, cells=400)
    options = {"gene_set": "set", "patient": "patient", "repeats": 4, "seed": 2}
    whole = score_mixture(scores_of(values, patients=patients), **options)
    order = np.random.default_rng(0).permutation(400)
    for other in (
        score_mixture(scores_of(values, patients=patients, lazy=lazy), **options),
        score_mixture(scores_of(values[order], patients=patients[order]), **options),
    ):
        for name in whole.data_vars:
            np.testing.assert_array_equal(whole[name].values, other[name].values, err_msg=str(name))


def test_score_mixture__interval_over_patients_holds_the_threshold():
    values, patients, _ = two_groups(5, cells=3000, share=0.2, gap=4.0)
    result = score_mixture(scores_of(values, patients=patients), gene_set="set", patient="patient", repeats=50, seed=1)
    lower, upper = float(result["mixture_threshold_lower"]), float(result["mixture_threshold_upper"])
    assert lower < float(result["mixture_threshold"]) < upper
    assert upper - lower < 0.8
    assert float(result["mixture_threshold_share"]) == 1.0
    assert int(result["mixture_patients"]) == 10


def test_score_mixture__follows_scale_and_shift():
    values, _, _ = two_groups(6, cells=1000)
    plain = score_mixture(scores_of(values), gene_set="set", seed=1)
    moved = score_mixture(scores_of(values * 1024.0 - 512.0), gene_set="set", seed=1)
    assert float(moved["mixture_threshold"]) == pytest.approx(1024 * float(plain["mixture_threshold"]) - 512, rel=1e-3)


def test_score_mixture__of_one_patient_has_no_interval():
    values, _, _ = two_groups(1, cells=100)
    with pytest.warns(SmallSampleWarning, match="at least two"):
        result = score_mixture(
            scores_of(values, patients=["P1"] * 100), gene_set="set", patient="patient", repeats=5, seed=1
        )
    assert np.isnan(result["mixture_threshold_lower"])
    assert np.isnan(result["mixture_threshold_share"])


def test_score_mixture__refuses_what_it_cannot_fit():
    for values in ([2.0] * 50, [1.0, 2.0]):
        with pytest.raises(InputError, match="at least 10 cells with different scores"):
            score_mixture(scores_of(values), gene_set="set", seed=1)
    with pytest.raises(InputError, match="missing or infinite"):
        score_mixture(scores_of([np.nan] * 20), gene_set="set", seed=1)
    for options in ({"repeats": 0}, {"seed": -1}, {"gene_set": "none"}):
        with pytest.raises(ParameterError):
            score_mixture(scores_of(np.arange(20)), **{"gene_set": "set", "seed": 1, **options})
