"""A design made ready for one model per gene: patients as groups, the contrast on what is left."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.linalg import qr

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import listed
from chemores_dask.cohort.design_formula import Design
from chemores_dask.errors import InputError, ParameterError
from chemores_dask.kernels.design_rank import independent_columns

ROUNDING = 1e-9
"""A column whose values within patients differ by less than this share of its largest does not vary within them."""

SAME = 1e-8
"""Weights below this share of the largest are none."""

Contrast = str | Mapping[str, float] | Sequence[float]


@dataclass(frozen=True)
class ModelDesign:
    """What the kernels need of a design.

    Attributes
    ----------
    group, groups
        Number of each sample's patient and how many there are, where their levels are eliminated; else zeros, and 0.
    columns
        The other columns (samples by columns); all of them without groups.
    contrast
        Weights of these columns.
    null_columns
        The columns where the contrast is zero.
    rank
        Columns of the whole design.
    slope
        What is compared within patients: the columns by the weights of the contrast, less each patient's mean.
    patient, patients
        Number of each sample's patient, and how many there are.
    compared
        Patients in whom the slope varies.
    leverage
        Largest diagonal entry of the hat matrix.
    leveled
        Whether the design has a level for each patient.
    """

    group: Vector
    groups: int
    columns: Matrix
    contrast: Vector
    null_columns: Matrix
    rank: int
    slope: Vector
    patient: Vector
    patients: int
    compared: int
    leverage: float
    leveled: bool


def contrast_weights(contrast: Contrast, columns: tuple[str, ...], *, caller: str) -> Vector:
    """Read a contrast.

    Parameters
    ----------
    contrast
        Name of a column, weights by names of columns, or one weight per column.
    columns
        Names of the columns of the design.
    caller
        Name of the analysis, for messages.

    Returns
    -------
    One weight per column.

    Raises
    ------
    ParameterError
        If a name is no column, the number of weights differs from that of the columns, or all weights are zero.
    """
    weights = np.zeros(len(columns))
    if isinstance(contrast, str):
        contrast = {contrast: 1.0}
    if isinstance(contrast, Mapping):
        unknown = [str(name) for name in contrast if name not in columns]
        if unknown:
            close = difflib.get_close_matches(unknown[0], columns, n=3, cutoff=0.4)
            hint = f" Did you mean {listed(close)}?" if close else ""
            message = (
                f"The contrast of {caller} must name columns of the design. Not there: {listed(unknown)}; "
                f"columns: {listed(columns)}.{hint}"
            )
            raise ParameterError(message)
        for name, weight in contrast.items():
            weights[columns.index(name)] = weight
    else:
        given = np.asarray(contrast, dtype=np.float64)
        if given.shape != weights.shape:
            message = (
                f"The contrast of {caller} must have one weight for each of the {len(columns)} columns of the design "
                f"({listed(columns)}). Got {given.size}."
            )
            raise ParameterError(message)
        weights = given
    if not np.isfinite(weights).all() or not weights.any():
        message = f"The contrast of {caller} must have finite weights that are not all zero. Got {contrast!r}."
        raise ParameterError(message)
    return weights


def model_design(design: Design, patients: Vector, contrast: Contrast, *, caller: str) -> ModelDesign:
    """Make a design ready.

    Where the design has a level for each patient, and the contrast does not compare patients with each other, each patient becomes a group,
    and only the columns that vary within patients are left.

    Parameters
    ----------
    design
        Of full rank.
    patients
        Patient of each sample.
    contrast
        As in :func:`contrast_weights`.
    caller
        Name of the analysis, for messages.

    Returns
    -------
    The design for the kernels.

    Raises
    ------
    InputError
        If there are no more samples than columns.
    """
    samples, rank = design.matrix.shape
    weights = contrast_weights(contrast, design.columns, caller=caller)
    if samples <= rank:
        message = (
            f"{caller} needs more samples than columns of the design: without residual degrees of freedom nothing says how much samples "
            f"vary. Found {samples} samples and {rank} columns ({listed(design.columns)}); add samples, or leave terms out of the formula."
        )
        raise InputError(message)
    codes, names = pd.factorize(patients)
    inner = _within(design.matrix, codes, len(names))
    inner[:, np.abs(inner).max(axis=0) <= ROUNDING * np.abs(design.matrix).max(axis=0)] = 0.0
    picked = np.flatnonzero(independent_columns(inner))
    leveled = rank - picked.size == len(names)
    own = _without_levels(design.matrix, inner, picked, codes, weights) if leveled else None
    absorbed = own is not None
    columns = np.ascontiguousarray(design.matrix[:, picked] if absorbed else design.matrix)
    own = weights if own is None else own
    along = (design.matrix @ weights)[:, None]
    slope = _within(along, codes, len(names))[:, 0]
    compared = np.zeros(len(names), dtype=bool)
    compared[codes[np.abs(slope) > ROUNDING * np.abs(along).max()]] = True
    group = codes.astype(np.int64) if absorbed else np.zeros(samples, dtype=np.int64)
    inside = inner[:, picked] if absorbed else columns
    leverage = (qr(inside, mode="economic")[0] ** 2).sum(axis=1)
    if absorbed:
        leverage = leverage + 1 / np.bincount(codes)[codes]
    return ModelDesign(
        group=group,
        groups=len(names) if absorbed else 0,
        columns=columns,
        contrast=own,
        null_columns=np.ascontiguousarray(columns @ _perpendicular(own)),
        rank=rank,
        slope=slope,
        patient=codes.astype(np.int64),
        patients=len(names),
        compared=int(compared.sum()),
        leverage=float(leverage.max()),
        leveled=leveled,
    )


def _without_levels(matrix: Matrix, inner: Matrix, picked: Vector, codes: Vector, weights: Vector) -> Vector | None:
    # The design says the same as a level for each patient and the picked columns. The weights of the contrast among those; None where
    # it compares levels, that is, patients with each other.
    patients = int(codes.max()) + 1
    mixed = np.linalg.lstsq(inner[:, picked], inner, rcond=None)[0]
    levels = matrix - matrix[:, picked] @ mixed
    means = np.zeros((patients, matrix.shape[1]))
    np.add.at(means, codes, levels)
    means /= np.bincount(codes)[:, None]
    own = np.linalg.solve(np.vstack([means, mixed]).T, weights)
    if np.abs(own[:patients]).max() > SAME * np.abs(own).max():
        return None
    return np.asarray(own[patients:])


def _within(matrix: Matrix, codes: Vector, patients: int) -> Matrix:
    sums = np.zeros((patients, matrix.shape[1]))
    np.add.at(sums, codes, matrix)
    return np.asarray(matrix - (sums / np.bincount(codes, minlength=patients)[:, None])[codes])


def _perpendicular(weights: Vector) -> Matrix:
    # Directions of the coefficients in which the contrast stays zero. For a single column these are the others, untouched.
    used = np.flatnonzero(weights)
    if used.size == 1:
        return np.delete(np.eye(weights.size), used[0], axis=1)
    full: Matrix = qr(weights[:, None] / np.linalg.norm(weights))[0]
    return full[:, 1:]
