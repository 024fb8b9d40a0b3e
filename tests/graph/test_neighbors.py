"""The nearest neighbors of every cell, with their certificate."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pytest
import scanpy as sc
import xarray as xr
from anndata import AnnData
from distributed import Client, LocalCluster
from sklearn.neighbors import NearestNeighbors

from chemores_dask.errors import BlockTooLargeError, InputError, MissingVariableError, ParameterError
from chemores_dask.graph import neighbors as analysis
from chemores_dask.graph.neighbors import neighbors
from chemores_dask.memory import memory_budget
from chemores_dask.stream.shared_pass import share_passes
from chemores_dask.stream.staging import staging_folder
from tests.held_memory import budget_with_room

CERTIFICATE = ("neighbor_recall", "neighbor_recall_lower", "neighbor_recall_upper")


def scores(values, *, rows=None, names=True):
    values = np.asarray(values)
    data = values if rows is None else da.from_array(values, chunks=(rows, -1))
    coordinates = {"cell": [f"c{number}" for number in range(len(values))]} if names else {}
    return xr.DataArray(data, dims=("cell", "component"), name="pca_scores", coords=coordinates)


def clouds(cells=3000, components=10, places=8, seed=0):
    generator = np.random.default_rng(seed)
    middle = 3.0 * generator.normal(size=(places, components))
    return middle[np.arange(cells) % places] + generator.normal(size=(cells, components))


def brute_force(points, count):
    found = NearestNeighbors(n_neighbors=count + 1, algorithm="brute").fit(points.astype(np.float64))
    distance, index = found.kneighbors()
    return distance[:, :count], index[:, :count]


def assert_same_bits(first, second):
    assert set(first.variables) == set(second.variables)
    for name in first.variables:
        assert first[name].dtype == second[name].dtype, name
        assert np.array_equal(first[name].values, second[name].values), name


def share_found(found, true):
    return np.mean([len(set(left) & set(right)) / len(right) for left, right in zip(found, true, strict=True)])


@pytest.mark.parametrize("method", ["exact", "auto"])
def test_neighbors__exact_are_those_of_scikit_learn(method):
    points = clouds(700).astype(np.float32)
    graph = neighbors(scores(points), method=method, seed=1)
    distance, index = brute_force(points, 15)
    assert np.array_equal(graph["neighbor_index"].values, index)
    np.testing.assert_allclose(graph["neighbor_distance"].values, distance, rtol=1e-6)
    assert graph["neighbor_index"].dtype == np.int32
    assert graph["neighbor_distance"].dtype == np.float32
    assert [float(graph[name]) for name in CERTIFICATE] == [1, 1, 1]
    assert [int(graph[f"neighbor_{name}"]) for name in ("lists", "probes", "recall_queries")] == [0, 0, 0]


@pytest.mark.parametrize("min_recall", [0.5, 0.9, 0.99])
def test_neighbors__by_lists_find_what_was_asked_for(min_recall):
    points = clouds().astype(np.float32)
    graph = neighbors(scores(points, rows=700), method="lists", min_recall=min_recall, seed=1)
    distance, index = brute_force(points, 15)
    share = share_found(graph["neighbor_index"].values, index)
    lower, upper = float(graph["neighbor_recall_lower"]), float(graph["neighbor_recall_upper"])
    assert float(graph["neighbor_recall"]) >= min_recall
    assert lower - 0.003 <= share <= upper + 0.003
    assert upper - lower < 0.04
    assert int(graph["neighbor_recall_queries"]) == 1000
    assert 1 <= int(graph["neighbor_probes"]) < int(graph["neighbor_lists"])
    first = np.isclose(graph["neighbor_distance"].values[:, 0], distance[:, 0], rtol=1e-6)
    assert first.mean() >= min_recall


def test_neighbors__by_lists_with_full_recall_are_exact():
    points = clouds(800)
    by_lists = neighbors(scores(points), method="lists", min_recall=1.0, seed=1)
    exact = neighbors(scores(points), method="exact", seed=1)
    assert float(by_lists["neighbor_recall"]) == 1.0
    assert share_found(by_lists["neighbor_index"].values, exact["neighbor_index"].values) > 0.9999


@pytest.mark.parametrize(("kind", "scanpys"), [("fuzzy", "umap"), ("gaussian", "gauss")])
def test_neighbors__make_the_graph_of_scanpy(kind, scanpys):
    points = clouds(400).astype(np.float32)
    graph = neighbors(scores(points), neighbors=14, connectivities=kind, seed=1)
    cells = AnnData(np.zeros((400, 1), np.float32), obsm={"X_pca": points})
    sc.pp.neighbors(cells, n_neighbors=15, use_rep="X_pca", method=scanpys, transformer="sklearn")
    wanted = cells.obsp["connectivities"].sorted_indices()
    assert np.array_equal(graph["connectivity_offset"].values, wanted.indptr)
    assert np.array_equal(graph["connectivity_index"].values, wanted.indices)
    np.testing.assert_allclose(graph["connectivity_weight"].values, wanted.data, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("method", ["exact", "lists"])
def test_neighbors__have_the_same_bits_for_any_blocks_and_workers(method):
    points = clouds(2500)
    call = {"method": method, "seed": 4, "neighbors": 6}
    with dask.config.set(scheduler="synchronous"):
        wanted = neighbors(scores(points), **call)
    for rows in (100, 999):
        with dask.config.set(scheduler="threads", num_workers=4):
            assert_same_bits(neighbors(scores(points, rows=rows), **call), wanted)


def test_neighbors__have_the_same_bits_for_many_tasks(monkeypatch):
    points = clouds(2500)
    monkeypatch.setattr(analysis.inverted_lists, "CELLS_PER_GROUP", 300)
    found = []
    for settings in ({"scheduler": "synchronous"}, {"num_workers": 2}, {"num_workers": 4}):
        with dask.config.set(**settings):
            found.append(neighbors(scores(points), method="lists", seed=4))
    assert_same_bits(found[0], found[1])
    assert_same_bits(found[0], found[2])


def test_neighbors__follow_the_seed():
    points = clouds(2500)
    first, second = (neighbors(scores(points), method="lists", seed=seed) for seed in (1, 2))
    assert float(first["neighbor_recall"]) != float(second["neighbor_recall"])


def test_neighbors__ask_more_lists_until_the_certificate_holds(monkeypatch):
    monkeypatch.setattr(analysis, "fewest_probes", lambda *_, **__: 1)
    graph = neighbors(scores(clouds()), method="lists", min_recall=0.9, seed=1)
    assert int(graph["neighbor_probes"]) > 1
    assert float(graph["neighbor_recall"]) >= 0.9


def test_neighbors__can_share_passes_with_others():
    points = clouds(900)
    calls = {seed: lambda seed=seed: neighbors(scores(points, rows=200), method="lists", seed=seed) for seed in (1, 2)}
    for seed, shared in share_passes(calls).items():
        assert_same_bits(shared, calls[seed]())


def test_neighbors__leave_no_files(tmp_path):
    with staging_folder(tmp_path):
        neighbors(scores(clouds(300)), method="lists", seed=1)
        neighbors(scores(clouds(300)), method="exact", seed=1)
    assert not list(tmp_path.iterdir())


def test_neighbors__name_their_cells_where_they_have_names():
    graph = neighbors(scores(clouds(50)), seed=1)
    assert graph["cell"].values[3] == "c3"
    assert "cell" not in neighbors(scores(clouds(50), names=False), seed=1).coords


@pytest.mark.parametrize("cells", [0, 1, 15])
def test_neighbors__need_more_cells_than_neighbors(cells):
    with pytest.raises(InputError, match=f"at least 16 for 15 neighbors of each. Found {cells}"):
        neighbors(scores(clouds(15)[:cells]), seed=1)


@pytest.mark.parametrize("method", ["exact", "lists"])
@pytest.mark.parametrize("cells", [2, 3, 17, 40])
def test_neighbors__of_a_few_cells_are_complete(method, cells):
    points = clouds(cells)
    graph = neighbors(scores(points), method=method, neighbors=cells - 1, min_recall=0.5, seed=1)
    everyone = np.arange(cells)
    assert all(sorted(row) == sorted(set(everyone) - {cell}) for cell, row in enumerate(graph["neighbor_index"].values))
    assert np.isfinite(graph["neighbor_distance"].values).all()


@pytest.mark.parametrize("method", ["exact", "lists"])
def test_neighbors__in_one_place_are_at_distance_zero(method):
    graph = neighbors(scores(np.full((3000, 4), 7.3)), method=method, neighbors=5, seed=1)
    index = graph["neighbor_index"].values
    assert not graph["neighbor_distance"].values.any()
    assert (index != np.arange(3000)[:, None]).all()
    assert (np.diff(index, axis=1) > 0).all()
    if method == "exact":
        assert np.array_equal(index[0], [1, 2, 3, 4, 5])
        assert np.array_equal(index[2999], [0, 1, 2, 3, 4])


@pytest.mark.parametrize("method", ["exact", "lists"])
def test_neighbors__cope_with_many_copies_of_few_places(method):
    places = clouds(30)
    points = places[np.random.default_rng(5).integers(0, 30, 4000)]
    graph = neighbors(scores(points), method=method, seed=1)
    assert not graph["neighbor_distance"].values.any()
    assert float(graph["neighbor_recall"]) == 1.0
    assert np.array_equal(points[graph["neighbor_index"].values[:, 0]], points)


@pytest.mark.parametrize("method", ["exact", "lists"])
def test_neighbors__ignore_constant_components(method):
    points = clouds(900)
    wide = np.concatenate([points, np.full((900, 2), 1e4)], axis=1)
    graphs = [neighbors(scores(values), method=method, min_recall=1.0, seed=1) for values in (points, wide)]
    assert np.array_equal(graphs[0]["neighbor_distance"].values, graphs[1]["neighbor_distance"].values)


@pytest.mark.parametrize("method", ["exact", "lists"])
def test_neighbors__on_one_component_are_right(method):
    values = np.random.default_rng(6).permutation(2000).astype(float)[:, None]
    graph = neighbors(scores(values), method=method, neighbors=2, min_recall=1.0, seed=1)
    inner = (values[:, 0] > 0) & (values[:, 0] < 1999)
    assert (graph["neighbor_distance"].values[inner] == 1).all()


@pytest.mark.parametrize("method", ["exact", "lists"])
def test_neighbors__refuse_what_is_not_finite(method):
    points = clouds(100)
    points[41, 2] = np.nan
    with pytest.raises(InputError, match="finite"):
        neighbors(scores(points), method=method, seed=1)


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"neighbors": 0}, "'neighbors' parameter of neighbors must be at least 1"),
        ({"neighbors": 2.5}, "whole number"),
        ({"min_recall": 1.5}, "'min_recall' parameter"),
        ({"method": "hnsw"}, "one of: auto, exact, lists"),
        ({"connectivities": "rbf"}, "one of: fuzzy, gaussian"),
        ({"seed": "x"}, "'seed' parameter"),
    ],
)
def test_neighbors__refuse_wrong_parameters(wrong, what):
    with pytest.raises(ParameterError, match=what):
        neighbors(scores(clouds(50)), **{"seed": 1, **wrong})


def test_neighbors__ask_for_an_embedding():
    with pytest.raises(MissingVariableError, match="embedding"):
        neighbors(xr.Dataset({"total": ("cell", np.ones(4))}), seed=1)


def test_neighbors__keep_to_a_budget():
    points = scores(clouds(3000))
    with pytest.raises(BlockTooLargeError, match="neighbors must fit"), memory_budget("20MB"):
        neighbors(points, seed=1)
    with memory_budget(budget_with_room("6GB")) as budget:
        neighbors(points, seed=1)
    assert budget.promised_bytes > 0


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.filterwarnings("ignore")
def test_neighbors__have_the_same_bits_on_processes(tmp_path):
    points = clouds(6000)
    call = {"method": "lists", "seed": 4}
    with dask.config.set(scheduler="synchronous"):
        wanted = neighbors(scores(points, rows=1000), **call)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster),
        staging_folder(tmp_path),
    ):
        assert_same_bits(neighbors(scores(points, rows=1000), **call), wanted)
        assert_same_bits(
            neighbors(scores(points), method="exact", seed=1), neighbors(scores(points, rows=9), method="exact", seed=1)
        )
    assert not list(tmp_path.iterdir())
