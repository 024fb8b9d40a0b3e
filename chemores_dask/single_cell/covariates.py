"""Covariates that are regressed out of expression: what they span, and what components had of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.linalg import cholesky, eigh, solve_triangular

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import check_columns
from chemores_dask.errors import InputError, ParameterError
from chemores_dask.kernels.blas_threads import single_blas_thread
from chemores_dask.single_cell.cell_rows import labels_can_be_compared

DEPENDENT = 1e-10
"""Covariates count as linear combinations of others below this share of the largest eigenvalue of their correlations."""


@dataclass(frozen=True)
class Covariates:
    """What is regressed out.

    Attributes
    ----------
    names
        Of the covariates: columns of numbers by their name, those of text once for each value, as ``"column: value"``.
    values
        The constant, then the covariates; cells by columns.
    basis
        Columns with the span of all of them, ``Q'Q = 1``.
    order
        Places of the covariates as they are shown: columns as given, values of text sorted, whatever cell comes first.
    """

    names: tuple[str, ...]
    values: Matrix
    basis: Matrix
    order: tuple[int, ...]


def read_covariates(obs: pd.DataFrame, regress: Sequence[str]) -> Covariates:
    """Read columns of the cells as covariates.

    Parameters
    ----------
    obs
        Table of cells.
    regress
        Columns: numbers as they are, text and categories as one indicator for each value.

    Returns
    -------
    The covariates and an orthonormal basis; dependent and constant columns fall away in the basis.

    Raises
    ------
    MissingVariableError
        If a column is not there.
    ParameterError
        If ``regress`` is a text.
    InputError
        If a covariate is missing or infinite, or neither numbers nor text.
    """
    if isinstance(regress, str):
        message = f"The 'regress' parameter of pca must be a list of columns. Got {regress!r}; pass [{regress!r}]."
        raise ParameterError(message)
    check_columns(obs, regress, what="obs", caller="pca")
    if not regress:
        constant = np.broadcast_to(np.float64(1.0), (len(obs), 1))
        return Covariates((), constant, _orthonormal_basis(constant), ())
    parts = [np.ones((len(obs), 1))]
    names: list[str] = []
    order: list[int] = []
    for column in dict.fromkeys(regress):
        values, labels = _covariate(obs[column], name=column)
        parts.append(values)
        order += [len(names) + int(place) for place in np.argsort(labels, kind="stable")]
        names += labels
    values = np.concatenate(parts, axis=1)
    return Covariates(tuple(names), values, _orthonormal_basis(values), tuple(order))


@dataclass(frozen=True)
class Correlations:
    """Correlation of components with covariates, components by covariates; 0 where either never varies.

    Attributes
    ----------
    before
        Of the same directions of expression, had nothing been regressed out.
    after
        Of the scores.
    """

    before: Matrix
    after: Matrix


def covariate_correlations(covariates: Covariates, products: Matrix, squares: Vector) -> Correlations:
    """Correlate components with covariates, from sums that are known.

    With the basis ``Q`` (which spans the constant, too), ``M = Q'XW`` and the centered covariate ``z = Q t``, the covariance with the
    expression along a component is ``t'M``, and with what regression leaves of it ``t'(1 - Q'Q)M``.

    Parameters
    ----------
    covariates
        As made by :func:`read_covariates`.
    products
        ``M``: basis by components.
    squares
        Sum of squares of each component's scores.

    Returns
    -------
    Both correlations.
    """
    centered = covariates.values[:, 1:] - covariates.values[:, 1:].mean(axis=0)
    basis = covariates.basis
    with single_blas_thread():
        parts = basis.T @ centered
        constant = basis.sum(axis=0) @ products / np.sqrt(len(basis))
        left = products - (basis.T @ basis) @ products
        lengths = np.sqrt((centered**2).sum(axis=0))
        whole = np.sqrt(np.maximum(squares + (products**2).sum(axis=0) - constant**2, 0.0))
        return Correlations(
            _ratio(products.T @ parts, whole, lengths), _ratio(left.T @ parts, np.sqrt(squares), lengths)
        )


def _ratio(products: Matrix, left: Vector, right: Vector) -> Matrix:
    sizes = left[:, None] * right[None, :]
    return np.divide(products, sizes, out=np.zeros(products.shape), where=sizes > 0)


def _covariate(column: pd.Series, *, name: str) -> tuple[Matrix, list[str]]:
    if pd.api.types.is_complex_dtype(column) or not labels_can_be_compared(column):
        message = f"Covariates of pca must be real numbers or text. {name!r} holds others, such as {column.iloc[0]!r}; leave it out."
        raise InputError(message)
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    values = column.to_numpy(dtype=np.float64, na_value=np.nan) if numeric else None
    absent = int(column.isna().sum()) if values is None else int((~np.isfinite(values)).sum())
    if absent:
        message = (
            f"Covariates of pca must be known for every cell. {name!r} is missing or infinite in {absent} of {len(column)} cells; "
            "leave those cells out, or the covariate."
        )
        raise InputError(message)
    if values is None:
        codes, levels = pd.factorize(column)
        return (codes[:, None] == np.arange(len(levels))).astype(np.float64), [f"{name}: {level}" for level in levels]
    # Scaled before centering, so that neither squares nor sums overflow.
    largest = np.max(np.abs(values), initial=0.0)
    centered = values / largest if largest > 0 else values
    return (centered - centered.mean())[:, None], [name]


def _orthonormal_basis(covariates: Matrix) -> Matrix:
    """Columns with the span of the covariates, ``Q'Q = 1``; dependent columns fall away."""
    if covariates.shape[1] == 1:  # the constant
        return np.broadcast_to(np.float64(len(covariates) ** -0.5), covariates.shape)
    with single_blas_thread():
        sizes = np.sqrt((covariates**2).sum(axis=0))
        # What is left of a constant after centering is rounding.
        sound = sizes > np.sqrt(len(covariates)) * 1e-12
        unit = covariates[:, sound] / sizes[sound]
        values, vectors = eigh(unit.T @ unit)
        kept = values > DEPENDENT * values[-1]
        basis = unit @ (vectors[:, kept] / np.sqrt(values[kept]))
        # Once more, since the first turn squares the condition of the covariates.
        triangle = cholesky(basis.T @ basis, lower=True)
        return np.ascontiguousarray(solve_triangular(triangle, basis.T, lower=True).T)
