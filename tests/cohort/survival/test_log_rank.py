"""The log-rank test against R and lifelines.

Expected values of ``log_rank.csv``: ``survdiff`` (rho, strata, pairs); for late entry and trends the score test of ``coxph`` on times
without ties; the other weights written out in R from the risk tables of the arms.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from lifelines.statistics import logrank_test
from scipy.stats import chi2

from chemores_dask.cohort.survival.log_rank import RESULT, RankTestOptions, log_rank
from chemores_dask.errors import InputError, ParameterError, TooFewEventsError
from chemores_dask.results_spec import check_result
from tests.cohort.survival.curve_cases import curve_patients, expected


def _patients(months, died, arm, **more):
    columns = {"months": months, "died": died, "arm": arm, **more}
    return xr.Dataset({name: ("patient", np.asarray(values)) for name, values in columns.items()})


def test_log_rank__equals_r(reference_folder):
    folder = reference_folder / "reference" / "survival"
    cases = json.loads((folder / "logrank.json").read_text())["cases"]
    assert len(cases) == 9
    for case in cases:
        used = [case[key] for key in ("time", "event", "group", "strata") if case[key]]
        table = pd.read_csv(folder / case["data"])[used].dropna()
        result = log_rank(
            xr.Dataset({name: ("patient", table[name].to_numpy()) for name in used}),
            duration=case["time"],
            event=case["event"],
            group=case["group"],
            strata=case["strata"],
            options=RankTestOptions(weighting="fleming_harrington", rho=case["rho"]),
        )
        check_result(RESULT, result)
        assert result["group"].values.tolist() == case["groups"]
        assert result["log_rank_patients"].values.tolist() == case["n"]
        assert int(result["log_rank_degrees_of_freedom"]) == case["df"]
        assert float(result["log_rank_statistic"]) == pytest.approx(case["chisq"], abs=1e-9)
        assert float(result["log_rank_p_value"]) == pytest.approx(case["p"], rel=1e-9)
        np.testing.assert_allclose(result["log_rank_observed"], case["observed"], rtol=1e-12)
        np.testing.assert_allclose(result["log_rank_expected"], case["expected"], rtol=1e-12)


def test_log_rank__equals_r_on_the_median_splits_of_genes(reference_folder):
    folder = reference_folder / "reference" / "survival"
    split = pd.read_csv(folder / "scan_median_split_logrank.csv", index_col=0)
    clinical = pd.read_csv(folder / "scan_clinical.csv")
    expression = pd.read_csv(
        folder / "scan_expression.csv.gz", index_col=0, usecols=["sample", "G0080", "G0100", "G0300"]
    )
    for gene in expression:
        high = (expression[gene] > expression[gene].median()).to_numpy()
        result = log_rank(
            _patients(clinical["time"], clinical["event"], high), duration="months", event="died", group="arm"
        )
        p_column = next(column for column in split if column in {"p", "pvalue", "p_value"})
        assert float(result["log_rank_p_value"]) == pytest.approx(split.loc[gene, p_column], rel=1e-6)


def test_log_rank__equals_lifelines_on_the_leukemia_table(leukemia):
    kept = leukemia.dropna("patient", subset=["os.time", "os.censor"])
    result = log_rank(kept, duration="os.time", event="os.censor", group="MRD.binary")
    high = kept["MRD.binary"].values == 1
    time, died = kept["os.time"].values, kept["os.censor"].values
    known = logrank_test(time[high], time[~high], died[high], died[~high])
    assert float(result["log_rank_p_value"]) == pytest.approx(known.p_value, rel=1e-8)
    assert int(result["log_rank_patients"].sum()) == kept.sizes["patient"]


def test_log_rank__is_the_score_test_whatever_the_names_of_groups():
    rng = np.random.default_rng(3)
    months, died, arm = rng.random(40), rng.random(40) < 0.7, rng.choice(["a", "b", "c"], 40)
    renamed = np.array([{"a": "z", "b": "y", "c": "x"}[name] for name in arm])
    one = log_rank(_patients(months, died, arm), duration="months", event="died", group="arm")
    other = log_rank(_patients(months, died, renamed), duration="months", event="died", group="arm")
    assert float(one["log_rank_statistic"]) == pytest.approx(float(other["log_rank_statistic"]), rel=1e-12)


def test_log_rank__refuses_comparisons_that_do_not_exist():
    months, died = [1.0, 2.0, 3.0, 4.0], [1, 1, 1, 1]
    with pytest.raises(InputError, match=r"at least two groups. 'arm' is 'a' for all 4"):
        log_rank(_patients(months, died, ["a"] * 4), duration="months", event="died", group="arm")
    with pytest.raises(TooFewEventsError, match=r"'died' is false for all 4 patients"):
        log_rank(_patients(months, [0] * 4, ["a", "a", "b", "b"]), duration="months", event="died", group="arm")
    apart = _patients(months, died, ["a", "a", "b", "b"], site=["x", "x", "y", "y"])
    with pytest.raises(TooFewEventsError, match=r"patients of two groups are at risk"):
        log_rank(apart, duration="months", event="died", group="arm", strata="site")


def test_log_rank__has_uniform_p_values_when_nothing_differs():
    rng = np.random.default_rng(11)
    arm = np.repeat(["a", "b"], 30)
    p_values = [
        float(
            log_rank(
                _patients(rng.exponential(size=60), rng.random(60) < 0.7, arm),
                duration="months",
                event="died",
                group="arm",
            )["log_rank_p_value"]
        )
        for _ in range(200)
    ]
    assert 0.02 < np.mean(np.array(p_values) < 0.1) < 0.18
    assert 0.4 < np.mean(p_values) < 0.6


ARMS = {"event": "event", "group": "arm"}
TRENDING = RankTestOptions(order=["a", "b", "c"])


@pytest.mark.parametrize(
    ("case", "duration", "more"),
    [
        ("plain", "time", {}),
        ("peto", "time", {"options": RankTestOptions("peto_peto")}),
        ("rho_strata", "time", {"options": RankTestOptions("fleming_harrington", rho=0.7), "strata": "site"}),
        ("gehan", "time", {"options": RankTestOptions("gehan")}),
        ("tarone_ware", "time", {"options": RankTestOptions("tarone_ware")}),
        ("fleming_harrington_0.5_2", "time", {"options": RankTestOptions("fleming_harrington", rho=0.5, gamma=2)}),
        ("entry", "fine", {"entry": "entry"}),
        ("entry_strata", "fine", {"entry": "entry", "strata": "site"}),
    ],
)
def test_log_rank__equals_r_in_its_extensions(case, duration, more):
    result = log_rank(curve_patients(), duration=duration, **ARMS, **more)
    known = expected("log_rank").set_index("case").loc[case]
    assert float(result["log_rank_statistic"]) == pytest.approx(known["statistic"], rel=1e-9)
    assert int(result["log_rank_degrees_of_freedom"]) == known["degrees"]


@pytest.mark.parametrize(
    ("case", "more"), [("trend", {}), ("trend_strata", {"strata": "site"}), ("entry_trend", {"entry": "entry"})]
)
def test_log_rank__tests_trends_as_the_score_test_of_r(case, more):
    result = log_rank(curve_patients(), duration="fine", **ARMS, **more, options=TRENDING)
    check_result(RESULT, result)
    known = expected("log_rank").set_index("case").loc[case, "statistic"]
    assert float(result["log_rank_trend_statistic"]) ** 2 == pytest.approx(known, rel=1e-9)
    assert float(result["log_rank_trend_p_value"]) == pytest.approx(chi2.sf(known, 1), rel=1e-9)
    turned = log_rank(curve_patients(), duration="fine", **ARMS, **more, options=RankTestOptions(order=["c", "b", "a"]))
    assert float(turned["log_rank_trend_statistic"]) == pytest.approx(-float(result["log_rank_trend_statistic"]))


def test_log_rank__compares_every_pair_of_groups():
    result = log_rank(curve_patients(), duration="time", **ARMS)
    assert result["pair"].values.tolist() == ["b vs a", "c vs a", "c vs b"]
    known = expected("log_rank").set_index("case").loc[result["pair"].values, "statistic"].to_numpy()
    np.testing.assert_allclose(result["log_rank_pair_statistic"], known, rtol=1e-9)
    p_values = chi2.sf(known, 1)
    np.testing.assert_allclose(result["log_rank_pair_p_value"], p_values, rtol=1e-9)
    order = np.argsort(p_values)
    holm = np.minimum(np.maximum.accumulate(p_values[order] * [3, 2, 1]), 1)
    np.testing.assert_allclose(result["log_rank_pair_holm_p_value"][order], holm, rtol=1e-9)
    assert int(result["log_rank_patients"].sum()) == 160
    assert int(result["log_rank_pair_patients"].sum()) == 2 * 160
    assert result.attrs["family"] == "all 3 pairs of groups"


@pytest.mark.parametrize(
    ("weighting", "theirs"), [("gehan", {"weightings": "wilcoxon"}), ("tarone_ware", {"weightings": "tarone-ware"})]
)
def test_log_rank__weighs_times_as_lifelines_does(weighting, theirs):
    patients = curve_patients().sel(patient=curve_patients()["arm"].values != "c")
    result = log_rank(patients, duration="time", **ARMS, options=RankTestOptions(weighting))
    first = patients["arm"].values == "a"
    time, event = patients["time"].values, patients["event"].values
    known = logrank_test(time[first], time[~first], event[first], event[~first], **theirs)
    assert float(result["log_rank_statistic"]) == pytest.approx(known.test_statistic, rel=1e-9)
    assert "pair" not in result.dims


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "log-rank test"),
        ({"weighting": "gehan"}, "Gehan-Wilcoxon test"),
        (
            {"weighting": "fleming_harrington", "rho": 0, "gamma": 1},
            "Fleming-Harrington test (rho 0, gamma 1)",
        ),
    ],
)
def test_log_rank__names_its_test(options, name):
    found = log_rank(curve_patients(), duration="time", **ARMS, options=RankTestOptions(**options))
    assert found.attrs["test"] == name
    within = log_rank(curve_patients(), duration="time", **ARMS, strata="site", options=RankTestOptions(**options))
    assert within.attrs["test"] == f"stratified {name}"


def test_log_rank__gives_weight_to_early_or_late_times():
    # A fifth of b dies early; after that both die alike.
    months = np.concatenate([np.linspace(10, 20, 60), np.linspace(0.1, 3, 12), np.linspace(10.01, 20.01, 48)])
    patients = _patients(months, np.ones(120), np.repeat(["a", "b"], 60))

    def p_value(**options):
        outcome = {"duration": "months", "event": "died", "group": "arm"}
        return float(log_rank(patients, **outcome, options=RankTestOptions(**options))["log_rank_p_value"])

    assert p_value(weighting="gehan") < p_value() / 2
    assert p_value(weighting="fleming_harrington", rho=1) < p_value(weighting="fleming_harrington", gamma=1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"weighting": "wilcoxon"}, r"'weighting'.*gehan"),
        ({"weighting": "fleming_harrington", "rho": -1}, r"'rho'"),
        ({"weighting": "fleming_harrington", "gamma": np.nan}, r"'gamma'"),
        (
            {"weighting": "gehan", "rho": 1},
            r"'rho' parameter of log_rank belongs to the weighting 'fleming_harrington'",
        ),
    ],
)
def test_rank_test_options__refuse_values_out_of_range(options, words):
    with pytest.raises(ParameterError, match=words):
        RankTestOptions(**options)


@pytest.mark.parametrize("order", [["a", "b"], ["a", "b", "d"], ["a", "b", "b", "c"], "abc"])
def test_log_rank__wants_every_group_once_in_an_order(order):
    with pytest.raises(
        ParameterError, match=r"'order' parameter of log_rank must name every group once.*groups: a, b, c"
    ):
        log_rank(curve_patients(), duration="time", **ARMS, options=RankTestOptions(order=order))


def test_log_rank__leaves_out_pairs_that_never_meet():
    # c leaves before b comes.
    patients = _patients(
        [1.0, 2, 3, 9, 8, 9, 1, 2], [1] * 8, ["a", "a", "a", "a", "b", "b", "c", "c"], start=[0, 0, 0, 0, 5, 5, 0, 0]
    )
    result = log_rank(patients, duration="months", event="died", group="arm", entry="start")
    unknown = np.isnan(result["log_rank_pair_p_value"].values)
    assert result["pair"].values[unknown].tolist() == ["c vs b"]
    assert np.isnan(result["log_rank_pair_holm_p_value"].values).tolist() == unknown.tolist()


def test_log_rank__names_patients_who_enter_too_late():
    patients = _patients([1.0, 2, 3, 4], [1] * 4, ["a", "a", "b", "b"], start=[0, 2, 0, 0])
    with pytest.raises(InputError, match=r"'start' must lie before 'months' in log_rank.*1 of 4 patients: 1 \(2"):
        log_rank(patients, duration="months", event="died", group="arm", entry="start")
