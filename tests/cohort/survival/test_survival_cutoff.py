"""Tests of cut-offs.

The values of R are those of R 4.2.2 with survival 3.5.3 and maxstat 0.7.25, made from ``expected/cutoff_patients.csv`` (simulated here) by
``maxstat.test(Surv(months, event) ~ score, smethod = "LogRank", pmethod = "Lau92", minprop = 0.1, maxprop = 0.9)`` and its like; for tied
times ``maxstat.test(a ~ score, smethod = "Data")`` with ``a = residuals(coxph(Surv(whole_months, event) ~ 1, ties = "breslow"))``; the
conditional P is that of ``pmethod = "condMC", B = 200000``.
"""

from __future__ import annotations

from pathlib import Path

import dask
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from chemores_dask.cohort.survival.survival_cutoff import CutoffOptions, survival_cutoff
from chemores_dask.errors import InputError, MissingVariableError, ParameterError, TooFewEventsError
from chemores_dask.kernels.cox import STATUS_FLAGS
from chemores_dask.kernels.selected_ranks import (
    cut_moments,
    cut_statistics,
    log_rank_scores,
    maximum_p_1992,
    maximum_p_1994,
    share_reached,
    shuffled_maxima,
)
from chemores_dask.randomness import spawn

TABLE = pd.read_csv(Path(__file__).parent / "expected" / "cutoff_patients.csv").rename_axis("patient")
PATIENTS = TABLE.to_xarray().assign_coords(patient=[f"P{number}" for number in range(len(TABLE))])

FROM_R = [
    # duration, score, share, statistic, P of 1992, P of 1994, lower score at the cut, cuts
    ("months", "score", 0.1, 4.41343640522592, 0.000453837185532658, 0.00037540868958019, -0.675662, 97),
    ("months", "score", 0.2, 4.41343640522592, 0.000294202901203706, 0.000265639504655342, -0.675662, 73),
    ("months", "score", 0.3, 4.11872173364391, 0.000623137876570067, 0.000616393051749028, -0.327213, 49),
    ("months", "tied_score", 0.1, 4.03338564832239, 0.00206294038557308, 0.000154811138363425, -1.0, 3),
    ("months", "tied_score", 0.2, 4.03338564832239, 0.00134440703468899, 0.000104628874476029, -1.0, 2),
    ("months", "tied_score", 0.3, 4.03338564832239, 0.000866823447295636, 5.49789408195167e-05, -1.0, 1),
    ("whole_months", "score", 0.1, 4.36477024354446, 0.000555654912985613, 0.000465319636425043, -0.675662, 97),
    ("whole_months", "score", 0.3, 4.04204919524301, 0.000838546054763326, 0.000844430901113701, -0.327213, 49),
]


def cutoff(patients=PATIENTS, *, duration="months", event="event", score="score", seed=1, **options):
    settings = CutoffOptions(**{"draws": 199, **options})
    return survival_cutoff(patients, duration=duration, event=event, score=score, options=settings, seed=seed)


@pytest.mark.parametrize("case", FROM_R)
def test_survival_cutoff__equals_maxstat(case) -> None:
    duration, score, share, statistic, first, second, lower, cuts = case
    found = cutoff(duration=duration, score=score, minimum_share=share)
    assert float(found["cutoff_statistic"]) == pytest.approx(statistic, rel=1e-12)
    assert float(found["cutoff_p_value_1992"]) == pytest.approx(first, rel=1e-10)
    assert float(found["cutoff_p_value_1994"]) == pytest.approx(second, rel=1e-10)
    assert found.sizes["cut"] == cuts
    threshold = float(found["cutoff_threshold"])
    assert TABLE[score][TABLE[score] < threshold].max() == lower


@pytest.mark.parametrize(("score", "expected"), [("score", 0.00024), ("tied_score", 0.00013)])
def test_survival_cutoff__has_the_conditional_p_of_maxstat(score: str, expected: float) -> None:
    found = float(cutoff(score=score, draws=200_000)["cutoff_p_value"])
    assert found == pytest.approx(expected, abs=4 * np.sqrt(2 * expected / 200_000))


def test_survival_cutoff__equals_r_without_a_cut_and_at_the_median() -> None:
    found = cutoff()
    expected = {
        "continuous_hazard_ratio": 1.78329067790429,
        "continuous_hazard_ratio_lower": 1.37081623655584,
        "continuous_hazard_ratio_upper": 2.31987742564999,
        "continuous_p_value": 1.63258112361232e-05,
        "median_hazard_ratio": 2.25740560578977,
        "median_hazard_ratio_lower": 1.39813504502931,
        "median_hazard_ratio_upper": 3.64476957155755,
        "median_statistic": 11.5668116701354,
        "median_p_value": 6.71394425456717e-04,
        "p_value_not_corrected": 4.14274481473428e-05,
        "hazard_ratio": 3.15008878519667,
    }
    for name, value in expected.items():
        assert float(found[f"cutoff_{name}"]) == pytest.approx(value, rel=1e-6), name
    assert int(found["cutoff_median_patients_high"]) == 60
    # cuts and stats of the object of maxstat.test; ours are positive where the high patients die earlier
    np.testing.assert_allclose(
        found["cutoff_scan_statistic"][:4],
        [2.56705728055513, 2.61004834952533, 2.30078186750708, 2.46698885316071],
        rtol=1e-12,
    )


def test_survival_cutoff__says_its_threshold_on_every_scale() -> None:
    for scale in ("quantile", "zscore", "score"):
        found = cutoff(scale=scale)
        values, threshold = TABLE["score"], float(found["cutoff_threshold"])
        assert float(found["cutoff_threshold_quantile"]) == (values < threshold).mean()
        assert float(found["cutoff_threshold_zscore"]) == pytest.approx((threshold - values.mean()) / values.std())
        name = {
            "quantile": "cutoff_threshold_quantile",
            "zscore": "cutoff_threshold_zscore",
            "score": "cutoff_threshold",
        }
        assert found.attrs["threshold_frozen"] == float(found[name[scale]])
        assert found.attrs["threshold_scale"] == scale
        np.testing.assert_array_equal(found["cutoff_high"], values >= threshold)
        assert int(found["cutoff_patients_high"]) + (values < threshold).sum() == 120


def test_survival_cutoff__does_not_depend_on_order_units_or_workers() -> None:
    found = cutoff(draws=999)
    order = np.random.default_rng(1).permutation(120)
    turned = cutoff(PATIENTS.isel(patient=order), draws=999)
    for name in ("cutoff_p_value", "cutoff_statistic", "cutoff_statistic_limit", "cutoff_threshold"):
        assert turned[name].equals(found[name]), name
    with dask.config.set(scheduler="synchronous"):
        xr.testing.assert_identical(cutoff(draws=999), found)
    months = cutoff(PATIENTS.assign(months=PATIENTS["months"] * 30.4375), draws=999)
    assert months["cutoff_p_value"].equals(found["cutoff_p_value"])
    assert not cutoff(draws=999, seed=2)["cutoff_statistic_limit"].equals(found["cutoff_statistic_limit"])
    shifted = cutoff(PATIENTS.assign(score=PATIENTS["score"] + 1e7), draws=999)
    assert float(shifted["cutoff_statistic"]) == pytest.approx(float(found["cutoff_statistic"]), rel=1e-9)
    assert float(shifted["cutoff_continuous_hazard_ratio"]) == pytest.approx(
        float(found["cutoff_continuous_hazard_ratio"]), rel=1e-7
    )


def test_survival_cutoff__turns_its_sign_with_the_score() -> None:
    found, turned = cutoff(), cutoff(PATIENTS.assign(score=-PATIENTS["score"]))
    np.testing.assert_allclose(turned["cutoff_scan_statistic"][::-1], -found["cutoff_scan_statistic"], rtol=1e-9)
    assert float(turned["cutoff_hazard_ratio"]) == pytest.approx(1 / float(found["cutoff_hazard_ratio"]), rel=1e-9)


def test_survival_cutoff__errs_as_often_as_it_says_and_the_naive_p_far_more_often() -> None:
    # 800 cohorts without any effect: five percent plus three standard errors are 7.3 %.
    generator = np.random.default_rng(11)
    n, below, share = 80, np.arange(8, 73), 0.1
    streams = np.array(spawn(3, 199), dtype=np.uint64)
    wrong = {"naive": 0, "draws": 0, "1992": 0, "1994": 0}
    for _ in range(800):
        died = generator.exponential(size=n)
        seen = generator.uniform(0, 3, size=n)
        scores = log_rank_scores(np.minimum(died, seen), died <= seen)
        mean, deviation = cut_moments(scores, below)
        largest = float(np.abs(cut_statistics(generator.permutation(scores), below, mean, deviation)).max())
        maxima = shuffled_maxima(scores, below, mean, deviation, streams)
        wrong["naive"] += largest > 1.959964
        wrong["draws"] += share_reached(maxima, largest) <= 0.05
        wrong["1992"] += maximum_p_1992(largest, share) <= 0.05
        wrong["1994"] += maximum_p_1994(largest, below, n) <= 0.05
    rates = {name: count / 800 for name, count in wrong.items()}
    assert 0.3 < rates["naive"] < 0.6
    assert 0.03 < rates["draws"] < 0.073
    assert rates["1992"] < 0.073
    assert rates["1994"] < 0.073


def test_survival_cutoff__finds_a_cut_that_is_there() -> None:
    generator = np.random.default_rng(2)
    score = generator.normal(size=300)
    died = generator.exponential(np.where(score > 1.0, 2.0, 12.0))
    seen = generator.uniform(4, 20, size=300)
    patients = xr.Dataset(
        {
            "months": ("patient", np.minimum(died, seen)),
            "event": ("patient", died <= seen),
            "score": ("patient", score),
        }
    )
    found = cutoff(patients, draws=9_999)
    assert float(found["cutoff_threshold"]) == pytest.approx(1.0, abs=0.15)
    assert float(found["cutoff_p_value"]) == 1e-4
    assert float(found["cutoff_hazard_ratio"]) > 3


def test_survival_cutoff__leaves_the_share_asked_for_on_either_side() -> None:
    for share in (0.05, 0.1, 0.33):
        high = cutoff(minimum_share=share)["cutoff_scan_patients_high"]
        least = int(np.ceil(round(share * 120, 9)))
        assert (int(high.min()), int(high.max())) == (least, 120 - least)


def test_survival_cutoff__with_many_zeros_cuts_between_different_scores_only() -> None:
    zeros = PATIENTS.assign(score=PATIENTS["score"].clip(min=0.5))
    found = cutoff(zeros)
    assert float(found["cutoff_scan_threshold"].min()) > 0.5
    assert float(found["cutoff_median"]) == 0.5
    assert int(found["cutoff_median_patients_high"]) == int((zeros["score"] > 0.5).sum())
    ones = cutoff(PATIENTS.assign(score=PATIENTS["score"].clip(max=-0.5)))
    assert int(ones["cutoff_median_patients_high"]) == 0
    assert STATUS_FLAGS[int(ones["cutoff_median_status"])] == "constant"
    assert np.isnan(float(ones["cutoff_median_hazard_ratio"]))
    assert np.isnan(float(ones["cutoff_median_p_value"]))


def test_survival_cutoff__says_so_where_a_group_has_no_events() -> None:
    score = np.arange(120.0)
    died = score >= 60
    patients = xr.Dataset({"months": ("patient", 200 - score), "event": ("patient", died), "score": ("patient", score)})
    found = cutoff(patients)
    assert STATUS_FLAGS[int(found["cutoff_median_status"])] == "separated"
    assert np.isnan(float(found["cutoff_median_hazard_ratio"]))
    assert float(found["cutoff_median_p_value"]) < 1e-6
    assert int(found["cutoff_p_value"] == 1 / 200)


def changed(name: str, value: object, *, kind: type = float) -> xr.Dataset:
    values = PATIENTS[name].values.astype(kind)
    values[3] = value
    return PATIENTS.assign({name: ("patient", values)})


@pytest.mark.parametrize(
    ("patients", "reason"),
    [
        (changed("score", np.nan), "'score'.*P3"),
        (changed("score", np.inf), "'score'.*P3"),
        (changed("months", -1), "'months'.*P3"),
        (changed("event", 2), "'event'.*P3"),
        (PATIENTS.assign(score=("patient", ["a", "b"] * 60)), "'score' holds labels"),
        (PATIENTS.assign(score=PATIENTS["score"] * 0), "must leave 10% of the 120 patients on either side"),
        (PATIENTS.assign(score=("patient", np.arange(120) == 0)), "must leave 10%"),
        (PATIENTS.isel(patient=[1, 1, 2]), "more than once: P1"),
        (PATIENTS.assign(months=PATIENTS["months"] * 0 + 5, event=PATIENTS["event"] * 0 + 1), "same time and event"),
    ],
)
def test_survival_cutoff__refuses_naming_variable_and_patient(patients: xr.Dataset, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        cutoff(patients)


def test_survival_cutoff__refuses_few_events_and_wrong_options() -> None:
    with pytest.raises(TooFewEventsError, match="at least two events"):
        cutoff(PATIENTS.assign(event=PATIENTS["event"] * 0))
    with pytest.raises(TooFewEventsError):
        cutoff(PATIENTS.isel(patient=[0]))
    with pytest.raises(MissingVariableError, match="stemness"):
        cutoff(score="stemness")
    for options in ({"minimum_share": 0.5}, {"minimum_share": 0}, {"scale": "rank"}, {"draws": 10}, {"draws": 99.5}):
        with pytest.raises(ParameterError, match=next(iter(options))):
            cutoff(**options)


def test_survival_cutoff__is_the_same_for_times_that_tie_by_rounding() -> None:
    near = PATIENTS.assign(months=PATIENTS["whole_months"] + 1e-12 * np.arange(120))
    exact = cutoff(duration="whole_months")
    assert float(cutoff(near)["cutoff_statistic"]) == pytest.approx(float(exact["cutoff_statistic"]), rel=1e-12)
