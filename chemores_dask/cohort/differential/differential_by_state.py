"""Differential expression within each state of the cells."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from chemores_dask.checks import check_whole, listed
from chemores_dask.cohort.design_formula import with_patients_as_labels
from chemores_dask.cohort.differential.count_tables import sample_table, state_tables
from chemores_dask.cohort.differential.differential_expression import NO_MINIMUM
from chemores_dask.cohort.differential.model_design import Contrast, ModelDesign
from chemores_dask.cohort.differential.table_tests import (
    METHODS,
    VARIABLES,
    DifferentialOptions,
    Model,
    check_method,
    empty_values,
    repeated_patients,
    sample_owners,
    table_tests,
)
from chemores_dask.errors import (
    CountsError,
    InputError,
    MissingVariableError,
    RepeatedPatientsWarning,
    UnfittedStateWarning,
)
from chemores_dask.results_spec import declare, make_result

ALGORITHM_REVISION = 1
CALLER = "differential_by_state"
PREFIX = "differential_state"

RESULT = declare(*(replace(found, name=f"{PREFIX}_{found.name}", dims=("state", *found.dims)) for found in VARIABLES))


def differential_by_state(
    cube: xr.Dataset,
    *,
    formula: str = "~ patient + stage",
    contrast: Contrast,
    method: str = "negative_binomial",
    states: Sequence[str] | None = None,
    patient: str | None = "patient",
    minimum_cells: int = 10,
    options: DifferentialOptions = DifferentialOptions(),  # noqa: B008 - frozen
) -> xr.Dataset:
    """Test every gene for a difference between samples, within each state of the cells apart.

    The models are those of ``differential_expression``, on the sums over the cells of each sample and state.

    Parameters
    ----------
    cube
        Cohort cube with ``cube_cells`` (sample, state) and ``cube_count_sum`` (sample, state, gene).
    formula, contrast, method, patient, options
        As in ``differential_expression``.
    states
        States to test; all of the cube unless given.
    minimum_cells
        Samples with fewer cells of a state are left out of it.

    Returns
    -------
    Dataset over ``(state, gene)``, ``state`` and ``(state, sample)``: the variables of ``differential_expression``, named
    ``differential_state_log_fold_change`` and so on. P values are adjusted over the genes of each state.

    Raises
    ------
    MissingVariableError
        If the cube lacks a variable, or the formula names one that is not there.
    CountsError
        If the counts are not raw counts.
    InputError
        If a state is not in the cube, or none can be fitted.
    ParameterError
        If the method is none.

    Warns
    -----
    UnfittedStateWarning
        If some of the states cannot be fitted; their genes have the status ``state_not_fitted``.
    RepeatedPatientsWarning
        If patients have several samples and the formula has no level for each: samples of one patient are no replicates.

    Notes
    -----
    Passes over the counts: 0 (the cube is the only input). Memory: samples x genes x 24 bytes for one state at a time.

    References
    ----------
    Crowell HL, Soneson C, Germain PL, et al. (2020). muscat detects subpopulation-specific state transitions from multi-sample
    multi-condition single-cell transcriptomics data. Nature Communications 11:6077.
    """
    check_method(method, caller=CALLER)
    check_whole(minimum_cells, parameter="minimum_cells", caller=CALLER, minimum=1)
    samples = sample_table(cube, caller=CALLER)
    owners = sample_owners(samples, patient, caller=CALLER)
    samples = with_patients_as_labels(samples, patient, owners)
    model = Model(formula, contrast, method, options, samples, owners, CALLER)
    rows: list[dict[str, object]] = []
    labels: list[str] = []
    designs: list[ModelDesign] = []
    failures: list[tuple[str, InputError]] = []
    dropped: list[str] = []
    for table in state_tables(cube, states, minimum_cells=minimum_cells, caller=CALLER):
        labels.append(table.state)
        if not table.used.all():
            dropped.append(f"{table.state}: {listed(samples.index[~table.used])}")
        try:
            found = table_tests(table, model)
        except (MissingVariableError, CountsError):
            raise
        except InputError as error:
            failures.append((table.state, error))
            rows.append(dict(empty_values(cube.sizes["gene"], table.used)))
            continue
        designs.append(found.design)
        rows.append(dict(found.values))
    _warn(failures, len(rows))
    warning = repeated_patients(designs, patient=patient, formula=formula)
    if warning:
        warnings.warn(warning, RepeatedPatientsWarning, stacklevel=2)
    return make_result(
        RESULT,
        {f"{PREFIX}_{found.name}": np.array([row[found.name] for row in rows]) for found in VARIABLES},
        analysis=CALLER,
        parameters={
            **model.parameters,
            "states": None if states is None else list(states),
            "patient": patient,
            "minimum_cells": minimum_cells,
        },
        coordinates={
            "state": np.array(labels, dtype=object),
            "gene": cube["gene"].to_numpy(),
            "sample": cube["sample"].to_numpy(),
        },
        attributes={
            "test": METHODS[method],
            "minimum_attainable_p": NO_MINIMUM,
            "samples_dropped": "; ".join(dropped) or "none",
        },
    )


def _warn(failures: list[tuple[str, InputError]], states: int) -> None:
    if len(failures) == states:
        raise failures[0][1]
    for state, error in failures:
        message = f"State {state!r} is not fitted, others are. {error}"
        warnings.warn(message, UnfittedStateWarning, stacklevel=3)
