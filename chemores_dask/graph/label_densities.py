"""Labels from the centers of the reference cells that have them, and from how these cells lie around."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.graph.label_limits import in_limits, limits_of
from chemores_dask.kernels.blas_threads import single_blas_thread

RIDGE = 1e-6
"""Share of the mean variance within labels that every direction has at least."""

LEAST_SPREAD = 1e-12
"""The same of the variance of all cells, where the cells of every label lie in one place."""


@dataclass(frozen=True)
class LabelMoments:
    """Sums over the reference cells of each label.

    Attributes
    ----------
    cells
        Their number.
    total
        Labels by components.
    products
        Labels by components by components.
    """

    cells: Vector
    total: Matrix
    products: np.ndarray


@dataclass(frozen=True)
class LabelDensities:
    """A normal density around the center of each label.

    Attributes
    ----------
    center
        Labels by components.
    whitening
        Labels by components by components: turns a difference from the center into independent numbers of variance 1.
    log_width
        Half the logarithm of the determinant of each covariance.
    scale
        Standard deviation of each component over all reference cells with a label.
    limits
        Of each label: the distance that its own cells stay below.
    cells
        Of each label, that it was learned from.
    """

    center: Matrix
    whitening: np.ndarray
    log_width: Vector
    scale: Vector
    limits: Vector
    cells: Vector

    def __call__(self, block: Matrix) -> tuple[Matrix, Vector]:
        """Shares of the labels for every cell, and its distance in limits of the label with the largest share."""
        square = self.square_distances(block)
        logarithm = -square / 2 - self.log_width
        shares = np.exp(logarithm - logarithm.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        return shares, self.away(square, shares.argmax(axis=1))

    def square_distances(self, block: Matrix) -> Matrix:
        """Squared Mahalanobis distances of cells to the centers, cells by labels."""
        values = block.astype(np.float64)
        square = np.empty((len(block), len(self.center)))
        with single_blas_thread():
            for label, (center, whitening) in enumerate(zip(self.center, self.whitening, strict=True)):
                square[:, label] = (((values - center) @ whitening) ** 2).sum(axis=1)
        return square

    def away(self, square: Matrix, winner: Vector) -> Vector:
        """Distances to the centers of some labels, in their limits."""
        chosen = np.take_along_axis(square, winner[:, None], axis=1)[:, 0]
        return in_limits(np.sqrt(chosen), self.limits[winner])


def label_moments(block: Matrix, codes: Vector, *, labels: int) -> LabelMoments:
    """Sums over a block of reference cells.

    Parameters
    ----------
    block
        Cells by components.
    codes
        Number of the label of each; -1 where it has none.
    labels
        Number of labels.
    """
    components = block.shape[1]
    total = np.zeros((labels, components))
    products = np.zeros((labels, components, components))
    with single_blas_thread():
        for label in np.unique(codes[codes >= 0]):
            values = block[codes == label].astype(np.float64)
            total[label] = values.sum(axis=0)
            products[label] = values.T @ values
    return LabelMoments(np.bincount(codes[codes >= 0], minlength=labels), total, products)


def learn_densities(parts: Sequence[LabelMoments]) -> LabelDensities:
    """Put the sums of all blocks together.

    The covariance of a label is drawn towards that within all labels as if by one more cell than there are components:
    ``(sum of squares of the label + (d + 1) pooled) / (cells - 1 + d + 1)``.

    Parameters
    ----------
    parts
        In the order of the blocks.

    Returns
    -------
    The densities, with limits of 1.
    """
    cells = np.sum([part.cells for part in parts], axis=0).astype(np.float64)
    total = np.sum([part.total for part in parts], axis=0)
    products = np.sum([part.products for part in parts], axis=0)
    labels, components = total.shape
    center = total / cells[:, None]
    within = products - cells[:, None, None] * center[:, :, None] * center[:, None, :]
    pooled = within.sum(axis=0) / max(cells.sum() - labels, 1.0)
    whole = total.sum(axis=0) / cells.sum()
    variance = np.maximum(np.diagonal(products.sum(axis=0)) / cells.sum() - whole**2, 0.0)
    least = max(RIDGE * np.trace(pooled) / components, LEAST_SPREAD * variance.mean()) or 1.0
    pooled += least * np.eye(components)
    prior = components + 1.0
    whitening = np.empty_like(within)
    log_width = np.empty(labels)
    with single_blas_thread():
        for label in range(labels):
            covariance = (within[label] + prior * pooled) / (cells[label] - 1.0 + prior)
            factor = scipy.linalg.cholesky(covariance, lower=True)
            whitening[label] = scipy.linalg.solve_triangular(factor, np.eye(components), lower=True).T
            log_width[label] = np.log(np.diag(factor)).sum()
    scale = np.sqrt(np.maximum(variance, least))
    return LabelDensities(center, whitening, log_width, scale, np.ones(labels), cells)


def own_distances(block: Matrix, codes: Vector, densities: LabelDensities) -> Vector:
    """Distances of a block of reference cells to the centers of their own labels; cells without label are left out.

    Each cell is taken out of the center and the sum of squares of its label, as a cell of the query never was in them. With the squared
    distance ``m`` to the center of all ``n`` cells in ``d`` components, the square is ``a^2 m (n + d - 1) / (n + d - a m)``, where
    ``a = n / (n - 1)``, by the formula of Sherman and Morrison; the covariance within all labels stays as it is. The only cell of a label
    is at distance 0.
    """
    own = codes[codes >= 0]
    square = densities.square_distances(block[codes >= 0])
    square = np.take_along_axis(square, own[:, None], axis=1)[:, 0]
    cells = densities.cells[own]
    pull = cells / np.maximum(cells - 1.0, 1.0)
    whole = cells + densities.center.shape[1]
    return np.asarray(pull * np.sqrt(square * (whole - 1.0) / (whole - pull * square)))


def with_limits(densities: LabelDensities, distances: Sequence[Vector], codes: Vector) -> LabelDensities:
    """Learn how far the reference cells lie from the centers of their labels.

    Parameters
    ----------
    densities
        Made from the same cells.
    distances
        Of all reference cells with a label, block by block.
    codes
        Number of the label of every reference cell; -1 where it has none.
    """
    limits = limits_of(np.concatenate(distances), codes[codes >= 0], labels=len(densities.limits))
    return replace(densities, limits=limits)
