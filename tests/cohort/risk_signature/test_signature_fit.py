from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import dask
import numpy as np
import pytest

from chemores_dask.cohort.risk_signature.risk_prediction import predict_risk
from chemores_dask.cohort.risk_signature.signature_fit import SignatureOptions, fit_risk_signature
from chemores_dask.errors import EmptySignatureWarning, InputError, ParameterError, TooFewEventsError
from tests.cohort.risk_signature.risk_cohorts import risk_cohort

QUICK = SignatureOptions(penalties=10, penalty_ratio=0.1, folds=4, outer_folds=0)


def fit(patients=None, *, options=QUICK, seed=5, **names):
    dataset = risk_cohort() if patients is None else patients
    return fit_risk_signature(dataset, duration="months", event="event", options=options, seed=seed, **names)


def with_options(**changed):
    return SignatureOptions(**{"penalties": 10, "penalty_ratio": 0.1, "folds": 4, "outer_folds": 0, **changed})


def test_fit_risk_signature__finds_the_genes_that_were_planted():
    found = fit()
    weights = found["risk_signature_weight"].to_series()
    assert weights["G00"] > 0.4
    assert weights["G01"] < -0.4
    assert np.abs(weights.drop(["G00", "G01"])).max() < 0.25 if len(weights) > 2 else True
    assert int(found["risk_signature_candidates"]) == 12
    assert "patient" not in found.dims
    assert not any("P0" in str(value) for value in found.attrs.values())


def test_fit_risk_signature__freezes_what_its_own_score_needs():
    patients = risk_cohort()
    found = fit(patients, options=with_options(cutoff_scale="zscore", cutoff=0.5))
    scored = predict_risk(patients, signature=found)
    score = scored["risk_score"].values
    assert score.mean() == pytest.approx(float(found["risk_signature_score_mean"]), abs=1e-12)
    assert score.std() == pytest.approx(float(found["risk_signature_score_deviation"]))
    assert float(scored["risk_cutoff"]) == pytest.approx(float(found["risk_signature_cutoff_score"]))
    assert found["risk_signature_cutoff_scale"].attrs["flag_meanings"] == "quantile zscore"
    by_unit = patients["expression"].sel(gene=found["gene"]) @ found["risk_signature_coefficient"]
    assert np.ptp((by_unit - score).values) < 1e-9


def test_fit_risk_signature__has_a_baseline_that_expects_the_events_that_came():
    patients = risk_cohort()
    found = fit(patients)
    score = predict_risk(patients, signature=found)["risk_score"].values
    place = np.searchsorted(found["time"].values, patients["months"].values, side="right") - 1
    hazard = np.where(place >= 0, found["risk_signature_baseline_hazard"].values[place], 0.0)
    assert (hazard * np.exp(score)).sum() == pytest.approx(float(found["risk_signature_events"]))


def test_fit_risk_signature__does_not_depend_on_order_chunks_or_workers():
    first = fit()
    turned = risk_cohort().isel(patient=np.arange(80)[::-1], gene=np.arange(12)[::-1]).chunk({"gene": 5})
    with dask.config.set(pool=ThreadPoolExecutor(3)):
        second = fit(turned)
    third = fit(risk_cohort().transpose("gene", "patient"))
    assert first.identical(third)
    for name in first.data_vars:
        assert np.array_equal(first[name].values, second[name].values, equal_nan=True), name


def test_fit_risk_signature__is_honest_about_new_patients():
    options = with_options(outer_folds=4)
    found = fit(options=options)
    held_out = float(found["risk_signature_concordance"])
    other = risk_cohort(9, patients=300)
    score = predict_risk(other, signature=found)["risk_score"].values
    months, event = other["months"].values, other["event"].values
    pairs = event[:, None] & (months[:, None] < months[None, :])
    new = (score[:, None] > score[None, :])[pairs].mean()
    assert abs(held_out - new) < 3 * float(found["risk_signature_concordance_error"])
    assert held_out < float(found["risk_signature_training_concordance"])
    assert found["risk_signature_outer_patients"].sum() == 80
    assert (
        0 < float(found["risk_signature_held_out_deviance_ratio"]) < float(found["risk_signature_deviance_ratio"].max())
    )


def test_fit_risk_signature__keeps_cohorts_whole_and_weighs_beside_covariates():
    found = fit(options=with_options(outer_folds=4), cohort="site", covariates=["age"])
    assert found["risk_signature_outer_patients"].values.tolist() == [20] * 4
    assert found["term"].values.tolist() == ["age"]
    assert np.isfinite(found["risk_signature_term_coefficient"].values).all()


def test_fit_risk_signature__takes_factors_of_the_penalty_and_strata():
    patients = risk_cohort().assign(
        factor=("gene", np.where(np.arange(12) == 7, 0.0, np.where(np.arange(12) == 0, np.inf, 1)))
    )
    found = fit(patients, options=with_options(penalty_factor="factor", strata="site"))
    assert "G07" in found["gene"].values
    assert "G00" not in found["gene"].values


def test_fit_risk_signature__says_where_no_gene_foretells_anything():
    patients = risk_cohort(4, effect=0.0)
    with pytest.warns(EmptySignatureWarning, match="80 patients"):
        found = fit(patients, options=with_options(rule="one_error"))
    assert found.sizes["gene"] == 0
    with pytest.raises(InputError, match="a weight that is not 0"):
        predict_risk(patients, signature=found)


def test_fit_risk_signature__counts_constant_genes_and_shares_twins():
    patients = risk_cohort()
    patients["expression"][:, 5] = 3.0
    patients["expression"][:, 6] = patients["expression"][:, 0]
    found = fit(patients, options=with_options(alphas=(0.5,)))
    assert int(found["risk_signature_constant_genes"]) == 1
    weights = found["risk_signature_weight"].to_series()
    assert weights["G06"] == pytest.approx(weights["G00"], abs=1e-3)


def test_fit_risk_signature__works_with_more_genes_than_patients():
    found = fit(risk_cohort(2, patients=40, genes=150), options=with_options(alphas=(1.0, 0.5)))
    assert found.sizes["gene"] < 40 * 2
    assert np.isfinite(found["risk_signature_cv_deviance"].values).all()


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"alphas": ()}, "different numbers"),
        ({"alphas": (1.0, 1.0)}, "different numbers"),
        ({"alphas": (1.5,)}, "at most 1.0"),
        ({"penalties": 1}, "penalties"),
        ({"penalty_ratio": 1.0}, "penalty_ratio"),
        ({"folds": 1}, "folds"),
        ({"rule": "best"}, "rule"),
        ({"refit": "ols"}, "refit"),
        ({"cutoff_scale": "score"}, "cutoff_scale"),
        ({"cutoff": 1.5}, "cutoff"),
    ],
)
def test_fit_risk_signature__refuses_options(changed, match):
    with pytest.raises(ParameterError, match=match):
        fit(options=with_options(**changed))


def test_fit_risk_signature__refuses_more_folds_than_events():
    patients = risk_cohort()
    patients["event"] = ("patient", np.arange(80) < 6)
    with pytest.raises(TooFewEventsError, match="fewer folds"):
        fit(patients, options=with_options(folds=10))
