"""Score and necrosis against R, and the published correlation of osteosarcoma."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import stats

from chemores_dask.cohort.response.necrosis_association import STATUS_FLAGS, necrosis_association
from chemores_dask.errors import ConvergenceWarning, FewEventsWarning, InputError, MissingVariableError

NAMES = {"score": "score", "necrosis": "necrosis"}


def statuses(found):
    return [STATUS_FLAGS[code] for code in found["necrosis_status"].values]


def test_necrosis_association__counts_who_takes_part(cohort, table):
    found = necrosis_association(cohort, **NAMES, formula="~ age + sex")
    used = table["score"].notna() & table["necrosis"].notna()
    assert int(found["necrosis_patients_total"]) == 140
    assert int(found["necrosis_patients_without_score"]) == 2
    assert int(found["necrosis_patients"]) == used.sum() == found.sizes["patient"]
    assert int(found["necrosis_patients_without_response"]) == (table["necrosis"].isna() & table["score"].notna()).sum()
    assert int(found["necrosis_logistic_patients"]) == (used & table["age"].notna()).sum()
    assert int(found["necrosis_good_patients"]) == (table["necrosis"][used] >= 90).sum()


def test_necrosis_association__grades_as_huvos_did(patients_of):
    patients = patients_of(score=np.arange(8.0), necrosis=[0.0, 49.9, 50.0, 89.9, 90.0, 99.9, 100.0, np.nan])
    with pytest.warns(FewEventsWarning), pytest.warns(ConvergenceWarning):
        found = necrosis_association(patients, **NAMES)
    assert found["necrosis_grade"].values.tolist() == ["I", "I", "II", "II", "III", "III", "IV"]
    assert found["necrosis_grade_patients"].values.tolist() == [2, 2, 2, 1]
    assert found["necrosis_grade_median"].values.tolist() == [0.5, 2.5, 4.5, 6.0]


def test_necrosis_association__equals_r(cohort, r_values):
    found = necrosis_association(cohort, **NAMES, formula="~ age + sex")
    ranks = [float(found["necrosis_spearman_correlation"]), float(found["necrosis_spearman_p_value"])]
    assert ranks == pytest.approx(r_values("spearman"), rel=1e-9)
    ends = ("correlation", "correlation_lower", "correlation_upper", "p_value")
    assert [float(found[f"necrosis_pearson_{end}"]) for end in ends] == pytest.approx(r_values("pearson"), rel=1e-9)
    assert found["term"].values.tolist() == ["score", "age", "sex[T.m]"]
    coefficients = [float(found["necrosis_intercept"]), *found["necrosis_coefficient"].values]
    assert coefficients == pytest.approx(r_values("glm.coef"), rel=1e-9)
    assert found["necrosis_standard_error"].values == pytest.approx(r_values("glm.se")[1:], rel=1e-7)
    assert found["necrosis_likelihood_ratio_p_value"].values == pytest.approx(r_values("glm.drop1"), rel=1e-6)
    assert float(found["necrosis_log_likelihood"]) == pytest.approx(r_values("glm.loglik"), rel=1e-12)


def test_necrosis_association__with_firths_penalty_equals_brglm2(cohort, r_values):
    found = necrosis_association(cohort, **NAMES, formula="~ age + sex", penalty="firth")
    coefficients = [float(found["necrosis_intercept"]), *found["necrosis_coefficient"].values]
    assert coefficients == pytest.approx(r_values("firth.coef"), rel=1e-7)
    assert found["necrosis_standard_error"].values == pytest.approx(r_values("firth.se")[1:], rel=1e-7)


def test_necrosis_association__finds_the_number_behind_a_published_correlation(patients_of):
    # r = -0.35 with P = 0.006 in a cohort of 70: about ten patients lack a response.
    generator = np.random.default_rng(1)
    necrosis, noise = (stats.zscore(values) for values in generator.normal(size=(2, 60)))
    noise = stats.zscore(noise - necrosis * (noise @ necrosis) / 60)
    score = -0.35 * necrosis + np.sqrt(1 - 0.35**2) * noise
    patients = patients_of(
        score=np.append(score, generator.normal(size=10)), necrosis=np.append(50 + 15 * necrosis, [np.nan] * 10)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewEventsWarning)
        found = necrosis_association(patients, **NAMES, good_from=50)
    assert (int(found["necrosis_patients"]), int(found["necrosis_patients_total"])) == (60, 70)
    assert float(found["necrosis_pearson_correlation"]) == pytest.approx(-0.35)
    assert round(float(found["necrosis_pearson_p_value"]), 4) == 0.0061


def test_necrosis_association__compares_good_with_poor_responders(cohort, table):
    found = necrosis_association(cohort, **NAMES)
    known = table.dropna(subset=["score", "necrosis"])
    good, poor = (known.loc[(known["necrosis"] >= 90) == answer, "score"] for answer in (True, False))
    expected = stats.mannwhitneyu(good, poor, method="asymptotic")
    assert float(found["necrosis_good_auroc"]) == pytest.approx(expected.statistic / (good.size * poor.size))
    assert float(found["necrosis_good_rank_sum_p_value"]) == pytest.approx(expected.pvalue, rel=1e-9)


def test_necrosis_association__says_that_the_score_separates(patients_of):
    patients = patients_of(score=np.arange(40.0), necrosis=np.linspace(60, 99, 40), age=np.sin(np.arange(40.0)))
    with pytest.warns(ConvergenceWarning, match="score.* separated"), pytest.warns(FewEventsWarning):
        found = necrosis_association(patients, **NAMES, formula="~ age")
    assert statuses(found)[0] == "separated"
    assert np.isnan(found["necrosis_odds_ratio"]).all()
    assert float(found["necrosis_likelihood_ratio_p_value"][0]) < 1e-8
    with pytest.warns(FewEventsWarning):
        firth = necrosis_association(patients, **NAMES, formula="~ age", penalty="firth")
    assert statuses(firth) == ["ok", "ok"]
    assert np.isfinite(firth["necrosis_odds_ratio"]).all()
    assert float(firth["necrosis_likelihood_ratio_p_value"][0]) < 1e-4


@pytest.mark.parametrize(
    ("necrosis", "status"), [(np.linspace(0, 80, 12), "one_class"), (np.full(12, 95.0), "one_class")]
)
def test_necrosis_association__of_patients_who_all_respond_alike(patients_of, necrosis, status):
    found = necrosis_association(patients_of(score=np.arange(12.0), necrosis=necrosis), **NAMES)
    assert statuses(found) == [status]
    assert np.isnan(found["necrosis_good_auroc"])
    assert np.isnan(found["necrosis_p_value"]).all()


def test_necrosis_association__of_a_score_that_is_the_same_for_all(patients_of):
    with pytest.warns(FewEventsWarning):
        found = necrosis_association(patients_of(score=np.ones(12), necrosis=np.linspace(50, 100, 12)), **NAMES)
    assert statuses(found) == ["not_estimated"]
    assert np.isnan(found["necrosis_spearman_p_value"])
    assert float(found["necrosis_good_rank_sum_p_value"]) == 1.0


@pytest.mark.parametrize(
    ("necrosis", "match"),
    [
        ([10.0, 101.0, 50.0, 60.0], "Not so for: P1 .101."),
        ([10.0, -1.0, 50.0, 60.0], "Not so for: P1 .-1."),
        ([0.1, 0.9, 0.5, 1.0], "multiply them by 100"),
        ([10.0, np.nan, np.nan, 60.0], "at least 3 patients"),
        ([np.nan] * 4, "at least 3 patients"),
        (["good", "poor", "good", "poor"], "must hold numbers"),
    ],
)
def test_necrosis_association__refuses_what_are_no_percentages(patients_of, necrosis, match):
    with pytest.raises(InputError, match=match):
        necrosis_association(patients_of(score=np.arange(4.0), necrosis=necrosis), **NAMES)


@pytest.mark.parametrize(
    ("changed", "error", "match"),
    [
        ({"score": "scor"}, MissingVariableError, "it is absent"),
        ({"formula": "~ agee"}, MissingVariableError, "agee"),
        ({"formula": "~ score"}, InputError, "take it out there"),
        ({"good_from": 0.9}, InputError, "at least 1"),
        ({"penalty": "ridge"}, InputError, "none, firth"),
    ],
)
def test_necrosis_association__refuses(cohort, changed, error, match):
    with pytest.raises(error, match=match):
        necrosis_association(cohort, **(NAMES | changed))


def test_necrosis_association__needs_patients_with_the_covariates(patients_of):
    patients = patients_of(score=np.arange(5.0), necrosis=np.arange(5.0) * 20, age=[1.0, 2.0, np.nan, np.nan, np.nan])
    with pytest.raises(InputError, match="Found 2"):
        necrosis_association(patients, **NAMES, formula="~ age")
