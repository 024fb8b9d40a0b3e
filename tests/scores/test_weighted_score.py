"""Weighted scores: sums against numpy and decoupler, rank correlations against scipy, frozen scales, and hostile input."""

from __future__ import annotations

import time

import anndata
import dask.array as da
import decoupler
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import xarray as xr
from scipy.stats import spearmanr

from chemores_dask.errors import GeneMismatchError, InputError, MissingGenesWarning, ParameterError
from chemores_dask.gene_sets import GeneSet, GeneSets
from chemores_dask.results_spec import check_result
from chemores_dask.scores.mean_zscore import mean_zscore
from chemores_dask.scores.weighted_score import RESULT, weighted_score
from chemores_dask.single_cell.normalize import log_normalize
from chemores_dask.stream import as_rows

GENES = 60
NAMES = [f"G{gene}" for gene in range(GENES)]
RISK = {"G3": 0.5, "G10": -1.25, "G40": 2.0, "G41": 0.0}
INDEX = {gene: round(float(np.sin(number)), 1) for number, gene in enumerate(NAMES[5:45])}
SETS = GeneSets((GeneSet.from_weights("risk", RISK), GeneSet.from_weights("index", INDEX)))


@pytest.fixture
def counts():
    generator = np.random.default_rng(17)
    return generator.poisson(generator.gamma(0.5, 2.0, GENES), (30, GENES))


@pytest.fixture
def matrix():
    return np.random.default_rng(18).normal(7, 2, (25, GENES))


def cells_of(matrix):
    obs = pd.DataFrame(index=[f"cell{cell}" for cell in range(len(matrix))])
    return anndata.AnnData(sp.csr_matrix(matrix), obs=obs, var=pd.DataFrame(index=NAMES))


def cohort(matrix):
    coords = {"patient": [f"P{patient}" for patient in range(len(matrix))], "gene": NAMES}
    return xr.Dataset({"expression": (("patient", "gene"), matrix)}, coords=coords)


def vectors(weights):
    return [NAMES.index(gene) for gene in weights], np.array(list(weights.values()))


def test_weighted_score__adds_up_weighted_expression(matrix, counts):
    found = weighted_score(cohort(matrix), SETS)
    check_result(RESULT, found)
    cells = log_normalize(cells_of(counts))
    scored = weighted_score(cells, SETS)
    assert isinstance(scored["cell_score"].data, da.Array)
    dense = cells.X.compute().toarray().astype(float)
    for gene_set, weights in (("risk", RISK), ("index", INDEX)):
        columns, numbers = vectors(weights)
        np.testing.assert_allclose(
            found["patient_score"].sel(gene_set=gene_set), matrix[:, columns] @ numbers, rtol=1e-12
        )
        np.testing.assert_allclose(scored["cell_score"].sel(gene_set=gene_set), dense[:, columns] @ numbers, rtol=1e-12)
    assert found["score_genes"].values.tolist() == [4, 40]
    assert found["weighted_share"].values.tolist() == [1.0, 1.0]


def test_weighted_score__equals_decoupler(matrix):
    network = pd.DataFrame(
        [("index", gene, weight) for gene, weight in INDEX.items()], columns=["source", "target", "weight"]
    )
    frame = pd.DataFrame(matrix, index=[f"P{i}" for i in range(len(matrix))], columns=NAMES)
    theirs = decoupler.mt.waggr(frame, network, fun="wsum", times=0, tmin=1)
    theirs = theirs[0] if isinstance(theirs, tuple) else theirs
    found = weighted_score(cohort(matrix), SETS)["patient_score"].sel(gene_set="index")
    np.testing.assert_allclose(found, theirs["index"], rtol=1e-5)


def test_weighted_score__keeps_the_scale_of_another_cohort(matrix, counts):
    first = mean_zscore(cohort(matrix), SETS)
    scale = {"mean": first["zscore_mean"], "deviation": first["zscore_deviation"]}
    other = matrix[:6] + 1.5
    found = weighted_score(cohort(other), SETS, **scale)["patient_score"].sel(gene_set="risk")
    columns, numbers = vectors(RISK)
    z = (other[:, columns] - matrix[:, columns].mean(axis=0)) / matrix[:, columns].std(axis=0, ddof=1)
    np.testing.assert_allclose(found, z @ numbers, rtol=1e-11)
    # In its own cohort, up to the sum of absolute weights, this is mean_zscore.
    own = weighted_score(cohort(matrix), SETS, **scale)["patient_score"].sel(gene_set="risk")
    np.testing.assert_allclose(own / 3.75, first["patient_score"].sel(gene_set="risk"), rtol=1e-11)
    cells = weighted_score(log_normalize(cells_of(counts)), SETS, **scale)["cell_score"].sel(gene_set="risk")
    dense = log_normalize(cells_of(counts)).X.compute().toarray()[:, columns]
    expected = (dense - matrix[:, columns].mean(axis=0)) / matrix[:, columns].std(axis=0, ddof=1) @ numbers
    np.testing.assert_allclose(cells, expected, rtol=1e-6)


def test_weighted_score__refuses_a_scale_that_lacks_genes(matrix):
    first = mean_zscore(cohort(matrix), SETS)
    mean, deviation = first["zscore_mean"], first["zscore_deviation"]
    with pytest.raises(GeneMismatchError, match="Not so for: G3"):
        weighted_score(cohort(matrix), SETS, mean=mean.drop_sel(gene="G3"), deviation=deviation)
    with pytest.raises(GeneMismatchError, match="Not so for: G10"):
        weighted_score(cohort(matrix), SETS, mean=mean, deviation=deviation.where(deviation["gene"] != "G10", 0.0))
    with pytest.raises(InputError, match="must run over 'gene'"):
        weighted_score(cohort(matrix), SETS, mean=mean.rename(gene="symbol"), deviation=deviation)
    for wrong in (
        {"mean": mean},
        {"deviation": deviation},
        {"mean": mean, "deviation": deviation, "method": "rank_correlation"},
    ):
        with pytest.raises(ParameterError, match="belong together"):
            weighted_score(cohort(matrix), SETS, **wrong)


def test_weighted_score__correlates_ranks_as_scipy_does(matrix, counts):
    options = {"method": "rank_correlation"}
    found = weighted_score(cohort(matrix), SETS, **options)["patient_score"]
    of_counts = weighted_score(cells_of(counts), SETS, **options)["cell_score"].to_numpy()
    for number, weights in enumerate((RISK, INDEX)):
        columns, numbers = vectors(weights)
        expected = [spearmanr(row[columns], numbers).statistic for row in matrix]
        np.testing.assert_allclose(found[:, number], expected, rtol=0, atol=1e-13)
        expected = [spearmanr(row[columns], numbers).statistic if np.ptp(row[columns]) else np.nan for row in counts]
        np.testing.assert_allclose(of_counts[:, number], expected, rtol=0, atol=1e-13)
    of_logarithms = weighted_score(log_normalize(cells_of(counts)), SETS, **options)["cell_score"]
    np.testing.assert_array_equal(of_logarithms, of_counts)


@pytest.mark.parametrize("method", ["sum", "rank_correlation"])
def test_weighted_score__brings_scores_to_zero_to_one(matrix, counts, method):
    plain = weighted_score(cohort(matrix), SETS, method=method)
    found = weighted_score(cohort(matrix), SETS, method=method, rescaled=True)
    check_result(RESULT, found)
    np.testing.assert_allclose(found["patient_score"].min("patient"), 0, atol=1e-15)
    np.testing.assert_allclose(found["patient_score"].max("patient"), 1)
    back = found["weighted_least"] + found["patient_score"] * (found["weighted_greatest"] - found["weighted_least"])
    np.testing.assert_allclose(back.transpose("patient", "gene_set"), plain["patient_score"])
    counts[4] = 0
    cells = weighted_score(cells_of(counts), SETS, method=method, rescaled=True)["cell_score"].to_numpy()
    assert (np.nanmin(cells, axis=0).tolist(), np.nanmax(cells, axis=0).tolist()) == ([0, 0], [1, 1])
    assert np.isnan(cells[4]).all() == (method == "rank_correlation")
    with pytest.raises(InputError, match="All are equal for: risk, index"):
        weighted_score(cohort(matrix[:1]), SETS, method=method, rescaled=True)


@pytest.mark.parametrize(
    "options", [{}, {"method": "rank_correlation"}, {"method": "rank_correlation", "rescaled": True}]
)
def test_weighted_score__has_the_same_bits_in_any_blocks(counts, matrix, options):
    cells = cells_of(counts)
    whole = weighted_score(log_normalize(cells), SETS, **options)["cell_score"].to_numpy()
    cells.X = as_rows(cells.X, rows_per_block=7)
    np.testing.assert_array_equal(weighted_score(log_normalize(cells), SETS, **options)["cell_score"], whole)
    patients = cohort(matrix)
    expected = weighted_score(patients, SETS, **options)
    xr.testing.assert_identical(weighted_score(patients.chunk({"gene": 5, "patient": 4}), SETS, **options), expected)
    xr.testing.assert_identical(weighted_score(patients.transpose("gene", "patient"), SETS, **options), expected)
    alone = weighted_score(patients, GeneSets((SETS["index"],)), **options)["patient_score"][:, 0]
    np.testing.assert_array_equal(alone, expected["patient_score"][:, 1])


def test_weighted_score__measures_coverage_by_weight(matrix):
    light = GeneSets((GeneSet.from_weights("light", RISK | {"PHEX": 0.1, "ADIRF": -0.15}),))
    with pytest.warns(MissingGenesWarning, match="2 of 6 genes of 'light'"):
        found = weighted_score(cohort(matrix), light)
    assert found["weighted_share"].item() == pytest.approx(3.75 / 4)
    assert (found["score_genes"].item(), found["score_genes_missing"].item()) == (4, 2)
    heavy = GeneSets((GeneSet.from_weights("heavy", RISK | {"PHEX": 9.0}),))
    with pytest.raises(
        GeneMismatchError, match=r"at least 50% of the absolute weight of 'heavy'.*Found 29.4%, 4 of 5.*missing: PHEX"
    ):
        weighted_score(cohort(matrix), heavy)
    with pytest.raises(GeneMismatchError, match="0 of 1 genes"):
        weighted_score(cohort(matrix), GeneSets((GeneSet.from_weights("none", {"PHEX": 9.0}),)), minimum_share=0.0)


@pytest.mark.parametrize(
    ("gene_set", "error", "text"),
    [
        (GeneSet("plain", ("G1",)), GeneMismatchError, "genes without weight: G1"),
        (GeneSet("strange", ("G1",), (), {"G1": 1.0, "G2": 2.0}), GeneMismatchError, "weights without gene: G2"),
        (GeneSet.from_weights("zero", {"G1": 0.0}), InputError, "not all 0"),
        (GeneSet.from_weights("unknown", {"G1": float("nan")}), InputError, "must be finite"),
    ],
)
def test_weighted_score__refuses_sets_without_proper_weights(matrix, gene_set, error, text):
    with pytest.raises(error, match=text):
        weighted_score(cohort(matrix), GeneSets((gene_set,)))


def test_weighted_score__refuses_ranks_of_nothing(matrix):
    for weights in ({"G1": 1.0, "G2": 2.0}, {"G1": 1.0, "G2": 1.0, "G3": 1.0}):
        with pytest.raises(GeneMismatchError, match="3 genes or more with different weights"):
            weighted_score(cohort(matrix), GeneSets((GeneSet.from_weights("set", weights),)), method="rank_correlation")
    matrix[3, 5:45] = 2.0
    with pytest.raises(InputError, match="All are equal in: P3"):
        weighted_score(cohort(matrix), GeneSets((SETS["index"],)), method="rank_correlation")


@pytest.mark.parametrize("method", ["sum", "rank_correlation"])
def test_weighted_score__names_expression_that_is_not_known(matrix, method):
    matrix[2, 10], matrix[3, 59] = np.nan, np.inf
    with pytest.raises(InputError, match=r"Not so for: G10, in 1 of 25 patients \(P2;"):
        weighted_score(cohort(matrix), SETS, method=method)
    matrix[2, 10] = 1.0
    assert np.isfinite(weighted_score(cohort(matrix), SETS, method=method)["patient_score"]).all()
    matrix[2, 10] = np.nan
    with pytest.raises(InputError, match="known and finite"):
        weighted_score(cells_of(matrix), SETS, method=method)["cell_score"].compute()


def test_weighted_score__refuses_what_it_cannot_use(matrix):
    with pytest.raises(ParameterError, match="must be one of: sum, rank_correlation"):
        weighted_score(cohort(matrix), SETS, method="mean")
    with pytest.raises(InputError, match="needs gene sets"):
        weighted_score(cohort(matrix), GeneSets(()))
    with pytest.raises(InputError, match="needs cells"):
        weighted_score(cells_of(matrix)[:0].copy(), SETS)


def test_weighted_score__takes_thousands_of_weights_in_no_time():
    genes = [f"gene{number}" for number in range(20_000)]
    sets = GeneSets((GeneSet.from_weights("many", {gene: 1.0 + number for number, gene in enumerate(genes)}),))
    coords = {"patient": ["P0", "P1", "P2"], "gene": genes}
    patients = xr.Dataset(
        {"expression": (("patient", "gene"), np.sin(np.arange(60_000.0)).reshape(3, -1))}, coords=coords
    )
    start = time.process_time()
    weighted_score(patients, sets, method="rank_correlation")
    mean_zscore(patients, sets)
    assert time.process_time() - start < 5
