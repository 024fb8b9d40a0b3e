"""Quality of cells and genes: against scanpy, and under hostile inputs."""

from __future__ import annotations

import anndata as ad
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import scipy.sparse as sp
from anndata import AnnData

from chemores_dask.errors import CountsError, GeneMismatchError, ParameterError
from chemores_dask.single_cell.quality import (
    DROPLET_LEUKEMIA_LIMITS,
    PLATE_LEUKEMIA_LIMITS,
    RESULT,
    GenePatterns,
    QualityLimits,
    gene_groups,
    quality,
)

SYMBOLS = ["MT-CO1", "MTOR", "MTHFD1", "RPS27", "RPL5", "RPS6KA1", "ERCC-00002", "ERCC1", "CD44", "XMT-1"]


def lazy(matrix, chunks):
    return da.from_array(matrix, chunks=(chunks, matrix.shape[1])).map_blocks(sp.csr_matrix, dtype=matrix.dtype)


def example(cells=30, dtype=np.int32):
    dense = np.random.default_rng(0).negative_binomial(0.5, 0.1, size=(cells, len(SYMBOLS))).astype(dtype)
    dense[4] = 0
    dense[:, 8] = 0
    return dense


def cells_of(matrix):
    return AnnData(matrix, var=pd.DataFrame(index=SYMBOLS))


def expected(cells):
    reference = AnnData(sp.csr_matrix(cells.X), obs=cells.obs[[]].copy(), var=cells.var[[]].copy())
    groups = gene_groups(cells.var, GenePatterns())
    for name, members in groups.items():
        reference.var[name] = members
    return sc.pp.calculate_qc_metrics(reference, qc_vars=list(groups), percent_top=None, log1p=False)


def assert_equals_scanpy(result, by_cell, by_gene):
    np.testing.assert_array_equal(result["cell_total"], by_cell["total_counts"])
    np.testing.assert_array_equal(result["cell_detected_genes"], by_cell["n_genes_by_counts"])
    np.testing.assert_array_equal(result["gene_total"], by_gene["total_counts"])
    np.testing.assert_array_equal(result["gene_detected_cells"], by_gene["n_cells_by_counts"])
    for name in ("mitochondrial", "ribosomal", "spike_in"):
        # scanpy divides in the type of the counts (float32 here) and has NaN where a cell is empty.
        theirs = by_cell[f"pct_counts_{name}"].fillna(0) / 100
        np.testing.assert_allclose(result[f"cell_{name}_share"], theirs, rtol=1e-6)


def test_quality__equals_scanpy_on_small_data():
    cells = cells_of(example())
    result = quality(cells)
    by_cell, by_gene = expected(cells)
    assert_equals_scanpy(result, by_cell, by_gene)
    assert set(result.data_vars) == set(RESULT.by_name)
    assert result["cell"].values.tolist() == cells.obs_names.tolist()


@pytest.mark.parametrize(
    "file", ["sc_mixology_sc_celseq2.h5ad", "sc_mixology_sc_dropseq.h5ad", "lemur_gbm_panobinostat.h5ad"]
)
def test_quality__equals_scanpy_on_real_data(reference_folder, file):
    cells = ad.read_h5ad(reference_folder / "data" / "singlecell" / "converted" / file)
    # No symbols in these files: any stable choice of genes will do.
    names = [f"MT-{name}" if place % 7 == 0 else name for place, name in enumerate(cells.var_names)]
    cells.var["gene_symbol"] = names
    result = quality(cells)
    assert_equals_scanpy(result, *expected(cells))
    assert result.attrs["mitochondrial_genes"] == len(names[::7])


def test_gene_groups__are_anchored():
    groups = gene_groups(pd.DataFrame(index=SYMBOLS), GenePatterns())
    chosen = {
        name: [symbol for symbol, member in zip(SYMBOLS, members, strict=True) if member]
        for name, members in groups.items()
    }
    assert chosen == {"mitochondrial": ["MT-CO1"], "ribosomal": ["RPS27", "RPL5"], "spike_in": ["ERCC-00002"]}


def test_quality__prefers_the_symbol_column():
    cells = AnnData(np.array([[1, 3]]), var=pd.DataFrame({"gene_symbol": ["MT-ND1", "CD44"]}, index=["ENSG1", "ENSG2"]))
    assert quality(cells)["cell_mitochondrial_share"].item() == 0.25


@pytest.mark.parametrize("chunks", [(30,), (7, 0, 22, 1), (1,) * 30, (0, 30)])
def test_quality__does_not_depend_on_blocks(chunks):
    whole = quality(cells_of(example()))
    cut = quality(cells_of(lazy(example(), chunks)))
    xr_equal = whole.drop_attrs().identical(cut.drop_attrs())
    assert xr_equal


def test_quality__keeps_every_cell_unless_told_otherwise():
    assert quality(cells_of(example()))["cell_keep"].all()


def test_quality__keeps_cells_within_all_limits():
    result = quality(
        cells_of(example()),
        limits=QualityLimits(minimum_total=20, maximum_detected_genes=8, maximum_mitochondrial_share=0.3),
    )
    keep = (
        (result["cell_total"] >= 20)
        & (result["cell_detected_genes"] <= 8)
        & (result["cell_mitochondrial_share"] <= 0.3)
    )
    assert 0 < keep.sum() < 30
    np.testing.assert_array_equal(result["cell_keep"], keep)


def test_quality__limits_include_their_ends():
    cells = AnnData(np.array([[1, 3]]), var=pd.DataFrame(index=["MT-ND1", "CD44"]))
    assert quality(cells, limits=QualityLimits(maximum_mitochondrial_share=0.25, minimum_total=4, maximum_total=4))[
        "cell_keep"
    ].all()


def test_quality__changes_nothing():
    cells = cells_of(sp.csr_matrix(example()))
    before = cells.copy()
    quality(cells)
    assert (cells.X != before.X).nnz == 0
    pd.testing.assert_frame_equal(cells.obs, before.obs)
    pd.testing.assert_frame_equal(cells.var, before.var)


@pytest.mark.parametrize("wrong", [np.nan, 0.5, -1.0])
def test_quality__refuses_what_are_not_counts(wrong):
    dense = example(dtype=np.float64)
    dense[7, 2] = wrong
    with pytest.raises(CountsError, match=r"Counts must be whole numbers.*pass raw counts"):
        quality(cells_of(lazy(dense, (10, 10, 10))))


def test_quality__takes_whole_numbers_as_floats():
    result = quality(cells_of(example(dtype=np.float32)))
    assert result["cell_total"].dtype == np.int64


def test_quality__takes_no_cells_one_cell_and_no_genes():
    assert quality(cells_of(np.zeros((0, 10), np.int32))).sizes == {"cell": 0, "gene": 10}
    assert quality(cells_of(example()[:1])).sizes == {"cell": 1, "gene": 10}
    assert quality(AnnData(np.zeros((3, 0), np.int32)))["cell_total"].values.tolist() == [0, 0, 0]


def test_quality__refuses_a_limit_that_no_gene_can_meet():
    with pytest.raises(GeneMismatchError, match="mitochondrial genes"):
        quality(AnnData(np.ones((2, 2), int)), limits=QualityLimits(maximum_mitochondrial_share=0.1))


def test_gene_groups__refuse_a_broken_pattern():
    with pytest.raises(ParameterError, match="'ribosomal' must be a regular expression"):
        quality(cells_of(example()), patterns=GenePatterns(ribosomal="("))


def test_quality_limits__refuse_nonsense():
    with pytest.raises(ParameterError, match="between 0 and 1"):
        QualityLimits(maximum_mitochondrial_share=5)
    with pytest.raises(ParameterError, match="between 0 and inf"):
        QualityLimits(minimum_total=-1)
    with pytest.raises(ParameterError, match="no cell would be kept"):
        QualityLimits(minimum_total=10, maximum_total=9)


def test_presets__are_the_published_limits():
    assert PLATE_LEUKEMIA_LIMITS.minimum_detected_genes == 2501
    assert DROPLET_LEUKEMIA_LIMITS.maximum_mitochondrial_share == 0.1
