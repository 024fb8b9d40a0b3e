"""Nearest neighbors of every cell on fifty components: ours and the peers', two threads each, at the same recall.

Every step reads the scores that ``ours.pca`` wrote, and measures its recall outside of the clock, on the exact neighbors of a thousand
random cells. Peers are tuned to the recall outside of the clock, too; what is timed is one build and one query of all cells.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from importlib import import_module

import dask
import numpy as np
import psutil
import xarray as xr
from distributed import Client, LocalCluster

import chemores_dask as cd
from benchmarks import steps_ours
from benchmarks.absent import give_up, need_doors, need_package
from benchmarks.one_step import WARM, Clock, Place, cells_of
from benchmarks.steps_ours import FINGERPRINT, SEED, keep_check
from chemores_dask.store.results import is_complete

NEIGHBORS = 15
RECALL = 0.95
QUERIES = 1_000
THREADS = 2

CANDIDATES_AT_ONCE = 2**12

EF_CONSTRUCTION, LINKS = 200, 16
"""Of hnswlib: what its documentation recommends to start from."""

EF_LADDER = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
BREADTH_LADDER = (15, 20, 30, 45, 60, 90)
"""Neighbors that pynndescent is asked for; the nearest fifteen of them are used."""


def components(place: Place) -> xr.DataArray:
    """The scores on disk, made by ``ours.pca`` where they are not there yet."""
    if not is_complete(place.store, step="bench_pca", fingerprint=FINGERPRINT):
        steps_ours.pca(place, Clock())
    return cd.open_result(place.store, step="bench_pca", fingerprint=FINGERPRINT)["pca_scores"]


def points_of(place: Place) -> np.ndarray:
    """The same in memory, for the peers."""
    return np.ascontiguousarray(components(place).to_numpy(), dtype=np.float32)


def ours(place: Place, clock: Clock) -> None:
    """Neighbors, certificate and fuzzy connectivities."""
    need_doors("neighbors")
    scores = components(place)
    with dask.config.set(num_workers=THREADS), clock("neighbors"):
        graph = cd.neighbors(scores, neighbors=NEIGHBORS, min_recall=RECALL, seed=SEED)
    for name in ("neighbor_recall", "neighbor_recall_lower", "neighbor_lists", "neighbor_probes"):
        clock.facts[name] = float(graph[name])
    _note_recall(place, clock, "ours", graph["neighbor_index"].values)


def one_worker(place: Place, clock: Clock) -> None:
    """Ours on one worker process."""
    _on_workers(place, clock, workers=1)


def two_workers(place: Place, clock: Clock) -> None:
    """Ours on two worker processes."""
    _on_workers(place, clock, workers=2)


def _on_workers(place: Place, clock: Clock, *, workers: int) -> None:
    need_doors("neighbors")
    scores = components(place)
    if place.folder.name == WARM:
        return  # the workers of the measured run are warmed below
    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
        tempfile.TemporaryDirectory(dir=place.folder) as folder,
        cd.staging_folder(folder),
    ):
        client.run(import_module, "chemores_dask.graph.neighbors")
        warm = place.folder.parent / WARM
        if cells_of(warm) > NEIGHBORS:
            cd.neighbors(components(Place(warm, cells_of(warm))), neighbors=NEIGHBORS, method="lists", seed=SEED)
        before = psutil.Process().memory_info().rss
        with clock("neighbors"):
            cd.neighbors(scores, neighbors=NEIGHBORS, min_recall=RECALL, seed=SEED)
        clock.facts["driver_bytes_before"] = before


def pynndescent(place: Place, clock: Clock) -> None:
    """Build of NNDescent, whose graph is the answer; asked for more neighbors until recall holds."""
    package = need_package("pynndescent")
    points = points_of(place)

    def found(breadth: int, timed: Clock) -> np.ndarray:
        with timed("build"):
            index = package.NNDescent(points, n_neighbors=breadth + 1, random_state=SEED, n_jobs=THREADS)
            graph = index.neighbor_graph[0]
        return _without_itself(graph)

    _tuned(place, clock, "pynndescent", BREADTH_LADDER, found)


def hnswlib(place: Place, clock: Clock) -> None:
    """Build of an HNSW index, and a query of all cells with the smallest ``ef`` of a ladder at which recall holds."""
    package = need_package("hnswlib")
    points = points_of(place)
    index = package.Index(space="l2", dim=points.shape[1])
    index.init_index(max_elements=len(points), ef_construction=EF_CONSTRUCTION, M=LINKS, random_seed=SEED)
    with clock("build"):
        index.add_items(points, num_threads=THREADS)
    asked, true = _true_neighbors(points)
    for ef in EF_LADDER:
        index.set_ef(max(ef, NEIGHBORS + 1))
        sample, _ = index.knn_query(points[asked], k=NEIGHBORS + 1, num_threads=THREADS)
        if _recall(_without_itself(sample, asked), true) >= RECALL:
            break
    else:
        give_up(f"hnswlib does not reach a recall of {RECALL} with ef up to {EF_LADDER[-1]}")
    with clock("query"):
        found, _ = index.knn_query(points, k=NEIGHBORS + 1, num_threads=THREADS)
    clock.facts["ef"] = ef
    _note_recall(place, clock, "hnswlib", _without_itself(found))


def scanpy(place: Place, clock: Clock) -> None:
    """What scanpy's users call, with its settings as they come."""
    sc = need_package("scanpy")
    anndata = need_package("anndata")
    points = points_of(place)
    cells = anndata.AnnData(np.zeros((len(points), 1), dtype=np.float32), obsm={"X_pca": points})
    with clock("neighbors"):
        sc.pp.neighbors(cells, n_neighbors=NEIGHBORS + 1, use_rep="X_pca", random_state=SEED)
    distances = cells.obsp["distances"]
    _note_recall(place, clock, "scanpy", distances.indices.reshape(len(points), -1)[:, :NEIGHBORS])


def _tuned(
    place: Place,
    clock: Clock,
    name: str,
    ladder: tuple[int, ...],
    found: Callable[[int, Clock], np.ndarray],
) -> None:
    """Time the first step of a ladder at which recall holds."""
    asked, true = _true_neighbors(points_of(place))
    for setting in ladder:
        timed = Clock()
        neighbors = found(setting, timed)
        if _recall(neighbors[asked], true) >= RECALL:
            clock.parts.update(timed.parts)
            clock.facts["setting"] = setting
            _note_recall(place, clock, name, neighbors)
            return
    give_up(f"{name} does not reach a recall of {RECALL} with settings up to {ladder[-1]}")


def _without_itself(found: np.ndarray, cells: np.ndarray | None = None) -> np.ndarray:
    """The nearest neighbors, in order, without the cell itself."""
    own = np.arange(len(found)) if cells is None else cells
    order = np.argsort(found == own[:, None], axis=1, kind="stable")
    return np.take_along_axis(found, order, axis=1)[:, :NEIGHBORS]


def _true_neighbors(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Random cells and their exact neighbors, by all distances in float64."""
    asked = np.random.default_rng(SEED).choice(len(points), min(QUERIES, len(points)), replace=False)
    queries = points[asked].astype(np.float64)
    distance, true = np.full((len(asked), 0), np.inf), np.empty((len(asked), 0), dtype=np.int64)
    for start in range(0, len(points), CANDIDATES_AT_ONCE):
        some = points[start : start + CANDIDATES_AT_ONCE].astype(np.float64)
        cells = np.broadcast_to(np.arange(start, start + len(some)), (len(asked), len(some)))
        squares = (some**2).sum(axis=1) - 2.0 * (queries @ some.T)
        squares[cells == asked[:, None]] = np.inf
        distance, true = np.concatenate([distance, squares], axis=1), np.concatenate([true, cells], axis=1)
        nearest = np.argpartition(distance, NEIGHBORS - 1, axis=1)[:, :NEIGHBORS]
        distance, true = np.take_along_axis(distance, nearest, axis=1), np.take_along_axis(true, nearest, axis=1)
    return asked, true


def _recall(found: np.ndarray, true: np.ndarray) -> float:
    hits = sum(len(np.intersect1d(left, right)) for left, right in zip(found, true, strict=True))
    return hits / true.size


def _note_recall(place: Place, clock: Clock, name: str, found: np.ndarray) -> None:
    asked, true = _true_neighbors(points_of(place))
    clock.facts["recall"] = _recall(found[asked], true)
    keep_check(place, f"neighbors_{name}", recall=clock.facts["recall"])
