"""Pseudobulk: sums, formula, samples that are not used."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from chemores_dask.cohort.pseudobulk import RESULT, pseudobulk
from chemores_dask.errors import CountsError, InputError, MissingVariableError, ParameterError
from chemores_dask.results_spec import check_result


@pytest.fixture
def cube():
    rng = np.random.default_rng(0)
    return xr.Dataset(
        {
            "cube_cells": (("sample", "state"), [[30, 20], [4, 5], [100, 0]]),
            "cube_count_sum": (("sample", "state", "gene"), rng.integers(0, 500, (3, 2, 4))),
        },
        coords={
            "sample": ["s1", "s2", "s3"],
            "state": ["stem_like", "other"],
            "gene": ["A", "B", "C", "D"],
            "patient": ("sample", ["P1", "P1", "P2"]),
        },
    )


def test_pseudobulk__adds_up_states_and_follows_the_formula(cube):
    result = pseudobulk(cube)
    check_result(RESULT, result)
    counts = cube["cube_count_sum"].values.sum(axis=1)
    np.testing.assert_array_equal(result["pseudobulk_count"], counts)
    assert result["pseudobulk_cells"].values.tolist() == [50, 9, 100]
    assert result["pseudobulk_used"].values.tolist() == [True, False, True]
    expected = np.log2((counts[0] + 0.5) / (counts[0].sum() + 1) * 1e6)
    np.testing.assert_allclose(result["pseudobulk_log_cpm"][0], expected, rtol=1e-14)
    assert np.isnan(result["pseudobulk_log_cpm"][1]).all()
    assert result["patient"].values.tolist() == ["P1", "P1", "P2"]


def test_pseudobulk__takes_the_states_asked_for(cube):
    result = pseudobulk(cube, states=["other"], minimum_cells=1)
    np.testing.assert_array_equal(result["pseudobulk_count"], cube["cube_count_sum"].values[:, 1])
    assert result["pseudobulk_used"].values.tolist() == [True, True, False]


def test_pseudobulk__keeps_states_apart(cube):
    result = pseudobulk(cube, by_state=True, minimum_cells=4)
    check_result(RESULT, result)
    assert result["sample"].values.tolist()[:3] == ["s1 stem_like", "s1 other", "s2 stem_like"]
    assert result["state"].dims == ("sample",)
    assert result["state"].values.tolist() == ["stem_like", "other"] * 3
    assert result["patient"].values.tolist() == ["P1"] * 4 + ["P2"] * 2
    np.testing.assert_array_equal(result["pseudobulk_count"], cube["cube_count_sum"].values.reshape(6, 4))
    assert result["pseudobulk_used"].values.tolist() == [True] * 5 + [False]
    only = pseudobulk(cube, by_state=True, states=["other"], minimum_cells=1)
    assert only["sample"].values.tolist() == ["s1 other", "s2 other", "s3 other"]
    xr.testing.assert_identical(
        pseudobulk(cube.chunk({"sample": 1, "gene": 2}), by_state=True, minimum_cells=4), result
    )


def test_pseudobulk__does_not_depend_on_other_samples_or_chunks(cube):
    alone = pseudobulk(cube.isel(sample=[0]))
    np.testing.assert_array_equal(alone["pseudobulk_log_cpm"][0], pseudobulk(cube)["pseudobulk_log_cpm"][0])
    xr.testing.assert_identical(pseudobulk(cube.chunk({"sample": 1, "gene": 2})), pseudobulk(cube))


def test_pseudobulk__does_not_use_samples_without_counts(cube):
    cube["cube_count_sum"][0] = 0
    assert pseudobulk(cube)["pseudobulk_used"].values.tolist() == [False, False, True]


def test_pseudobulk__says_what_is_missing(cube):
    with pytest.raises(InputError, match=r"Not there: T_cell; present: stem_like, other"):
        pseudobulk(cube, states=["T_cell"])
    with pytest.raises(InputError, match=r"Not there: none"):
        pseudobulk(cube, states=[])
    with pytest.raises(InputError, match=r"At least one sample must have 500 cells.*has 100"):
        pseudobulk(cube, minimum_cells=500)
    with pytest.raises(ParameterError, match=r"'minimum_cells'"):
        pseudobulk(cube, minimum_cells=0)
    with pytest.raises(MissingVariableError, match=r"'cube_cells'"):
        pseudobulk(cube.drop_vars("cube_cells"))


def test_pseudobulk__takes_whole_numbers_of_any_type_and_refuses_percentages(cube):
    floats = cube.assign(cube_cells=cube["cube_cells"].astype("f4"), cube_count_sum=cube["cube_count_sum"].astype("f8"))
    xr.testing.assert_identical(pseudobulk(floats), pseudobulk(cube))
    with pytest.raises(CountsError, match=r"counts such as .*; make the cube from raw counts"):
        pseudobulk(cube.assign(cube_count_sum=cube["cube_count_sum"] / 7))
    with pytest.raises(CountsError, match="cells such as nan"):
        pseudobulk(cube.assign(cube_cells=cube["cube_cells"].where(cube["state"] == "other")))
