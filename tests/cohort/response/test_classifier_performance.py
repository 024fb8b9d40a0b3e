"""A classifier against R's pROC and rms, trained and measured in different patients."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from chemores_dask.cohort.response.classifier_performance import PerformanceOptions, classifier_performance
from chemores_dask.errors import InputError, MissingVariableError, OptimisticEstimateWarning
from chemores_dask.kernels.newton import STATUS_FLAGS

NAMES = {"score": "score", "response": "response", "positive": ["M3"], "seed": 3}
GIVEN = PerformanceOptions(cutoff=0.5, scale="probability", draws=50)


def of_probabilities(cohort, **changed):
    known = cohort.isel(patient=np.isfinite(cohort["score"].values))
    options = PerformanceOptions(cutoff=0.5, scale="probability", draws=200)
    return classifier_performance(known, **(NAMES | {"score": "probability", "options": options} | changed))


def area(found, name=""):
    return [float(found[f"performance_{name}auroc{end}"]) for end in ("_lower", "", "_upper")]


def test_classifier_performance__equals_proc(cohort, r_values):
    options = PerformanceOptions(cutoff=0.5, draws=50)
    with pytest.warns(OptimisticEstimateWarning, match="the model of the probabilities. Name"):
        found = classifier_performance(cohort, **NAMES, against="other", options=options)
    assert area(found) == pytest.approx(r_values("roc1"), abs=1e-12)
    assert area(found, "against_") == pytest.approx(r_values("roc2"), abs=1e-12)
    assert float(found["performance_against_p_value"]) == pytest.approx(r_values("roc.test")[1], rel=1e-10)
    names = ("sensitivity", "specificity", "positive_predictive_value", "negative_predictive_value")
    assert [float(found[f"performance_{name}"]) for name in names] == pytest.approx(r_values("at_half"), abs=1e-12)
    assert found.attrs["cutoff_origin"] == "given"
    assert int(found["performance_against_patients"]) == int(found["performance_patients"]) == 129


def test_classifier_performance__chooses_youdens_cutoff_as_proc_does(cohort, r_values):
    with pytest.warns(OptimisticEstimateWarning, match="the cut-off and the model of the probabilities"):
        found = classifier_performance(cohort, **NAMES, options=PerformanceOptions(draws=50))
    chosen = [float(found[f"performance_{name}"]) for name in ("sensitivity", "specificity")]
    assert chosen == pytest.approx(r_values("youden")[1:], abs=1e-12)
    # pROC looks from the other side of patients on the cut-off, and halfway to the next.
    assert float(found["performance_cutoff"]) == pytest.approx(r_values("youden")[0], abs=0.011)
    assert "same 129 patients" in found.attrs["cutoff_origin"]


def test_classifier_performance__measures_probabilities_as_rms_does(cohort, r_values):
    found = of_probabilities(cohort)
    assert (*STATUS_FLAGS, "given") == tuple(found["performance_model_status"].attrs["flag_meanings"].split())
    assert int(found["performance_model_status"]) == 3
    brier, z, p_value, _, slope = r_values("val.prob")
    assert float(found["performance_brier"]) == pytest.approx(brier, rel=1e-12)
    assert float(found["performance_spiegelhalter_z"]) == pytest.approx(z, rel=1e-9)
    assert float(found["performance_spiegelhalter_p_value"]) == pytest.approx(p_value, rel=1e-9)
    assert float(found["performance_calibration_slope"]) == pytest.approx(slope, rel=1e-6)
    for name, key in (("slope", "slope"), ("intercept", "intercept")):
        estimate, error = r_values(key)
        limits = [float(found[f"performance_calibration_{name}{end}"]) for end in ("_lower", "", "_upper")]
        reach = 1.959963984540054 * error
        assert limits == pytest.approx([estimate - reach, estimate, estimate + reach], rel=1e-6)


def test_classifier_performance__has_the_net_benefit_of_the_formula(cohort, r_values):
    found = of_probabilities(cohort)
    at = found["performance_net_benefit"].sel(threshold=[0.1, 0.3, 0.5, 0.7], method="nearest")
    assert at.values == pytest.approx(r_values("net_benefit"), abs=1e-12)
    assert (found["performance_net_benefit_lower"] <= found["performance_net_benefit"]).all()
    assert (found["performance_net_benefit_upper"] >= found["performance_net_benefit"]).all()


def test_classifier_performance__learns_in_some_and_measures_in_others(cohort):
    discovery = np.arange(cohort.sizes["patient"]) % 2 == 0
    cohort = cohort.assign(discovery=("patient", discovery))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = classifier_performance(cohort, **NAMES, training="discovery", options=PerformanceOptions(draws=50))
    used, learned = int(found["performance_patients"]), int(found["performance_training_patients"])
    assert used + learned == 129
    assert found.attrs["cutoff_origin"] == f"Youden's index in {learned} training patients"
    # What is learned does not change with the patients in whom it is measured.
    swapped = cohort.assign(score=cohort["score"].where(discovery, -cohort["score"]))
    other = classifier_performance(swapped, **NAMES, training="discovery", options=PerformanceOptions(draws=50))
    assert float(other["performance_cutoff"]) == float(found["performance_cutoff"])
    assert float(other["performance_auroc"]) == pytest.approx(1 - float(found["performance_auroc"]))


def test_classifier_performance__takes_a_quantile_without_a_look_at_the_response(cohort, table):
    options = PerformanceOptions(rule="quantile", quantile=0.75, draws=50)
    with pytest.warns(OptimisticEstimateWarning, match="the model of the probabilities") as caught:
        found = classifier_performance(cohort, **NAMES, options=options)
    assert "cut-off" not in str(caught[0].message).split(":")[2]
    known = table[(table["response"] != "Unknown") & table["score"].notna()]
    assert float(found["performance_cutoff"]) == pytest.approx(known["score"].quantile(0.75))


def test_classifier_performance__does_not_depend_on_the_order_of_patients(cohort):
    first = of_probabilities(cohort)
    second = of_probabilities(cohort.isel(patient=np.random.default_rng(1).permutation(cohort.sizes["patient"])))
    for name in first.variables:
        np.testing.assert_array_equal(first[name].values, second[name].values)


def test_classifier_performance__has_other_bootstrap_limits_with_another_seed(cohort):
    limits = [float(of_probabilities(cohort, seed=seed)["performance_brier_lower"]) for seed in (3, 4)]
    assert limits[0] != limits[1]
    assert limits[0] == pytest.approx(limits[1], rel=0.2)


def test_classifier_performance__takes_several_labels_for_positive(cohort, table):
    found = of_probabilities(cohort, positive=["M2", "M3"])
    known = table[(table["response"] != "Unknown") & table["score"].notna()]
    assert int(found["performance_positive_patients"]) == known["response"].isin(["M2", "M3"]).sum()


def test_classifier_performance__leaves_out_what_a_separated_model_cannot_say(patients_of):
    patients = patients_of(score=np.arange(8.0), response=["a"] * 4 + ["b"] * 4)
    with pytest.warns(OptimisticEstimateWarning):
        found = classifier_performance(
            patients, score="score", response="response", positive="b", options=PerformanceOptions(draws=20), seed=1
        )
    assert STATUS_FLAGS[int(found["performance_model_status"])] == "separated"
    assert "performance_brier" not in found
    assert float(found["performance_auroc"]) == 1.0
    assert float(found["performance_cutoff"]) == 3.5


@pytest.mark.parametrize(
    ("changed", "error", "match"),
    [
        ({"score": "scor"}, MissingVariableError, "it is absent"),
        ({"against": "othr"}, MissingVariableError, "it is absent"),
        ({"positive": ["M4"]}, InputError, "Not there: M4; present: M1, M2, M3"),
        ({"positive": []}, InputError, "must be labels"),
        ({"positive": ["M1", "M2", "M3"]}, InputError, "0 others"),
        ({"training": "age"}, InputError, "boolean"),
        ({"training": "nobody"}, InputError, "for training"),
        ({"training": "everybody"}, InputError, "to be measured"),
        ({"options": GIVEN}, InputError, "between 0 and 1"),
        ({"options": PerformanceOptions(rule="best")}, InputError, "youden, quantile"),
        ({"options": PerformanceOptions(bins=1)}, InputError, "at least 2"),
        ({"against": "empty"}, InputError, "Found 0 and 0"),
    ],
)
def test_classifier_performance__refuses(cohort, changed, error, match):
    n = cohort.sizes["patient"]
    cohort = cohort.assign(
        nobody=("patient", np.zeros(n, dtype=bool)),
        everybody=("patient", np.ones(n, dtype=bool)),
        empty=("patient", np.full(n, np.nan)),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimisticEstimateWarning)
        with pytest.raises(error, match=match):
            classifier_performance(cohort, **({"options": PerformanceOptions(draws=10)} | NAMES | changed))
