"""Odd matrices and odd tables of cells: the right answer, or an error in our own words."""

from __future__ import annotations

import anndata
import dask
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData

from chemores_dask.errors import ChemoresError, CountsError, InputError, ParameterError
from chemores_dask.gene_sets import GeneSet, GeneSets
from chemores_dask.scores.control_genes import ControlGenes
from chemores_dask.scores.module_score import module_score
from chemores_dask.scores.score_states import score_states
from chemores_dask.single_cell.cohort_cube import cohort_cube
from chemores_dask.single_cell.normalize import log_normalize
from chemores_dask.single_cell.pca import pca
from chemores_dask.single_cell.quality import QualityLimits, quality
from chemores_dask.single_cell.variable_genes import variable_genes

CELLS, GENES = 60, 40
GENERATOR = np.random.default_rng(0)
COUNTS = GENERATOR.poisson(GENERATOR.gamma(1, 2, size=(1, GENES)), size=(CELLS, GENES))
LOGARITHMS = np.log1p(COUNTS / COUNTS.sum(axis=1, keepdims=True) * 100)
SETS = GeneSets((GeneSet("stemness", ("g1", "g2", "g3", "g4")),))
LABELS = np.tile(["x", "y"], CELLS // 2)


def cells_of(matrix, *, genes=None, **columns):
    obs = pd.DataFrame({"sample": np.repeat(["a", "b", "c"], CELLS // 3), "batch": LABELS, **columns})
    obs.index = [f"c{number}" for number in range(CELLS)]
    return AnnData(matrix, obs=obs, var=pd.DataFrame(index=genes or [f"g{number}" for number in range(GENES)]))


def on_counts(cells):
    return {
        "quality": lambda: quality(cells),
        "log_normalize": lambda: log_normalize(cells).X.compute().toarray(),
        "seurat_v3": lambda: variable_genes(cells, method="seurat_v3", genes=10, batch="batch"),
        "cohort_cube": lambda: cohort_cube(cells, sample="sample"),
    }


def on_logarithms(cells):
    return {
        "seurat": lambda: variable_genes(cells, method="seurat", genes=10),
        "pca": lambda: pca(cells, components=3, scale=True, regress=["batch"]).compute(),
        "module_score": lambda: module_score(
            cells, SETS, method="seurat", seed=1, controls=ControlGenes(4, 5)
        ).compute(),
        "scanpy": lambda: module_score(cells, SETS, method="scanpy", seed=1, controls=ControlGenes(4, 5)).compute(),
    }


def assert_alike(found, expected, *, tolerance=1e-5):
    if isinstance(expected, np.ndarray):
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
        return
    for name in expected.data_vars:
        left, right = found[name].to_numpy(), expected[name].to_numpy()
        if right.dtype.kind == "f":
            np.testing.assert_allclose(left, right, rtol=tolerance, atol=tolerance, err_msg=name)
        else:
            assert (left == right).all(), name


def in_blocks(matrix, chunks):
    """CSR blocks, some of them without rows."""
    rows = sp.csr_matrix(matrix)
    starts = np.cumsum((0, *chunks))
    dtype, meta = rows.dtype, sp.csr_matrix((0, rows.shape[1]), dtype=rows.dtype)
    layer = {("odd-blocks", i, 0): rows[starts[i] : starts[i + 1]] for i in range(len(chunks))}
    return da.Array(layer, "odd-blocks", chunks=(chunks, (rows.shape[1],)), dtype=dtype, meta=meta)


def read_only(matrix):
    rows = sp.csr_matrix(matrix)
    for part in (rows.data, rows.indices, rows.indptr):
        part.flags.writeable = False
    return rows


def long_indices(matrix):
    rows = sp.csr_matrix(matrix)
    rows.indices, rows.indptr = rows.indices.astype(np.int64), rows.indptr.astype(np.int64)
    return rows


FORMS = {
    "dense": np.array,
    "fortran": np.asfortranarray,
    "read_only": read_only,
    "columns": sp.csc_matrix,
    "long_indices": long_indices,
    "empty_blocks": lambda matrix: in_blocks(matrix, (0, 25, 0, 0, 35, 0)),
    "dense_blocks": lambda matrix: da.from_array(matrix, chunks=((0, 25, 35, 0), (GENES,))),
}


@pytest.mark.parametrize("form", FORMS)
def test_analyses__do_not_depend_on_the_form_of_the_matrix(form):
    for runs, matrix in ((on_counts, COUNTS), (on_logarithms, LOGARITHMS)):
        expected = {name: run() for name, run in runs(cells_of(sp.csr_matrix(matrix))).items()}
        for name, run in runs(cells_of(FORMS[form](matrix))).items():
            assert_alike(run(), expected[name], tolerance=1e-9)


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int64", "uint64", "float16", "float32", "longdouble"])
def test_analyses__take_counts_of_any_type(dtype):
    expected = {name: run() for name, run in on_counts(cells_of(sp.csr_matrix(COUNTS))).items()}
    for name, run in on_counts(cells_of(COUNTS.astype(dtype))).items():
        assert_alike(run(), expected[name])


@pytest.mark.parametrize("dtype", ["float16", "float32", "longdouble"])
def test_analyses__take_logarithms_of_any_type(dtype):
    rounded = LOGARITHMS.astype(dtype)
    expected = {name: run() for name, run in on_logarithms(cells_of(rounded.astype(np.float64))).items()}
    for form in (rounded, da.from_array(rounded, chunks=(25, GENES))):
        for name, run in on_logarithms(cells_of(form)).items():
            assert_alike(run(), expected[name])


def test_analyses__count_true_as_one():
    expected = {name: run() for name, run in on_counts(cells_of((COUNTS > 0).astype(int))).items()}
    for name, run in on_counts(cells_of(COUNTS > 0)).items():
        assert_alike(run(), expected[name])


def test_analyses__take_minus_zero_for_zero():
    signed = COUNTS.astype(float)
    signed[signed == 0] = -0.0
    expected = {name: run() for name, run in on_counts(cells_of(COUNTS)).items()}
    for name, run in on_counts(cells_of(signed)).items():
        assert_alike(run(), expected[name])


@pytest.mark.parametrize("value", [1e300, 1e-300, np.inf, -np.inf, np.nan, -1.0, 0.5, 2.0**31])
def test_analyses__refuse_what_is_no_count(value):
    counts = COUNTS.astype(float)
    counts[3, 3] = value
    for run in on_counts(cells_of(counts)).values():
        with pytest.raises(CountsError, match="Counts must be whole numbers"):
            run()


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_analyses__refuse_infinite_logarithms(value):
    logarithms = LOGARITHMS.copy()
    logarithms[3, 3] = value
    for run in on_logarithms(cells_of(logarithms)).values():
        with pytest.raises(InputError):
            run()


@pytest.mark.parametrize("factor", [1e-300, 1e-320, 0.0])
def test_analyses__bear_vanishing_logarithms(factor):
    for name, run in on_logarithms(cells_of(LOGARITHMS * factor)).items():
        found = run()
        score = "pca_scores" if name == "pca" else "cell_score"
        if score in found:
            assert np.abs(found[score].to_numpy()).max() < 1e-290


@pytest.mark.parametrize("dtype", [object, complex])
def test_analyses__refuse_matrices_that_are_not_of_real_numbers(dtype):
    for runs in (on_counts, on_logarithms):
        for run in runs(cells_of(COUNTS.astype(dtype))).values():
            with pytest.raises(InputError, match="real numbers"):
                run()


def test_analyses__refuse_cells_without_a_matrix_and_in_backed_mode(tmp_path):
    cells_of(sp.csr_matrix(LOGARITHMS)).write_h5ad(tmp_path / "cells.h5ad")
    backed = anndata.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    for runs in (on_counts, on_logarithms):
        for run in runs(cells_of(None)).values():
            with pytest.raises(InputError, match="needs a matrix"):
                run()
        for run in runs(backed).values():
            with pytest.raises(InputError, match="to_memory"):
                run()
    backed.file.close()


def test_analyses__take_any_name_of_a_gene():
    names = ["g0", "g1", "g2", "g3", "g4", *(f"基因 α{number} \U0001f9ec" for number in range(GENES - 5))]
    for runs, matrix in ((on_counts, COUNTS), (on_logarithms, LOGARITHMS)):
        for run in runs(cells_of(matrix, genes=names)).values():
            run()


def test_analyses__keep_genes_of_the_same_name_apart_or_refuse_them():
    twice = ["g0", *(f"g{number}" for number in range(GENES - 1))]
    with pytest.warns(UserWarning, match="not unique"):
        cells = cells_of(COUNTS, genes=twice)
    np.testing.assert_array_equal(quality(cells)["gene_total"], COUNTS.sum(axis=0))
    with pytest.raises(InputError, match="Found more than once: g0"):
        module_score(cells, SETS, method="seurat", seed=1)


def test_analyses__bear_cells_without_counts():
    counts = COUNTS.copy()
    counts[[0, 5, CELLS - 1]] = 0
    found = {name: run() for name, run in on_counts(cells_of(counts)).items()}
    assert np.isfinite(found["log_normalize"]).all()
    assert (found["quality"]["cell_total"][[0, 5, CELLS - 1]] == 0).all()
    assert int(found["cohort_cube"]["cube_cells"].sum()) == CELLS


MISSING = {
    "string": pd.array([pd.NA, *LABELS[1:]], dtype="string"),
    "integer": pd.array([pd.NA, *np.tile([1, 2], CELLS)[1:CELLS]], dtype="Int64"),
    "boolean": pd.array([pd.NA, *np.tile([True, False], CELLS)[1:CELLS]], dtype="boolean"),
    "category": pd.Categorical([None, *LABELS[1:]]),
    "object": np.array([None, *LABELS[1:]], dtype=object),
    "float": np.array([np.nan, *np.tile([1.0, 2.0], CELLS)[1:CELLS]]),
}


@pytest.mark.parametrize("kind", MISSING)
def test_analyses__refuse_missing_labels(kind):
    counted = cells_of(COUNTS, label=MISSING[kind])
    logarithms = cells_of(LOGARITHMS, label=MISSING[kind])
    with pytest.raises(InputError, match="Missing in 1 of 60 cells"):
        variable_genes(counted, method="seurat_v3", batch="label")
    with pytest.raises(InputError, match="Missing in 1 of 60 cells"):
        cohort_cube(counted, sample="label")
    with pytest.raises(InputError, match="in 1 of 60 cells"):
        pca(logarithms, components=2, regress=["label"])


UNUSUAL = {
    "unused": pd.Categorical(LABELS, categories=["w", "x", "y", "z"]),
    "string": pd.array(LABELS, dtype="string"),
    "boolean": pd.array(LABELS == "y", dtype="boolean"),
    "integer": pd.array((LABELS == "y").astype(int), dtype="Int64"),
    "half": (LABELS == "y").astype(np.float16),
    "huge": np.where(LABELS == "y", 1e300, -1e300),
    "tiny": np.where(LABELS == "y", 1e-300, 2e-300),
    "spaces": np.where(LABELS == "y", "a patient", " a patient"),
}


@pytest.mark.parametrize("kind", UNUSUAL)
def test_analyses__take_labels_of_any_type(kind):
    counted, logarithms = (cells_of(matrix, label=UNUSUAL[kind]) for matrix in (COUNTS, LOGARITHMS))
    cube, expected = cohort_cube(counted, sample="label"), cohort_cube(counted, sample="batch")
    assert sorted(cube["cube_count_sum"].sum(("state", "gene")).to_numpy()) == sorted(
        expected["cube_count_sum"].sum(("state", "gene")).to_numpy()
    )
    assert_alike(
        variable_genes(counted, method="seurat_v3", genes=9, batch="label"),
        variable_genes(counted, method="seurat_v3", genes=9, batch="batch"),
        tolerance=1e-9,
    )
    assert_alike(
        # Two numbers are one covariate, two names are two.
        pca(logarithms, components=2, regress=["label"]).drop_dims("covariate").compute(),
        pca(logarithms, components=2, regress=["batch"]).drop_dims("covariate").compute(),
        tolerance=1e-9,
    )


def test_analyses__refuse_labels_that_cannot_be_compared():
    lists = pd.Series([[1], [2]] * (CELLS // 2)).to_numpy()
    counted = cells_of(COUNTS, label=lists)
    for run in (
        lambda: cohort_cube(counted, sample="label"),
        lambda: variable_genes(counted, method="seurat_v3", batch="label"),
        lambda: pca(counted, components=2, regress=["label"]),
    ):
        with pytest.raises(InputError, match=r"text or numbers|numbers or text"):
            run()
    # A column that is not asked for is passed over.
    assert "label" not in cohort_cube(counted, sample="sample").coords
    with pytest.raises(InputError, match="real numbers"):
        pca(cells_of(LOGARITHMS, label=np.ones(CELLS) * 1j), components=2, regress=["label"])


def test_analyses__refuse_parameters_of_another_type():
    counted, logarithms = cells_of(COUNTS), cells_of(LOGARITHMS)
    scores = module_score(logarithms, SETS, method="seurat", seed=1, controls=ControlGenes(bins=4))
    with dask.config.set(scheduler="synchronous"):
        for run in (
            lambda: variable_genes(counted, method="seurat_v3", genes=2.5),
            lambda: log_normalize(counted, target_sum="1e4"),
            lambda: cohort_cube(counted, sample="sample", target_sum=None),
            lambda: pca(logarithms, components=2.5),
            lambda: pca(logarithms, components="3"),
            lambda: pca(logarithms, components=1, genes="g1"),
            lambda: module_score(logarithms, SETS, method="seurat", seed=1.5, controls=ControlGenes(bins=4)),
            lambda: module_score(logarithms, SETS, method="seurat", seed=1, controls=ControlGenes(bins=4.5)),
            lambda: module_score(
                logarithms, SETS, method="seurat", seed=1, controls=ControlGenes(bins=4), minimum_share=-1.0
            ),
            lambda: score_states(scores, gene_set="stemness", classes=2.5),
            lambda: QualityLimits(minimum_total="3"),
        ):
            with pytest.raises(ParameterError):
                run()
    assert issubclass(ParameterError, ChemoresError)
