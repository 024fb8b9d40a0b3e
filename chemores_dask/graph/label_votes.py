"""Labels from the votes of the nearest reference cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chemores_dask.aliases import Matrix, Seed, Vector
from chemores_dask.graph.label_densities import (
    LabelDensities,
    label_moments,
    learn_densities,
    own_distances,
    with_limits,
)
from chemores_dask.graph.label_limits import in_limits, limits_of
from chemores_dask.graph.reference_index import ROWS_AT_ONCE, ReferenceIndex, build_index, with_recall
from chemores_dask.kernels.blas_threads import single_blas_thread
from chemores_dask.randomness import random_order

NEAREST = 5
"""Reference cells whose mean distance says how far away a cell is."""

LIMIT_CELLS = 1000
"""Reference cells of a label from which its limit is learned, at most."""

WIDTH = 1.0


@dataclass(frozen=True)
class NeighborVotes:
    """Weighted votes of the nearest reference cells.

    Attributes
    ----------
    index
        The reference cells that have a label.
    codes
        Number of their label.
    limits
        Of each label: the distance to the nearest reference cells that its own cells stay below.
    densities
        Of each label, for the distance to its center.
    neighbors
        Reference cells that vote.
    """

    index: ReferenceIndex
    codes: Vector
    limits: Vector
    densities: LabelDensities
    neighbors: int

    def __call__(self, block: Matrix) -> tuple[Matrix, Vector]:
        """Shares of the labels for every cell, and its distance in limits of the label with the largest share: the larger one of two."""
        shares = np.empty((len(block), len(self.limits)))
        away = np.empty(len(block))
        for first in range(0, len(block), ROWS_AT_ONCE):
            rows = slice(first, first + ROWS_AT_ONCE)
            shares[rows], away[rows] = self._some(block[rows])
        return shares, away

    def _some(self, block: Matrix) -> tuple[Matrix, Vector]:
        with single_blas_thread():
            # Fewer may vote than say how far away the cell is: limits are learned from as many.
            searched = max(self.neighbors, min(NEAREST, len(self.codes)))
            index, distance = self.index.search(block, neighbors=searched)
        voting = slice(self.neighbors)
        shares = vote_shares(self.codes[index[:, voting]], distance[:, voting], labels=len(self.limits))
        winner = shares.argmax(axis=1)
        nearest = in_limits(distance[:, :NEAREST].astype(np.float64).mean(axis=1), self.limits[winner])
        center = self.densities.away(self.densities.square_distances(block), winner)
        return shares, np.maximum(nearest, center)

    @property
    def recall(self) -> float:
        """Share of the true nearest reference cells that are found."""
        return self.index.recall


def learn_votes(
    blocks: Sequence[Matrix], codes: Vector, sample: Matrix, *, labels: int, neighbors: int, seed: Seed
) -> NeighborVotes:
    """Make the reference ready for votes.

    Parameters
    ----------
    blocks
        Reference cells by components, float32.
    codes
        Number of the label of every reference cell; -1 where it has none.
    sample
        Some cells that ask, on which the search is measured.
    labels
        Number of labels.
    neighbors
        Reference cells that vote.
    seed
        For the lists and for the cells that limits are learned from.
    """
    chosen = codes >= 0
    reference = np.concatenate(blocks)[chosen]
    codes = codes[chosen]
    neighbors = min(neighbors, len(reference))
    with single_blas_thread():
        index = with_recall(build_index(reference, seed=seed), sample, neighbors=neighbors)
        limits = _limits(index, reference, codes, labels=labels, seed=seed)
    plain = learn_densities([label_moments(reference, codes, labels=labels)])
    densities = with_limits(plain, [own_distances(reference, codes, plain)], codes)
    return NeighborVotes(index, codes.astype(np.int32), limits, densities, neighbors)


def vote_shares(codes: Matrix, distance: Matrix, *, labels: int) -> Matrix:
    """Weigh votes by closeness: ``1 - exp(-(1 - d / d_k) (s / 2)^2)`` with ``s = 1``, all alike where every neighbor is as far as the last.

    Parameters
    ----------
    codes
        Cells by neighbors: number of the label of each.
    distance
        Of the same shape, ascending in every row; ``d_k`` is the last.
    labels
        Number of labels.

    Returns
    -------
    Cells by labels; rows sum to 1.
    """
    far = distance[:, -1:].astype(np.float64)
    relative = np.divide(distance, far, out=np.ones(distance.shape), where=far > 0)
    weight = -np.expm1((relative - 1.0) * (WIDTH / 2.0) ** 2)
    weight[weight.sum(axis=1) == 0] = 1.0
    cells = len(codes)
    place = (np.arange(cells)[:, None] * labels + codes).ravel()
    shares = np.bincount(place, weights=weight.ravel(), minlength=cells * labels).reshape(cells, labels)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _limits(index: ReferenceIndex, reference: Matrix, codes: Vector, *, labels: int, seed: Seed) -> Vector:
    cells = len(reference)
    order = random_order(cells, seed=seed)
    rows = np.sort(np.concatenate([order[codes[order] == code][:LIMIT_CELLS] for code in range(labels)]))
    nearest = min(NEAREST + 1, cells)
    found, distance = index.search(reference[rows], neighbors=nearest)
    own = found == rows[:, None]
    own[~own.any(axis=1), -1] = True  # more copies of the cell than neighbors: any of them is as near
    others = distance[~own].reshape(len(rows), nearest - 1).astype(np.float64)
    away = others.mean(axis=1) if nearest > 1 else np.zeros(len(rows))
    return limits_of(away, codes[rows], labels=labels)
