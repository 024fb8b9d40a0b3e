"""Stability of clusters: planted groups come back, arbitrary ones do not."""

from __future__ import annotations

import dask
import numpy as np
import pytest
import scipy.sparse as sp
import xarray as xr
from distributed import Client, LocalCluster
from sklearn.metrics import adjusted_rand_score

from chemores_dask.errors import InputError, MissingVariableError, ParameterError
from chemores_dask.graph.cluster_stability import DRAWS, Repeat, cluster_stability, part_of
from chemores_dask.graph.leiden import WHOLE, LeidenSettings, clusters_of, leiden
from chemores_dask.randomness import cell_uniforms, spawn
from chemores_dask.stream.array_files import array_folder, write_array
from tests.graph.cluster_graphs import cliques, dataset_of, groups, neighbor_graph
from tests.graph.graphs import clouds


def whole_cloud(cells=400):
    """A graph without groups: any clusters are arbitrary."""
    return neighbor_graph(np.random.default_rng(3).normal(size=(cells, 5)), 8)


def test_cluster_stability__is_one_for_planted_groups():
    matrix, _ = groups([60, 50, 40])
    result = cluster_stability(dataset_of(matrix), repeats=3, seed=1)
    assert (result["stability_rand"].values == 1).all()
    assert (result["stability_clusters"].values == 3).all()
    for name in ("stability_cluster_rand", "stability_cluster_lowest_rand", "stability_cluster_jaccard"):
        assert (result[name].values == 1).all()
    assert result["stability_cluster_cells"].values.tolist() == [60, 50, 40]
    assert result["draw"].values.tolist() == list(DRAWS)
    assert result.sizes == {"draw": 2, "repeat": 3, "cluster": 3}


def test_cluster_stability__tells_a_sound_cluster_from_arbitrary_ones():
    far = neighbor_graph(np.random.default_rng(4).normal(size=(80, 5)), 8)
    matrix = sp.block_diag([whole_cloud(), far], format="csr")
    clusters = leiden(dataset_of(matrix), seed=1, resolution=0.8)["cell_cluster"]
    sound = clusters.values.max() + 1
    clusters = xr.DataArray(np.where(np.arange(480) < 400, clusters, sound), dims="cell")
    result = cluster_stability(dataset_of(matrix), clusters=clusters, resolution=0.15, repeats=4, seed=2)
    rand = result["stability_cluster_rand"].sel(draw="other seed")
    assert float(rand.sel(cluster=sound)) == 1
    assert float(rand.drop_sel(cluster=sound).max()) < 0.7


def test_cluster_stability__equals_what_its_parts_give():
    matrix = whole_cloud()
    graph, repeats, seed = dataset_of(matrix), 2, 5
    result = cluster_stability(graph, repeats=repeats, share=0.7, seed=seed)
    reference = leiden(graph, seed=seed)["cell_cluster"].values
    for number, each in enumerate(spawn(seed, 2 * repeats)):
        leiden_seed, drawing = spawn(each, 2)
        drawn = np.ones(400, dtype=bool)
        if number >= repeats:
            drawn = cell_uniforms(drawing, np.arange(400))[:, 0] < 0.7
            assert 220 < drawn.sum() < 340
        part = sp.csr_matrix(matrix[drawn][:, drawn])
        found = clusters_of(part, LeidenSettings(), route=WHOLE, seed=leiden_seed).cluster
        rand = result["stability_rand"].values.ravel()[number]
        assert rand == pytest.approx(adjusted_rand_score(reference[drawn], found), abs=1e-12)
        assert result["stability_clusters"].values.ravel()[number] == found.max() + 1
    mean = result["stability_cluster_rand"].values
    assert (result["stability_cluster_lowest_rand"].values <= mean + 1e-12).all()


def test_cluster_stability__makes_the_clusters_that_leiden_makes():
    graph = dataset_of(whole_cloud())
    clusters = leiden(graph, seed=5)["cell_cluster"]
    made = cluster_stability(graph, repeats=2, seed=5)
    given = cluster_stability(graph, clusters=clusters, repeats=2, seed=5)
    xr.testing.assert_identical(made.drop_attrs(), given.drop_attrs())


def test_cluster_stability__keeps_the_numbers_of_the_clusters():
    matrix, label = groups([20, 15])
    clusters = xr.DataArray(np.array([7, 3])[label], dims="cell")
    result = cluster_stability(dataset_of(matrix), clusters=clusters, repeats=1, seed=1)
    assert result["cluster"].values.tolist() == [3, 7]
    assert result["stability_cluster_cells"].values.tolist() == [15, 20]


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_cluster_stability__has_the_same_bits_for_any_number_of_threads(share):
    graph = dataset_of(whole_cloud(200))
    found = []
    for threads in (1, 2, 4):
        with dask.config.set(scheduler="threads", num_workers=threads):
            found.append(cluster_stability(graph, repeats=3, share=share, seed=9))
    xr.testing.assert_identical(found[0], found[1])
    xr.testing.assert_identical(found[0], found[2])


@pytest.mark.cluster
@pytest.mark.slow
def test_cluster_stability__has_the_same_bits_in_worker_processes():
    graph = dataset_of(whole_cloud(200))
    here = cluster_stability(graph, repeats=2, seed=9)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster, Client(cluster):
        there = cluster_stability(graph, repeats=2, seed=9)
    xr.testing.assert_identical(here, there)


def test_cluster_stability__takes_one_cell_and_cells_without_edges():
    for cells in (1, 6):
        result = cluster_stability(dataset_of(sp.csr_matrix((cells, cells))), repeats=2, seed=1)
        assert (result["stability_rand"].sel(draw="other seed").values == 1).all()
        assert result.sizes["cluster"] == cells


def test_cluster_stability__does_not_count_clusters_that_were_not_drawn():
    result = cluster_stability(dataset_of(sp.csr_matrix((3, 3))), repeats=2, share=0.01, seed=1)
    assert np.isnan(result["stability_cluster_rand"].sel(draw="part of the cells").values).all()
    assert np.isnan(result["stability_rand"].sel(draw="part of the cells").values).all()
    assert (result["stability_clusters"].sel(draw="part of the cells").values == 0).all()
    assert (result["stability_cluster_rand"].sel(draw="other seed").values == 1).all()


def test_cluster_stability__refuses_what_cannot_be():
    graph = dataset_of(cliques([3, 2]))
    with pytest.raises(InputError, match="at least one cell"):
        cluster_stability(dataset_of(sp.csr_matrix((0, 0))), seed=1)
    with pytest.raises(MissingVariableError, match="connectivity_index"):
        cluster_stability(graph.drop_vars("connectivity_index"), seed=1)
    for clusters in (
        np.zeros(5, dtype=int),
        xr.DataArray(np.zeros(5), dims="cell"),
        xr.DataArray([0] * 5, dims="gene"),
    ):
        with pytest.raises(InputError, match="hold whole numbers"):
            cluster_stability(graph, clusters=clusters, seed=1)
    with pytest.raises(InputError, match="5 cells of the graph"):
        cluster_stability(graph, clusters=xr.DataArray([0, 1], dims="cell"), seed=1)
    named = graph.assign_coords(cell=list("abcde"))
    turned = xr.DataArray([1, 1, 0, 0, 0], dims="cell", coords={"cell": list("edcba")})
    with pytest.raises(InputError, match="in the same order"):
        cluster_stability(named, clusters=turned, seed=1)


@pytest.mark.parametrize(
    ("name", "value"),
    [("repeats", 0), ("share", 0.0), ("share", 1.5), ("resolution", -1.0), ("objective", "x"), ("seed", "a")],
)
def test_cluster_stability__refuses_parameters_outside_their_range(name, value):
    with pytest.raises(ParameterError, match=f"'{name}' parameter of cluster_stability"):
        cluster_stability(dataset_of(cliques([3])), **{"seed": 1, name: value})


def test_repeat__reads_the_graph_from_its_folder():
    matrix, label = groups([20, 10], inside=0.9)
    with array_folder("test") as folder:
        for name in ("indptr", "indices", "data"):
            write_array(folder, name, getattr(matrix, name))
        write_array(folder, "clusters", label.astype(np.int32))
        rand, clusters, cluster_rand, jaccard = Repeat(folder, LeidenSettings(), WHOLE, 3, 1.0)()
    assert (rand, clusters) == (1, 2)
    assert cluster_rand.tolist() == jaccard.tolist() == [1, 1]


@pytest.mark.parametrize("seed", range(3))
def test_part_of__equals_slicing(seed):
    matrix = neighbor_graph(clouds(60, 40, seed=seed), 6)
    drawn = np.random.default_rng(seed).random(100) < 0.5
    part = part_of(matrix, drawn)
    expected = matrix[drawn][:, drawn]
    assert np.array_equal(part.toarray(), expected.toarray())
    assert part_of(matrix, np.zeros(100, dtype=bool)).shape == (0, 0)
