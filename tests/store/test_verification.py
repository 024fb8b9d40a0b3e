from __future__ import annotations

import shutil

import anndata
import numpy as np
import pytest
import scipy.sparse as sp

from chemores_dask.errors import IncompleteStoreError
from chemores_dask.store import gene_copy
from chemores_dask.store.cells import CellsWriter, write_cells
from chemores_dask.store.gene_copy import gene_copy_plan, write_gene_copy
from chemores_dask.store.sharded_csr import shard_file, write_shard
from chemores_dask.store.verification import damaged_gene_files, verify_cells
from tests.store.sources import SMALL, all_counts, gene_table, make_blocks, write_stream


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_stream(tmp_path_factory.mktemp("written") / "c.zarr", make_blocks())


@pytest.fixture
def stored(tmp_path, written):
    return shutil.copytree(written, tmp_path / "c.zarr")


def test_verify_cells__finds_nothing_wrong_with_whole_cells(stored):
    assert verify_cells(stored) == []


@pytest.mark.parametrize("array", ["data", "indices"])
def test_verify_cells__names_shard_cells_and_samples(stored, array):
    nonzeros = np.cumsum((all_counts(make_blocks()) > 0).sum(axis=1))
    file = shard_file(stored / "cells" / "X" / array, 3)
    damaged = bytearray(file.read_bytes())
    damaged[30] ^= 1
    file.write_bytes(bytes(damaged))
    (found,) = verify_cells(stored)
    assert found.file == file
    assert (found.array, found.number) == (array, 3)
    assert "checksum" in found.reason
    assert nonzeros[found.first_cell] > 96 >= (nonzeros[found.first_cell - 1])
    assert nonzeros[found.last_cell - 1] >= 128 > nonzeros[found.last_cell - 2]
    assert found.samples == tuple(dict.fromkeys(f"s{cell // 18}" for cell in range(found.first_cell, found.last_cell)))


def test_verify_cells__finds_lost_and_last_shards(stored):
    data = stored / "cells" / "X" / "data"
    last = max(int(file.name) for file in (data / "c").iterdir())
    shard_file(data, 1).unlink()
    shard_file(data, last).write_bytes(b"")
    assert [(found.number, found.reason) for found in verify_cells(stored)] == [
        (1, "is missing or empty"),
        (last, "is missing or empty"),
    ]


def test_verify_cells__finds_a_valid_shard_with_other_counts(stored):
    """What checksums inside the file cannot see: a whole shard from elsewhere."""
    write_shard(stored / "cells" / "X", number=2, data=np.full(32, 5), indices=np.arange(32) % 12)
    assert [(found.array, found.number, found.reason) for found in verify_cells(stored)] == [
        ("data", 2, "holds other counts than were written"),
        ("indices", 2, "holds other counts than were written"),
    ]
    shutil.copy(shard_file(stored / "cells/X/data", 0), shard_file(stored / "cells/X/data", 1))
    assert [found.number for found in verify_cells(stored)] == [1, 2, 2]


def test_verify_cells__works_without_a_column_of_samples(tmp_path):
    cells = anndata.AnnData(sp.csr_matrix(np.ones((20, 12), dtype="f4")), var=gene_table(12))
    path = write_cells(cells, tmp_path / "c.zarr", geometry=SMALL)
    assert verify_cells(path) == []
    shard_file(path / "cells" / "X" / "data", 0).unlink()
    assert [found.samples for found in verify_cells(path)] == [()]


def test_verify_cells__refuses_unfinished_cells(tmp_path):
    with CellsWriter.open(tmp_path / "c.zarr", gene_table(3)), pytest.raises(IncompleteStoreError):
        verify_cells(tmp_path / "c.zarr")


def test_damaged_gene_files__names_files_and_samples(stored, monkeypatch):
    monkeypatch.setattr(gene_copy, "NONZEROS_PER_TILE", 100)
    monkeypatch.setattr(gene_copy, "GENE_GEOMETRY", SMALL)
    assert damaged_gene_files(stored) == []
    write_gene_copy(stored)
    plan = gene_copy_plan(stored)
    assert damaged_gene_files(stored) == []
    number = plan.shards(1)[1]
    file = stored / "cells_by_gene" / "data" / "c" / str(number)
    shutil.copy(file.with_name("0"), file)  # whole, but of another tile
    (stored / "cells_by_gene" / "indptr" / "c" / "2").unlink()
    first, second = damaged_gene_files(stored)
    assert (first.file, first.reason) == (file, "holds other bytes than were written")
    assert (first.first_cell, first.last_cell) == plan.rows(1)
    assert first.samples == tuple(dict.fromkeys(f"s{cell // 18}" for cell in range(*plan.rows(1))))
    assert (second.array, second.number, second.reason) == ("indptr", 2, "is missing or empty")
    assert verify_cells(stored) == []
