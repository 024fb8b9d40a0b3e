"""Centers of the lists that cells are sorted into: k-means on a sample.

Lloyd's iterations by matrix products on a sample of a few cells per list. On principal components of expression, more iterations or a
larger sample hardly change how many cells must be looked at for a given recall; centers that are merely drawn nearly double it.
"""

from __future__ import annotations

import math

import numpy as np
from dask import delayed

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.blas_threads import single_blas_thread
from chemores_dask.kernels.list_probes import nearest_centers
from chemores_dask.stream.array_files import read_array, write_array
from chemores_dask.stream.compute import compute

LISTS_PER_ROOT = 4
"""Lists for each square root of the number of cells."""

SAMPLE_PER_LIST = 32
ITERATIONS = 4
ORDER_ITERATIONS = 4
CENTERS = "centers"


def number_of_lists(cells: int) -> int:
    """Lists for so many cells."""
    return max(math.isqrt(cells) * LISTS_PER_ROOT, 1) if cells > LISTS_PER_ROOT**2 else 1


def fit_centers(folder: str, samples: list[str], centers: Matrix, *, iterations: int = ITERATIONS) -> Matrix:
    """Improve centers by Lloyd's iterations on a sample that lies in files.

    Parameters
    ----------
    folder
        Of the files.
    samples
        Names of the arrays that make up the sample.
    centers
        To start from; float32.
    iterations
        How many.

    Returns
    -------
    Centers, float32, near ones next to each other. A center without points stays where it is.
    """
    for iteration in range(iterations):
        name = f"{CENTERS}-{iteration}"
        write_array(folder, name, centers)
        parts = compute(*(delayed(_sums_of_sample, pure=True)(folder, sample, name) for sample in samples))
        counts = np.sum([part[0] for part in parts], axis=0)
        sums = np.sum([part[1] for part in parts], axis=0)
        centers = moved_centers(centers, counts, sums)
    return centers[_near_order(centers)]


def sums_by_center(points: Matrix, centers: Matrix) -> tuple[Vector, Matrix]:
    """What one of Lloyd's iterations learns from some points.

    Parameters
    ----------
    points, centers
        By components, float32.

    Returns
    -------
    How many points are nearest to each center, and their sums in float64.
    """
    with single_blas_thread():
        number = nearest_centers(points, centers)
    counts = np.bincount(number, minlength=len(centers))
    sums = np.zeros(centers.shape)
    order = np.argsort(number, kind="stable")
    there = np.flatnonzero(counts)
    starts = np.concatenate([[0], np.cumsum(counts[there])[:-1]]).astype(np.int64)
    if len(there):
        sums[there] = np.add.reduceat(points[order].astype(np.float64), starts, axis=0)
    return counts, sums


def moved_centers(centers: Matrix, counts: Vector, sums: Matrix) -> Matrix:
    """Centers in the middle of their points, float32; one without points stays where it is.

    Parameters
    ----------
    centers
        Before.
    counts, sums
        Of all points, as from :func:`sums_by_center`.
    """
    means = sums / np.maximum(counts, 1)[:, None]
    return np.asarray(np.where(counts[:, None] > 0, means, centers).astype(np.float32))


def _sums_of_sample(folder: str, sample: str, name: str) -> tuple[Vector, Matrix]:
    return sums_by_center(read_array(folder, sample), read_array(folder, name))


def _near_order(centers: Matrix) -> Vector:
    """An order in which near centers follow each other: by clusters of centers, themselves in order of their first coordinate."""
    some = centers[:: max(math.isqrt(len(centers)), 1)].copy()
    with single_blas_thread():
        for _ in range(ORDER_ITERATIONS):
            number = nearest_centers(centers, some)
            for cluster in range(len(some)):
                members = centers[number == cluster]
                some[cluster] = members.mean(axis=0) if len(members) else some[cluster]
        number = nearest_centers(centers, some)
    rank = np.argsort(np.argsort(some[:, 0], kind="stable"), kind="stable")
    return np.argsort(rank[number], kind="stable")
