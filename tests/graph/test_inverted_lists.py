"""Cells in the order of lists."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from chemores_dask.errors import ChecksumError, InputError
from chemores_dask.graph import inverted_lists
from chemores_dask.graph.inverted_lists import (
    ChosenRows,
    ListReader,
    Queries,
    nearest_of,
    sort_into_lists,
    stage_embedding,
)
from chemores_dask.kernels.list_probes import nearest_centers
from chemores_dask.stream.array_files import read_array

NOBODY = np.empty(0, dtype=np.int64)


def drawn(cells=500, components=5, seed=0):
    return np.random.default_rng(seed).normal(size=(cells, components)).astype(np.float32)


def sorted_lists(points, folder, centers, *, rows=70, queries=NOBODY, neighbors=3):
    staged = stage_embedding(da.from_array(points, chunks=(rows, -1)), str(folder), ChosenRows(NOBODY, NOBODY))
    return sort_into_lists(str(folder), staged.bounds, centers, Queries(points[queries], queries, neighbors))


def content(lists):
    with ListReader(lists) as reader:
        return [reader.points_and_cells(number, number + 1) for number in range(lists.number)]


def test_stage_embedding__keeps_blocks_and_chosen_rows(tmp_path):
    points = drawn()
    chosen = ChosenRows(np.array([3, 69, 70, 499]), np.array([0, 100, 420]))
    staged = stage_embedding(da.from_array(points, chunks=(70, -1)), str(tmp_path), chosen)
    assert staged.bounds.tolist() == [*range(0, 500, 70), 500]
    assert np.array_equal(staged.points, points[chosen.handed_over])
    assert np.array_equal(np.concatenate([read_array(str(tmp_path), f"block-{n}") for n in range(8)]), points)
    assert np.array_equal(np.concatenate([read_array(str(tmp_path), n) for n in staged.samples]), points[chosen.sample])


def test_stage_embedding__refuses_coordinates_whose_squares_overflow(tmp_path):
    points = np.full((4, 2), 1e18, dtype=np.float32)
    with pytest.raises(InputError, match="at most 1e"):
        stage_embedding(da.from_array(points), str(tmp_path), ChosenRows(NOBODY, NOBODY))


@pytest.mark.parametrize("rows", [1, 70, 1000])
@pytest.mark.parametrize("per_group", [1, 64, 10**6])
def test_sort_into_lists__puts_every_cell_into_the_list_of_its_center(tmp_path, monkeypatch, rows, per_group):
    monkeypatch.setattr(inverted_lists, "CELLS_PER_GROUP", per_group)
    points = drawn(120 if rows == 1 else 500)
    centers = points[::25].copy()
    lists = sorted_lists(points, tmp_path, centers, rows=rows).lists
    wanted = nearest_centers(points, centers)
    for number, (found, cells) in enumerate(content(lists)):
        assert np.array_equal(cells, np.flatnonzero(wanted == number))
        assert np.array_equal(found, points[cells])
    assert np.array_equal(lists.list_of_cells(), wanted)
    assert lists.number_of_groups == (1 if per_group == 10**6 else lists.number_of_groups)
    assert not list(tmp_path.glob("sorted-*"))
    assert not list(tmp_path.glob("block-*"))


def test_sort_into_lists__leaves_lists_empty_that_nobody_is_near(tmp_path):
    points = drawn()
    centers = np.concatenate([points[:3], np.full((2, 5), 90.0, np.float32)])
    found = content(sorted_lists(points, tmp_path, centers).lists)
    assert [len(cells) for _, cells in found[3:]] == [0, 0]
    assert sum(len(cells) for _, cells in found) == 500


def test_sort_into_lists__cuts_lists_that_are_far_too_long(tmp_path, monkeypatch):
    monkeypatch.setattr(inverted_lists, "LONGEST", 2)
    monkeypatch.setattr(inverted_lists, "CELLS_PER_GROUP", 90)
    points = np.concatenate([np.zeros((400, 5), np.float32), drawn(100) + 50])
    centers = np.concatenate([np.zeros((1, 5), np.float32), points[-4:]])
    lists = sorted_lists(points, tmp_path, centers).lists
    assert lists.number == 6
    assert np.diff(lists.starts).max() <= 2 * 100
    found = content(lists)
    assert np.array_equal(np.concatenate([cells for _, cells in found[:2]]), np.arange(400))
    assert np.array_equal(np.sort(np.concatenate([cells for _, cells in found])), np.arange(500))
    for some, cells in found:
        assert np.array_equal(some, points[cells])
    assert np.array_equal(lists.centers[0], lists.centers[1])


def test_sort_into_lists__notices_a_flipped_byte(tmp_path, monkeypatch):
    write = inverted_lists.write_array

    def damage(folder, name, array):
        write(folder, name, array)
        if name == "sorted-points-2":
            file = tmp_path / f"{name}.npy"
            content = bytearray(file.read_bytes())
            content[-100] ^= 4
            file.write_bytes(content)

    monkeypatch.setattr(inverted_lists, "write_array", damage)
    with pytest.raises(ChecksumError, match="as they were written"):
        sorted_lists(drawn(), tmp_path, drawn()[:9])


def test_sort_into_lists__finds_exact_neighbors_on_the_way(tmp_path):
    points = drawn()
    queries = np.array([7, 3, 499])
    sorting = sorted_lists(points, tmp_path, points[:9], queries=queries, neighbors=4)
    distance = np.linalg.norm(points[queries, None].astype(float) - points[None], axis=2)
    distance[np.arange(3), queries] = np.inf
    order = np.argsort(distance, axis=1)[:, :4]
    assert np.array_equal(sorting.neighbor, order)
    np.testing.assert_allclose(sorting.distance, np.take_along_axis(distance, order, 1), rtol=1e-6)


def test_nearest_of__orders_by_distance_and_then_by_cell():
    distance, neighbor = nearest_of(
        [np.array([[1.0, 2.0]]), np.array([[1.0, 1.5]])], [np.array([[9, 4]]), np.array([[3, 7]])], 3
    )
    assert neighbor.tolist() == [[3, 9, 7]]
    assert distance.tolist() == [[1.0, 1.0, 1.5]]
