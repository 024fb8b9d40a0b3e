"""Maps of cells."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from distributed import Client, LocalCluster
from sklearn.manifold import trustworthiness
from umap import UMAP

from chemores_dask.errors import BlockTooLargeError, InputError, MissingVariableError, ParameterError
from chemores_dask.graph import layout_files
from chemores_dask.graph.umap_layout import umap
from chemores_dask.memory import memory_budget
from tests.graph.graphs import clouds
from tests.graph.weighted_graphs import embedding_like, fuzzy_graph


def map_of(points, *, neighbors=15, seed=1, **options):
    graph = fuzzy_graph(points, neighbors)
    return umap(graph, embedding=embedding_like(graph, points), seed=seed, **options)


def curved(cells, seed=0):
    """A ring, a sheet and a few far away, in ten dimensions."""
    draws = np.random.default_rng(seed)
    angle = draws.uniform(0, 2 * np.pi, cells)
    ring = np.column_stack([6 * np.cos(angle), 6 * np.sin(angle)])
    sheet = draws.uniform([21, -4], [29, 4], size=(cells, 2))
    few = draws.normal([0, 30], 0.5, size=(max(cells // 50, 4), 2))
    flat = np.vstack([ring, sheet, few])
    return np.hstack([flat, np.zeros((len(flat), 8))]) + draws.normal(scale=0.15, size=(len(flat), 10))


def test_umap__of_few_cells_is_that_of_umap_learn_in_quality():
    points = curved(200).astype(np.float32)
    result = map_of(points)
    theirs = UMAP(n_neighbors=16, min_dist=0.5, random_state=1, n_jobs=1).fit_transform(points)
    assert result["umap_landmark"].values.all()
    found = float(result["umap_trustworthiness"])
    assert found == pytest.approx(trustworthiness(points, result["umap_coordinates"].values, n_neighbors=15), abs=1e-12)
    assert found > trustworthiness(points, theirs, n_neighbors=15) - 0.01


def test_umap__landmarks_lose_little_against_all_cells():
    points = curved(700)
    whole, some = map_of(points), map_of(points, landmarks=150)
    assert some["umap_landmark"].values.sum() in range(150, 155)
    assert some["umap_trustworthiness"] > whole["umap_trustworthiness"] - 0.01
    assert some["umap_trustworthiness"] > 0.97


def test_umap__a_rare_group_stays_a_group():
    points = clouds(1000, 1000, 10, apart=7.0, dimensions=10)
    coordinates = map_of(points, landmarks=200)["umap_coordinates"].values
    middle = coordinates[2000:].mean(axis=0)
    distance = np.linalg.norm(coordinates - middle, axis=1)
    assert set(np.argsort(distance)[:10]) == set(range(2000, 2010))


def test_umap__the_seed_decides_and_nothing_else(monkeypatch):
    points = clouds(300, 200)
    first = map_of(points, landmarks=60)
    assert first.identical(map_of(points, landmarks=60))
    assert not first.equals(map_of(points, landmarks=60, seed=2))
    monkeypatch.setattr(layout_files, "CELLS_PER_TASK", 37)
    for threads in (1, 2, 4):
        with dask.config.set(num_workers=threads):
            assert first.identical(map_of(points, landmarks=60))


def test_umap__has_the_same_bits_in_processes(tmp_path, monkeypatch):
    points = clouds(120, 80)
    first = map_of(points, landmarks=40, rounds=5)
    monkeypatch.setattr(layout_files, "CELLS_PER_TASK", 50)
    with (
        dask.config.set({"temporary-directory": str(tmp_path)}),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster),
    ):
        assert first.identical(map_of(points, landmarks=40, rounds=5))


def test_umap__reads_lazy_input_in_any_blocks():
    points = clouds(150, 100)
    graph = fuzzy_graph(points)
    embedding = embedding_like(graph, points)
    expected = umap(graph, embedding=embedding, landmarks=50, rounds=3, seed=1)
    lazy = embedding.copy(data=da.from_array(embedding.values, chunks=(33, 2)))
    assert expected.identical(umap(graph.chunk(), embedding=lazy, landmarks=50, rounds=3, seed=1))


def test_umap__parts_of_the_graph_lie_apart_and_none_is_lost():
    points = clouds(200, 200, 12, apart=300.0)
    coordinates = map_of(points, neighbors=8, landmarks=60)["umap_coordinates"].values
    assert np.isfinite(coordinates).all()
    groups = np.repeat([0, 1, 2], [200, 200, 12])
    distance = np.linalg.norm(coordinates[:, None] - coordinates[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (groups[distance.argmin(axis=1)] == groups).mean() > 0.99


@pytest.mark.parametrize("landmarks", [20_000, 30])
def test_umap__cells_in_one_place_are_neither_nan_nor_one_point(landmarks):
    points = np.repeat(clouds(6, dimensions=4), 20, axis=0)
    coordinates = map_of(points, landmarks=landmarks)["umap_coordinates"].values
    assert np.isfinite(coordinates).all()
    assert len(np.unique(coordinates, axis=0)) > 60


def test_umap__all_cells_in_one_place_still_give_a_map():
    result = map_of(np.ones((40, 3)))
    assert np.isfinite(result["umap_coordinates"].values).all()
    assert float(result["umap_trustworthiness"]) == 1.0


@pytest.mark.parametrize("cells", [4, 5, 8])
def test_umap__few_cells_are_enough(cells):
    result = map_of(clouds(cells), neighbors=cells - 1)
    assert np.isfinite(result["umap_coordinates"].values).all()


def test_umap__one_component_is_enough():
    assert np.isfinite(map_of(clouds(60, dimensions=1))["umap_coordinates"].values).all()


@pytest.mark.parametrize("cells", [0, 1, 3])
def test_umap__refuses_fewer_than_four_cells(cells):
    graph = xr.Dataset(
        {
            "connectivity_offset": ("offset", np.zeros(cells + 1, dtype=np.int64)),
            "connectivity_index": ("edge", np.zeros(0, dtype=np.int32)),
            "connectivity_weight": ("edge", np.zeros(0, dtype=np.float32)),
        }
    )
    with pytest.raises(InputError, match="at least 4 cells"):
        umap(graph, embedding=xr.DataArray(np.zeros((cells, 2)), dims=("cell", "component")), seed=1)


def test_umap__refuses_what_is_not_finite():
    graph, points = fuzzy_graph(clouds(30)), clouds(30)
    points[3, 1] = np.nan
    with pytest.raises(InputError, match="finite"):
        umap(graph, embedding=embedding_like(graph, points), seed=1)


def test_umap__refuses_another_embedding():
    graph, points = fuzzy_graph(clouds(30)), clouds(30)
    embedding = embedding_like(graph, points)
    with pytest.raises(InputError, match="same order"):
        umap(graph, embedding=embedding.isel(cell=slice(None, None, -1)), seed=1)
    with pytest.raises(InputError, match=r"must have the 30 cells of the graph\. Got 29"):
        umap(graph, embedding=embedding[1:], seed=1)
    empty = graph.assign(connectivity_offset=graph["connectivity_offset"] * 0).isel(edge=slice(0, 0))
    with pytest.raises(InputError, match="edges between them"):
        umap(empty, embedding=embedding, seed=1)
    with pytest.raises(MissingVariableError, match="connectivity_offset"):
        umap(graph.drop_vars("connectivity_offset"), embedding=embedding, seed=1)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"landmarks": 3}, "landmarks"),
        ({"landmarks": 2.5}, "landmarks"),
        ({"rounds": -1}, "rounds"),
        ({"min_dist": 2.0}, "min_dist"),
        ({"min_dist": -0.1}, "min_dist"),
        ({"spread_scale": 0.0}, "spread_scale"),
        ({"spread_scale": np.nan}, "spread_scale"),
        ({"spread_scale": np.inf}, "spread_scale"),
        ({"seed": 1.5}, "seed"),
        ({"seed": None}, "seed"),
    ],
)
def test_umap__refuses_parameters(options, match):
    with pytest.raises(ParameterError, match=match):
        map_of(clouds(30), **options)


def test_umap__without_rounds_leaves_cells_among_their_neighbors():
    points = clouds(300)
    result = map_of(points, landmarks=60, rounds=0)
    assert np.isfinite(result["umap_coordinates"].values).all()


def test_umap__takes_a_graph_without_names_or_distances():
    points = clouds(100)
    graph = fuzzy_graph(points).drop_vars(["cell", "neighbor_index", "neighbor_distance"])
    embedding = xr.DataArray(points, dims=("cell", "component"))
    result = umap(graph, embedding=embedding, landmarks=40, rounds=3, seed=1)
    assert "cell" not in result.coords
    assert result["umap_landmark"].values.sum() == 40


def test_umap__leaves_its_input_alone():
    points = clouds(80)
    graph = fuzzy_graph(points)
    before = graph.copy(deep=True)
    umap(graph, embedding=embedding_like(graph, points), landmarks=30, rounds=2, seed=1)
    assert before.identical(graph)


def test_umap__accepts_wide_row_numbers():
    points = clouds(80)
    graph = fuzzy_graph(points)
    wide = graph.assign(connectivity_index=graph["connectivity_index"].astype(np.int64))
    embedding = embedding_like(graph, points)
    assert umap(wide, embedding=embedding, landmarks=30, rounds=2, seed=1).identical(
        umap(graph, embedding=embedding, landmarks=30, rounds=2, seed=1)
    )


def test_umap__is_held_to_the_memory_budget():
    points = clouds(60, dimensions=5)
    with memory_budget("1MB"), pytest.raises(BlockTooLargeError, match="umap must fit into the budget of memory"):
        map_of(points)
    with memory_budget("100GB") as budget:
        map_of(points)
    assert budget.promised_bytes > 0
