"""Tests of what all readers share."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from chemores_dask.errors import FormatError, StoreNotFoundError
from chemores_dask.ingest.source import (
    BlockLimit,
    Header,
    Source,
    cut_rows,
    gene_table,
    one_cell_table,
    reading,
    row_windows,
)


@pytest.mark.parametrize("limit", [BlockLimit(1, 1), BlockLimit(4, 20), BlockLimit(100, 33), BlockLimit(100, 10**9)])
def test_cut_rows__keeps_rows_and_limits(counts: sp.csr_matrix, limit: BlockLimit) -> None:
    blocks = list(cut_rows(counts, limit))
    assert (sp.vstack(blocks) != counts).nnz == 0
    assert all(
        block.shape[0] == 1 or (block.nnz <= limit.nonzeros and block.shape[0] <= limit.rows) for block in blocks
    )


def test_row_windows__is_safe_beyond_two_billion() -> None:
    offsets = np.array([0, 2**31, 2**32, 2**32 + 5], dtype=np.int64)
    assert list(row_windows(offsets, BlockLimit(10, 2**31))) == [(0, 1), (1, 2), (2, 3)]


def test_row_windows__has_none_without_rows() -> None:
    assert list(row_windows(np.array([0]), BlockLimit())) == []


def test_gene_table__takes_lone_ensembl_names_as_identifiers() -> None:
    table = gene_table(symbols=["ENSG00000000001", "ENSG00000000002", "ERCC-1"])
    assert table["gene_id"].tolist() == ["ENSG00000000001", "ENSG00000000002", "ERCC-1"]
    assert table["gene_symbol"].tolist() == ["", "", ""]


def test_gene_table__fills_what_is_missing() -> None:
    table = gene_table(identifiers=["ENSG1", None], symbols=["A", float("nan")])
    assert table["gene_id"].tolist() == ["ENSG1", ""]
    assert table["gene_symbol"].tolist() == ["A", ""]
    assert table["feature_type"].tolist() == ["Gene Expression"] * 2


@pytest.mark.parametrize("error", [OSError("truncated"), EOFError(), KeyError("barcodes")])
def test_reading__turns_damage_into_one_error(error: Exception) -> None:
    with pytest.raises(FormatError, match="cut short or damaged"), reading(Path("x.h5")):
        raise error


def test_reading__tells_a_missing_file() -> None:
    with pytest.raises(StoreNotFoundError, match="Nothing was found"), reading(Path("x.h5")):
        Path("/nowhere/at/all").read_bytes()


@pytest.mark.parametrize(("cells", "nonzeros", "found"), [(3, None, "3 cells"), (2, 5, "5 stored")])
def test_blocks__refuses_data_that_disagree_with_the_header(
    tmp_path: Path, cells: int, nonzeros: int | None, found: str
) -> None:
    block = sp.csr_matrix(np.array([[1, 0], [2, 0]]))
    source = Source(
        path=tmp_path / "made",
        format="made",
        files=(),
        header=Header(gene_table(symbols=["A", "B"]), cells, nonzeros),
        read_cells=lambda columns: one_cell_table(np.array(["a", "b", "c"])),
        stream=lambda limit, scratch: iter([block]),
    )
    with pytest.raises(FormatError, match=found):
        list(source.blocks(BlockLimit(), scratch=tmp_path))


def test_reading__tells_a_folder_from_a_damaged_file(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="Found a folder; name the file"), reading(tmp_path):
        tmp_path.open()


def test_reading__tells_missing_permission(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="change its permissions"), reading(tmp_path):
        raise PermissionError(errno.EACCES, "Permission denied")


def test_reading__does_not_blame_the_file_for_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space"), reading(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_reading__tells_bytes_that_are_no_utf8(tmp_path: Path) -> None:
    with (
        pytest.raises(FormatError, match=r"must be text in UTF-8\. Found other bytes at position 0"),
        reading(tmp_path),
    ):
        "a".encode("utf-16").decode("utf-8")


def test_reading__names_the_line_with_too_many_fields(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n1,2,3\n")
    with pytest.raises(FormatError, match=r"as the first, 2\. Found 3 in line 3"), reading(tmp_path / "x.csv"):
        pd.read_csv(tmp_path / "x.csv", index_col=False)
