"""Which clusters come back: the Leiden algorithm with other seeds, and on parts of the cells."""

from __future__ import annotations

from dataclasses import dataclass

import dask
import numpy as np
import scipy.sparse as sp
import xarray as xr

from chemores_dask.aliases import Matrix, Seed, Vector
from chemores_dask.checks import check_between, check_whole
from chemores_dask.errors import InputError
from chemores_dask.graph.leiden import (
    MODULARITY,
    LeidenSettings,
    check_cells_there,
    chosen_route,
    clusters_of,
)
from chemores_dask.graph.stored_graph import check_same_cells, connectivity_matrix
from chemores_dask.kernels.partition_agreement import adjusted_rand, cluster_agreement, overlaps_of
from chemores_dask.memory import threads
from chemores_dask.randomness import cell_uniforms, spawn
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.stream import compute
from chemores_dask.stream.array_files import array_folder, read_array, write_array

ALGORITHM_REVISION = 1

DRAWS = ("other seed", "part of the cells")
_RUN = ("draw", "repeat")

RESULT = declare(
    Variable("stability_rand", _RUN, "f", doc="adjusted Rand index of all clusters"),
    Variable("stability_clusters", _RUN, "i", unit="clusters", doc="found in the repeat"),
    Variable(
        "stability_cluster_rand", ("draw", "cluster"), "f", doc="mean adjusted Rand index of the cluster and its match"
    ),
    Variable("stability_cluster_lowest_rand", ("draw", "cluster"), "f", doc="lowest of all repeats"),
    Variable(
        "stability_cluster_jaccard", ("draw", "cluster"), "f", doc="mean Jaccard index of the cluster and its match"
    ),
    Variable("stability_cluster_cells", ("cluster",), "i", unit="cells"),
)

GRAPH = ("indptr", "indices", "data")
CLUSTERS = "clusters"

COPIES = 3
"""Of the graph, in a task: as it was read, the rows of the cells drawn, and the edges between these."""


def cluster_stability(
    graph: xr.Dataset,
    *,
    clusters: xr.DataArray | None = None,
    resolution: float = 1.0,
    objective: str = MODULARITY,
    iterations: int = 2,
    repeats: int = 10,
    share: float = 0.8,
    seed: Seed,
) -> xr.Dataset:
    """Cluster again with other seeds, and again on random parts of the cells, and see which clusters come back.

    Clusters are compared by the adjusted Rand index [1]_ over the cells that both have. For a single cluster ``c`` the cells are cut in
    two, those in ``c`` and all others, and this cut is compared by the same index with that of its match: the cluster of the repeat with
    the largest Jaccard index with ``c`` [2]_. A cluster that falls apart loses, and so does one that is swallowed by another.

    Parameters
    ----------
    graph
        Result of ``neighbors``.
    clusters
        What is put to the test: ``cell_cluster`` of :func:`leiden` on this graph, or any whole numbers over ``cell``. Unless given,
        they are made here with the parameters below, as :func:`leiden` would for the same seed.
    resolution, objective, iterations
        As in :func:`leiden`, for all repeats.
    repeats
        Clusterings with other seeds, and as many of parts of the cells.
    share
        Of the cells in a part; each is drawn by itself. The graph of a part has the edges between its cells.
    seed
        Of the seeds of all repeats, and of the parts.

    Returns
    -------
    Dataset over ``draw`` (``"other seed"``, ``"part of the cells"``), ``repeat`` and ``cluster``: ``stability_rand``,
    ``stability_clusters`` of each repeat; ``stability_cluster_rand``, ``stability_cluster_lowest_rand`` and
    ``stability_cluster_jaccard`` of each cluster; ``stability_cluster_cells``. A cluster none of whose cells were drawn does not count
    in that repeat; not a number where that is so in all of them.

    Raises
    ------
    InputError
        If there are no cells, the graph is not a symmetric one with finite weights above 0, or the clusters are not those of its cells.
    MissingVariableError
        If the graph lacks a variable.
    ParameterError
        If a parameter lies outside its range.
    BlockTooLargeError
        If the graphs do not fit into the budget of memory.

    Notes
    -----
    Passes over the counts: 0. Each repeat is one task, which reads the graph from a file. A graph goes the same way as in :func:`leiden`:
    all repeats run on the whole graph, or all through micro-clusters.

    References
    ----------
    .. [1] Hubert L, Arabie P (1985). Comparing partitions. Journal of Classification 2:193-218.
    .. [2] Hennig C (2007). Cluster-wise assessment of cluster stability. Computational Statistics & Data Analysis 52:258-271.

    Examples
    --------
    >>> graph = xr.Dataset(
    ...     {
    ...         "connectivity_offset": ("offset", [0, 2, 4, 6, 8, 10, 12]),
    ...         "connectivity_index": ("edge", [1, 2, 0, 2, 0, 1, 4, 5, 3, 5, 3, 4]),
    ...         "connectivity_weight": ("edge", [1.0] * 12),
    ...     }
    ... )
    >>> cluster_stability(graph, repeats=2, seed=1)["stability_cluster_rand"].sel(draw="other seed").values
    array([1., 1.])
    """
    settings = LeidenSettings(resolution, objective, iterations)
    settings.check(caller="cluster_stability")
    check_whole(repeats, parameter="repeats", caller="cluster_stability", minimum=1)
    check_between(share, parameter="share", caller="cluster_stability", minimum=0.01, maximum=1.0)
    check_whole(seed, parameter="seed", caller="cluster_stability")
    matrix = connectivity_matrix(graph, caller="cluster_stability")
    check_cells_there(matrix, caller="cluster_stability")
    side_by_side = min(threads(), 2 * repeats)
    route = chosen_route(matrix, settings, caller="cluster_stability", tasks=side_by_side, copies=COPIES)
    if clusters is None:
        reference = clusters_of(matrix, settings, route=route, seed=int(seed)).cluster
        labels = np.arange(int(reference.max()) + 1)
    else:
        labels, reference = _checked_clusters(clusters, graph, matrix.shape[0])
    runs = _runs(matrix, reference, settings, route=route, repeats=repeats, share=share, seed=int(seed))
    return make_result(
        RESULT,
        _summary(runs, reference, repeats=repeats),
        analysis="cluster_stability",
        parameters={
            "resolution": float(resolution),
            "objective": objective,
            "iterations": int(iterations),
            "repeats": int(repeats),
            "share": float(share),
            "seed": int(seed),
        },
        coordinates={"draw": list(DRAWS), "repeat": np.arange(1, repeats + 1), "cluster": labels},
    )


@dataclass(frozen=True)
class Repeat:
    """One more clustering, in a task of its own.

    Attributes
    ----------
    folder
        Where the graph and the clusters lie.
    settings, route
        Of the algorithm.
    seed
        Of this repeat.
    share
        Of the cells to draw; 1 for all.
    """

    folder: str
    settings: LeidenSettings
    route: str
    seed: Seed
    share: float

    def __call__(self) -> tuple[float, int, Vector, Vector]:
        """Adjusted Rand index and number of clusters; adjusted Rand and Jaccard index of each cluster."""
        offset, index, weight = (read_array(self.folder, name) for name in GRAPH)
        reference = read_array(self.folder, CLUSTERS)
        clusters = int(reference.max()) + 1
        cells = len(reference)
        matrix = sp.csr_matrix((weight, index, offset), shape=(cells, cells))
        seed, drawing = spawn(self.seed, 2)
        if self.share < 1.0:
            drawn = cell_uniforms(drawing, np.arange(cells, dtype=np.uint64))[:, 0] < self.share
            matrix, reference = part_of(matrix, drawn), reference[drawn]
        if not len(reference):
            unknown = np.full(clusters, np.nan)
            return np.nan, 0, unknown, unknown
        found = clusters_of(matrix, self.settings, route=self.route, seed=seed).cluster
        overlaps = overlaps_of(reference, found, clusters=clusters)
        return adjusted_rand(overlaps), int(found.max()) + 1, *cluster_agreement(overlaps)


def part_of(matrix: sp.csr_matrix, drawn: Vector) -> sp.csr_matrix:
    """The graph of some of the cells: the edges between them.

    Parameters
    ----------
    matrix
        The graph.
    drawn
        Which cells, boolean.

    Returns
    -------
    A smaller graph, cells and edges in the same order.
    """
    rows = matrix[np.flatnonzero(drawn)]
    kept = drawn[rows.indices]
    ends = np.concatenate([[0], np.cumsum(kept)])[rows.indptr]
    number = np.cumsum(drawn, dtype=matrix.indices.dtype) - 1
    size = len(ends) - 1
    index = number[rows.indices[kept]]
    return sp.csr_matrix((rows.data[kept], index, ends), shape=(size, size))


def _runs(
    matrix: sp.csr_matrix,
    reference: Vector,
    settings: LeidenSettings,
    *,
    route: str,
    repeats: int,
    share: float,
    seed: Seed,
) -> list[tuple[float, int, Vector, Vector]]:
    # Behind the seed itself, with which the clusters under test may have been made.
    seeds = spawn(seed, 2 * repeats)
    with array_folder("cluster-stability") as folder:
        for name in GRAPH:
            write_array(folder, name, getattr(matrix, name))
        write_array(folder, CLUSTERS, reference)
        tasks = [
            Repeat(folder, settings, route, each, 1.0 if number < repeats else share)
            for number, each in enumerate(seeds)
        ]
        return list(compute(*(dask.delayed(task, pure=True)() for task in tasks)))


def _summary(runs: list[tuple[float, int, Vector, Vector]], reference: Vector, *, repeats: int) -> dict[str, object]:
    shape = (len(DRAWS), repeats)
    rand = np.stack([run[2] for run in runs]).reshape(*shape, -1)
    jaccard = np.stack([run[3] for run in runs]).reshape(*shape, -1)
    return {
        "stability_rand": np.reshape([run[0] for run in runs], shape),
        "stability_clusters": np.reshape([run[1] for run in runs], shape),
        "stability_cluster_rand": _mean_of_known(rand),
        "stability_cluster_lowest_rand": np.fmin.reduce(rand, axis=1),
        "stability_cluster_jaccard": _mean_of_known(jaccard),
        "stability_cluster_cells": np.bincount(reference),
    }


def _mean_of_known(values: Matrix) -> Matrix:
    known = ~np.isnan(values)
    number = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def _checked_clusters(clusters: xr.DataArray, graph: xr.Dataset, cells: int) -> tuple[Vector, Vector]:
    if not isinstance(clusters, xr.DataArray) or clusters.dims != ("cell",) or clusters.dtype.kind not in "iu":
        found = (
            f"{clusters.dims} of {clusters.dtype}" if isinstance(clusters, xr.DataArray) else type(clusters).__name__
        )
        message = (
            "The 'clusters' parameter of cluster_stability must run over cell and hold whole numbers. "
            f"Got {found}; pass result['cell_cluster'] of leiden."
        )
        raise InputError(message)
    check_same_cells(
        clusters,
        graph,
        cells=cells,
        what="The 'clusters' parameter of cluster_stability",
        mend="cluster this graph, or put them in order with clusters.sel(cell=graph['cell'])",
    )
    labels, reference = np.unique(clusters.to_numpy(), return_inverse=True)
    return labels, reference.astype(np.int32)
