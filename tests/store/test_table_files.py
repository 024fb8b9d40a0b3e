"""Damage of the tables of cells and genes must never pass for data."""

from __future__ import annotations

import anndata
import pytest
import zarr

from chemores_dask.errors import ChecksumError, FormatError
from chemores_dask.store.cells import open_cells, write_cells
from chemores_dask.store.layout import write_element
from chemores_dask.store.table_files import check_tables, damaged_tables
from tests.store.sources import make_blocks, write_stream

CODES = "cells/obs/sample/codes/c/0"


@pytest.fixture
def stored(tmp_path):
    return write_stream(tmp_path / "c.zarr", make_blocks())


def flip(file):
    changed = bytearray(file.read_bytes())
    changed[len(changed) // 2] ^= 1
    file.write_bytes(bytes(changed))


def test_damaged_tables__finds_nothing_wrong(stored, tmp_path):
    assert damaged_tables(stored) == []
    copied = write_cells(open_cells(stored), tmp_path / "d.zarr")
    assert damaged_tables(copied) == []


def test_damaged_tables__names_changed_and_missing_files(stored):
    flip(stored / "cells/var/gene_id/c/0")
    flip(stored / "cells/X/indptr/c/0")
    (stored / CODES).unlink()
    assert [(damage.file.relative_to(stored).as_posix(), damage.reason) for damage in damaged_tables(stored)] == [
        ("cells/X/indptr/c/0", "holds other bytes than were written"),
        (CODES, "is missing"),
        ("cells/var/gene_id/c/0", "holds other bytes than were written"),
    ]


def test_check_tables__refuses_a_missing_chunk_that_would_read_as_the_first_sample(stored):
    (stored / CODES).unlink()
    assert set(anndata.read_zarr(stored / "cells").obs["sample"]) == {"s0"}
    with pytest.raises(ChecksumError, match="sample/codes/c/0' is missing"):
        open_cells(stored)


def test_check_tables__lets_a_column_be_added(stored):
    table = zarr.open_group(stored / "cells" / "obs", mode="r+")
    write_element(table, "note", open_cells(stored).obs["reads"].to_numpy())
    table.attrs["column-order"] = [*table.attrs["column-order"], "note"]
    check_tables(stored)
    assert "note" in open_cells(stored).obs


def test_check_tables__names_a_damaged_list_of_columns(stored):
    (stored / "cells" / "obs" / "zarr.json").write_text("{")
    with pytest.raises(FormatError, match=r"obs/zarr\.json"):
        open_cells(stored)
