"""The pooled test as published: margins, tails, and the label that it must carry."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from chemores_dask.cohort.composition.pooled_composition import RESULT, pooled_composition
from chemores_dask.errors import InputError, MissingVariableError, ParameterError
from chemores_dask.kernels.multiple_testing import benjamini_hochberg
from chemores_dask.report.table_words import p_notes
from chemores_dask.results_spec import check_result


def cube_of(cells, groups, states=("stem_like", "T", "B")):
    return xr.Dataset(
        {"cube_cells": (("sample", "state"), np.array(cells))},
        coords={
            "state": list(states),
            "patient": ("sample", np.array([f"P{number}" for number in range(len(cells))], dtype=object)),
            "type": ("sample", np.array(groups, dtype=object)),
        },
    )


CUBE = cube_of([[10, 60, 30], [12, 50, 28], [40, 70, 20], [2, 10, 30]], ["a", "a", "b", "c"])


def test_pooled_composition__compares_all_pairs_of_pools():
    found = pooled_composition(CUBE, group="type", draws=200, seed=1)
    check_result(RESULT, found)
    assert found["pair"].values.tolist() == ["b vs a", "c vs a", "c vs b"]
    one = found.sel(pair="b vs a")
    assert one["pooled_cells_first"].values.tolist() == [22, 110, 58]
    np.testing.assert_allclose(
        one["pooled_log2_difference"], np.log2(np.array([40, 70, 20]) / 130 / (np.array([22, 110, 58]) / 190))
    )
    assert found["pooled_patients"].values.tolist() == [3, 3, 2]
    assert found["pooled_patients_in_first"].values.tolist() == [2, 2, 1]


def test_pooled_composition__has_the_exact_tail():
    found = pooled_composition(CUBE, group="type", draws=200, seed=1).sel(pair="b vs a")
    # 62 stem-like cells among 320, of which 130 are drawn: 40 or more; B cells fall: 20 or fewer of 78.
    expected = [
        stats.hypergeom(320, 62, 130).sf(39),
        stats.hypergeom(320, 180, 130).cdf(70),
        stats.hypergeom(320, 78, 130).cdf(20),
    ]
    np.testing.assert_allclose(found["pooled_hypergeometric_p_value"], expected, rtol=1e-10)
    np.testing.assert_allclose(found["pooled_hypergeometric_q_value"], benjamini_hochberg(np.array(expected)))


def test_pooled_composition__draws_what_the_tail_says():
    draws = 20_000
    found = pooled_composition(CUBE, group="type", draws=draws, seed=2)
    exact = found["pooled_hypergeometric_p_value"].values
    error = np.sqrt(exact * (1 - exact) / draws) + 1 / draws
    assert (np.abs(found["pooled_permutation_p_value"].values - exact) < 4.5 * error).all()


def test_pooled_composition__equals_exchanged_labels():
    # The published program exchanges the labels of the cells one by one.
    found = pooled_composition(CUBE, group="type", draws=4000, seed=3).sel(pair="c vs b")
    labels = np.repeat([0, 1, 2, 0, 1, 2], [40, 70, 20, 2, 10, 30])
    second = np.arange(labels.size) >= 130
    observed = np.array([np.log2((labels[second] == k).mean() / (labels[~second] == k).mean()) for k in range(3)])
    rng, reached = np.random.default_rng(4), np.zeros(3)
    for _ in range(4000):
        mixed = rng.permutation(labels)
        with np.errstate(divide="ignore"):
            ratio = np.array([np.log2((mixed[second] == k).mean() / (mixed[~second] == k).mean()) for k in range(3)])
        reached += np.where(observed > 0, ratio >= observed - 1e-12, ratio <= observed + 1e-12)
    np.testing.assert_allclose(found["pooled_permutation_p_value"], (reached + 1) / 4001, atol=0.02)


def test_pooled_composition__has_limits_of_a_bootstrap():
    found = pooled_composition(CUBE, group="type", draws=4000, seed=5).sel(pair="b vs a", state="stem_like")
    error = np.sqrt((1 - 40 / 130) / 40 + (1 - 22 / 190) / 22) / np.log(2)
    center = float(found["pooled_log2_difference"])
    assert float(found["pooled_log2_difference_lower"]) == pytest.approx(center - 1.96 * error, abs=0.12)
    assert float(found["pooled_log2_difference_upper"]) == pytest.approx(center + 1.96 * error, abs=0.12)


def test_pooled_composition__calls_by_q_and_by_the_size_of_the_ratio():
    found = pooled_composition(CUBE, group="type", draws=2000, seed=6)
    expected = (found["pooled_permutation_q_value"] < 0.05) & (np.abs(found["pooled_log2_difference"]) > 0.25)
    np.testing.assert_array_equal(found["pooled_called"], expected)
    assert found["pooled_called"].sel(pair="b vs a", state="stem_like")
    strict = pooled_composition(CUBE, group="type", draws=2000, log2_difference=9.0, seed=6)
    assert not strict["pooled_called"].any()


def test_pooled_composition__is_labeled_as_no_inference():
    found = pooled_composition(CUBE, group="type", draws=20, seed=1)
    assert found.attrs["label"] == "reproduction, not inference"
    notes = p_notes(found.isel(pair=0), ["pooled_permutation_p_value"])
    assert any("Reproduction, not inference" in note for note in notes)
    assert "reproduction, not inference" in pooled_composition.__doc__
    for name in ("permutation_p", "hypergeometric_p"):
        assert "cells as n" in found[f"pooled_{name}_value"].attrs["long_name"]


def test_pooled_composition__does_not_cost_more_for_many_cells():
    many = cube_of([[4 * 10**8, 10**8, 0], [10**8, 10**8, 0]], ["a", "b"])
    found = pooled_composition(many, group="type", draws=100, seed=1).isel(pair=0)
    assert float(found["pooled_permutation_p_value"][0]) == pytest.approx(1 / 101)
    assert float(found["pooled_hypergeometric_p_value"][0]) < 1e-300
    assert np.isnan(found["pooled_hypergeometric_p_value"][2])
    assert not found["pooled_called"][2]


def test_pooled_composition__gives_infinite_ratios_to_states_of_one_group():
    found = pooled_composition(cube_of([[0, 5, 5], [4, 3, 3]], ["a", "b"]), group="type", draws=100, seed=1).isel(
        pair=0
    )
    assert float(found["pooled_log2_difference"][0]) == np.inf
    assert 0 < float(found["pooled_permutation_p_value"][0]) <= 1


def test_pooled_composition__depends_on_seed_and_names_only():
    first = pooled_composition(CUBE, group="type", draws=50, seed=1)
    again = pooled_composition(CUBE, group="type", draws=50, seed=1)
    assert first.identical(again)
    alone = pooled_composition(CUBE.isel(sample=[0, 1, 2]), group="type", draws=50, seed=1)
    np.testing.assert_array_equal(
        first["pooled_permutation_p_value"].sel(pair="b vs a"), alone["pooled_permutation_p_value"][0]
    )


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"group": "subtype"}, MissingVariableError, "'subtype'"),
        ({"draws": 0}, ParameterError, "at least 1"),
        ({"q": 2.0}, ParameterError, "at most 1"),
        ({"log2_difference": -1.0}, ParameterError, "at least 0"),
    ],
)
def test_pooled_composition__refuses(options, error, words):
    with pytest.raises(error, match=words):
        pooled_composition(CUBE, **{"group": "type", "seed": 1, **options})


def test_pooled_composition__refuses_one_group_and_too_many_cells():
    with pytest.raises(InputError, match="in a only"):
        pooled_composition(CUBE.isel(sample=[0, 1]), group="type", seed=1)
    with pytest.raises(InputError, match=r"fewer than 10\^9 cells"):
        pooled_composition(cube_of([[10**9, 1, 1], [5, 5, 5]], ["a", "b"]), group="type", seed=1)


def test_pooled_composition__does_not_depend_on_the_order_of_states():
    found = pooled_composition(CUBE, group="type", draws=200, seed=1)
    turned = pooled_composition(CUBE.isel(state=[2, 0, 1]), group="type", draws=200, seed=1)
    xr.testing.assert_identical(turned.sel(state=found["state"]), found)
