"""The table that every analysis of composition reads: cells of each sample in each state, and what is known of the samples."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import check_variables, listed
from chemores_dask.errors import DroppedPatientsWarning, InputError, SmallSampleWarning
from chemores_dask.stream import compute

SIGNIFICANT = 0.05
"""Above this smallest P that a number of patients can reach, no star may be given."""

LEVEL = 0.95
"""Coverage of the limits."""

CONTINUITY = 0.5
"""Added to every number of cells before a logarithm, so that the log odds of none or all are finite."""


@dataclass(frozen=True)
class StateTable:
    """Cells by sample and state.

    Attributes
    ----------
    cells
        Samples by states, int64.
    states
        Labels of the states.
    samples
        One row per sample, with the columns that were asked for, as text where they are labels.
    """

    cells: Matrix
    states: tuple[str, ...]
    samples: pd.DataFrame


@dataclass(frozen=True)
class PairedStates:
    """Cells by state of the patients who have cells at both stages.

    Attributes
    ----------
    before, after
        Patients by states, int64.
    states
        Labels of the states.
    patients
        Their names.
    dropped
        Names of those who lack a stage.
    extra
        Sums of a further variable over the samples of each patient, patients by (before, after); none unless asked for.
    """

    before: Matrix
    after: Matrix
    states: tuple[str, ...]
    patients: Vector
    dropped: tuple[str, ...]
    extra: Matrix | None = None


def read_states(cube: xr.Dataset, *, labels: Sequence[str] = (), others: Sequence[str] = (), caller: str) -> StateTable:
    """Read the cells of a cohort cube, and hold them against what every analysis of composition needs.

    Parameters
    ----------
    cube
        ``cube_cells`` over (sample, state), and variables over ``sample``.
    labels
        Variables over ``sample`` that name something (patient, stage, group): no value may be missing.
    others
        Further variables over ``sample``, kept as they are, missing values too.
    caller
        Name of the analysis, for messages.

    Returns
    -------
    The table.

    Raises
    ------
    MissingVariableError
        If the cube lacks a variable.
    InputError
        If states share a name, cells are not whole numbers (shares or percentages), or a sample lacks a label.
    """
    check_variables(cube, ["cube_cells"], dims=("sample", "state"), what="the cube", caller=caller)
    check_variables(cube, [*labels, *others], dims=("sample",), what="the cube", caller=caller)
    states = tuple(str(label) for label in cube["state"].to_numpy())
    if len(set(states)) != len(states):
        message = f"The states of the cube must have different names in {caller}. Got {listed(states)}; rename some."
        raise InputError(message)
    cells, *values = compute(cube["cube_cells"].data, *(cube[column].data for column in (*labels, *others)))
    names = cube["sample"].to_numpy() if "sample" in cube.coords else np.arange(cube.sizes["sample"])
    samples = pd.DataFrame(index=pd.Index([str(name) for name in names]))
    for column, value in zip((*labels, *others), values, strict=True):
        samples[column] = _labels(np.asarray(value), column, caller) if column in labels else np.asarray(value)
    return StateTable(_whole_cells(np.asarray(cells), caller), states, samples)


def paired_states(
    cube: xr.Dataset, *, columns: tuple[str, str], stages: tuple[str, str], caller: str, extra: str | None = None
) -> PairedStates:
    """Add up the cells of each patient at two stages.

    Parameters
    ----------
    cube
        As :func:`read_states` takes it.
    columns
        Variables over ``sample`` that name the patient and the stage.
    stages
        The stages before and after.
    caller
        Name of the analysis, for messages.
    extra
        Variable over ``sample`` that is added up likewise.

    Returns
    -------
    Patients with cells at both stages.

    Raises
    ------
    InputError
        If a stage is not there, or nobody has cells at both.

    Warns
    -----
    DroppedPatientsWarning
        If patients lack a stage.
    """
    table = read_states(cube, labels=columns, others=() if extra is None else (extra,), caller=caller)
    patient, stage = (table.samples[column] for column in columns)
    if extra is not None and table.samples[extra].dtype.kind not in "iuf":
        message = (
            f"The variable {extra!r} of {caller} must be numbers. Found {listed(table.samples[extra])}; pass amounts."
        )
        raise InputError(message)
    if any(name not in set(stage) for name in stages) or stages[0] == stages[1]:
        message = (
            f"The stages 'before' and 'after' of {caller} must be two values of {columns[1]!r}. Got {stages[0]!r} and "
            f"{stages[1]!r}; present: {listed(sorted(set(stage)))}."
        )
        raise InputError(message)
    names = list(dict.fromkeys(patient[stage.isin(stages)]))
    sums = np.zeros((2, len(names), len(table.states)), dtype=np.int64)
    totals = np.zeros((len(names), 2))
    for place, name in enumerate(stages):
        here = (stage == name).to_numpy()
        rows = [names.index(owner) for owner in patient[here]]
        np.add.at(sums[place], rows, table.cells[here])
        if extra is not None:
            np.add.at(totals[:, place], rows, table.samples[extra].to_numpy(dtype=float)[here])
    paired = (sums.sum(axis=2) > 0).all(axis=0)
    dropped = tuple(name for name, kept in zip(names, paired, strict=True) if not kept)
    if not paired.any():
        message = (
            f"{caller} needs patients with cells at both {stages[0]!r} and {stages[1]!r}. Found none; patients with one of "
            f"them: {listed(dropped)}."
        )
        raise InputError(message)
    if dropped:
        message = f"{len(dropped)} of {len(names)} patients have no cells at one of the stages and are left out: {listed(dropped)}."
        warnings.warn(message, DroppedPatientsWarning, stacklevel=4)
    patients = np.array(names, dtype=object)[paired]
    kept = totals[paired] if extra is not None else None
    return PairedStates(sums[0][paired], sums[1][paired], table.states, patients, dropped, kept)


def state_position(states: Sequence[str], state: str, *, caller: str) -> int:
    """Where a state stands.

    Parameters
    ----------
    states
        States of the table.
    state
        The one wanted.
    caller
        Name of the analysis, for messages.

    Returns
    -------
    Its position.

    Raises
    ------
    InputError
        If it is not there.
    """
    if str(state) not in states:
        message = f"The state of {caller} must be in the cube. Got {state!r}; present: {listed(states)}."
        raise InputError(message)
    return list(states).index(str(state))


def check_changeable(pairs: PairedStates, *, caller: str) -> Vector:
    """Which states have cells, and not all of them, in the paired patients.

    Parameters
    ----------
    pairs
        The paired patients.
    caller
        Name of the analysis, for messages.

    Returns
    -------
    Boolean, one per state.

    Raises
    ------
    InputError
        If fewer than two states have cells: then no share can change.
    """
    found = (pairs.before + pairs.after).sum(axis=0) > 0
    if found.sum() < 2:
        present = [state for state, there in zip(pairs.states, found, strict=True) if there]
        message = (
            f"{caller} needs cells in at least two states, since shares are compared. Found cells in {listed(present)} only; pass a "
            "cube with all states."
        )
        raise InputError(message)
    return found


def warn_of_few(patients: int, minimum: float, *, tests: str) -> None:
    """Warn where no arrangement of the patients can be significant.

    Parameters
    ----------
    patients
        How many there are.
    minimum
        Smallest P that they can reach.
    tests
        Which tests that holds for.

    Warns
    -----
    SmallSampleWarning
        If the smallest P is above 0.05.
    """
    if minimum > SIGNIFICANT:
        message = (
            f"With {patients} patients no {tests} can give a P value below {minimum:g}, whatever the cells say; add patients, and read "
            "the shares as a description."
        )
        warnings.warn(message, SmallSampleWarning, stacklevel=3)


def log_odds(cells: Matrix, totals: Matrix) -> Matrix:
    """Log odds of shares, with half a cell added on both sides.

    Parameters
    ----------
    cells, totals
        Cells found, of how many; any shapes that fit.

    Returns
    -------
    ``log[(x + 0.5) / (n - x + 0.5)]``.
    """
    return np.log((cells + CONTINUITY) / (totals - cells + CONTINUITY))


def _labels(values: Vector, column: str, caller: str) -> Vector:
    unknown = pd.isna(values) | (values.astype(str) == "")
    if unknown.any():
        message = (
            f"Every sample of {caller} must have a {column}. {int(unknown.sum())} of {len(values)} have no {column!r}; leave these out, "
            "or fill it in."
        )
        raise InputError(message)
    return np.array([str(value) for value in values], dtype=object)


def _whole_cells(cells: Matrix, caller: str) -> Matrix:
    if cells.dtype.kind not in "iu":
        numbers = cells.astype(float)
        odd = ~((numbers >= 0) & (numbers == np.floor(numbers)) & np.isfinite(numbers))
        totals = numbers.sum(axis=1)
        if odd.any():
            message = (
                f"Numbers of cells must be whole and known in {caller}. Found {listed(cells[odd])}; pass a cohort cube, not shares or "
                "percentages: how sure a share is depends on the number of cells behind it."
            )
            raise InputError(message)
        if len(totals) > 1 and (np.abs(totals - 100) <= 1).all():
            message = (
                f"Numbers of cells must be counted in {caller}. All {len(totals)} samples add up to 100 or nearly so, as percentages do; "
                "pass numbers of cells (as integers, if there are 100 in every sample)."
            )
            raise InputError(message)
        cells = numbers.astype(np.int64)
    if (cells < 0).any():
        message = (
            f"Numbers of cells must not be negative in {caller}. Found {listed(cells[cells < 0])}; pass a cohort cube."
        )
        raise InputError(message)
    return cells.astype(np.int64)
