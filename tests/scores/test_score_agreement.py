"""Agreement of scores: against scipy, over patients and a sample of cells, and on results that do not fit together."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from scipy.stats import spearmanr

from chemores_dask.errors import InputError, ParameterError
from chemores_dask.gene_sets import GeneSets
from chemores_dask.results_spec import check_result
from chemores_dask.scores.mean_zscore import mean_zscore
from chemores_dask.scores.score_agreement import RESULT, score_agreement
from chemores_dask.scores.singscore import singscore
from chemores_dask.scores.ssgsea import ssgsea

SETS = ["stemness", "cycle"]


def scored(values, *, dimension="patient", names=None, sets=SETS):
    names = [f"row{i}" for i in range(len(values))] if names is None else names
    coords = {dimension: names, "gene_set": sets}
    return xr.Dataset({f"{dimension}_score": ((dimension, "gene_set"), values)}, coords=coords)


@pytest.fixture
def values():
    generator = np.random.default_rng(5)
    shared = generator.normal(size=(40, 2))
    return {
        name: shared + spread * generator.normal(size=(40, 2)) for name, spread in (("a", 0.1), ("b", 1.0), ("c", 3.0))
    }


def test_score_agreement__equals_scipy(values):
    found = score_agreement({name: scored(v) for name, v in values.items()}, seed=1)
    check_result(RESULT, found)
    for first in values:
        for second in values:
            pair = found.sel(score=first, score_other=second)
            for column, gene_set in enumerate(SETS):
                x, y = values[first][:, column], values[second][:, column]
                assert pair["agreement_correlation"].sel(gene_set=gene_set).item() == pytest.approx(
                    spearmanr(x, y).statistic
                )
                same = np.mean((x > np.median(x)) == (y > np.median(y)))
                assert pair["agreement_same_side"].sel(gene_set=gene_set).item() == pytest.approx(same)
    assert (found["agreement_rows"] == 40).all()
    assert (found.attrs["rows"], found.attrs["compared"]) == ("patients", 40)


def test_score_agreement__matches_rows_and_sets_by_name(values):
    order = np.random.default_rng(1).permutation(40)[:30]
    names = [f"row{i}" for i in order]
    other = scored(values["b"][order][:, ::-1], names=names, sets=SETS[::-1])
    found = score_agreement({"a": scored(values["a"]), "b": other}, seed=1)
    expected = spearmanr(values["a"][order][:, 1], values["b"][order][:, 1]).statistic
    assert found["agreement_correlation"].sel(gene_set="cycle")[0, 1].item() == pytest.approx(expected)
    assert (found["agreement_rows"] == 30).all()


def test_score_agreement__leaves_missing_and_constant_scores_out(values):
    values["b"][:5, 0] = np.nan
    values["c"][:, 1] = 2.0
    found = score_agreement({name: scored(v) for name, v in values.items()}, seed=1)
    first = found.sel(gene_set="stemness")
    assert first["agreement_rows"].values.tolist() == [[40, 35, 40], [35, 35, 35], [40, 35, 40]]
    expected = spearmanr(values["a"][5:, 0], values["b"][5:, 0]).statistic
    assert first["agreement_correlation"][0, 1].item() == pytest.approx(expected)
    assert np.isnan(found["agreement_correlation"].sel(gene_set="cycle")[2]).all()


def test_score_agreement__draws_cells_by_seed(values):
    generator = np.random.default_rng(3)
    table = generator.normal(size=(3000, 2))
    noisy = table + generator.normal(size=table.shape)
    lazy = scored(da.from_array(noisy, chunks=(700, 2)), dimension="cell")
    results = {"a": scored(table, dimension="cell"), "b": lazy}
    found = [score_agreement(results, seed=seed, cells=500) for seed in (1, 1, 2)]
    xr.testing.assert_identical(found[0], found[1])
    assert (found[0]["agreement_rows"] == 500).all()
    assert found[0].attrs["rows"] == "cells"
    whole = spearmanr(table[:, 0], noisy[:, 0]).statistic
    draws = [result["agreement_correlation"].sel(gene_set="stemness")[0, 1].item() for result in found]
    assert draws[0] != draws[2]
    np.testing.assert_allclose(draws, whole, atol=0.1)
    everything = score_agreement(results, seed=1)["agreement_correlation"].sel(gene_set="stemness")[0, 1]
    assert everything.item() == pytest.approx(whole)


def test_score_agreement__names_results_after_their_analysis():
    matrix = np.random.default_rng(2).normal(size=(20, 30))
    coords = {"patient": [f"P{i}" for i in range(20)], "gene": [f"G{i}" for i in range(30)]}
    patients = xr.Dataset({"expression": (("patient", "gene"), matrix)}, coords=coords)
    sets = GeneSets.from_mapping({"set": ["G1", "G2", "G3", "G4"]})
    results = [method(patients, sets) for method in (mean_zscore, ssgsea, singscore)]
    found = score_agreement(results, seed=1)
    assert found["score"].values.tolist() == ["mean_zscore", "ssgsea", "singscore"]
    assert (found["agreement_correlation"] > 0.8).all()
    with pytest.raises(InputError, match="names of their own"):
        score_agreement([results[0], results[0]], seed=1)


def test_score_agreement__refuses_results_that_do_not_fit(values):
    a, b = scored(values["a"]), scored(values["b"])
    with pytest.raises(InputError, match=r"2 results or more\. Found 1"):
        score_agreement({"a": a}, seed=1)
    with pytest.raises(InputError, match=r"Found a \(patients\), b \(cells\), c \(no score\)"):
        score_agreement({"a": a, "b": scored(values["b"], dimension="cell"), "c": xr.Dataset()}, seed=1)
    with pytest.raises(InputError, match="Found 2 that are in all of"):
        score_agreement({"a": a.isel(patient=slice(0, 2)), "b": b}, seed=1)
    with pytest.raises(InputError, match="share a gene set"):
        score_agreement({"a": a, "b": b.assign_coords(gene_set=["x", "y"])}, seed=1)
    with pytest.raises(ParameterError, match="'cells'"):
        score_agreement({"a": a, "b": b}, seed=1, cells=2)
