"""What a number of cells can say about a state: limits of its share, and shares that would have been missed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import check_between, listed
from chemores_dask.cohort.composition.state_table import LEVEL, StateTable, read_states
from chemores_dask.errors import InputError, ParameterError
from chemores_dask.kernels.paired_tests import binomial_limits
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 1

CLASSES = ("low", "middle", "high", "cannot_tell")
CANNOT_TELL = 3
FOUND = ("not_detected", "detected", "no_cells")

_SAMPLE, _PATIENT = ("sample", "state"), ("patient", "state")


def _variables(prefix: str, dims: tuple[str, str]) -> list[Variable]:
    return [
        Variable(f"{prefix}_cells", dims, "i", unit="cells", doc="in the state"),
        Variable(f"{prefix}_found", dims, "i", flags=FOUND),
        Variable(f"{prefix}_share", dims, "f", doc="not a number without cells; read 0 as not detected"),
        Variable(f"{prefix}_share_lower", dims, "f", doc="lower 95 % limit (Clopper-Pearson)"),
        Variable(
            f"{prefix}_share_upper", dims, "f", doc="upper 95 % limit; if none was found, what may have been missed"
        ),
        Variable(f"{prefix}_class", dims, "i", flags=CLASSES, doc="by the cuts; cannot tell where the limits span one"),
        Variable(f"{prefix}_total", dims[:1], "i", unit="cells", doc="in any state"),
        Variable(f"{prefix}_sensitivity", dims[:1], "f", doc="least share of which a cell is found with 95 % chance"),
    ]


RESULT = declare(
    *_variables("detection", _SAMPLE),
    *_variables("detection_patient", _PATIENT),
    Variable("detection_patients", (), "i", unit="patients", doc="with cells"),
    Variable("detection_class_patients", ("state", "class"), "i", unit="patients", doc="in each class"),
)


def detection_limits(
    cube: xr.Dataset,
    *,
    patient: str = "patient",
    stage: str = "stage",
    at: str | None = None,
    cuts: Sequence[float] = (0.05, 0.15),
) -> xr.Dataset:
    """Limits of the share of each state in each sample and patient, and what their numbers of cells could have missed.

    ``x`` of ``n`` cells give exact (Clopper-Pearson) limits. No cell of a state is "not detected", with the upper limit
    ``1 - 0.025^(1 / n)``, and never a share of 0. With ``n`` cells a state of share ``1 - 0.05^(1 / n)`` is seen with a chance of 95 %. A
    patient is of the class "low", "middle" or "high" where both limits lie on the same side of every cut, and else of "cannot tell".

    Parameters
    ----------
    cube
        Cohort cube with ``cube_cells`` over (sample, state), and ``patient`` (and ``stage``) as variables over ``sample``.
    patient
        Variable over ``sample``; the samples of a patient are added up.
    stage
        Variable over ``sample`` that ``at`` is a value of.
    at
        Only samples of this stage; all unless given.
    cuts
        Two shares that divide low from middle and middle from high.

    Returns
    -------
    Dataset over ``sample``, ``patient`` and ``state``: ``detection_cells``, ``detection_found`` (not detected, detected, no cells),
    ``detection_share`` with limits, ``detection_class``; over ``sample`` ``detection_total`` and ``detection_sensitivity``; the same over
    ``patient`` as ``detection_patient_cells`` and so on; ``detection_patients``, and ``detection_class_patients`` over ``state`` and
    ``class``.

    Raises
    ------
    MissingVariableError
        If the cube lacks a variable.
    InputError
        If no sample is of the stage, or none has cells.
    ParameterError
        If the cuts are not two rising shares.

    Notes
    -----
    Passes over the counts: 0 (the cube is the only input). The limits take the cells of a sample as independent draws from it.

    References
    ----------
    Clopper CJ, Pearson ES (1934). The use of confidence or fiducial limits. Biometrika 26:404-413.
    """
    low, high = _checked_cuts(cuts)
    table = _at(
        read_states(cube, labels=(patient, stage) if at is not None else (patient,), caller="detection_limits"),
        stage,
        at,
    )
    owner = table.samples[patient]
    patients = list(dict.fromkeys(owner))
    rows = [patients.index(name) for name in owner]
    of_patients = np.zeros((len(patients), len(table.states)), dtype=np.int64)
    np.add.at(of_patients, rows, table.cells)
    values = {
        **_limits("detection", table.cells, low, high),
        **_limits("detection_patient", of_patients, low, high),
    }
    with_cells = of_patients.sum(axis=1) > 0
    classes = values["detection_patient_class"][with_cells]
    counted = np.stack([(classes == number).sum(axis=0) for number in range(len(CLASSES))], axis=1)
    return make_result(
        RESULT,
        {**values, "detection_patients": int(with_cells.sum()), "detection_class_patients": counted},
        analysis="detection_limits",
        parameters={"patient": patient, "stage": stage, "at": at, "cuts": [low, high]},
        coordinates={
            "sample": table.samples.index.to_numpy(dtype=object),
            "patient": np.array(patients, dtype=object),
            "state": list(table.states),
            "class": list(CLASSES),
        },
    )


def _checked_cuts(cuts: Sequence[float]) -> tuple[float, float]:
    for cut in cuts:
        check_between(cut, parameter="cuts", caller="detection_limits", minimum=0, maximum=1)
    if len(cuts) != 2 or not cuts[0] < cuts[1]:
        message = f"The 'cuts' parameter of detection_limits must be two rising shares, such as (0.05, 0.15). Got {listed(cuts)}."
        raise ParameterError(message)
    return float(cuts[0]), float(cuts[1])


def _at(table: StateTable, stage: str, at: str | None) -> StateTable:
    chosen = np.ones(len(table.cells), dtype=bool) if at is None else (table.samples[stage] == at).to_numpy()
    if not chosen.any():
        present = listed(sorted(set(table.samples[stage]))) if at is not None else "no samples"
        message = (
            f"The parameter 'at' of detection_limits must be a value of {stage!r}. Got {at!r}; present: {present}."
        )
        raise InputError(message)
    if not table.cells[chosen].any():
        message = (
            "detection_limits needs cells. None of the samples has any; pass a cohort cube of cells that were kept."
        )
        raise InputError(message)
    samples: pd.DataFrame = table.samples[chosen]
    return StateTable(table.cells[chosen], table.states, samples)


def _limits(prefix: str, cells: Matrix, low: float, high: float) -> dict[str, Vector]:
    total = cells.sum(axis=1)
    some = total > 0
    share, lower, upper = (np.full(cells.shape, np.nan) for _ in range(3))
    share[some] = cells[some] / total[some, None]
    lower[some], upper[some] = binomial_limits(
        cells[some], np.broadcast_to(total[some, None], cells[some].shape), level=LEVEL
    )
    classes = np.full(cells.shape, CANNOT_TELL)
    for number, within in enumerate((upper < low, (lower >= low) & (upper <= high), lower > high)):
        classes[within] = number
    found = np.where(some[:, None], (cells > 0).astype(np.int64), FOUND.index("no_cells"))
    sensitivity = np.where(some, 1 - (1 - LEVEL) ** (1 / np.maximum(total, 1)), 1.0)
    return {
        f"{prefix}_cells": cells,
        f"{prefix}_found": found,
        f"{prefix}_share": share,
        f"{prefix}_share_lower": lower,
        f"{prefix}_share_upper": upper,
        f"{prefix}_class": classes,
        f"{prefix}_total": total,
        f"{prefix}_sensitivity": sensitivity,
    }
