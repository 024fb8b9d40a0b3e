"""The log-rank test against R and lifelines."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from lifelines.statistics import logrank_test

from chemores_dask.cohort.survival.log_rank import RESULT, RankTestOptions, log_rank
from chemores_dask.errors import InputError, ParameterError, TooFewEventsError
from chemores_dask.results_spec import check_result


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
    expected = pd.read_csv(folder / "scan_median_split_logrank.csv", index_col=0)
    clinical = pd.read_csv(folder / "scan_clinical.csv")
    expression = pd.read_csv(
        folder / "scan_expression.csv.gz", index_col=0, usecols=["sample", "G0080", "G0100", "G0300"]
    )
    for gene in expression:
        high = (expression[gene] > expression[gene].median()).to_numpy()
        result = log_rank(
            _patients(clinical["time"], clinical["event"], high), duration="months", event="died", group="arm"
        )
        p_column = next(column for column in expected if column in {"p", "pvalue", "p_value"})
        assert float(result["log_rank_p_value"]) == pytest.approx(expected.loc[gene, p_column], rel=1e-6)


def test_log_rank__equals_lifelines_on_the_leukemia_table(leukemia):
    kept = leukemia.dropna("patient", subset=["os.time", "os.censor"])
    result = log_rank(kept, duration="os.time", event="os.censor", group="MRD.binary")
    high = kept["MRD.binary"].values == 1
    time, died = kept["os.time"].values, kept["os.censor"].values
    expected = logrank_test(time[high], time[~high], died[high], died[~high])
    assert float(result["log_rank_p_value"]) == pytest.approx(expected.p_value, rel=1e-8)
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
