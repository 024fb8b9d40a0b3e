"""Pooled hazard ratios against R's metafor, and what is refused.

``expected/meta_analysis.csv`` was made with R 4.2.2 and metafor 3.8-1: ``rma(yi, sei = s, method = "FE" | "DL" | "REML")`` with
``control = list(threshold = 1e-15)``, the same with ``test = "knha"`` (klb, kub, kp), ``confint(r, control = list(tol = 1e-13))``
(tlb, tub, Ilb, Iub), and ``qt(.975, k - 2) * sqrt(r$se^2 + r$tau2)`` around the estimate (plb, pub).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from statsmodels.stats.meta_analysis import combine_effects

from chemores_dask.cohort.survival.meta_analysis import meta_analysis
from chemores_dask.errors import InputError, MissingVariableError, ParameterError

EXPECTED = pd.read_csv(Path(__file__).parent / "expected" / "meta_analysis.csv", skipinitialspace=True)
SETS = {
    "six": ([0.875, 0.742, 0.21, -0.1, 0.55, 1.3], [0.354, 0.329, 0.2, 0.25, 0.3, 0.4]),
    "alike": ([0.5, 0.52, 0.48, 0.51], [0.2, 0.3, 0.25, 0.4]),
    "apart": ([-1, 1.5, 0.3, 2.5, -0.7], [0.1, 0.15, 0.3, 0.2, 0.12]),
}
MODELS = {"FE": "fixed", "DL": "dersimonian_laird", "REML": "restricted_likelihood"}
NAMES = {
    "b": "meta_pooled_log_ratio",
    "se": "meta_pooled_standard_error",
    "p": "meta_pooled_p_value",
    "tau2": "meta_between_variance",
    "I2": "meta_inconsistency_share",
    "Q": "meta_heterogeneity_statistic",
    "Qp": "meta_heterogeneity_p_value",
    "lb": "meta_pooled_ratio_lower",
    "ub": "meta_pooled_ratio_upper",
    "klb": "meta_knapp_ratio_lower",
    "kub": "meta_knapp_ratio_upper",
    "kp": "meta_knapp_p_value",
    "tlb": "meta_between_variance_lower",
    "tub": "meta_between_variance_upper",
    "Ilb": "meta_inconsistency_share_lower",
    "Iub": "meta_inconsistency_share_upper",
    "plb": "meta_prediction_lower",
    "pub": "meta_prediction_upper",
}
LOGARITHMS = {"lb", "ub", "klb", "kub", "plb", "pub"}


def studies_of(effect, error, **more):
    names = [f"study {number}" for number in range(len(effect))]
    columns = {"effect": effect, "error": error, **more}
    return xr.Dataset({name: ("study", values) for name, values in columns.items()}, coords={"study": names})


def pooled(effect, error, **more):
    return meta_analysis(studies_of(effect, error), estimate="effect", standard_error="error", **more)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", SETS)
def test_meta_analysis__equals_metafor(name, model):
    found = pooled(*SETS[name]).sel(model=MODELS[model])
    rows = EXPECTED[(EXPECTED["set"] == name) & (EXPECTED["model"] == model)]
    assert len(rows) >= 9
    for row in rows.itertuples():
        value = float(found[NAMES[row.quantity]])
        value = np.log(value) if row.quantity in LOGARITHMS else value
        assert value == pytest.approx(row.value, rel=1e-7, abs=1e-9), row.quantity


def test_meta_analysis__pools_the_published_hazard_ratios():
    published = xr.Dataset(
        {
            "ratio": ("study", [2.4, 2.1]),
            "low": ("study", [1.2, 1.1]),
            "high": ("study", [4.8, 4.0]),
            "n": ("study", [70, 87]),
            "events": ("study", [32, 37]),
        },
        coords={"study": ["PKPH", "TARGET"]},
    )
    found = meta_analysis(published, estimate="ratio", limits=["low", "high"], patients="n", events="events")
    for model in MODELS.values():
        values = [
            round(float(found[f"meta_pooled_ratio{end}"].sel(model=model)), 2) for end in ("", "_lower", "_upper")
        ]
        assert values == [2.23, 1.39, 3.58]
    assert np.round(found["meta_standard_error"], 3).values.tolist() == [0.354, 0.329]
    assert np.round(found["meta_p_value"], 3).values.tolist() == [0.013, 0.024]
    assert [int(found[name]) for name in ("meta_patients", "meta_events", "meta_studies")] == [157, 69, 2]
    assert np.isnan(found["meta_prediction_lower"]).all()


def test_meta_analysis__matches_a_hand_worked_pair():
    # Weights 4 and 1: mean 0.8, error sqrt(1/5); Q = 4 * 0.04 + 0.64 = 0.8.
    found = pooled([1.0, 0.0], [0.5, 1.0]).sel(model="fixed")
    assert float(found["meta_pooled_log_ratio"]) == pytest.approx(0.8)
    assert float(found["meta_pooled_standard_error"]) == pytest.approx(np.sqrt(0.2))
    assert float(found["meta_heterogeneity_statistic"]) == pytest.approx(0.8)
    assert found["meta_weight"].values.tolist() == pytest.approx([0.8, 0.2])


def test_meta_analysis__equals_statsmodels():
    effect, error = SETS["six"]
    reference = combine_effects(np.array(effect), np.array(error) ** 2, method_re="dl").summary_frame()
    found = pooled(effect, error)
    for row, model in (("fixed effect", "fixed"), ("random effect", "dersimonian_laird")):
        assert float(found["meta_pooled_log_ratio"].sel(model=model)) == pytest.approx(reference.loc[row, "eff"])
        assert float(found["meta_pooled_standard_error"].sel(model=model)) == pytest.approx(
            reference.loc[row, "sd_eff"]
        )


def test_meta_analysis__does_not_depend_on_the_order_of_studies():
    effect, error = SETS["six"]
    table = studies_of(effect, error)
    first, second = (
        meta_analysis(part, estimate="effect", standard_error="error")
        for part in (table, table.isel(study=slice(None, None, -1)))
    )
    xr.testing.assert_allclose(first, second.sel(study=first["study"]), rtol=1e-12)


def test_meta_analysis__of_equal_studies_has_no_variance_between_them():
    found = pooled([0.7, 0.7, 0.7], [0.2, 0.2, 0.2])
    assert found["meta_between_variance"].values.tolist() == [0, 0, 0]
    assert float(found["meta_between_variance_upper"]) == 0
    assert np.isnan(found["meta_knapp_p_value"]).all()


def test_meta_analysis__random_effects_keep_their_coverage():
    generator = np.random.default_rng(4)
    hits = np.zeros(2)
    repeats = 300
    for _ in range(repeats):
        error = generator.uniform(0.15, 0.4, 8)
        effect = generator.normal(generator.normal(0.5, 0.3, 8), error)
        found = pooled(effect, error).sel(model="restricted_likelihood")
        for place, name in enumerate(("knapp_ratio", "pooled_ratio")):
            low, high = (float(found[f"meta_{name}_{end}"]) for end in ("lower", "upper"))
            hits[place] += low < np.exp(0.5) < high
    assert 0.92 <= hits[0] / repeats <= 0.98
    assert hits[1] <= hits[0]


@pytest.mark.parametrize(
    ("effect", "error", "match"),
    [
        ([0.5], [0.2], "two studies"),
        ([0.5, np.nan], [0.2, 0.2], "study 1"),
        ([0.5, np.inf], [0.2, 0.2], "study 1"),
        ([0.5, 0.2], [0.2, 0.0], "above 0"),
        ([0.5, 0.2], [0.2, -0.1], "above 0"),
        ([0.5, 0.2], [0.2, np.nan], "study 1"),
        ([0.5, 1e5], [0.2, 0.2], "within reason"),
        ([0.5, 0.2], [0.2, 1e5], "within reason"),
        ([0.5, 0.2], [0.2, 1e-9], "within reason"),
        (["a", "b"], [0.2, 0.2], "must hold numbers"),
    ],
)
def test_meta_analysis__refuses_impossible_estimates(effect, error, match):
    with pytest.raises(InputError, match=match):
        pooled(effect, error)


@pytest.mark.parametrize(
    ("ratio", "low", "high", "match"),
    [
        (2.0, 4.0, 1.0, "below the upper"),
        (-2.0, 1.0, 4.0, "above 0"),
        (2.0, 0.0, 4.0, "above 0"),
        (5.0, 1.0, 4.0, "near the middle"),
        (3.5, 1.0, 4.0, "near the middle"),
    ],
)
def test_meta_analysis__refuses_limits_that_do_not_fit(ratio, low, high, match):
    table = studies_of([2.4, ratio], [1.2, low], high=[4.8, high])
    with pytest.raises(InputError, match=match):
        meta_analysis(table, estimate="effect", limits=["error", "high"])


def test_meta_analysis__refuses_unclear_calls():
    table = studies_of([0.5, 0.2], [0.2, 0.2])
    for wrong in (
        {},
        {"standard_error": "error", "limits": ["error", "error"]},
        {"limits": "error"},
        {"limits": ["error"]},
    ):
        with pytest.raises(ParameterError, match="either 'standard_error'"):
            meta_analysis(table, estimate="effect", **wrong)
    with pytest.raises(MissingVariableError, match="'ratio'"):
        meta_analysis(table, estimate="ratio", standard_error="error")
    with pytest.raises(InputError, match="more than once: x"):
        meta_analysis(table.assign_coords(study=["x", "x"]), estimate="effect", standard_error="error")
    with pytest.raises(ParameterError, match="level"):
        meta_analysis(table, estimate="effect", standard_error="error", level=95)
    with pytest.raises(InputError, match="whole numbers"):
        meta_analysis(table, estimate="effect", standard_error="error", patients="effect")
