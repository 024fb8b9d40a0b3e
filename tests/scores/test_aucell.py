"""AUCell: the published steps on rows without ties, decoupler, an example worked by hand, and input that it refuses."""

from __future__ import annotations

import anndata
import dask
import decoupler
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.stats import rankdata

from chemores_dask.errors import InputError, MissingGenesWarning, ParameterError
from chemores_dask.gene_sets import GeneSet, GeneSets
from chemores_dask.scores.aucell import aucell

CELLS, GENES = 40, 300
SETS = GeneSets.from_mapping(
    {"few": ["gene3", "gene50", "gene7"], "many": [f"gene{i}" for i in range(100, 130)], "one": ["gene9"]}
)


@pytest.fixture
def cells():
    # Positive numbers without ties, so that chance plays no part.
    matrix = np.random.default_rng(21).gamma(0.5, 2.0, (CELLS, GENES)) + 1e-9
    obs = pd.DataFrame(index=[f"cell{i}" for i in range(CELLS)])
    return anndata.AnnData(matrix, obs=obs, var=pd.DataFrame(index=[f"gene{i}" for i in range(GENES)]))


@pytest.fixture
def counts(cells):
    generator = np.random.default_rng(22)
    cells.X = sp.csr_matrix(generator.poisson(generator.gamma(0.3, 1.0, GENES), (CELLS, GENES)).astype(np.int32))
    return cells


def step_areas(cells, gene_sets, *, last_rank, largest):
    """Area under the steps of the curve, as R's AUCell adds them up, over the largest area."""
    areas = []
    for row in cells.X:
        ranks = dict(zip(cells.var_names, rankdata(-row), strict=True))
        found = []
        for gene_set in gene_sets:
            inside = sorted(ranks[gene] for gene in gene_set.up if ranks[gene] < last_rank)
            area = np.sum(np.diff([*inside, last_rank]) * np.arange(1, len(inside) + 1))
            found.append(area / largest(len(gene_set.up)))
        areas.append(found)
    return np.array(areas)


@pytest.mark.parametrize("top_share", [0.05, 0.111, 1.0])
def test_aucell__follows_the_formula_of_r(cells, top_share):
    last_rank = int(np.ceil(top_share * GENES))

    def largest(size):
        best = np.arange(1, size + 1)
        best = best[best < last_rank]
        return np.sum(np.diff([*best, last_rank]) * np.arange(1, len(best) + 1))

    expected = step_areas(cells, SETS, last_rank=last_rank, largest=largest)
    found = aucell(cells, SETS, seed=1, top_share=top_share)["cell_score"]
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("top_share", [0.05, 0.111, 0.99])
def test_aucell__follows_the_formula_of_pyscenic(cells, top_share):
    # Ranks from 0; the cutoff is the rounded number less one, and the largest area has that number for every gene.
    cutoff = round(top_share * GENES) - 1
    expected = []
    for row in cells.X:
        ranks = dict(zip(cells.var_names, rankdata(-row) - 1, strict=True))
        areas = []
        for gene_set in SETS:
            inside = sorted(ranks[gene] for gene in gene_set.up if ranks[gene] < cutoff)
            steps = np.diff([*inside, cutoff]) * np.cumsum(np.ones(len(inside)))
            areas.append(steps.sum() / ((cutoff + 1) * len(gene_set.up)))
        expected.append(areas)
    found = aucell(cells, SETS, seed=1, top_share=top_share, normalization="pyscenic")["cell_score"]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_aucell__equals_decoupler_without_ties(cells):
    network = pd.DataFrame([(one.name, gene) for one in SETS for gene in one.up], columns=["source", "target"])
    theirs, _ = decoupler.mt.aucell(cells.to_df(), network, tmin=1, n_up=45)
    found = aucell(cells, SETS, seed=1, top_share=0.15)["cell_score"].to_pandas()
    np.testing.assert_allclose(found, theirs[list(SETS.names)], atol=1e-6)


def test_aucell__hand_worked():
    # Ranks A 1, B 2, C 3, D 4, E 5; the curve ends at rank 4. Set {B, C, E}: (4 - 2) + (4 - 3) = 3, at most 3 + 2 + 1 = 6.
    cells = anndata.AnnData(np.array([[9, 7, 5, 3, 1]]), var=pd.DataFrame(index=list("ABCDE")))
    sets = GeneSets.from_mapping({"set": ["B", "C", "E"]})
    assert aucell(cells, sets, seed=1, top_share=0.8)["cell_score"].values.item() == 0.5
    assert aucell(cells, sets, seed=1, top_share=0.8, normalization="pyscenic")["cell_score"].values.item() == 3 / 12


def test_aucell__breaks_ties_by_seed_cell_and_gene(counts):
    first, again, other = (aucell(counts, SETS, seed=seed)["cell_score"].values for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    genes = np.random.default_rng(4).permutation(GENES)
    np.testing.assert_array_equal(aucell(counts[:, genes].copy(), SETS, seed=1)["cell_score"], first)
    renamed = counts.copy()
    renamed.obs_names = [f"other{i}" for i in range(CELLS)]
    assert (aucell(renamed, SETS, seed=1)["cell_score"].values != first).any()
    renamed.obs["cell_key"] = np.arange(CELLS, dtype=np.uint64)
    kept = aucell(renamed, SETS, seed=1)["cell_score"].values
    np.testing.assert_array_equal(aucell(renamed[::-1].copy(), SETS, seed=1)["cell_score"].values[::-1], kept)


@pytest.mark.parametrize("normalization", ["aucell", "pyscenic"])
def test_aucell__of_a_set_is_what_chance_gives_where_there_are_no_counts(normalization):
    silent = anndata.AnnData(sp.csr_matrix((3000, 100)), var=pd.DataFrame(index=[f"gene{i}" for i in range(100)]))
    sets = GeneSets.from_mapping({"set": [f"gene{i}" for i in range(10)]})
    scores = aucell(silent, sets, seed=5, top_share=0.2, normalization=normalization)["cell_score"].values
    # Each of ten genes has a uniform rank: the mean of max(20 - r, 0) over 100 ranks is 1.9.
    largest = 10 * 20 - (55 if normalization == "aucell" else 0)
    expected = 10 * 1.9 / largest
    assert abs(scores.mean() - expected) < 4 * scores.std() / np.sqrt(3000)


def test_aucell__leaves_missing_genes_out(cells):
    with pytest.warns(MissingGenesWarning, match="1 of 4 genes"):
        result = aucell(cells, GeneSets.from_mapping({"few": ["gene3", "gene50", "gene7", "absent"]}), seed=1)
    np.testing.assert_array_equal(result["cell_score"][:, 0], aucell(cells, SETS, seed=1)["cell_score"][:, 0])
    assert (result["score_genes"].item(), result["score_genes_missing"].item()) == (3, 1)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"seed": 1.5}, "'seed' parameter of aucell must be a whole number"),
        ({"top_share": 0.0}, "must hold two genes or more. 0 of 300 genes are 0"),
        ({"top_share": 1.5}, "'top_share' parameter of aucell"),
        ({"top_share": 0.004, "normalization": "pyscenic"}, "0.004 of 300 genes are 1"),
        ({"normalization": "none"}, "must be one of: aucell, pyscenic. Got 'none'"),
    ],
)
def test_aucell__refuses_parameters_outside_their_range(cells, options, text):
    with pytest.raises(ParameterError, match=text):
        aucell(cells, SETS, **{"seed": 1, **options})


def test_aucell__refuses_sets_it_cannot_score(cells):
    with pytest.raises(InputError, match="'set' also has 1 that go down"):
        aucell(cells, GeneSets((GeneSet("set", ("gene1",), ("gene2",)),)), seed=1)
    with pytest.raises(InputError, match="has weights"):
        aucell(cells, GeneSets((GeneSet("set", ("gene1",), weights={"gene1": 2.0}),)), seed=1)


def test_aucell__refuses_expression_that_is_not_known_when_it_is_computed(cells):
    cells.X[3, 5] = np.nan
    result = aucell(cells, SETS, seed=1)
    with dask.config.set(scheduler="synchronous"), pytest.raises(InputError, match="missing or infinite"):
        result.compute()
