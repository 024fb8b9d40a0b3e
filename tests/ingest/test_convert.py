"""Tests of bringing samples into a store."""

from __future__ import annotations

import json
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import zarr

from chemores_dask.errors import (
    CountsError,
    FormatError,
    GeneMismatchError,
    IncompleteStoreError,
    ParameterError,
    SchemaVersionError,
    StoreError,
)
from chemores_dask.ingest.convert import ingest, remapped
from chemores_dask.ingest.options import IngestOptions
from chemores_dask.store.cells import open_cells

SMALL = {"rows_per_block": 9, "nonzeros_per_block": 80}


@pytest.fixture
def mixed(counts, barcodes, genes, tmp_path: Path, write_h5, write_mtx) -> pd.DataFrame:
    """Four samples of four formats, the first 40 cells of each equal."""
    table = pd.DataFrame(
        counts.T.toarray(),
        index=[f"{row.gene_id}.3-{row.gene_symbol}-protein_coding" for row in genes.itertuples()],
        columns=barcodes,
    )
    table.to_csv(tmp_path / "plate.tsv.gz", sep="\t", index_label="gene")
    shuffled = np.random.default_rng(8).permutation(30)
    var = genes.iloc[shuffled].set_index("gene_symbol")[["gene_id"]].rename_axis(None)
    obs = pd.DataFrame({"donor": ["p1", "p2"] * 20}, index=barcodes)
    anndata.AnnData(X=counts[:, shuffled].astype(np.float32), obs=obs, var=var).write_h5ad(tmp_path / "a.h5ad")
    rows = [
        {"sample": "h5", "path": write_h5(tmp_path / "a.h5", counts), "patient": "P1", "stage": "diagnosis", "age": 61},
        {
            "sample": "mtx",
            "path": write_mtx(tmp_path / "m", counts, version=2),
            "patient": "P1",
            "stage": "relapse",
            "age": 62,
        },
        {"sample": "ad", "path": tmp_path / "a.h5ad", "patient": "P2", "stage": "diagnosis", "age": 7},
        {"sample": "plate", "path": tmp_path / "plate.tsv.gz", "patient": "P2", "stage": None, "age": 8},
    ]
    return pd.DataFrame(rows)


def test_ingest__brings_every_format_to_the_same_counts(mixed, counts, barcodes, genes, tmp_path: Path) -> None:
    seen = []
    report = ingest(mixed, tmp_path / "s.zarr", options=IngestOptions(**SMALL), progress=seen.append)
    cells = open_cells(tmp_path / "s.zarr")
    matrix = cells.X.compute()
    assert matrix.shape == (160, 30)
    assert all((matrix[start : start + 40] != counts).nnz == 0 for start in range(0, 160, 40))
    assert cells.obs_names.tolist() == [f"{sample}:{barcode}" for sample in mixed["sample"] for barcode in barcodes]
    assert cells.obs["stage"].isna().sum() == 40
    assert cells.obs["age"].tolist() == [61] * 40 + [62] * 40 + [7] * 40 + [8] * 40
    assert cells.var_names.tolist() == genes["gene_symbol"].tolist()
    assert cells.var["gene_id"].tolist() == genes["gene_id"].tolist()
    assert (report.cells, report.nonzeros) == (160, 4 * counts.nnz)
    assert report.table()["empty_cells"].tolist() == [2] * 4
    assert [source.total for source in report.sources] == [counts.sum()] * 4
    assert (seen[-1].cells_done, seen[-1].cells_total, seen[-1].sample) == (160, 160, "plate")


@pytest.mark.parametrize("limits", [{"rows_per_block": 1}, {"nonzeros_per_block": 1}, {}])
def test_ingest__does_not_depend_on_blocks(mixed, tmp_path: Path, limits: dict[str, int]) -> None:
    ingest(mixed, tmp_path / "a.zarr", options=IngestOptions(**SMALL))
    ingest(mixed, tmp_path / "b.zarr", options=IngestOptions(**limits))
    first, second = (open_cells(tmp_path / name) for name in ("a.zarr", "b.zarr"))
    assert (first.X.compute() != second.X.compute()).nnz == 0
    pd.testing.assert_frame_equal(first.obs, second.obs)


def test_ingest__splits_a_merged_file_and_groups_its_samples(mixed, counts, barcodes, tmp_path: Path) -> None:
    sheet = pd.DataFrame([{"sample": "x-{}", "path": tmp_path / "a.h5ad", "split_by": "donor"}])
    report = ingest(sheet, tmp_path / "s.zarr", options=IngestOptions(keep_columns={"donor": "patient"}, **SMALL))
    cells = open_cells(tmp_path / "s.zarr")
    order = [*range(0, 40, 2), *range(1, 40, 2)]
    assert cells.obs["sample"].tolist() == ["x-p1"] * 20 + ["x-p2"] * 20
    assert cells.obs["patient"].tolist() == ["p1"] * 20 + ["p2"] * 20
    assert cells.obs_names.tolist() == [f"x-{'p1' if row % 2 == 0 else 'p2'}:{barcodes[row]}" for row in order]
    assert report.sources[0].cells == {"x-p1": 20, "x-p2": 20}
    matrix = cells[:, [f"GENE{number}" for number in range(30)]].X.compute()
    assert (matrix != counts[order]).nnz == 0


def test_ingest__goes_on_behind_a_broken_file(mixed, tmp_path: Path, write_mtx, counts) -> None:
    ingest(mixed, tmp_path / "whole.zarr", options=IngestOptions(**SMALL))
    matrix = tmp_path / "m" / "matrix.mtx"
    text = matrix.read_text()
    matrix.write_text("\n".join(text.splitlines()[:-3]) + "\n")
    with pytest.raises(FormatError, match="as its header says") as caught:
        ingest(mixed, tmp_path / "s.zarr", options=IngestOptions(**SMALL))
    assert any("sample mtx" in note for note in caught.value.__notes__)
    with pytest.raises(IncompleteStoreError):
        open_cells(tmp_path / "s.zarr")
    matrix.write_text(text)
    report = ingest(mixed, tmp_path / "s.zarr")
    assert [source.resumed for source in report.sources] == [True, False, False, False]
    whole, resumed = open_cells(tmp_path / "whole.zarr"), open_cells(tmp_path / "s.zarr")
    assert (whole.X.compute() != resumed.X.compute()).nnz == 0
    pd.testing.assert_frame_equal(whole.obs, resumed.obs)


def test_ingest__refuses_a_file_that_changed_meanwhile(mixed, counts, tmp_path: Path, write_h5) -> None:
    matrix = tmp_path / "m" / "matrix.mtx"
    text = matrix.read_text()
    matrix.write_text("\n".join(text.splitlines()[:-3]) + "\n")
    with pytest.raises(FormatError):
        ingest(mixed, tmp_path / "s.zarr")
    matrix.write_text(text)
    with pytest.raises(StoreError, match="same sheet"):
        ingest(mixed.iloc[::-1], tmp_path / "s.zarr")
    write_h5(tmp_path / "a.h5", sp.csr_matrix(counts * 2))
    with pytest.raises(StoreError, match="must not change while its store is unfinished"):
        ingest(mixed, tmp_path / "s.zarr")


def test_ingest__leaves_a_finished_store_alone(mixed, tmp_path: Path) -> None:
    first = ingest(mixed, tmp_path / "s.zarr")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "s.zarr").rglob("*") if path.is_file()}
    again = ingest(mixed, tmp_path / "s.zarr")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "s.zarr").rglob("*") if path.is_file()} == before
    assert again.cells == first.cells
    assert all(source.resumed for source in again.sources)
    with pytest.raises(StoreError, match="takes its cells once"):
        ingest(mixed.iloc[:2], tmp_path / "s.zarr")


def test_ingest__writes_nothing_when_a_header_is_wrong(mixed, counts, tmp_path: Path, write_h5) -> None:
    (tmp_path / "bad.rds").write_bytes(b"")
    for path, error in (
        (tmp_path / "bad.rds", FormatError),
        (tmp_path / "absent.h5", FileNotFoundError),
        (write_h5(tmp_path / "n.h5", (counts * 0.4).tocsr()), CountsError),
    ):
        sheet = pd.concat([mixed, pd.DataFrame([{"sample": "bad", "path": path}])])
        with pytest.raises(error):
            ingest(sheet, tmp_path / "s.zarr")
        assert not (tmp_path / "s.zarr").exists()


def test_ingest__refuses_a_store_of_a_newer_version(mixed, tmp_path: Path) -> None:
    zarr.create_group(tmp_path / "s.zarr", zarr_format=3, attributes={"chemores-schema": 99})
    with pytest.raises(SchemaVersionError, match="newer"):
        ingest(mixed, tmp_path / "s.zarr")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.txt").write_text("keep me")
    with pytest.raises(FormatError, match="must be a store"):
        ingest(mixed, tmp_path / "folder")


def test_ingest__gives_a_standard_anndata(mixed, counts, tmp_path: Path) -> None:
    ingest(mixed, tmp_path / "s.zarr")
    cells = anndata.read_zarr(tmp_path / "s.zarr" / "cells")
    assert (cells.X[:40] != counts).nnz == 0
    assert json.loads(cells.uns["ingest_report"])["genes"]["genes"] == 30


def test_ingest__refuses_genes_that_match_nothing(mixed, counts, genes, tmp_path: Path, write_h5) -> None:
    other = genes.assign(gene_id=[f"ENSMUSG{number:011d}" for number in range(30)])
    sheet = pd.concat(
        [mixed, pd.DataFrame([{"sample": "mouse", "path": write_h5(tmp_path / "m.h5", counts, features=other)}])]
    )
    with pytest.raises(GeneMismatchError, match="mouse"):
        ingest(sheet, tmp_path / "s.zarr")


def test_ingest__keeps_one_species_and_tells_the_share(counts, genes, tmp_path: Path, write_h5) -> None:
    half = ["GRCh38"] * 20 + ["mm10"] * 10
    features = genes.assign(
        genome=half, gene_symbol=[f"{genome}_{name}" for genome, name in zip(half, genes["gene_symbol"], strict=True)]
    )
    features.loc[19, "feature_type"] = "Antibody Capture"
    sheet = pd.DataFrame([{"sample": "pdx", "path": write_h5(tmp_path / "a.h5", counts, features=features)}])
    with pytest.raises(ParameterError, match="several species"):
        ingest(sheet, tmp_path / "s.zarr")
    report = ingest(sheet, tmp_path / "s.zarr", options=IngestOptions(species="GRCh38", **SMALL))
    cells = open_cells(tmp_path / "s.zarr")
    dense = counts.toarray().astype(float)
    human, mouse = dense[:, :19].sum(axis=1), dense[:, 20:].sum(axis=1)
    assert np.array_equal(cells.X.compute().toarray(), dense[:, :19])
    assert cells.var_names.tolist()[:2] == ["GENE0", "GENE1"]
    with np.errstate(invalid="ignore"):
        assert np.allclose(cells.obs["species_share"], human / (human + mouse), equal_nan=True)
    assert report.sources[0].other_species_share == pytest.approx(mouse.sum() / dense[:, np.arange(30) != 19].sum())
    assert report.sources[0].set_aside == {"Antibody Capture": 1}
    assert report.sources[0].set_aside_total == dense[:, 19].sum()


def test_ingest__equals_anndata_on_real_files(reference_folder: Path, tmp_path: Path) -> None:
    folder = reference_folder / "data" / "singlecell" / "converted"
    names = {
        "celseq2": "sc_mixology_sc_celseq2",
        "dropseq": "sc_mixology_sc_dropseq",
        "p1": "sc_mixology_sc_celseq2_5cl_p1",
        "p2": "sc_mixology_sc_celseq2_5cl_p2",
    }
    sheet = pd.DataFrame(
        [{"sample": sample, "path": folder / f"{name}.h5ad", "batch": sample} for sample, name in names.items()]
    )
    ingest(sheet, tmp_path / "s.zarr", options=IngestOptions(keep_columns={"cell_line_demuxlet": "cell_line"}))
    cells = open_cells(tmp_path / "s.zarr")
    for sample, name in names.items():
        expected = anndata.read_h5ad(folder / f"{name}.h5ad")
        own = cells[cells.obs["sample"] == sample]
        matrix = own[:, own.var["gene_id"].isin(expected.var_names)].X.compute()
        wanted = expected[:, own.var["gene_id"][own.var["gene_id"].isin(expected.var_names)]].X
        assert (matrix != wanted.astype(np.int32)).nnz == 0
        assert matrix.sum() == expected.X.sum()
        assert own.obs["cell_line"].tolist() == expected.obs["cell_line_demuxlet"].tolist()


def test_remapped__drops_moves_and_adds() -> None:
    block = sp.csr_matrix(np.array([[1, 2, 3], [0, 5, 0]], dtype=np.int32))
    result = remapped(block, np.array([1, -1, 1]), width=2)
    assert result.toarray().tolist() == [[0, 4], [0, 0]]
    assert result.has_sorted_indices
    huge = sp.csr_matrix(np.array([[2**31 - 1, 1]], dtype=np.int32))
    with pytest.raises(CountsError, match="sum over features"):
        remapped(huge, np.array([0, 0]), width=1)
