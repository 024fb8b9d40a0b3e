"""Maps of cells for pictures: UMAP of landmarks, and everyone else among them."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import xarray as xr
from dask import delayed

from chemores_dask.aliases import Matrix, Seed, Vector
from chemores_dask.checks import check_between, check_whole
from chemores_dask.errors import InputError
from chemores_dask.graph.embedding import ROWS_PER_BLOCK, embedding_of
from chemores_dask.graph.landmark_fit import fit_map, graph_of_points, similarity_curve
from chemores_dask.graph.landmarks import choose_landmarks
from chemores_dask.graph.layout_files import LANDMARKS, Round, move, rows_of, spread, write_graph, write_rows
from chemores_dask.graph.map_quality import QUERIES, trustworthiness_of
from chemores_dask.graph.stored_graph import check_same_cells, connectivity_matrix
from chemores_dask.kernels.distance_ranks import CANDIDATES_AT_ONCE
from chemores_dask.memory import plan_tasks, threads
from chemores_dask.randomness import spawn
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.stream.array_files import array_folder, read_array, write_array
from chemores_dask.stream.compute import compute

ALGORITHM_REVISION = 1

RESULT = declare(
    Variable("umap_coordinates", ("cell", "axis"), "f", doc="for pictures; distances between groups mean little"),
    Variable("umap_landmark", ("cell",), "b", doc="cells that umap-learn laid out"),
    Variable("umap_trustworthiness", (), "f", doc="1 where all neighbors on the map are neighbors; 0.5 by chance"),
    Variable("umap_trustworthiness_lower", (), "f", doc="end of the 95 % interval over the queries"),
    Variable("umap_trustworthiness_upper", (), "f", doc="end of the 95 % interval over the queries"),
    Variable("umap_trustworthiness_queries", (), "i", unit="cells", doc="cells whose neighbors were followed"),
)

FEWEST_CELLS = 4
SMOOTHING = 3
"""Rounds of means after the last cell has found its place."""

FIRST_STEP = 0.25
"""Length of the steps of the first round; they shrink evenly to nothing. Cells on both sides of an edge move, so 1 would overshoot."""

JITTER = 0.01
"""Cells that start in one place must be able to part."""

BYTES_PER_CELL = 120
"""Kept of every cell: coordinates before and behind a round, and the tree in which neighbors on the map are found."""

BYTES_PER_EDGE, BYTES_PER_NUMBER = 64, 20
"""Of what is laid out by umap-learn: of every edge (in either direction), and of every coordinate in the embedding."""

BLOCK_BYTES_PER_NUMBER, BYTES_PER_PAIR = 12, 16
"""Of a block of the embedding whose cells are held against the queries, as float32 and float64; of a query and a candidate."""

NEIGHBORS = 15
"""Of landmarks, where the graph does not say how many neighbors its cells have."""


def umap(
    graph: xr.Dataset,
    *,
    embedding: xr.DataArray,
    landmarks: int = 20_000,
    rounds: int = 100,
    min_dist: float = 0.5,
    spread_scale: float = 1.0,
    seed: Seed,
) -> xr.Dataset:
    """A map of cells in two dimensions (UMAP [1]_), for pictures.

    Up to ``landmarks`` cells: umap-learn lays out the graph itself, from the principal components of the embedding [2]_. More cells: it
    lays out as many landmarks, drawn with weights that grow with the distance to the last neighbor so that rare regions keep theirs; all
    others take the weighted mean of the coordinates of their neighbors, from landmark to landmark; then all cells, landmarks too, take
    gradient steps of UMAP along the whole graph: pulled by neighbors, pushed by landmarks drawn at random.

    Parameters
    ----------
    graph
        Result of ``neighbors``.
    embedding
        Over ``cell`` and ``component``, of the same cells: what the neighbors were computed from.
    landmarks
        Most cells that are given to umap-learn.
    rounds
        Gradient steps of all cells, where there are more than the landmarks.
    min_dist
        Distance on the map up to which cells count as together: smaller values give denser clumps.
    spread_scale
        Scale of the map; at least ``min_dist``, at most 10,000.
    seed
        For landmarks, starts and pushes.

    Returns
    -------
    Dataset over ``cell`` and ``axis``: ``umap_coordinates`` (float32) and ``umap_landmark``; ``umap_trustworthiness`` with the ends of its
    95 % interval, measured on ``umap_trustworthiness_queries`` cells with 15 neighbors on the map each (fewer than half of the cells).

    Raises
    ------
    InputError
        If there are fewer than 4 cells, the graph is not that of the cells or has no edges, or the embedding is not finite.
    ParameterError
        If a parameter is outside its range.
    BlockTooLargeError
        If one task does not fit into the memory budget.
    StagingSpaceError
        If copies of the graph and the embedding do not fit on the disk.

    Notes
    -----
    Passes over the counts: 0 computed; a lazy embedding is computed once.

    Cells of a part of the graph without ties to the rest lie together around a landmark of their own. Cells in one place of the embedding
    lie near each other, not on one point. The same seed gives the same bits for any number of workers.

    Memory: the graph, and 120 bytes per cell; besides, one after the other, the layout of the landmarks in one task (64 bytes an edge), the
    edges of 32,768 cells in each task, and a block of the embedding with its distances to 1,000 cells in each task.

    References
    ----------
    .. [1] McInnes L, Healy J, Melville J (2018). UMAP: uniform manifold approximation and projection for dimension reduction.
       arXiv:1802.03426.
    .. [2] Kobak D, Linderman GC (2021). Initialization is critical for preserving global data structure in both t-SNE and UMAP.
       Nature Biotechnology 39:156-157.
    """
    _check(landmarks=landmarks, rounds=rounds, min_dist=min_dist, spread_scale=spread_scale)
    check_whole(seed, parameter="seed", caller="umap")
    found = embedding_of(embedding, caller="umap")
    matrix = connectivity_matrix(graph, caller="umap")
    _check_cells(graph, found, matrix)
    _plan_memory(found, edges=matrix.nnz, landmarks=landmarks)
    curve = similarity_curve(spread=spread_scale, min_dist=min_dist)
    cells = matrix.shape[0]
    whole = cells <= landmarks
    chosen = np.arange(cells, dtype=np.int32) if whole else choose_landmarks(graph, matrix, number=landmarks, seed=seed)
    with array_folder("umap") as folder:
        bounds = write_rows(folder, found)
        write_array(folder, LANDMARKS, chosen)
        write_array(folder, "landmark-rows", rows_of(folder, bounds, chosen))
        write_graph(folder, matrix)
        heaviest = float(matrix.data.max())
        del matrix
        neighbors = 0 if whole else int(graph.sizes.get("neighbor", NEIGHBORS)) or NEIGHBORS
        (coordinates,) = compute(delayed(_fit, pure=False)(folder, neighbors, curve, seed))
        if not whole:
            placed = _placed(folder, coordinates, chosen, cells, seed=seed)
            coordinates = _moved(folder, placed, rounds=rounds, curve=curve, heaviest=heaviest, seed=seed)
        trust = trustworthiness_of(folder, bounds, coordinates, seed=seed)
    is_landmark = np.zeros(cells, dtype=bool)
    is_landmark[chosen] = True
    return make_result(
        RESULT,
        {
            "umap_coordinates": coordinates,
            "umap_landmark": is_landmark,
            "umap_trustworthiness": trust.value,
            "umap_trustworthiness_lower": trust.lower,
            "umap_trustworthiness_upper": trust.upper,
            "umap_trustworthiness_queries": trust.queries,
        },
        analysis="umap",
        parameters={
            "landmarks": landmarks,
            "rounds": rounds,
            "min_dist": min_dist,
            "spread_scale": spread_scale,
            "seed": seed,
            "trustworthiness_neighbors": trust.neighbors,
        },
        coordinates=({"cell": graph["cell"].to_numpy()} if "cell" in graph.coords else {}) | {"axis": np.array([1, 2])},
    )


def _check(*, landmarks: int, rounds: int, min_dist: float, spread_scale: float) -> None:
    check_whole(landmarks, parameter="landmarks", caller="umap", minimum=FEWEST_CELLS)
    check_whole(rounds, parameter="rounds", caller="umap", minimum=0)
    check_between(spread_scale, parameter="spread_scale", caller="umap", minimum=0.01, maximum=1e4)
    check_between(min_dist, parameter="min_dist", caller="umap", minimum=0.0, maximum=spread_scale)


def _check_cells(graph: xr.Dataset, embedding: xr.DataArray, matrix: sp.csr_matrix) -> None:
    cells = matrix.shape[0]
    check_same_cells(
        embedding, graph, cells=cells, what="The embedding given to umap", mend="pass what neighbors was computed from"
    )
    if cells < FEWEST_CELLS or not matrix.nnz:
        message = (
            f"umap needs at least {FEWEST_CELLS} cells and edges between them. Got {cells:,} cells and {matrix.nnz:,} edges; "
            "a map of so little shows nothing: keep more cells, or compute neighbors again."
        )
        raise InputError(message)


def _plan_memory(embedding: xr.DataArray, *, edges: int, landmarks: int) -> None:
    """Promise what comes one after the other: the layout of the landmarks in one task, and blocks that are held against the queries."""
    cells, components = embedding.shape
    fitted = min(cells, landmarks) * (BYTES_PER_NUMBER * components + BYTES_PER_EDGE * edges // cells)
    kept = BYTES_PER_CELL * cells
    plan_tasks(fitted, caller="umap", tasks=1, kept_bytes=kept)
    compared = min(cells, ROWS_PER_BLOCK) * BLOCK_BYTES_PER_NUMBER * components
    compared += min(cells, QUERIES) * CANDIDATES_AT_ONCE * BYTES_PER_PAIR
    tasks = min(threads(), -(-cells // ROWS_PER_BLOCK))
    plan_tasks(compared, caller="umap", tasks=tasks, kept_bytes=kept)


def _fit(folder: str, neighbors: int, curve: tuple[float, float], seed: Seed) -> Matrix:
    """The map of the landmarks: of a graph of their own, or of the whole graph where all cells are landmarks."""
    points = read_array(folder, "landmark-rows")
    if neighbors:
        matrix = graph_of_points(points, neighbors=neighbors)
    else:
        arrays = (read_array(folder, name) for name in ("weight", "index", "offset"))
        matrix = sp.csr_matrix(tuple(arrays), shape=(len(points), len(points)))
    return fit_map(points, matrix, curve=curve, seed=seed)


def _placed(folder: str, of_landmarks: Matrix, landmarks: Vector, cells: int, *, seed: Seed) -> Matrix:
    """Every cell among the landmarks that it hangs together with."""
    coordinates = np.full((cells, 2), np.nan, dtype=np.float32)
    coordinates[landmarks] = of_landmarks
    left = cells - len(landmarks)
    while left:  # every part of the graph has a landmark, so each round reaches somebody
        coordinates = spread(folder, coordinates)
        now = int(np.isnan(coordinates[:, 0]).sum())
        assert now < left, "every part of the graph has a landmark"
        left = now
    for _ in range(SMOOTHING):
        coordinates = spread(folder, coordinates)
    draws = np.random.Generator(np.random.Philox(spawn(seed, 2)[1]))
    return coordinates + draws.normal(scale=JITTER, size=coordinates.shape).astype(np.float32)


def _moved(
    folder: str, coordinates: Matrix, *, rounds: int, curve: tuple[float, float], heaviest: float, seed: Seed
) -> Matrix:
    for number, key in enumerate(spawn(seed, rounds + 2)[2:]):
        settings = Round(key=key, curve=curve, step=FIRST_STEP * (1 - number / rounds), heaviest=heaviest)
        coordinates = move(folder, coordinates, settings)
    return coordinates
