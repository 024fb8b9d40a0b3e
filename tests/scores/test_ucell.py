"""UCell: the formula gene by gene, an example worked by hand, and input that it refuses."""

from __future__ import annotations

import anndata
import dask
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.stats import rankdata

from chemores_dask.errors import GeneMismatchError, InputError, MissingGenesWarning, ParameterError
from chemores_dask.gene_sets import GeneSet, GeneSets
from chemores_dask.scores.ucell import ucell
from chemores_dask.single_cell.normalize import log_normalize
from chemores_dask.store.cells import open_cells
from chemores_dask.store.cells_parallel import write_cells

CELLS, GENES = 60, 300
SETS = GeneSets(
    (
        GeneSet("up", ("gene3", "gene50", "gene7")),
        GeneSet("many", tuple(f"gene{i}" for i in range(100, 130))),
        GeneSet("both", ("gene1", "gene2"), ("gene3", "gene9", "gene200")),
    )
)


@pytest.fixture
def cells():
    generator = np.random.default_rng(21)
    counts = generator.poisson(generator.gamma(0.5, 2.0, GENES), (CELLS, GENES)).astype(np.int32)
    obs = pd.DataFrame(index=[f"cell{i}" for i in range(CELLS)])
    return anndata.AnnData(sp.csr_matrix(counts), obs=obs, var=pd.DataFrame(index=[f"gene{i}" for i in range(GENES)]))


def u_score(ranks: np.ndarray, maximum_rank: int) -> float:
    size = len(ranks)
    least = size * (size + 1) / 2
    return 1 - (np.minimum(ranks, maximum_rank).sum() - least) / (maximum_rank * size - least)


def expected_scores(cells, gene_sets, *, maximum_rank, down_weight=1.0):
    """Cell by cell, set by set; genes that were not measured have the rank of the last."""
    scores = []
    for row in cells.X.toarray():
        ranks = dict(zip(cells.var_names, rankdata(-row), strict=True))
        sides = []
        for gene_set in gene_sets:
            up, down = (np.array([ranks.get(gene, np.inf) for gene in side]) for side in (gene_set.up, gene_set.down))
            subtracted = down_weight * u_score(down, maximum_rank) if len(down) else 0.0
            sides.append(max(u_score(up, maximum_rank) - subtracted, 0.0))
        scores.append(sides)
    return np.array(scores)


@pytest.mark.parametrize("maximum_rank", [30, 100, 1500])
def test_ucell__follows_the_formula(cells, maximum_rank):
    result = ucell(cells, SETS, maximum_rank=maximum_rank)
    expected = expected_scores(cells, SETS, maximum_rank=min(maximum_rank, GENES))
    np.testing.assert_allclose(result["cell_score"], expected, atol=1e-12)
    assert result["score_genes"].values.tolist() == [3, 30, 5]


def test_ucell__hand_worked():
    # Ranks of the first cell: A 1, B and C 2.5 each, D to F 5 each. With maximum rank 4 the zeros count as 4.
    counts = np.array([[9, 4, 4, 0, 0, 0], [0, 0, 0, 0, 0, 0]])
    cells = anndata.AnnData(counts, var=pd.DataFrame(index=list("ABCDEF")))
    sets = GeneSets((GeneSet("one", ("B",)), GeneSet("two", ("B", "D")), GeneSet("less", ("A",), ("C",))))
    found = ucell(cells, sets, maximum_rank=4)["cell_score"].values
    # one: 1 - (2.5 - 1) / (4 - 1); two: 1 - (2.5 + 4 - 3) / (8 - 3); less: 1 - 0.5.
    np.testing.assert_allclose(found[0], [0.5, 0.3, 0.5])
    # Without counts all ranks are 3.5: 1 - 2.5 / 3, 1 - (7 - 3) / 5, and 0.
    np.testing.assert_allclose(found[1], [1 / 6, 0.2, 0.0])


def test_ucell__weighs_genes_that_go_down(cells):
    for weight in (0.0, 0.5, 3.0):
        expected = expected_scores(cells, SETS, maximum_rank=100, down_weight=weight)
        np.testing.assert_allclose(ucell(cells, SETS, maximum_rank=100, down_weight=weight)["cell_score"], expected)
    assert (ucell(cells, SETS, maximum_rank=100, down_weight=3.0)["cell_score"].sel(gene_set="both") == 0).any()


def test_ucell__counts_missing_genes_as_last_or_leaves_them_out(cells):
    sets = GeneSets.from_mapping({"set": ["gene3", "gene50", "absent"]})
    with pytest.warns(MissingGenesWarning, match="1 of 3 genes"):
        last = ucell(cells, sets, maximum_rank=100)
    with pytest.warns(MissingGenesWarning):
        left_out = ucell(cells, sets, maximum_rank=100, missing="left_out")
    np.testing.assert_allclose(last["cell_score"], expected_scores(cells, sets, maximum_rank=100), atol=1e-12)
    present = GeneSets.from_mapping({"set": ["gene3", "gene50"]})
    np.testing.assert_array_equal(left_out["cell_score"], ucell(cells, present, maximum_rank=100)["cell_score"])
    for result in (last, left_out):
        assert (result["score_genes"].item(), result["score_genes_missing"].item()) == (2, 1)


def test_ucell__is_the_same_from_counts_and_from_their_logarithms(cells, tmp_path):
    expected = ucell(cells, SETS, maximum_rank=100)["cell_score"].values
    np.testing.assert_array_equal(ucell(log_normalize(cells), SETS, maximum_rank=100)["cell_score"], expected)
    write_cells(cells, tmp_path / "cells.zarr")
    stored = ucell(open_cells(tmp_path / "cells.zarr", rows_per_block=7), SETS, maximum_rank=100)
    np.testing.assert_array_equal(stored["cell_score"], expected)


@pytest.mark.parametrize("kind", ["uint8", "int64", "float16", "bool"])
def test_ucell__takes_any_real_type(cells, kind):
    counts = np.minimum(cells.X.toarray(), 200).astype(kind)
    expected = ucell(anndata.AnnData(sp.csr_matrix(counts.astype(np.int32)), var=cells.var), SETS, maximum_rank=50)
    found = ucell(anndata.AnnData(counts, var=cells.var), SETS, maximum_rank=50)
    np.testing.assert_array_equal(found["cell_score"], expected["cell_score"])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"maximum_rank": 1}, "'maximum_rank' parameter of ucell must be at least 2"),
        ({"maximum_rank": 20.5}, "must be a whole number"),
        ({"maximum_rank": 29}, "'many' has 30"),
        ({"missing": "zero"}, "must be one of: last, left_out. Got 'zero'"),
        ({"down_weight": -1.0}, "'down_weight' parameter of ucell must be at least 0"),
        ({"minimum_share": 1.5}, "'minimum_share' parameter of ucell"),
    ],
)
def test_ucell__refuses_parameters_outside_their_range(cells, options, text):
    with pytest.raises(ParameterError, match=text):
        ucell(cells, SETS, **options)


def test_ucell__refuses_sets_it_cannot_score(cells):
    with pytest.raises(InputError, match="needs genes that go up"):
        ucell(cells, GeneSets((GeneSet("down", (), ("gene1",)),)))
    with pytest.raises(InputError, match="has weights"):
        ucell(cells, GeneSets((GeneSet("set", ("gene1",), weights={"gene1": 2.0}),)))
    with pytest.raises(GeneMismatchError, match="Found 1 of 3"):
        ucell(cells, GeneSets.from_mapping({"set": ["gene1", "TP53", "MYC"]}))
    # A side that was not measured at all scores 0, as if it were ranked last.
    with pytest.warns(MissingGenesWarning):
        result = ucell(cells, GeneSets((GeneSet("set", ("gene1", "gene2"), ("TP53",)),)), maximum_rank=50)
    plain = ucell(cells, GeneSets((GeneSet("set", ("gene1", "gene2")),)), maximum_rank=50)
    np.testing.assert_array_equal(result["cell_score"], plain["cell_score"])


def test_ucell__refuses_expression_that_is_not_known_when_it_is_computed(cells):
    cells.X = cells.X.astype(float)
    cells.X.data[5] = np.nan
    result = ucell(cells, SETS)
    with dask.config.set(scheduler="synchronous"), pytest.raises(InputError, match="missing or infinite"):
        result.compute()
