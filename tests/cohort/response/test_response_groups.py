"""A score between groups of response, against R and by hand."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from chemores_dask.cohort.response.response_groups import response_groups
from chemores_dask.errors import InputError, MissingVariableError, SmallSampleWarning
from chemores_dask.kernels.multiple_testing import holm

NAMES = {"score": "score", "response": "response"}


def groups_of(table):
    known = table[(table["response"] != "Unknown") & table["score"].notna()]
    return [known.loc[known["response"] == label, "score"].to_numpy() for label in ("M1", "M2", "M3")]


def test_response_groups__counts_who_takes_part(cohort, table):
    found = response_groups(cohort, **NAMES)
    assert int(found["response_patients_total"]) == 140
    assert int(found["response_patients_without_score"]) == 2
    assert int(found["response_patients_without_response"]) == 9
    assert int(found["response_patients"]) == 129 == found.sizes["patient"]
    assert found["response_group_patients"].values.tolist() == [group.size for group in groups_of(table)]
    lacking = table.loc[table["response"] == "Unknown", "score"]
    expected = stats.mannwhitneyu(lacking, np.concatenate(groups_of(table)), method="asymptotic").pvalue
    assert float(found["response_missing_p_value"]) == pytest.approx(expected, rel=1e-10)


def test_response_groups__equals_r(cohort, r_values):
    found = response_groups(cohort, **NAMES)
    assert found["pair"].values.tolist() == ["M2 vs M1", "M3 vs M1", "M3 vs M2"]
    for place, name in enumerate(("M1M2", "M1M3", "M2M3")):
        pair = found.isel(pair=place)
        assert float(pair["response_pair_statistic"]) == r_values(f"{name}.W")
        assert int(pair["response_pair_patients"]) == r_values(f"{name}.n").sum()
        area = [float(pair[f"response_pair_auroc{part}"]) for part in ("_lower", "", "_upper")]
        assert area == pytest.approx(r_values(f"{name}.auc"), abs=1e-12)
        # coin counts all arrangements, ties included; groups of 50 and more are taken as normal here.
        exact = bool(pair["response_pair_exact"])
        assert exact == (place == 2)
        if exact:
            assert float(pair["response_pair_p_value"]) == pytest.approx(r_values(f"{name}.coin_exact"), rel=1e-9)
    kruskal = [float(found["response_kruskal_statistic"]), float(found["response_kruskal_p_value"])]
    assert kruskal == pytest.approx(r_values("kruskal"), rel=1e-10)
    np.testing.assert_allclose(found["response_pair_holm_p_value"], holm(found["response_pair_p_value"].values))


def test_response_groups__equals_scipy_in_large_groups(cohort, table):
    first, second, _ = groups_of(table)
    found = response_groups(cohort, **NAMES).isel(pair=0)
    expected = stats.mannwhitneyu(second, first, method="asymptotic").pvalue
    assert float(found["response_pair_p_value"]) == pytest.approx(expected, rel=1e-10)
    shift = np.median(np.subtract.outer(second, first))
    assert float(found["response_pair_shift"]) == pytest.approx(shift, abs=1e-12)


def test_response_groups__worked_by_hand(patients_of):
    patients = patients_of(score=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], response=["a", "a", "a", "b", "b", "c", "c"])
    with pytest.warns(SmallSampleWarning, match="b vs a, c vs a, c vs b"):
        found = response_groups(patients, **NAMES, order=["a", "b", "c"])
    assert found["response_pair_minimum_p_value"].values == pytest.approx([0.2, 0.2, 1 / 3])
    assert found["response_pair_p_value"].values == pytest.approx([0.2, 0.2, 1 / 3])
    assert found["response_pair_auroc"].values.tolist() == [1.0, 1.0, 1.0]
    assert found["response_pair_shift"].values.tolist() == [2.5, 4.5, 2.0]
    # 7! / (3! 2! 2!) = 210 arrangements, of which one rises and one falls throughout.
    assert float(found["response_trend_p_value"]) == pytest.approx(2 / 210)
    assert float(found["response_trend_statistic"]) == 16
    assert float(found["response_trend_minimum_p_value"]) == pytest.approx(2 / 210)


def test_response_groups__reports_depth_beside_the_score(patients_of):
    generator = np.random.default_rng(1)
    depth = generator.lognormal(10, 1, 40)
    patients = patients_of(score=np.log(depth), response=np.repeat(["M1", "M3"], 20), depth=depth)
    found = response_groups(patients, **NAMES, order=["M1", "M3"], depth="depth")
    assert float(found["response_depth_correlation"]) == pytest.approx(1.0)
    expected = stats.kruskal(depth[:20], depth[20:]).pvalue
    assert float(found["response_depth_kruskal_p_value"]) == pytest.approx(expected, rel=1e-9)
    assert "n = 40" in found.attrs["depth_note"]


def test_response_groups__does_not_depend_on_the_order_of_patients(cohort):
    shuffled = cohort.isel(patient=np.random.default_rng(1).permutation(cohort.sizes["patient"]))
    first, second = response_groups(cohort, **NAMES), response_groups(shuffled, **NAMES)
    second = second.sel(patient=first["patient"].values)
    for name in first.data_vars:
        np.testing.assert_array_equal(first[name].values, second[name].values)


def test_response_groups__keeps_a_group_that_nobody_is_in(cohort):
    found = response_groups(cohort, **NAMES, order=["M0", "M1", "M2", "M3"])
    assert found["response_group_patients"].values[0] == 0
    assert np.isnan(found["response_pair_p_value"].sel(pair="M1 vs M0"))
    without = response_groups(cohort, **NAMES)
    for name in ("response_trend_p_value", "response_kruskal_p_value"):
        assert float(found[name]) == float(without[name])


def test_response_groups__of_a_single_patient_and_of_ties(patients_of):
    patients = patients_of(score=[1.0] * 30, response=["M1"] * 29 + ["M3"])
    with pytest.warns(SmallSampleWarning):
        found = response_groups(patients, **NAMES, order=["M1", "M3"])
    assert float(found["response_pair_p_value"][0]) == 1.0
    assert float(found["response_kruskal_p_value"]) == 1.0
    assert float(found["response_trend_p_value"]) == 1.0
    assert float(found["response_pair_auroc"][0]) == 0.5
    assert np.isnan(found["response_pair_auroc_lower"]).all()
    assert np.isnan(found["response_pair_shift_lower"]).all()


@pytest.mark.parametrize(
    ("changed", "error", "match"),
    [
        ({"score": "scor"}, MissingVariableError, "it is absent"),
        ({"response": "respons"}, MissingVariableError, "it is absent"),
        ({"order": ["M1", "M2"]}, InputError, "also holds: M3"),
        ({"order": ["M4", "M5"], "unknown": ["Unknown", "M1", "M2", "M3"]}, InputError, "at least two responses"),
        ({"order": ["M1", "M4"], "unknown": ["Unknown", "M2", "M3"]}, InputError, "they are in: M1"),
        ({"score": "sex"}, InputError, "must hold numbers"),
        ({"level": 1.2}, InputError, "at most 0.9999"),
        ({"depth": "reads"}, MissingVariableError, "it is absent"),
    ],
)
def test_response_groups__refuses(cohort, changed, error, match):
    with pytest.raises(error, match=match):
        response_groups(cohort, **(NAMES | changed))


def test_response_groups__takes_blocks_of_patients_and_categories(cohort, table):
    expected = response_groups(cohort, **NAMES)
    xr.testing.assert_identical(response_groups(cohort.chunk({"patient": 9}), **NAMES), expected)
    category = cohort.assign(response=("patient", pd.Categorical(table["response"])))
    xr.testing.assert_identical(response_groups(category, **NAMES), expected)


def test_response_groups__keeps_its_level_where_nothing_differs(patients_of):
    generator = np.random.default_rng(8)
    hits = {"response_trend_p_value": 0, "response_kruskal_p_value": 0, "pair": 0}
    for _ in range(400):
        # Rounded scores of unequal groups: ties everywhere.
        patients = patients_of(
            score=np.round(generator.normal(size=47), 1), response=np.repeat(["M1", "M2", "M3"], [25, 14, 8])
        )
        found = response_groups(patients, **NAMES)
        for name in ("response_trend_p_value", "response_kruskal_p_value"):
            hits[name] += float(found[name]) < 0.05
        hits["pair"] += float(found["response_pair_holm_p_value"].min()) < 0.05
    assert all(6 <= count <= 32 for count in hits.values()), hits


def test_response_groups__is_silent_where_all_is_well(cohort):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        response_groups(cohort, **NAMES)
