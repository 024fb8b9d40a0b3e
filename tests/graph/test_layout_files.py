"""Rounds of a map over files."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pytest
import scipy.sparse as sp
import xarray as xr

from chemores_dask.errors import InputError
from chemores_dask.graph import layout_files
from chemores_dask.graph.layout_files import LANDMARKS, Round, move, rows_of, spread, write_graph, write_rows
from chemores_dask.stream.array_files import array_folder, write_array
from tests.graph.graphs import clouds, exact_neighbors


@pytest.fixture
def folder():
    with array_folder("test") as path:
        yield path


def chain(cells):
    steps = np.ones(cells - 1, dtype=np.float32)
    return sp.csr_matrix(sp.diags([steps, steps], [1, -1], format="csr"))


def as_embedding(points, chunks=None):
    data = points if chunks is None else da.from_array(points, chunks=(chunks, -1))
    return xr.DataArray(data, dims=("cell", "component"))


@pytest.mark.parametrize("chunks", [None, 7, 1000])
def test_rows_of__gives_rows_in_the_order_asked_for(folder, chunks, monkeypatch):
    monkeypatch.setattr(
        layout_files, "embedding_blocks", lambda found: found.data.rechunk((16, -1)) if chunks else found
    )
    points = clouds(40, 30).astype(np.float32)
    if chunks is None:
        monkeypatch.undo()
    bounds = write_rows(folder, as_embedding(points, chunks))
    chosen = np.array([69, 0, 15, 16, 16, 3])
    assert bounds[-1] == 70
    assert np.array_equal(rows_of(folder, bounds, chosen), points[chosen])


def test_write_rows__refuses_what_is_not_finite(folder):
    points = clouds(20).astype(np.float32)
    points[4, 1] = np.nan
    with pytest.raises(InputError, match="finite"):
        write_rows(folder, as_embedding(points))


def test_spread__walks_along_the_graph_and_leaves_landmarks(folder):
    write_graph(folder, chain(5))
    write_array(folder, LANDMARKS, np.array([0, 4], dtype=np.int32))
    coordinates = np.full((5, 2), np.nan, dtype=np.float32)
    coordinates[[0, 4]] = [[0, 0], [4, 8]]
    once = spread(folder, coordinates)
    assert once[:, 0].tolist()[:2] == [0.0, 0.0]
    assert np.isnan(once[2]).all()
    for _ in range(60):
        once = spread(folder, once)
    np.testing.assert_allclose(once, [[0, 0], [1, 2], [2, 4], [3, 6], [4, 8]], atol=1e-4)


def test_move__does_not_depend_on_threads_or_tasks(folder, monkeypatch):
    index, _ = exact_neighbors(clouds(60, 40), 6)
    matrix = sp.csr_matrix((np.ones(index.size), index.ravel(), np.arange(0, index.size + 1, 6)), shape=(100, 100))
    matrix = matrix.maximum(matrix.T).tocsr().astype(np.float32)
    matrix.sort_indices()
    write_graph(folder, matrix)
    write_array(folder, LANDMARKS, np.arange(0, 100, 9, dtype=np.int32))
    start = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32)
    settings = Round(key=77, curve=(0.58, 1.33), step=0.2, heaviest=1.0)
    found = []
    for cells, threads in ((2**15, 1), (13, 1), (13, 4)):
        monkeypatch.setattr(layout_files, "CELLS_PER_TASK", cells)
        with dask.config.set(num_workers=threads):
            found.append(move(folder, start, settings))
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])
    assert not np.array_equal(found[0], start)
