"""Phases of the cell cycle: against scanpy, and by the rule."""

from __future__ import annotations

import anndata
import dask
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import scanpy
import scipy.sparse as sp

from chemores_dask.errors import GeneMismatchError, InputError, MissingGenesWarning, ParameterError
from chemores_dask.gene_sets import GeneSets
from chemores_dask.scores.cell_cycle import cell_cycle
from chemores_dask.scores.control_genes import ControlGenes
from chemores_dask.scores.cycle_genes import CELL_CYCLE_GENES
from chemores_dask.scores.module_score import module_score
from chemores_dask.store.attach import attach
from chemores_dask.stream.rows import as_rows

REST = [f"GENE{number:03d}" for number in range(400)]
RESTING = ["KLF2", "BTG1", "TOB1", "FOXO1"]
SETS = GeneSets((*CELL_CYCLE_GENES, *GeneSets.from_mapping({"quiescence": RESTING})))


@pytest.fixture(scope="module")
def cells():
    """Log-normalized cells of which a third replicate, a third divide, and the rest express genes of quiescence."""
    generator = np.random.default_rng(5)
    names = [*CELL_CYCLE_GENES["S"].up, *CELL_CYCLE_GENES["G2M"].up, *RESTING, *REST]
    rates = generator.gamma(0.7, size=len(names))
    expected = np.repeat(rates[None, :], 240, axis=0)
    phase = np.arange(240) % 3
    expected[np.ix_(phase == 0, range(43))] += 1.5
    expected[np.ix_(phase == 1, range(43, 97))] += 1.5
    expected[np.ix_(phase == 2, range(97, 101))] += 4
    counts = sp.csr_matrix(generator.poisson(expected).astype(np.float64))
    found = anndata.AnnData(
        counts,
        obs=pd.DataFrame({"truth": np.array(["S", "G2M", "G1"])[phase]}, index=[f"c{place}" for place in range(240)]),
        var=pd.DataFrame(index=names),
    )
    scanpy.pp.normalize_total(found, target_sum=1e4)
    scanpy.pp.log1p(found)
    return found


@pytest.mark.parametrize("seed", [0, 7])
def test_cell_cycle__equals_scanpy(cells, seed):
    theirs = cells.copy()
    scanpy.tl.score_genes_cell_cycle(
        theirs,
        s_genes=list(CELL_CYCLE_GENES["S"].up),
        g2m_genes=list(CELL_CYCLE_GENES["G2M"].up),
        random_state=seed,
    )
    ours = cell_cycle(cells, method="scanpy", seed=seed).compute()
    np.testing.assert_allclose(ours["cell_cycle_s"], theirs.obs["S_score"], atol=1e-12)
    np.testing.assert_allclose(ours["cell_cycle_g2m"], theirs.obs["G2M_score"], atol=1e-12)
    assert ours["cell_cycle_phase"].values.tolist() == theirs.obs["phase"].tolist()


@pytest.mark.parametrize("method", ["seurat", "scanpy"])
def test_cell_cycle__finds_the_planted_phase(cells, method):
    result = cell_cycle(cells, SETS, quiescence="quiescence", method=method, seed=1).compute()
    truth = cells.obs["truth"].to_numpy()
    assert (result["cell_cycle_phase"].values == truth).mean() > 0.95
    assert (result["cell_quiescent"].values == (truth == "G1")).mean() > 0.95


def test_cell_cycle__scores_are_module_scores_with_controls_of_the_smaller_set(cells):
    result = cell_cycle(cells, SETS, quiescence="quiescence", seed=4).compute()
    scores = module_score(cells, SETS, method="seurat", seed=4, controls=ControlGenes(genes=43))["cell_score"].values
    np.testing.assert_array_equal(result["cell_cycle_s"], scores[:, 0])
    np.testing.assert_array_equal(result["cell_cycle_g2m"], scores[:, 1])
    larger = scores[:, :2].max(axis=1)
    np.testing.assert_array_equal(result["cell_quiescence"], scores[:, 2] - larger)
    np.testing.assert_array_equal(result["cell_quiescent"], (larger <= 0) & (scores[:, 2] > 0))
    assert set(result["cell_cycle_phase"].values[larger <= 0]) == {"G1"}
    assert "G1" not in result["cell_cycle_phase"].values[larger > 0]


def test_cell_cycle__of_cells_without_a_count_is_g1():
    genes = pd.DataFrame(index=["A", "B", "C", "D", "E", "F"])
    matrix = np.array([[3.0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0], [1.0, 1, 1, 1, 1, 1]])
    sets = GeneSets.from_mapping({"S": ["A", "B"], "G2M": ["D", "E"]})
    result = cell_cycle(anndata.AnnData(matrix, var=genes), sets, seed=1, controls=ControlGenes(2))
    assert result["cell_cycle_phase"].values[1] == "G1"


def test_cell_cycle__does_not_depend_on_blocks_and_is_lazy(cells):
    cut = anndata.AnnData(as_rows(cells.X, rows_per_block=37), obs=cells.obs, var=cells.var)
    lazy = cell_cycle(cut, SETS, quiescence="quiescence", seed=1)
    assert all(isinstance(lazy[name].data, da.Array) for name in lazy.data_vars)
    whole = cell_cycle(cells, SETS, quiescence="quiescence", seed=1).compute()
    with dask.config.set(scheduler="synchronous"):
        computed = lazy.compute()
    assert computed["cell_cycle_phase"].values.tolist() == whole["cell_cycle_phase"].values.tolist()
    np.testing.assert_array_equal(computed["cell_quiescent"], whole["cell_quiescent"])


def test_cell_cycle__becomes_columns_of_cells(cells):
    result = cell_cycle(cells, seed=1).compute()
    attached = attach(cells, result)
    assert {"cell_cycle_s", "cell_cycle_g2m", "cell_cycle_phase"} <= set(attached.obs.columns)


def test_cell_cycle__warns_of_missing_genes_and_refuses_too_few(cells):
    fewer = cells[:, cells.var_names != "PCNA"].copy()
    with pytest.warns(MissingGenesWarning, match="PCNA"):
        cell_cycle(fewer, seed=1)
    none = cells[:, REST].copy()
    with pytest.raises(GeneMismatchError, match="50% of the genes of 'S'"):
        cell_cycle(none, seed=1)


def test_cell_cycle__refuses_sets_it_cannot_use(cells):
    for options, match in (
        ({"phases": "S"}, "must name two sets"),
        ({"phases": ("S", "S")}, "must name two sets"),
        ({"phases": ("S", "M")}, "must be one of: S, G2M, quiescence"),
        ({"quiescence": "rest"}, "'quiescence' parameter of cell_cycle must be one of"),
        ({"quiescence": "S"}, "a set of its own"),
        ({"method": "other"}, "must be one of"),
    ):
        with pytest.raises(ParameterError, match=match):
            cell_cycle(cells, SETS, **{"seed": 1, **options})
    with pytest.raises(InputError, match="needs cells"):
        cell_cycle(cells[:0].copy(), SETS, seed=1)
