"""Linear models of transformed shares, one per state, whose variances learn from each other."""

from __future__ import annotations

import warnings
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from scipy.linalg import solve_triangular
from scipy.special import gammaln, stdtr, stdtrit

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import check_one_of, listed
from chemores_dask.cohort.composition.state_table import CONTINUITY, LEVEL, StateTable, read_states, warn_of_few
from chemores_dask.cohort.design_formula import Design, design_of, with_patients_as_labels
from chemores_dask.errors import DroppedPatientsWarning, InputError, RepeatedPatientsWarning
from chemores_dask.kernels.moderated_variance import squeeze_variances, total_degrees
from chemores_dask.kernels.multiple_testing import benjamini_hochberg
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.stream import compute

ALGORITHM_REVISION = 2

SPANNED = 1 - 1e-6
"""A design has a level for each patient if it holds this share of the indicator of each."""

ROUNDING = 1e-9
"""Share of a value that rounding may leave of it."""

TRANSFORMS = ("logit", "arcsine", "clr")

_STATE = ("state",)
RESULT = declare(
    Variable("propeller_mean_share", _STATE, "f", doc="mean over samples"),
    Variable("propeller_effect", _STATE, "f", unit="units of the transformed share", doc="of the term tested"),
    Variable("propeller_effect_lower", _STATE, "f", unit="units of the transformed share", doc="lower 95 % limit"),
    Variable("propeller_effect_upper", _STATE, "f", unit="units of the transformed share", doc="upper 95 % limit"),
    Variable("propeller_t_statistic", _STATE, "f", doc="moderated"),
    Variable("propeller_p_value", _STATE, "f", doc="two-sided, moderated t"),
    Variable("propeller_q_value", _STATE, "f", doc="Benjamini-Hochberg over states"),
    Variable("propeller_variance", _STATE, "f", unit="squared units of the transformed share", doc="residual"),
    Variable("propeller_posterior_variance", _STATE, "f", unit="squared units of the transformed share"),
    Variable("propeller_degrees_of_freedom", _STATE, "f", doc="of the moderated t"),
    Variable("propeller_samples", (), "i", unit="samples", doc="with cells"),
    Variable("propeller_patients", (), "i", unit="patients"),
    Variable(
        "propeller_minimum_p_value", (), "f", doc="smallest P that exchanging the labels of so many patients can reach"
    ),
)


def propeller_composition(
    cube: xr.Dataset,
    *,
    formula: str = "~ patient + stage",
    term: str = "stage",
    patient: str = "patient",
    transform: Literal["logit", "arcsine", "clr"] = "logit",
    robust: bool = True,
) -> xr.Dataset:
    """Test the shares of all states in a linear model, with moderated t tests as in propeller.

    Shares ``p = (x + 0.5) / sum(x + 0.5)`` of a sample become ``log[p / (1 - p)]`` (logit), ``arcsin(sqrt(p))`` or ``log(x + 0.5)`` minus
    its mean over the states (clr). Each state has a linear model of the same design; residual variances are drawn towards their common
    prior (empirical Bayes), and the effect of the term is tested by ``t = effect / (s_posterior * u)`` with own and prior degrees of
    freedom.

    Parameters
    ----------
    cube
        Cohort cube with ``cube_cells`` over (sample, state), and the variables of the formula over ``sample``.
    formula
        Design of the samples; with the patient in it, stages are compared within patients.
    term
        The effect tested: a variable with one column in the design (a number, or two values), or the name of a column such as
        ``"stage[T.relapse]"``.
    patient
        Variable over ``sample`` that says which samples are of one patient.
    transform
        How shares are transformed.
    robust
        Whether states with outlying variances are drawn less towards the prior; needs three states.

    Returns
    -------
    Dataset over ``state``: ``propeller_mean_share``, ``propeller_effect`` (on the scale of the transformed share; for logit the log odds
    ratio) with 95 % limits, ``propeller_t_statistic``, ``propeller_p_value``, ``propeller_q_value``, variances and degrees of freedom.
    Numbers: ``propeller_samples``, ``propeller_patients``, ``propeller_minimum_p_value``. A state without any cell has no values.

    Raises
    ------
    MissingVariableError
        If the cube lacks a variable.
    InputError
        If the formula cannot be used, the term is none of its columns, no degree of freedom is left, or fewer than two states have cells.
    ParameterError
        If the transform is unknown.

    Warns
    -----
    DroppedPatientsWarning
        If samples without cells are left out.
    RepeatedPatientsWarning
        If patients have several samples and the formula has no level for each: samples of one patient are no replicates.
    SmallSampleWarning
        If no exchange of the labels of the patients can reach 0.05.

    Notes
    -----
    Passes over the counts: 0 (the cube is the only input). The samples have equal weight whatever their numbers of cells, and half a cell
    pulls rare states towards even odds: for these, where numbers of cells differ, ``beta_binomial_composition`` stays nearer to its level.
    ``speckle`` takes the arcsine of shares without the half; with it, 0 cells of 10 and of 1,000 are not the same.

    References
    ----------
    Phipson B et al. (2022). propeller: testing for differences in cell type proportions in single cell data. Bioinformatics 38:4720-4726.
    """
    caller = "propeller_composition"
    check_one_of(transform, TRANSFORMS, parameter="transform", caller=caller)
    everything = read_states(cube, labels=(patient,), caller=caller)
    some = _with_cells(everything, caller)
    table = StateTable(everything.cells[some], everything.states, everything.samples[some])
    owner = table.samples[patient].to_numpy()
    described = with_patients_as_labels(_described(cube, everything)[some], patient, owner)
    design = design_of(described, formula, caller=caller)
    column = _column(design, term, caller)
    found = table.cells.sum(axis=0) > 0
    if found.sum() < 2:
        present = [state for state, there in zip(table.states, found, strict=True) if there]
        message = f"{caller} needs cells in at least two states, since shares are compared. Found cells in {listed(present)} only."
        raise InputError(message)
    rank = design.matrix.shape[1]
    if len(design.matrix) <= rank:
        message = (
            f"The design of {caller} must leave degrees of freedom. {formula!r} has {rank} columns for {len(design.matrix)} samples; "
            "leave terms out, or add samples."
        )
        raise InputError(message)
    _warn_of_repeated(design, owner, patient=patient, formula=formula, caller=caller)
    informed = informative_samples(design.matrix, column)
    minimum = smallest_p_value(design.matrix[informed, column], owner[informed])
    warn_of_few(len(set(owner)), minimum, tests="exchange of the labels of patients")
    fitted = _moderated(transformed_shares(table.cells[:, found], transform), design.matrix, column, robust=robust)
    values: dict[str, Vector] = {}
    for name, of_found in fitted.items():
        values[name] = np.full(len(table.states), np.nan)
        values[name][found] = of_found
    values["propeller_q_value"] = benjamini_hochberg(values["propeller_p_value"])
    values["propeller_mean_share"] = (table.cells / table.cells.sum(axis=1, keepdims=True)).mean(axis=0)
    return make_result(
        RESULT,
        {
            **values,
            "propeller_samples": len(table.cells),
            "propeller_patients": len(set(owner)),
            "propeller_minimum_p_value": minimum,
        },
        analysis=caller,
        parameters={"formula": formula, "term": term, "patient": patient, "transform": transform, "robust": robust},
        coordinates={"state": list(table.states)},
        attributes={"tested_column": design.columns[column], "design_columns": list(design.columns)},
    )


def transformed_shares(cells: Matrix, transform: str) -> Matrix:
    """Shares of states on a scale on which they may be modeled as normal.

    Parameters
    ----------
    cells
        Samples by states.
    transform
        ``"logit"``, ``"arcsine"`` or ``"clr"``.

    Returns
    -------
    Samples by states.
    """
    raised = cells + CONTINUITY
    if transform == "clr":
        logs = np.log(raised)
        return logs - logs.mean(axis=1, keepdims=True)
    shares = raised / raised.sum(axis=1, keepdims=True)
    return np.log(shares / (1 - shares)) if transform == "logit" else np.arcsin(np.sqrt(shares))


def smallest_p_value(column: Vector, owner: Vector) -> float:
    """Smallest two-sided P that exchanging the values of a column can reach.

    Parameters
    ----------
    column
        Values of the effect tested, one per sample.
    owner
        Patient of each sample.

    Returns
    -------
    ``2 / 2^n`` for n patients within whom the column differs; where it differs between patients only, what the sizes of its groups (or
    the orders of its values) allow. An end that has no mirror image, as with groups of unequal sizes, is reached in one way, not two.
    """
    values = pd.Series(column).groupby(pd.Series(owner), sort=False).agg(["min", "max"])
    within = int((values["min"] != values["max"]).sum())
    same = np.sort(values["min"][values["min"] == values["max"]].to_numpy())
    number = np.unique(same, return_counts=True)[1]
    # Thousands of patients have more ways than a number can hold.
    one_way = 2.0 ** -min(within, 1000) / np.exp(min(700.0, gammaln(same.size + 1) - gammaln(number + 1).sum()))
    # Patients who are all alike have nothing to exchange.
    mirrored = number.size < 2 or np.allclose(same + same[::-1], column.min() + column.max(), rtol=1e-9)
    return float(min(1.0, (2 if mirrored else 1) * one_way))


def informative_samples(design: Matrix, column: int) -> Vector:
    """Samples that say something of the effect: those in which the other columns of the design do not tell its value.

    Parameters
    ----------
    design
        Samples by columns.
    column
        Of the effect.

    Returns
    -------
    Boolean. With a level for each patient, those with one sample say nothing.
    """
    others, own = np.delete(design, column, axis=1), design[:, column]
    basis = np.linalg.qr(others)[0]
    rest = own - basis @ (basis.T @ own)
    told: Vector = np.abs(rest) > ROUNDING * np.abs(own).max()
    return told


def _moderated(response: Matrix, design: Matrix, column: int, *, robust: bool) -> dict[str, Vector]:
    # Of full rank: a triangle instead of singular values, which take minutes with a thousand patients.
    basis, triangle = np.linalg.qr(design)
    coefficients = solve_triangular(triangle, basis.T @ response)
    degrees = len(design) - len(triangle)
    variance = ((response - design @ coefficients) ** 2).sum(axis=0) / degrees
    unscaled = float(np.linalg.norm(solve_triangular(triangle, np.eye(len(triangle))[column], trans="T")))
    squeezed = squeeze_variances(variance, float(degrees), robust=robust and response.shape[1] > 2)
    all_degrees = total_degrees(float(degrees), squeezed.prior_degrees)
    error = np.sqrt(squeezed.posterior) * unscaled
    effect = coefficients[column]
    with np.errstate(divide="ignore", invalid="ignore"):
        t = effect / error
    reach = stdtrit(all_degrees, 0.5 + LEVEL / 2) * error
    return {
        "propeller_effect": effect,
        "propeller_effect_lower": effect - reach,
        "propeller_effect_upper": effect + reach,
        "propeller_t_statistic": t,
        "propeller_p_value": 2 * stdtr(all_degrees, -np.abs(t)),
        "propeller_variance": variance,
        "propeller_posterior_variance": squeezed.posterior,
        "propeller_degrees_of_freedom": all_degrees,
    }


def _warn_of_repeated(design: Design, owner: Vector, *, patient: str, formula: str, caller: str) -> None:
    codes, patients = pd.factorize(owner)
    projected = np.zeros((len(patients), design.matrix.shape[1]))
    np.add.at(projected, codes, np.linalg.qr(design.matrix)[0])
    inside = (projected**2).sum(axis=1) / np.bincount(codes)
    if len(patients) < len(owner) and inside.min() < SPANNED:
        message = (
            f"Samples of one patient are no replicates. {len(owner)} samples of {caller} are from {len(patients)} patients, and "
            f"{formula!r} has no level for each {patient!r}; add it to the formula, or take one sample of each patient."
        )
        warnings.warn(message, RepeatedPatientsWarning, stacklevel=3)


def _with_cells(table: StateTable, caller: str) -> Vector:
    some = table.cells.sum(axis=1) > 0
    if not some.all():
        message = (
            f"{int((~some).sum())} of {len(some)} samples of {caller} have no cells and are left out: "
            f"{listed(table.samples.index[~some])}."
        )
        warnings.warn(message, DroppedPatientsWarning, stacklevel=3)
    return some


def _described(cube: xr.Dataset, table: StateTable) -> pd.DataFrame:
    """All that the cube says of its samples; an empty text is a missing value."""
    names = [str(name) for name in cube.variables if cube[name].dims == ("sample",) and name != "sample"]
    columns = compute(*(cube[name].data for name in names))
    described = pd.DataFrame(index=table.samples.index)
    for name, values in zip(names, columns, strict=True):
        column = np.asarray(values)
        described[name] = (
            np.where(column == "", np.array(None, dtype=object), column) if column.dtype.kind in "OU" else column
        )
    return described


def _column(design: Design, term: str, caller: str) -> int:
    columns = list(design.columns)
    fitting = [name for name in columns if name == term] or [name for name in columns if name.startswith(f"{term}[")]
    if len(fitting) != 1:
        message = (
            f"The 'term' parameter of {caller} must be one column of the design. {term!r} fits {listed(fitting)}; "
            f"columns: {listed(columns)}."
        )
        raise InputError(message)
    return columns.index(fitting[0])
