"""Tests of finding the format of a path."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest

from chemores_dask.errors import FormatError, ParameterError, StoreNotFoundError
from chemores_dask.ingest.formats import open_source, recognize


def test_recognize__knows_real_files(reference_folder: Path) -> None:
    folder = reference_folder / "data" / "singlecell"
    expected = {
        "converted/sc_mixology_sc_celseq2.h5ad": "h5ad",
        "parashardhapola+scarf/1K_pbmc_citeseq.h5": "10x_h5",
        "parashardhapola+scarf/sympathetic.loom": "loom",
        "scverse+scanpy": "10x_mtx",
        "scverse+scanpy/matrix.mtx.gz": "10x_mtx",
        "broadinstitute+infercnv/oligodendroglioma_expression_downsampled.counts.matrix.gz": "plate_table",
    }
    assert {name: recognize(folder / name) for name in expected} == expected


def test_recognize__says_how_to_export_from_r(tmp_path: Path) -> None:
    (tmp_path / "donor.rds").write_bytes(b"\x1f\x8b")
    with pytest.raises(FormatError, match=r"readRDS\('donor.rds'\).*write10xCounts\('donor.h5'"):
        recognize(tmp_path / "donor.rds")


def test_recognize__refuses_what_it_does_not_know(tmp_path: Path, reference_folder: Path) -> None:
    with pytest.raises(StoreNotFoundError, match="Nothing was found"):
        recognize(tmp_path / "absent.h5")
    (tmp_path / "a.zip").write_bytes(b"")
    with pytest.raises(FormatError, match="unpack"):
        recognize(tmp_path / "a.zip")
    (tmp_path / "a.docx").write_bytes(b"")
    with pytest.raises(FormatError, match="suffix '.docx'"):
        recognize(tmp_path / "a.docx")
    with pytest.raises(FormatError, match="Found a zarr store"):
        recognize(reference_folder / "data" / "singlecell" / "scverse+scanpy" / "10x-10k-subset.zarr")


def test_recognize__refuses_other_hdf5(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["weights"] = [1.0]
    with pytest.raises(FormatError, match="at its root: weights"):
        recognize(tmp_path / "a.h5")
    (tmp_path / "b.h5").write_bytes(b"not HDF5 at all")
    with pytest.raises(FormatError, match="cut short or damaged"):
        recognize(tmp_path / "b.h5")


def test_open_source__obeys_a_forced_format(counts, tmp_path: Path, write_h5) -> None:
    path = write_h5(tmp_path / "a.h5", counts)
    assert open_source(path).format == "10x_h5"
    with pytest.raises(FormatError):
        open_source(path, format_name="h5ad")
    with pytest.raises(ParameterError, match="must be one of"):
        open_source(path, format_name="excel")
    with pytest.raises(FormatError, match="counts_in"):
        open_source(path, counts_in="raw")
