"""Files of every format, as their makers left them: into one store where their genes match, refused with a reason where not."""

from __future__ import annotations

import shutil
import warnings

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scanpy
import scipy.sparse as sp

from chemores_dask.errors import CountsError, FormatError, GeneMismatchError
from chemores_dask.ingest.convert import ingest
from chemores_dask.store.cells import open_cells


@pytest.fixture(scope="module")
def paths(singlecell, tmp_path_factory):
    # The folder of the matrix holds other files too; a copy with the three of 10x alone is what a lab has.
    folder = tmp_path_factory.mktemp("fixtures") / "filtered_feature_bc_matrix"
    folder.mkdir()
    for name in ("matrix.mtx.gz", "features.tsv.gz", "barcodes.tsv.gz"):
        shutil.copy(singlecell / "scverse+scanpy" / name, folder / name)
    return {
        "citeseq": singlecell / "parashardhapola+scarf" / "1K_pbmc_citeseq.h5",
        "folder": folder,
        "file": singlecell / "scverse+scanpy" / "filtered_feature_bc_matrix.h5",
        "plate": singlecell / "converted" / "sc_mixology_sc_dropseq.h5ad",
        "loom": singlecell / "parashardhapola+scarf" / "sympathetic.loom",
    }


@pytest.fixture(scope="module")
def human(paths, tmp_path_factory):
    """One sheet with a 10x file with antibodies, a 10x folder, the same as a file, and an AnnData."""
    folder = tmp_path_factory.mktemp("human")
    rows = [
        f"{name},{paths[name]},{kind}" for name, kind in zip(paths, ["pbmc", "chr21", "chr21", "lung"], strict=False)
    ]
    (folder / "samples.csv").write_text("\n".join(["sample,path,tissue", *rows]) + "\n")
    return ingest(folder / "samples.csv", folder / "cohort.zarr"), anndata.read_zarr(folder / "cohort.zarr" / "cells")


def test_ingest__brings_four_formats_of_human_genes_together(human):
    report, stored = human
    table = report.table()
    assert table["format"].to_dict() == {
        "citeseq": "10x_h5", "folder": "10x_mtx", "file": "10x_h5", "plate": "h5ad",
    }  # fmt: skip
    assert table["cells"].tolist() == [892, 1107, 1107, 225]
    assert report.genes.matched_by == "gene_id"
    # The ten antibodies of the first are no genes.
    assert report.sources[0].set_aside == {"Antibody Capture": 10}
    assert report.sources[0].genes == 36_601
    assert stored.shape == (3331, report.genes.genes)
    assert stored.var_names.is_unique
    assert stored.var["gene_id"].is_unique
    assert stored.obs.groupby("tissue", observed=True).size().to_dict() == {"chr21": 2214, "lung": 225, "pbmc": 892}


@pytest.mark.parametrize("sample", ["citeseq", "folder", "file", "plate"])
def test_ingest__keeps_every_count_of_a_format(human, paths, assert_same_counts, sample):
    _, stored = human
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scanpy says that symbols repeat
        readers = {"folder": scanpy.read_10x_mtx, "plate": anndata.read_h5ad}
        source = readers.get(sample, scanpy.read_10x_h5)(paths[sample])
    if "gene_ids" in source.var:
        source = anndata.AnnData(source.X, obs=source.obs, var=source.var.set_index("gene_ids")[[]].rename_axis(None))
    assert_same_counts(stored, sample, source, genes="gene_id")


def test_ingest__reads_a_folder_and_a_file_of_the_same_cells_alike(human):
    _, stored = human
    first, second = (sp.csr_matrix(stored.X[(stored.obs["sample"] == name).to_numpy()]) for name in ("folder", "file"))
    assert first.nnz == 23_866
    assert (first != second).nnz == 0


def test_ingest__keeps_every_count_of_a_loom_file(paths, tmp_path):
    report = ingest(pd.DataFrame({"sample": ["ganglion"], "path": [paths["loom"]]}), tmp_path / "s.zarr")
    assert report.genes.matched_by == "gene_symbol"
    stored = anndata.read_zarr(tmp_path / "s.zarr" / "cells")
    with h5py.File(paths["loom"]) as file:
        genes, names = file["row_attrs/Gene"].asstr()[:], file["col_attrs/Cell_id"].asstr()[:]
        matrix = file["matrix"][:]
    assert stored.obs_names.tolist() == [f"ganglion:{name}" for name in names]
    assert stored.var_names.tolist() == genes.tolist()
    np.testing.assert_array_equal(stored.X.toarray(), matrix.T)
    lazy = open_cells(tmp_path / "s.zarr", rows_per_block=50)
    np.testing.assert_array_equal(lazy.X.compute().toarray(), matrix.T)


def test_ingest__refuses_mouse_beside_human(paths, tmp_path):
    # Eight of their symbols are spelled alike.
    sheet = pd.DataFrame({"sample": ["human", "mouse"], "path": [paths["citeseq"], paths["loom"]]})
    with pytest.raises(GeneMismatchError, match=r"match 8 of the others.*different species.*separate stores"):
        ingest(sheet, tmp_path / "s.zarr")
    assert not (tmp_path / "s.zarr").exists()


@pytest.mark.parametrize(
    ("path", "error", "reason"),
    [
        ("pypi/10x_pbmc68k_reduced.h5ad", CountsError, "it looks normalized.*Pass the file with raw counts"),
        ("pypi/oligodendroglioma.h5ad", CountsError, "it looks normalized"),
        (
            "broadinstitute+infercnv/oligodendroglioma_expression_downsampled.counts.matrix.gz",
            CountsError,
            "242.49 .cell MGH54_P2_C12, gene A2M.*not whole",
        ),
        ("scverse+scanpy/10x-10k-subset.zarr", FormatError, "Found a zarr store"),
        ("pypi/krumsiek11.txt", FormatError, "separated by tabs, commas or semicolons"),
    ],
)
def test_ingest__refuses_what_are_no_counts(singlecell, tmp_path, path, error, reason):
    # The file of "counts" holds expected counts of RSEM, with fractions.
    with pytest.raises(error, match=reason):
        ingest(pd.DataFrame({"sample": ["a"], "path": [singlecell / path]}), tmp_path / "s.zarr")
