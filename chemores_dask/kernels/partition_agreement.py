"""How far two ways to cut the same cells into clusters agree, from the numbers of cells in both.

References
----------
Hubert L, Arabie P (1985). Comparing partitions. Journal of Classification 2:193-218.

Hennig C (2007). Cluster-wise assessment of cluster stability. Computational Statistics & Data Analysis 52:258-271.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chemores_dask.aliases import Vector


@dataclass(frozen=True)
class Overlaps:
    """Cells that clusters of two partitions share; pairs of clusters without a common cell are left out.

    Attributes
    ----------
    first, second
        Clusters of each pair, by ``first`` and then by ``second``.
    both
        Cells in both.
    first_cells, second_cells
        Cells of each cluster.
    """

    first: Vector
    second: Vector
    both: Vector
    first_cells: Vector
    second_cells: Vector


def overlaps_of(first: Vector, second: Vector, *, clusters: int) -> Overlaps:
    """Count the cells that clusters of two partitions share.

    Parameters
    ----------
    first, second
        Cluster of each cell, whole numbers from 0.
    clusters
        Of the first partition; some may have no cells.

    Returns
    -------
    The counts.
    """
    columns = int(second.max(initial=-1)) + 1
    pairs, both = np.unique(first.astype(np.int64) * columns + second, return_counts=True)
    return Overlaps(
        pairs // max(columns, 1),
        pairs % max(columns, 1),
        both,
        np.bincount(first, minlength=clusters),
        np.bincount(second, minlength=columns),
    )


def adjusted_rand(overlaps: Overlaps) -> float:
    """The adjusted Rand index: pairs of cells that are together in both partitions, beyond what chance gives.

    With ``S`` the pairs together in both, ``A`` and ``B`` those together in either, and ``N`` all pairs, it is
    ``(S - A B / N) / ((A + B) / 2 - A B / N)``.

    Parameters
    ----------
    overlaps
        From :func:`overlaps_of`.

    Returns
    -------
    At most 1; also 1 where both partitions are one cluster, or both all cells alone.
    """
    parts = (overlaps.both, overlaps.first_cells, overlaps.second_cells)
    together, first, second = (_pairs(cells).sum() for cells in parts)
    return float(_beyond_chance(together, first, second, int(overlaps.both.sum())))


def cluster_agreement(overlaps: Overlaps) -> tuple[Vector, Vector]:
    """How well each cluster of the first partition is found again in the second.

    Its match is the cluster with the largest Jaccard index (cells in both over cells in either; the first of equals). A cluster cuts the
    cells in two, its own and all others; the adjusted Rand index of this cut and that of the match is the second measure. A cluster that
    falls apart loses in both, and so does one that is swallowed by a larger one.

    Parameters
    ----------
    overlaps
        From :func:`overlaps_of`.

    Returns
    -------
    Adjusted Rand index and Jaccard index, one for each cluster of the first partition: 1 where it is found again; not a number where it
    has no cells.
    """
    total = int(overlaps.both.sum())
    own, match, both = overlaps.first_cells[overlaps.first], overlaps.second_cells[overlaps.second], overlaps.both
    jaccard = both / (own + match - both)
    order = np.lexsort((overlaps.second, -jaccard, overlaps.first))
    found, place = np.unique(overlaps.first[order], return_index=True)
    best = order[place]
    own, match, both = own[best], match[best], both[best]
    together = _pairs(both) + _pairs(own - both) + _pairs(match - both) + _pairs(total - own - match + both)
    cut, cut_of_match = _pairs(own) + _pairs(total - own), _pairs(match) + _pairs(total - match)
    rand, overlap = np.full((2, len(overlaps.first_cells)), np.nan)
    rand[found] = _beyond_chance(together, cut, cut_of_match, total)
    overlap[found] = jaccard[best]
    return rand, overlap


def _pairs(cells: Vector) -> Vector:
    cells = np.asarray(cells, dtype=np.float64)
    return cells * (cells - 1.0) / 2.0


def _beyond_chance(together: Vector, first: Vector, second: Vector, cells: int) -> Vector:
    expected = first * second / max(cells * (cells - 1.0) / 2.0, 1.0)
    room = (first + second) / 2.0 - expected
    # Without room both partitions are one cluster, or both all cells alone: they agree.
    return np.where(room > 0, (together - expected) / np.where(room > 0, room, 1.0), 1.0)
