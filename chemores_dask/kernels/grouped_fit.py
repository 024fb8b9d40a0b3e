"""Weighted least squares with one level for each of many groups, and some free columns beside them.

With an indicator for every patient a design has as many columns as patients, but in the normal equations their block is diagonal. The
levels are eliminated: columns and responses are centered within the groups, and a system of the size of the free columns is left.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.jit import jit

PIVOT = 1e-11
"""A free column is left out of a fit if, beside groups and columns before it, less than this share of its sum of squares is left."""


class GroupedFit(NamedTuple):
    """A weighted least-squares fit.

    Attributes
    ----------
    free
        Coefficients of the free columns, 0 for those that nothing determines.
    level
        One per group, 0 where it has no weight.
    total
        Weight of each group.
    factor
        Cholesky factor of what is left of the normal equations, after the groups.
    kept
        Which free columns are determined.
    """

    free: Vector
    level: Vector
    total: Vector
    factor: Matrix
    kept: Vector


@jit
def grouped_fit(response: Vector, weights: Vector, group: Vector, groups: int, columns: Matrix) -> GroupedFit:
    """Fit levels of groups and coefficients of free columns.

    Parameters
    ----------
    response, weights
        One per sample; weights 0 or above.
    group
        Number of each sample's group.
    groups
        How many groups; 0 for none, then ``group`` is not looked at.
    columns
        Samples by free columns.

    Returns
    -------
    The fit.
    """
    n, q = columns.shape
    total, level, middle = group_means(response, weights, group, groups, columns)
    products = np.zeros((q, q))
    free = np.zeros(q)
    whole = np.zeros(q)
    centered = np.empty(q)
    for i in range(n):
        w = weights[i]
        if w == 0.0:
            continue
        rest = response[i]
        for j in range(q):
            centered[j] = columns[i, j]
            whole[j] += w * columns[i, j] * columns[i, j]
        if groups:
            g = group[i]
            rest -= level[g]
            for j in range(q):
                centered[j] -= middle[g, j]
        for j in range(q):
            free[j] += w * centered[j] * rest
            for k in range(j + 1):
                products[j, k] += w * centered[j] * centered[k]
    kept = factorize(products, whole)
    solve_lower(products, kept, free)
    solve_upper(products, kept, free)
    for g in range(groups):
        for j in range(q):
            level[g] -= middle[g, j] * free[j]
    return GroupedFit(free, level, total, products, kept)


@jit
def group_means(
    response: Vector, weights: Vector, group: Vector, groups: int, columns: Matrix
) -> tuple[Vector, Vector, Matrix]:
    """Weight of each group, and its means of the response and of the columns.

    Parameters
    ----------
    response, weights, group, groups, columns
        As in :func:`grouped_fit`.

    Returns
    -------
    Weights, means of the response, means of the columns; 0 where a group has no weight.
    """
    n, q = columns.shape
    total = np.zeros(groups)
    level = np.zeros(groups)
    middle = np.zeros((groups, q))
    if not groups:
        return total, level, middle
    for i in range(n):
        g = group[i]
        total[g] += weights[i]
        level[g] += weights[i] * response[i]
        for j in range(q):
            middle[g, j] += weights[i] * columns[i, j]
    for g in range(groups):
        if total[g] > 0.0:
            level[g] /= total[g]
            for j in range(q):
                middle[g, j] /= total[g]
    return total, level, middle


@jit
def factorize(products: Matrix, whole: Vector) -> Vector:
    """Turn the lower half of a matrix of products into its Cholesky factor, in place.

    Parameters
    ----------
    products
        Symmetric; only the lower half is looked at.
    whole
        Size that each pivot is held against.

    Returns
    -------
    Which columns have a pivot; the others are left out.
    """
    q = whole.size
    kept = np.ones(q, dtype=np.bool_)
    for j in range(q):
        for k in range(j):
            if not kept[k]:
                products[j, k] = 0.0
                continue
            rest = products[j, k]
            for m in range(k):
                rest -= products[j, m] * products[k, m]
            products[j, k] = rest / products[k, k]
        pivot = products[j, j]
        for m in range(j):
            pivot -= products[j, m] * products[j, m]
        kept[j] = pivot > PIVOT * whole[j]
        products[j, j] = math.sqrt(pivot) if kept[j] else 1.0
    return kept


@jit
def solve_lower(factor: Matrix, kept: Vector, values: Vector) -> None:
    """Solve ``L x = values`` in place; columns that are left out get 0.

    Parameters
    ----------
    factor, kept
        From :func:`factorize`.
    values
        Right side, then solution.
    """
    for j in range(values.size):
        if not kept[j]:
            values[j] = 0.0
            continue
        for m in range(j):
            values[j] -= factor[j, m] * values[m]
        values[j] /= factor[j, j]


@jit
def solve_upper(factor: Matrix, kept: Vector, values: Vector) -> None:
    """Solve ``L' x = values`` in place; columns that are left out get 0.

    Parameters
    ----------
    factor, kept
        From :func:`factorize`.
    values
        Right side, then solution.
    """
    for j in range(values.size - 1, -1, -1):
        if not kept[j]:
            values[j] = 0.0
            continue
        for m in range(j + 1, values.size):
            if kept[m]:
                values[j] -= factor[m, j] * values[m]
        values[j] /= factor[j, j]


@jit
def contrast_variance(fit: GroupedFit, contrast: Vector) -> float:
    """Variance of a contrast of the free columns, for residual variance 1.

    Parameters
    ----------
    fit
        The fit.
    contrast
        One weight per free column.

    Returns
    -------
    The variance; infinite where a column with weight is not determined.
    """
    half = contrast.copy()
    for j in range(half.size):
        if contrast[j] != 0.0 and not fit.kept[j]:
            return np.inf
    solve_lower(fit.factor, fit.kept, half)
    return float((half * half).sum())


@jit
def fitted_value(fit: GroupedFit, group: Vector, columns: Matrix, sample: int) -> float:
    """Value of the fit for one sample.

    Parameters
    ----------
    fit
        The fit.
    group, columns
        As in :func:`grouped_fit`.
    sample
        Its position.

    Returns
    -------
    The value.
    """
    value = fit.level[group[sample]] if fit.level.size else 0.0
    for j in range(columns.shape[1]):
        value += columns[sample, j] * fit.free[j]
    return value
