"""How many of the true nearest neighbors a graph holds, measured on some cells whose true neighbors are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.graph.neighbor_join import LISTS_PER_PROBE, distances_to_centers
from chemores_dask.kernels.blas_threads import single_blas_thread

QUERIES = 1_000
"""Cells whose exact neighbors are held against the graph, and as many others that choose the number of probes."""

NORMAL_QUANTILE = 1.959963984540054
"""Of the two-sided 95 % interval."""

MARGIN = 3.0
"""Standard errors by which the recall of the cells that choose the probes must be above what is asked for."""

QUERIES_AT_ONCE = 128


@dataclass(frozen=True)
class Recall:
    """A share of neighbors found, with its 95 % confidence interval.

    Attributes
    ----------
    share
        Of the true neighbors of the queries.
    lower, upper
        Ends of the interval.
    queries
        Cells on which it was measured; 0 where nothing had to be measured.
    """

    share: float
    lower: float
    upper: float
    queries: int


EXACT = Recall(1.0, 1.0, 1.0, 0)


def recall_of(found: Matrix, true: Matrix, *, cells: int) -> Recall:
    """Hold neighbors against exact ones.

    Parameters
    ----------
    found, true
        Distances of the neighbors found and of the exact ones, queries by neighbors, computed alike. One that is found and not farther
        than the last exact one is a hit, so of several at the same distance any will do.
    cells
        How many there are; the queries were drawn from these.

    Returns
    -------
    The recall. The interval is Wilson's score interval for a mean of shares per query; neighbors of one query count as dependent.
    """
    hits = (found <= true[:, -1:]).mean(axis=1)
    queries = len(hits)
    share = float(hits.mean())
    lower, upper = _wilson(share, float(hits.var(ddof=1)) if queries > 1 else 0.0, queries, cells)
    return Recall(share, min(lower, share), max(upper, share), queries)


def _wilson(share: float, variance: float, queries: int, cells: int) -> tuple[float, float]:
    """Wilson's interval with the number of independent trials that the variance between queries tells; at least one for each query."""
    if queries >= cells:
        return share, share
    trials = max(share * (1 - share) / (variance / queries), queries) if variance > 0 else float(queries)
    trials *= (cells - 1) / (cells - queries)
    square = NORMAL_QUANTILE**2
    center = (share + square / (2 * trials)) / (1 + square / trials)
    half = NORMAL_QUANTILE / (1 + square / trials) * np.sqrt(share * (1 - share) / trials + square / (4 * trials**2))
    return float(max(center - half, 0.0)), float(min(center + half, 1.0))


def fewest_probes(centers: Matrix, points: Matrix, own: Vector, neighbor_lists: Matrix, *, recall: float) -> int:
    """The smallest number of probes with which some cells find enough of their true neighbors.

    Parameters
    ----------
    centers
        Of the lists.
    points
        The cells.
    own
        Their lists.
    neighbor_lists
        Lists of their true neighbors, cells by neighbors.
    recall
        Share of the neighbors to find, with a margin of three standard errors.

    Returns
    -------
    Number of probes, at most that of the lists.
    """
    with single_blas_thread():
        some = [slice(start, start + QUERIES_AT_ONCE) for start in range(0, len(points), QUERIES_AT_ONCE)]
        parts = [_needed_probes(centers, points[part], own[part], neighbor_lists[part]) for part in some]
    needed = np.concatenate(parts)
    fewest, most = 0, len(centers)
    while most - fewest > 1:
        middle = (fewest + most) // 2
        shares = (needed <= middle).mean(axis=1)
        enough = shares.mean() - MARGIN * shares.std() / np.sqrt(len(shares)) >= recall
        fewest, most = (fewest, middle) if enough else (middle, most)
    return most


def _needed_probes(centers: Matrix, points: Matrix, own: Vector, neighbor_lists: Matrix) -> Matrix:
    """With how many probes each query surely finds each of its neighbors."""
    rows = np.arange(len(points))
    of_query, of_list = distances_to_centers(points, centers), distances_to_centers(centers[own], centers)
    needed = np.empty(neighbor_lists.shape, dtype=np.int64)
    for column, lists in enumerate(neighbor_lists.T):
        # Lists at the same distance may come before it.
        nearer = (of_query <= of_query[rows, lists][:, None]).sum(axis=1)
        among = (of_list <= of_list[rows, lists][:, None]).sum(axis=1)
        needed[:, column] = np.where(lists == own, 1, np.maximum(nearer, -(-among // LISTS_PER_PROBE)))
    return needed
