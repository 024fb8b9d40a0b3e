"""The nearest neighbors of every cell, with a certificate of how many of them are the true ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import dask.array as da
import numpy as np
import xarray as xr

from chemores_dask.aliases import Matrix, Seed, Vector
from chemores_dask.checks import check_between, check_one_of, check_whole
from chemores_dask.errors import InputError
from chemores_dask.graph import inverted_lists
from chemores_dask.graph.certificate import EXACT, QUERIES, Recall, fewest_probes, recall_of
from chemores_dask.graph.connectivities import KINDS, connectivities_of
from chemores_dask.graph.embedding import ROWS_PER_BLOCK, embedding_blocks, embedding_of
from chemores_dask.graph.inverted_lists import ChosenRows, Queries, Sorting, sort_into_lists, stage_embedding
from chemores_dask.graph.neighbor_join import join_all, join_lists
from chemores_dask.graph.quantizer import SAMPLE_PER_LIST, fit_centers, number_of_lists
from chemores_dask.memory import plan_tasks, threads
from chemores_dask.randomness import drawn_cells, spawn
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.stream.array_files import array_folder

ALGORITHM_REVISION = 1

RESULT = declare(
    Variable(
        "neighbor_index",
        ("cell", "neighbor"),
        "i",
        unit="row number",
        doc="without the cell itself; by distance, then by row number",
    ),
    Variable("neighbor_distance", ("cell", "neighbor"), "f", unit="unit of the embedding", doc="Euclidean"),
    Variable("connectivity_offset", ("offset",), "i", unit="edges", doc="where the edges of each cell begin"),
    Variable("connectivity_index", ("edge",), "i", unit="row number", doc="the cell at the other end; ascending"),
    Variable("connectivity_weight", ("edge",), "f", unit="1", doc="the same in both directions"),
    Variable("neighbor_recall", (), "f", unit="1", doc="share of the true neighbors that were found; 1 where exact"),
    Variable("neighbor_recall_lower", (), "f", unit="1", doc="of its 95 % confidence interval"),
    Variable("neighbor_recall_upper", (), "f", unit="1", doc="of its 95 % confidence interval"),
    Variable("neighbor_recall_queries", (), "i", unit="cells", doc="on which recall was measured; 0 where exact"),
    Variable("neighbor_lists", (), "i", unit="lists", doc="that cells were sorted into; 0 where exact"),
    Variable("neighbor_probes", (), "i", unit="lists", doc="that every cell looked at; 0 where exact"),
)

METHODS = ("auto", "exact", "lists")

EXACT_UP_TO = 20_000
"""Cells up to which all pairs take about a second on two cores: half a second more than lists, for all of the neighbors."""

FEW = 2**19
"""Fewer cells than these are cut into smaller blocks, so that there is work for some workers."""

COPIES_IN_TASK = 5
"""Blocks of float32 that a task holds at its peak: as it came (float64), as float32, and in the order of lists."""

BYTES_PER_NEIGHBOR = 32
"""Of a cell, at the peak: its number, distance and weight, and the edges in both directions."""

MORE_PROBES = 1.5
"""Factor between two attempts at the recall that is asked for."""


@dataclass(frozen=True)
class Found:
    """Neighbors of all cells.

    Attributes
    ----------
    distance, index
        Cells by neighbors.
    recall
        How many of them are the true ones.
    lists, probes
        How they were found; 0 where all cells looked at all others.
    """

    distance: Matrix
    index: Matrix
    recall: Recall
    lists: int = 0
    probes: int = 0


def neighbors(
    cells: xr.Dataset | xr.DataArray,
    *,
    embedding: str | None = None,
    neighbors: int = 15,
    min_recall: float = 0.95,
    method: str = "auto",
    connectivities: str = "fuzzy",
    seed: Seed,
) -> xr.Dataset:
    """Nearest neighbors of every cell in an embedding, the graph they make, and how good it is.

    Small data: every cell looks at every other. Large data: inverted lists [1]_. Lloyd's k-means on a sample makes about ``4 sqrt(cells)``
    centers; every cell belongs to the list of the nearest one, and looks at the cells of the ``probes`` lists whose centers are nearest to
    it. How many probes it takes is measured beforehand on cells whose exact neighbors are known; other such cells then certify the graph.

    Parameters
    ----------
    cells
        Dataset over ``cell`` with the embedding, such as the result of :func:`pca`, or the embedding itself.
    embedding
        Name of the variable over ``cell`` and ``component``; not needed where there is only one.
    neighbors
        Neighbors of every cell, without the cell itself; fewer than there are cells. (umap-learn and scanpy count the cell itself: their
        16 are 15 here.)
    min_recall
        Share of the true neighbors to find. More lists are looked at until the certificate says so.
    method
        ``"exact"`` (all pairs), ``"lists"``, or ``"auto"``: exact up to 20,000 cells.
    connectivities
        ``"fuzzy"`` (weights of UMAP) or ``"gaussian"``; see :func:`~chemores_dask.graph.connectivities.connectivities_of`.
    seed
        Draws the sample for the centers and the cells of the certificate.

    Returns
    -------
    Dataset over ``cell`` and ``neighbor``: ``neighbor_index`` (row numbers, by distance, then by row number) and ``neighbor_distance``
    (Euclidean, float32); the symmetric graph in compressed rows, ``connectivity_offset``, ``connectivity_index``,
    ``connectivity_weight``; and the certificate: ``neighbor_recall`` with the ends of its 95 % confidence interval,
    ``neighbor_recall_lower`` and ``neighbor_recall_upper``, measured on ``neighbor_recall_queries`` random cells, with
    ``neighbor_lists`` and ``neighbor_probes``.

    Raises
    ------
    InputError
        If there are not more cells than neighbors, or the embedding holds NaN or infinity.
    MissingVariableError
        If the embedding is not there, or several could be meant.
    ParameterError
        If a parameter is out of range.
    BlockTooLargeError
        If one task does not fit into the memory budget.
    StagingSpaceError
        If copies of the embedding do not fit on the disk: three times its size in float32, for as long as the call takes.

    Notes
    -----
    Passes over the counts: 0 computed. The embedding is read once, block by block.

    The same seed gives the same bits for any blocks, workers, threads or processes. Matrix products in float32 only say which cells may be
    near, with a bound on their error; distances are summed in float64 from the differences of the coordinates (as float32) and rounded
    once, so cells in one place are at distance 0. Of cells at the same distance those with the smaller row numbers are taken: of all cells
    where every cell looked at every other, else of those in the lists looked at.

    The certificate counts as found whatever is not farther than the last of the exact neighbors. The interval is Wilson's, with as many
    independent trials as the variance between cells tells. The cells that choose the probes are not those of the certificate (unless
    there are fewer than 2,000 cells, or the certificate itself, with a recall below what is asked for, demands more probes).

    Weights are made in the process of the caller, in three passes over the neighbors.

    Memory: some 100 MB per task in flight, and what is returned (about 350 bytes a cell for 15 neighbors); the embedding is never held.

    References
    ----------
    .. [1] Jégou H, Douze M, Schmid C (2011). Product quantization for nearest neighbor search. IEEE Transactions on Pattern Analysis and
       Machine Intelligence 33:117-128.
    .. [2] Wilson EB (1927). Probable inference, the law of succession, and statistical inference. Journal of the American Statistical
       Association 22:209-212.

    Examples
    --------
    >>> scores = xr.DataArray(np.array([[0.0], [1.0], [3.0], [7.0]]), dims=("cell", "component"), name="scores")
    >>> graph = neighbors(scores, neighbors=2, seed=1)
    >>> graph["neighbor_index"].values.tolist(), float(graph["neighbor_recall"])
    ([[1, 2], [0, 2], [1, 0], [2, 1]], 1.0)
    """
    check_whole(neighbors, parameter="neighbors", caller="neighbors", minimum=1)
    check_between(min_recall, parameter="min_recall", caller="neighbors", minimum=0.0, maximum=1.0)
    check_one_of(method, METHODS, parameter="method", caller="neighbors")
    check_one_of(connectivities, KINDS, parameter="connectivities", caller="neighbors")
    check_whole(seed, parameter="seed", caller="neighbors")
    scores = embedding_of(cells, embedding=embedding, caller="neighbors")
    _check_cells(scores.sizes["cell"], neighbors)
    few = scores.sizes["cell"] < FEW
    blocks = embedding_blocks(scores, rows_per_block=ROWS_PER_BLOCK // 4 if few else ROWS_PER_BLOCK)
    _plan_memory(blocks, neighbors)
    exact = method == "exact" or (method == "auto" and len(blocks) <= EXACT_UP_TO)
    with array_folder("neighbors") as folder:
        by_lists = partial(_by_lists, min_recall=min_recall, seed=seed)
        found = (_exact if exact else by_lists)(blocks, folder, neighbors)
    offset, edge, weight = connectivities_of(found.index, found.distance, kind=connectivities)
    return make_result(
        RESULT,
        {
            "neighbor_index": found.index,
            "neighbor_distance": found.distance,
            "connectivity_offset": offset,
            "connectivity_index": edge,
            "connectivity_weight": weight,
            "neighbor_recall": found.recall.share,
            "neighbor_recall_lower": found.recall.lower,
            "neighbor_recall_upper": found.recall.upper,
            "neighbor_recall_queries": found.recall.queries,
            "neighbor_lists": found.lists,
            "neighbor_probes": found.probes,
        },
        analysis="neighbors",
        parameters={
            "embedding": str(scores.name),
            "neighbors": neighbors,
            "min_recall": min_recall,
            "method": method,
            "connectivities": connectivities,
            "seed": seed,
        },
        coordinates={"cell": scores["cell"].to_numpy()} if "cell" in scores.coords else {},
    )


def _check_cells(cells: int, neighbors: int) -> None:
    if cells <= neighbors:
        message = (
            f"neighbors needs more cells than neighbors: at least {neighbors + 1:,} for {neighbors:,} neighbors of each. "
            f"Found {cells:,}; ask for fewer neighbors, or give more cells."
        )
        raise InputError(message)


def _plan_memory(blocks: da.Array, neighbors: int) -> None:
    cells, components = blocks.shape
    rows = min(max(ROWS_PER_BLOCK, 2 * inverted_lists.CELLS_PER_GROUP), cells)
    plan_tasks(
        rows * (COPIES_IN_TASK * 4 * components + BYTES_PER_NEIGHBOR * neighbors),
        caller="neighbors",
        tasks=threads(),
        kept_bytes=cells * BYTES_PER_NEIGHBOR * neighbors,
    )


def _exact(blocks: da.Array, folder: str, neighbors: int) -> Found:
    staged = stage_embedding(blocks, folder)
    return Found(*join_all(folder, staged.bounds, neighbors=neighbors), EXACT)


def _by_lists(blocks: da.Array, folder: str, neighbors: int, *, min_recall: float, seed: Seed) -> Found:
    cells = len(blocks)
    sample_seed, query_seed = spawn(seed, 2)
    lists = number_of_lists(cells)
    sample = drawn_cells(cells, SAMPLE_PER_LIST * lists, seed=sample_seed)
    starts = np.sort(sample[:lists])
    queries = drawn_cells(cells, 2 * QUERIES, seed=query_seed)
    wanted = np.union1d(starts, queries)
    staged = stage_embedding(blocks, folder, ChosenRows(np.sort(sample), wanted))
    points = staged.points[np.searchsorted(wanted, queries)]
    centers = fit_centers(folder, staged.samples, staged.points[np.searchsorted(wanted, starts)])
    sorting = sort_into_lists(folder, staged.bounds, centers, Queries(points, queries, neighbors))
    probes = _fewest_probes(sorting, points, queries, min_recall=min_recall)
    while True:
        distance, index = join_lists(sorting.lists, probes=probes, neighbors=neighbors)
        asked = queries[:QUERIES]
        recall = recall_of(distance[asked], sorting.distance[:QUERIES], cells=cells)
        whole = np.isfinite(distance[:, -1]).all()
        if (whole and recall.share >= min_recall) or probes >= sorting.lists.number:
            return Found(distance, index, recall, sorting.lists.number, probes)
        probes = min(math.ceil(MORE_PROBES * probes), sorting.lists.number)


def _fewest_probes(sorting: Sorting, points: Matrix, queries: Vector, *, min_recall: float) -> int:
    """The number of probes, chosen on other cells than those that the certificate is about, where there are enough."""
    choosing = slice(QUERIES, None) if len(queries) >= 2 * QUERIES else slice(None)
    list_of_cells = sorting.lists.list_of_cells()
    return fewest_probes(
        sorting.lists.centers,
        points[choosing],
        list_of_cells[queries[choosing]],
        list_of_cells[sorting.neighbor[choosing]],
        recall=min_recall,
    )
