"""Covariates of a Cox model as columns of numbers, in a way that new patients can be written in, too."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import listed
from chemores_dask.cohort.outcome import check_groups, design_matrix
from chemores_dask.errors import InputError, ParameterError
from chemores_dask.kernels.spline_basis import spline_basis, spline_knots
from chemores_dask.provenance import canonical_json


@dataclass(frozen=True)
class ModelDesign:
    """Covariates as columns.

    Attributes
    ----------
    matrix
        Patients by terms.
    terms
        Names of the columns.
    covariates
        Names of the covariates.
    owner
        For each term, the position of its covariate.
    codes
        By covariate: ``{"levels": [...]}`` for text (the first is the reference), ``{"knots": [...]}`` for splines, else nothing.
    """

    matrix: Matrix
    terms: list[str]
    covariates: list[str]
    owner: Vector
    codes: dict[str, dict[str, list[object]]]

    def curved(self, covariate: int) -> Vector:
        """Positions of the terms of a covariate that bend its spline; none for other covariates."""
        own = np.flatnonzero(self.owner == covariate)
        return own[1:] if "knots" in self.codes[self.covariates[covariate]] else own[:0]

    def coded(self) -> str:
        """How covariates become columns, as JSON for :func:`coded_matrix`."""
        return canonical_json(self.codes)


def model_design(
    patients: xr.Dataset, covariates: Sequence[str], *, splines: Mapping[str, int], caller: str
) -> ModelDesign:
    """Write covariates as columns.

    Parameters
    ----------
    patients
        Variables over ``patient``.
    covariates
        Names of variables.
    splines
        Knots of those that are splines.
    caller
        Name of the analysis, for messages.

    Returns
    -------
    The columns: numbers one each; text an indicator ``name[level]`` for every level but the first; splines ``name``, ``name'``, ``name''``
    and so on.

    Raises
    ------
    InputError
        If a value is missing or infinite, a covariate is named twice, or a spline has too few different values for its knots.
    ParameterError
        If a spline is not among the covariates.
    """
    matrix, terms = design_matrix(patients, covariates, caller=caller)
    foreign = [name for name in splines if name not in covariates]
    if foreign:
        message = f"Splines of {caller} must be covariates. Not among them: {listed(foreign)}; covariates: {listed(covariates)}."
        raise ParameterError(message)
    columns: list[Matrix] = []
    names: list[str] = []
    owner: list[int] = []
    codes: dict[str, dict[str, list[object]]] = {}
    for place, name in enumerate(covariates):
        if name in terms:
            own, labels, codes[name] = _numeric(matrix[:, terms.index(name)], name, splines, caller=caller)
        elif name in splines:
            message = f"A spline of {caller} must be a numeric covariate. {name!r} is text; leave it out of splines."
            raise ParameterError(message)
        else:
            levels = check_groups(patients, name, caller=caller)[1]
            labels = [f"{name}[{level}]" for level in levels[1:]]
            own = matrix[:, [terms.index(label) for label in labels]]
            codes[name] = {"levels": list(levels)}
        columns.append(own)
        names += labels
        owner += [place] * len(labels)
    whole = np.column_stack([np.zeros((matrix.shape[0], 0)), *columns])
    return ModelDesign(whole, names, list(covariates), np.array(owner, dtype=np.int64), codes)


def _numeric(
    values: Vector, name: str, splines: Mapping[str, int], *, caller: str
) -> tuple[Matrix, list[str], dict[str, list[object]]]:
    if name not in splines:
        return values[:, None], [name], {}
    knots = spline_knots(values, splines[name])
    apart = np.diff(knots)
    if knots.size < splines[name] or not (apart > 1e-9 * (values.max() - values.min())).all():
        message = (
            f"The spline of {name!r} in {caller} needs {splines[name]} different knots. Its values give {listed(np.unique(knots))}; take "
            "fewer knots, or let it enter as a number."
        )
        raise InputError(message)
    basis = spline_basis(values, knots)
    return basis, [name + "'" * bend for bend in range(basis.shape[1])], {"knots": [float(knot) for knot in knots]}


def coded_matrix(patients: xr.Dataset, coded: str, covariates: Sequence[str], *, caller: str) -> Matrix:
    """Write new patients in the columns of a model.

    Parameters
    ----------
    patients
        Variables over ``patient``.
    coded
        Of :meth:`ModelDesign.coded`.
    covariates
        Of the model, in their order.
    caller
        Name of the analysis, for messages.

    Returns
    -------
    Patients by terms.

    Raises
    ------
    InputError
        If a value is missing or infinite, or a patient has a level that the model does not know.
    """
    codes = json.loads(coded)
    columns = [np.zeros((patients.sizes["patient"], 0))]
    for name in covariates:
        if "levels" in codes[name]:
            columns.append(_indicators(patients, name, codes[name]["levels"], caller=caller))
            continue
        matrix, terms = design_matrix(patients, [name], caller=caller)
        if terms != [name]:
            message = f"{name!r} must hold numbers in {caller}, as in the patients of the model. Found text."
            raise InputError(message)
        columns.append(spline_basis(matrix[:, 0], np.array(codes[name]["knots"])) if "knots" in codes[name] else matrix)
    return np.column_stack(columns)


def _indicators(patients: xr.Dataset, name: str, levels: list[str], *, caller: str) -> Matrix:
    groups, labels = check_groups(patients, name, caller=caller)
    unknown = [label for label in labels if label not in levels]
    if unknown:
        message = f"{name!r} must have levels of the model in {caller}. Unknown to the model: {listed(unknown)}; it knows {listed(levels)}."
        raise InputError(message)
    place = np.array([levels.index(label) for label in labels])[groups]
    return (place[:, None] == np.arange(1, len(levels))).astype(float)


def labeled_strata(
    patients: xr.Dataset, strata: str | Sequence[str] | None, *, caller: str
) -> tuple[Vector, list[str]]:
    """Number the strata made by crossing some variables over ``patient``, and name them.

    Parameters
    ----------
    patients
        Variables over ``patient``.
    strata
        Variable or variables; None puts everybody into ``all``.
    caller
        Name of the analysis, for messages.

    Returns
    -------
    Number of each patient's stratum, and the labels, such as ``F, site 2``.
    """
    columns = [] if strata is None else [strata] if isinstance(strata, str) else list(strata)
    if not columns:
        return check_groups(patients, None, caller=caller)
    grouped = [check_groups(patients, name, caller=caller) for name in columns]
    crossed = np.stack([codes for codes, _ in grouped], axis=1)
    distinct, numbers = np.unique(crossed, axis=0, return_inverse=True)
    labels = [", ".join(grouped[column][1][code] for column, code in enumerate(row)) for row in distinct]
    return numbers.reshape(-1).astype(np.int64), labels
