"""Kaplan-Meier against R, lifelines and paper."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from lifelines import KaplanMeierFitter

from chemores_dask.cohort.survival.kaplan_meier import RESULT, CurveOptions, kaplan_meier
from chemores_dask.errors import InputError, ParameterError
from chemores_dask.results_spec import check_result

CURVES = {"km_survival": "surv", "km_lower": "lower", "km_upper": "upper"}
COUNTS = {"km_at_risk": "n_risk", "km_events": "n_event", "km_censored": "n_censor"}


WEIGHTED = {"km_weighted_at_risk": "n_risk", "km_weighted_events": "n_event"}


def _patients(months, died, **more):
    columns = {"months": np.asarray(months, dtype=float), "died": np.asarray(died), **more}
    return xr.Dataset({name: ("patient", np.asarray(values)) for name, values in columns.items()})


def _case_result(case, folder):
    columns = [name.strip() for name in case["surv"].removeprefix("Surv(").removesuffix(")").split(",")]
    entry = columns[0] if len(columns) == 3 else None
    used = [name for name in (*columns, case["group"], case["weights"]) if name]
    table = pd.read_csv(folder / case["data"])[used].dropna()
    return kaplan_meier(
        xr.Dataset({name: ("patient", table[name].to_numpy()) for name in used}),
        duration=columns[-2],
        event=columns[-1],
        group=case["group"],
        entry=entry,
        options=CurveOptions(case["conf_type"], case["conf_int"], case["rmst_tau"], case["weights"]),
    )


def test_kaplan_meier__equals_r(reference_folder):
    folder = reference_folder / "reference" / "survival"
    cases = json.loads((folder / "kaplan_meier.json").read_text())["cases"]
    assert len(cases) == 18
    for case in cases:
        result = _case_result(case, folder)
        check_result(RESULT, result)
        assert result["group"].values.tolist() == case["group_order"]
        curve = pd.DataFrame(case["curve"])
        for group, rows in curve.groupby("group"):
            ours = result.sel(group=group, time=rows["time"].to_numpy())
            for name, column in (CURVES | (WEIGHTED if case["weights"] else COUNTS)).items():
                expected = rows[column].to_numpy(dtype=float)
                np.testing.assert_allclose(ours[name], expected, rtol=1e-12, atol=1e-12, err_msg=f"{case['id']} {name}")
            # R gives the error of log survival, but that of survival itself with weights.
            scale = 1.0 if case["weights"] else rows["surv"].to_numpy()
            error = scale * rows["std_err_cumhaz"].to_numpy(dtype=float)
            np.testing.assert_allclose(ours["km_standard_error"], error, rtol=0, atol=1e-12)
        for name in ("median", "median_lower", "median_upper"):
            np.testing.assert_array_equal(result[f"km_{name}"], np.array(np.atleast_1d(case[name]), dtype=float))
        np.testing.assert_allclose(result["km_restricted_mean"], np.atleast_1d(case["rmst"]), rtol=1e-12)
        if not case["weights"]:
            error = result["km_restricted_mean_standard_error"]
            np.testing.assert_allclose(error, np.atleast_1d(case["rmst_se"]), rtol=1e-12)


def test_kaplan_meier__has_the_jackknife_error_of_a_weighted_mean():
    # R's print.survfit keeps Greenwood's formula here, with weights in place of patients; its curve has the jackknife's errors.
    rng = np.random.default_rng(8)
    columns = {"months": rng.integers(1, 9, 40).astype(float), "died": rng.random(40) < 0.7}
    weight = rng.uniform(0.5, 3.0, 40)
    options = {"duration": "months", "event": "died", "options": CurveOptions(restrict=7.0, weights="weight")}

    def mean_with(changed):
        result = kaplan_meier(_patients(**columns, weight=changed), **options)
        return result["km_restricted_mean"].item(), result["km_restricted_mean_standard_error"].item()

    step = 1e-6
    slopes = [
        (mean_with(weight + step * unit)[0] - mean_with(weight - step * unit)[0]) / (2 * step) for unit in np.eye(40)
    ]
    assert mean_with(weight)[1] == pytest.approx(np.sqrt(((weight * slopes) ** 2).sum()), rel=1e-6)
    assert mean_with(5 * weight)[1] == pytest.approx(mean_with(weight)[1], rel=1e-12)


def test_kaplan_meier__takes_whole_weights_for_so_many_patients():
    columns = {"months": [2.0, 3.0, 3.0, 5.0, 8.0, 9.0], "died": [True, True, False, True, False, True]}
    often = [2, 1, 3, 2, 1, 2]
    weighted = kaplan_meier(
        _patients(**columns, weight=often), duration="months", event="died", options=CurveOptions(weights="weight")
    )
    repeated = {name: np.repeat(values, often) for name, values in columns.items()}
    plain = kaplan_meier(_patients(**repeated), duration="months", event="died")
    for name in ("survival", "standard_error", "lower", "upper", "median_lower", "restricted_mean_standard_error"):
        np.testing.assert_allclose(weighted[f"km_{name}"], plain[f"km_{name}"], rtol=1e-12)
    assert weighted["km_weighted_at_risk"].values[0].tolist() == plain["km_at_risk"].values[0].tolist()


def test_kaplan_meier__with_equal_weights_is_the_curve_without():
    columns = {"months": [1.0, 2, 2, 3, 4, 4], "died": [1, 1, 0, 1, 1, 1]}
    plain = kaplan_meier(_patients(**columns), duration="months", event="died")
    weighted = kaplan_meier(
        _patients(**columns, weight=[0.3] * 6), duration="months", event="died", options=CurveOptions(weights="weight")
    )
    np.testing.assert_allclose(weighted["km_survival"], plain["km_survival"], rtol=1e-12, atol=0)
    assert weighted["km_survival"].values[0, -1] == 0
    np.testing.assert_allclose(weighted["km_standard_error"], plain["km_standard_error"], rtol=1e-12)
    assert weighted["km_at_risk"].values.tolist() == plain["km_at_risk"].values.tolist()
    np.testing.assert_allclose(weighted["km_weighted_at_risk"], 0.3 * plain["km_at_risk"], rtol=1e-12)


def test_kaplan_meier__refuses_weights_below_zero_by_patient():
    patients = _patients([1.0, 2.0], [1, 0], weight=[1.0, -2.0])
    with pytest.raises(InputError, match=r"'weight' must be above 0 in kaplan_meier.*1 \(-2.0\)"):
        kaplan_meier(patients, duration="months", event="died", options=CurveOptions(weights="weight"))


def test_kaplan_meier__equals_lifelines_on_the_leukemia_table(leukemia):
    kept = leukemia.dropna("patient", subset=["efs.time", "efs.censor"])
    assert kept.sizes["patient"] == 262
    result = kaplan_meier(
        kept, duration="efs.time", event="efs.censor", group="MRD.binary", options=CurveOptions("log-log")
    )
    assert result["group"].values.tolist() == ["0", "1"]
    for label in ("0", "1"):
        rows = kept["MRD.binary"].values == int(label)
        fitter = KaplanMeierFitter().fit(kept["efs.time"].values[rows], kept["efs.censor"].values[rows])
        ours = result.sel(group=label)
        known = ~np.isnan(ours["km_survival"].values)
        expected = fitter.survival_function_at_times(ours["time"].values[known]).to_numpy()
        np.testing.assert_allclose(ours["km_survival"].values[known], expected, atol=1e-12)
        assert int(ours["km_events"].sum()) == int(ours["km_event_total"]) == int(kept["efs.censor"].values[rows].sum())
        assert int(ours["km_patients"]) == rows.sum()
    assert 0.8 < float(result["km_survival"].sel(group="0").min()) < 1


def test_kaplan_meier__refuses_missing_follow_up_by_patient(leukemia):
    with pytest.raises(InputError, match=r"'efs.time' must be known and finite.*3 of 265 patients"):
        kaplan_meier(leukemia, duration="efs.time", event="efs.censor")


def test_kaplan_meier__stops_each_curve_at_its_last_patient():
    result = kaplan_meier(
        _patients([1, 2, 5], [1, 0, 1], arm=["a", "a", "b"]), duration="months", event="died", group="arm"
    )
    np.testing.assert_array_equal(result["km_survival"].sel(group="a"), [0.5, 0.5, np.nan])
    np.testing.assert_array_equal(result["km_survival"].sel(group="b"), [1, 1, 0])
    assert result["km_at_risk"].sel(group="a").values.tolist() == [2, 1, 0]
    assert result["km_at_risk"].sel(group="b").values.tolist() == [1, 1, 1]
    assert float(result["km_restrict"]) == 2


def test_kaplan_meier__takes_the_middle_of_a_flat_half_as_median():
    result = kaplan_meier(_patients([1, 2, 5, 9], [1, 1, 1, 1]), duration="months", event="died")
    assert float(result["km_median"].item()) == 3.5
    assert float(result["km_restricted_mean"].item()) == pytest.approx(17 / 4)


def test_kaplan_meier__works_without_events_and_with_one_patient():
    alive = kaplan_meier(_patients([1, 2], [0, 0]), duration="months", event="died")
    assert alive["km_survival"].values.tolist() == [[1, 1]]
    assert np.isnan(alive["km_median"].item())
    assert alive["km_restricted_mean"].item() == 2
    one = kaplan_meier(_patients([3], [1]), duration="months", event="died")
    assert one["km_survival"].item() == 0
    assert np.isnan(one["km_upper"].item())
    assert one["km_median"].item() == 3


def test_kaplan_meier__counts_deaths_at_time_zero():
    result = kaplan_meier(_patients([0, 2], [1, 1]), duration="months", event="died")
    assert result["km_survival"].values.tolist() == [[0.5, 0]]
    assert result["km_at_risk"].values.tolist() == [[2, 1]]


def test_kaplan_meier__does_not_care_for_the_order_of_patients():
    rng = np.random.default_rng(2)
    patients = _patients(rng.integers(1, 9, 30), rng.random(30) < 0.5, arm=rng.choice(["x", "y"], 30))
    shuffled = patients.isel(patient=rng.permutation(30))
    options = {"duration": "months", "event": "died", "group": "arm"}
    xr.testing.assert_equal(kaplan_meier(patients, **options), kaplan_meier(shuffled, **options))


def test_kaplan_meier__does_not_extend_the_restricted_mean_beyond_follow_up():
    patients = _patients([1, 4, 5, 6], [1, 0, 1, 1], arm=["a", "a", "b", "b"])
    with pytest.raises(ParameterError, match=r"'restrict'.*Got 5.*a \(4\)"):
        kaplan_meier(patients, duration="months", event="died", group="arm", options=CurveOptions(restrict=5))
    # Everybody of group b has died by 6: the curve is known to stay at 0.
    only = kaplan_meier(
        patients.isel(patient=[2, 3]), duration="months", event="died", options=CurveOptions(restrict=50)
    )
    assert only["km_restricted_mean"].item() == pytest.approx(5.5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"confidence": "logit"}, "'confidence' parameter.*log, log-log, plain"),
        ({"level": 1.5}, "'level' parameter"),
        ({"restrict": -1.0}, "'restrict' parameter"),
    ],
)
def test_kaplan_meier__refuses_parameters_out_of_range(options, words):
    with pytest.raises(ParameterError, match=words):
        kaplan_meier(_patients([1, 2], [1, 0]), duration="months", event="died", options=CurveOptions(**options))
