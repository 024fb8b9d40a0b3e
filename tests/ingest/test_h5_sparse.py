"""Tests of reading windows of compressed matrices."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.sparse as sp

from chemores_dask.errors import CountsError, FormatError
from chemores_dask.ingest.h5_sparse import entries_by_column, preview, read_offsets, stream_csr, texts
from chemores_dask.ingest.source import BlockLimit


@pytest.fixture
def group(tmp_path: Path, counts: sp.csr_matrix):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in ("data", "indices", "indptr"):
            file[f"csr/{name}"] = getattr(counts, name)
            file[f"csc/{name}"] = getattr(counts.tocsc(), name)
        yield file


def test_stream_csr__gives_every_row(group: h5py.File, counts: sp.csr_matrix) -> None:
    offsets = read_offsets(group["csr"], lines=40, path=Path("a.h5"))
    blocks = list(stream_csr(group["csr"], offsets=offsets, columns=30, limit=BlockLimit(9, 60), path=Path("a.h5")))
    assert (sp.vstack(blocks) != counts).nnz == 0


@pytest.mark.parametrize("chunk", [1, 13, 10**6])
def test_entries_by_column__gives_every_entry(group: h5py.File, counts: sp.csr_matrix, chunk: int) -> None:
    offsets = read_offsets(group["csc"], lines=30, path=Path("a.h5"))
    chunks = list(
        entries_by_column(group["csc"], offsets=offsets, rows=40, limit=BlockLimit(10, chunk), path=Path("a.h5"))
    )
    rows, columns, values = (np.concatenate(parts) for parts in zip(*chunks, strict=True))
    assert (sp.csr_matrix((values, (rows, columns)), shape=(40, 30)) != counts).nnz == 0


def test_entries_by_column__names_the_entry_that_is_no_count(group: h5py.File) -> None:
    offsets = read_offsets(group["csc"], lines=30, path=Path("a.h5"))
    group["csc/data"][2] = -4
    with pytest.raises(CountsError, match="column 1"):
        list(entries_by_column(group["csc"], offsets=offsets, rows=40, limit=BlockLimit(), path=Path("a.h5")))


def test_read_offsets__refuses_missing_parts(group: h5py.File) -> None:
    del group["csr/indices"]
    with pytest.raises(FormatError, match="'indices' is absent"):
        read_offsets(group["csr"], lines=40, path=Path("a.h5"))


def test_read_offsets__refuses_offsets_that_fall(group: h5py.File) -> None:
    group["csr/indptr"][5] = 2**20
    with pytest.raises(FormatError, match="agree with its data"):
        read_offsets(group["csr"], lines=40, path=Path("a.h5"))


def test_preview__looks_at_both_ends(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["long"] = np.arange(10**6)
        values = preview(file["long"])
    assert values[0] == 0
    assert values[-1] == 10**6 - 1
    assert len(values) < 10**5


def test_texts__reads_both_ways_of_storing(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["fixed"] = np.array(["é".encode(), b"b"])
        file.create_dataset("variable", data=["é", "b"], dtype=h5py.string_dtype())
        assert texts(file["fixed"]).tolist() == ["é", "b"]
        assert texts(file["variable"]).tolist() == ["é", "b"]
