"""Products by fold: against dense algebra, in any blocks; folds of patients that follow from names alone."""

from __future__ import annotations

import anndata
import dask
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from chemores_dask.errors import BlockTooLargeError, GeneMismatchError, InputError, MissingVariableError, ParameterError
from chemores_dask.single_cell.gene_products import ProductsBlock, gene_products, merge_products, patient_folds
from chemores_dask.stream import as_rows

CELLS, GENES = 120, 15


@pytest.fixture
def cells():
    generator = np.random.default_rng(4)
    matrix = generator.poisson(0.7, (CELLS, GENES)) * generator.random((CELLS, GENES))
    obs = pd.DataFrame(
        {"patient": np.sort(generator.choice(list("ABCD"), CELLS)), "number": generator.integers(3, 6, CELLS)},
        index=[f"c{i}" for i in range(CELLS)],
    )
    return anndata.AnnData(sp.csr_matrix(matrix), obs=obs, var=pd.DataFrame(index=[f"g{i}" for i in range(GENES)]))


def in_blocks(cells, size):
    lazy = cells.copy()
    lazy.X = as_rows(cells.X, rows_per_block=size)
    return lazy


@pytest.mark.parametrize("fold", ["patient", "number"])
@pytest.mark.parametrize("size", [1, 13, 1000])
def test_gene_products__equal_dense_algebra_of_each_fold(cells, fold, size):
    found = gene_products(in_blocks(cells, size), genes=["g3", "g1", "g9"], fold=fold)
    assert found["gene"].to_numpy().tolist() == ["g1", "g3", "g9"]
    assert found["fold"].to_numpy().tolist() == sorted(set(cells.obs[fold]))
    dense = cells.X.toarray()[:, [1, 3, 9]]
    for label in found["fold"].to_numpy():
        part = dense[(cells.obs[fold] == label).to_numpy()]
        chosen = found.sel(fold=label)
        assert chosen["products_cells"].item() == len(part)
        np.testing.assert_allclose(chosen["products_sum"], part.sum(axis=0), rtol=1e-12)
        np.testing.assert_allclose(chosen["products_gram"], part.T @ part, rtol=1e-12, atol=1e-12)


def test_gene_products__have_the_same_bits_for_any_number_of_workers(cells):
    found = []
    for settings in ({"scheduler": "synchronous"}, {"scheduler": "threads", "num_workers": 4}):
        with dask.config.set(**settings):
            found.append(gene_products(in_blocks(cells, 9), fold="patient"))
    assert found[0].identical(found[1])


def test_gene_products__take_categories(cells):
    plain = gene_products(cells, fold="patient")
    cells.obs["patient"] = cells.obs["patient"].astype("category").cat.add_categories("Z")
    assert gene_products(cells, fold="patient").identical(plain)


def test_merge_products__is_a_union():
    rows = sp.csr_matrix(np.eye(3))
    block = ProductsBlock()
    first, second = block(rows, {"codes": np.array([0, 0, 1])}), block(rows, {"codes": np.array([1, 2, 2])})
    merged = merge_products(first, second)
    assert {code: sums.rows for code, sums in merged.items()} == {0: 2, 1: 2, 2: 2}
    assert merged[1].column_sums.tolist() == [1.0, 0.0, 1.0]
    assert first[1].rows == 1
    assert block(rows[:0], {"codes": np.empty(0, dtype=int)}) == {}


def test_gene_products__refuse_what_cannot_work(cells):
    with pytest.raises(MissingVariableError, match="needs the columns batch in obs"):
        gene_products(cells, fold="batch")
    with pytest.raises(GeneMismatchError, match="genes of gene_products must be in the cells"):
        gene_products(cells, genes=["TP53"], fold="patient")
    with pytest.raises(InputError, match="at least one cell"):
        gene_products(cells[:0].copy(), fold="patient")
    cells.obs["list"] = [[1]] * CELLS
    with pytest.raises(ParameterError, match="names or numbers"):
        gene_products(cells, fold="list")
    cells.obs.loc["c7", "patient"] = None
    with pytest.raises(InputError, match="'patient' is missing in 1 of 120 cells"):
        gene_products(cells, fold="patient")


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e200])
def test_gene_products__refuse_expression_that_is_not_finite(cells, value):
    cells.X.data[17] = value
    with np.errstate(over="ignore"), pytest.raises(InputError, match="Expression must be finite"):
        gene_products(cells, fold="patient")


def test_gene_products__refuse_what_cannot_fit_into_memory():
    wide = anndata.AnnData(
        sp.csr_matrix((10, 200_000)), obs=pd.DataFrame({"fold": range(10)}, index=list("abcdefghij"))
    )
    with pytest.raises(BlockTooLargeError, match="fewer genes"):
        gene_products(wide, fold="fold")


def test_patient_folds__keep_patients_whole_and_sizes_even():
    patients = pd.Series([f"P{i % 23}" for i in range(500)], index=[f"c{i}" for i in range(500)])
    folds = patient_folds(patients, folds=5, seed=3)
    assert folds.index.equals(patients.index)
    by_patient = folds.groupby(patients.to_numpy()).nunique()
    assert (by_patient == 1).all()
    sizes = patients.groupby(folds.to_numpy()).nunique()
    assert sorted(sizes.tolist()) == [4, 4, 5, 5, 5]


def test_patient_folds__do_not_hang_on_the_order_of_cells():
    patients = pd.Series([f"P{i % 23}" for i in range(100)])
    shuffled = patients.sample(frac=1, random_state=1)
    found = patient_folds(patients, folds=4, seed=3)
    pd.testing.assert_series_equal(patient_folds(shuffled, folds=4, seed=3).sort_index(), found)
    pd.testing.assert_series_equal(patient_folds(patients.astype("category"), folds=4, seed=3), found)
    assert not patient_folds(patients, folds=4, seed=4).equals(found)


def test_patient_folds__refuse_unknown_patients_and_too_many_folds():
    with pytest.raises(InputError, match="Found 1 without"):
        patient_folds(pd.Series(["A", None, "B"]), folds=2, seed=1)
    with pytest.raises(ParameterError, match="'folds' parameter of patient_folds must be at least 1 and at most 2"):
        patient_folds(pd.Series(["A", "A", "B"]), folds=3, seed=1)
