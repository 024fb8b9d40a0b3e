"""How the share of a state of cells changes within patients, from one stage to another."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import stdtrit

from chemores_dask.aliases import Vector
from chemores_dask.checks import check_variables, listed
from chemores_dask.errors import DroppedPatientsWarning, InputError, SmallSampleWarning
from chemores_dask.kernels.paired_tests import (
    binomial_limits,
    minimum_p_value,
    paired_t_test,
    sign_flip_test,
    signed_rank_test,
)
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.stream import compute

ALGORITHM_REVISION = 1

CONTINUITY = 0.5
"""Added to the cells inside and outside of the state, so that the log odds of none or all are finite."""

SIGNIFICANT = 0.05
LEVEL = 0.95

_PATIENT = ("patient",)
RESULT = declare(
    Variable("composition_cells_before", _PATIENT, "i", unit="cells", doc="in the state"),
    Variable("composition_cells_after", _PATIENT, "i", unit="cells", doc="in the state"),
    Variable("composition_total_before", _PATIENT, "i", unit="cells", doc="in any state"),
    Variable("composition_total_after", _PATIENT, "i", unit="cells", doc="in any state"),
    Variable("composition_share_before", _PATIENT, "f"),
    Variable("composition_share_before_lower", _PATIENT, "f", doc="lower 95 % limit (Clopper-Pearson)"),
    Variable(
        "composition_share_before_upper",
        _PATIENT,
        "f",
        doc="upper 95 % limit; with no cell found, what may have been missed",
    ),
    Variable("composition_share_after", _PATIENT, "f"),
    Variable("composition_share_after_lower", _PATIENT, "f", doc="lower 95 % limit (Clopper-Pearson)"),
    Variable(
        "composition_share_after_upper",
        _PATIENT,
        "f",
        doc="upper 95 % limit; with no cell found, what may have been missed",
    ),
    Variable("composition_logit_difference", _PATIENT, "f", unit="log odds", doc="after minus before"),
    Variable("composition_patients", (), "i", unit="patients", doc="with cells at both stages"),
    Variable("composition_patients_rising", (), "i", unit="patients", doc="whose log odds rise"),
    Variable("composition_mean_share_before", (), "f", doc="mean over patients"),
    Variable("composition_mean_share_after", (), "f", doc="mean over patients"),
    Variable("composition_mean_difference", (), "f", doc="mean change of the share"),
    Variable("composition_mean_logit_difference", (), "f", unit="log odds"),
    Variable("composition_mean_logit_difference_lower", (), "f", unit="log odds", doc="lower 95 % limit (t)"),
    Variable("composition_mean_logit_difference_upper", (), "f", unit="log odds", doc="upper 95 % limit (t)"),
    Variable("composition_t_statistic", (), "f", doc="of the log odds differences"),
    Variable("composition_t_p_value", (), "f", doc="two-sided, of the log odds differences"),
    Variable("composition_share_t_statistic", (), "f", doc="of the differences of shares"),
    Variable("composition_share_t_p_value", (), "f", doc="two-sided, of the differences of shares"),
    Variable("composition_sign_flip_p_value", (), "f", doc="two-sided, of the log odds differences"),
    Variable("composition_signed_rank_p_value", (), "f", doc="two-sided, of the log odds differences"),
    Variable(
        "composition_minimum_p_value", (), "f", doc="smallest P that a test of signs can reach with so many patients"
    ),
)


@dataclass(frozen=True)
class _Pairs:
    patients: Vector
    dropped: list[str]
    # Cells of the state and of all states, patients by (before, after).
    found: np.ndarray
    total: np.ndarray


def paired_composition(
    cube: xr.Dataset, *, state: str, patient: str = "patient", stage: str = "stage", before: str, after: str
) -> xr.Dataset:
    """Test whether the share of a state changes from one stage to another, within patients.

    Per patient ``d = log[(x' + 0.5) / (n' - x' + 0.5)] - log[(x + 0.5) / (n - x + 0.5)]`` with ``x`` of ``n`` cells in the state before and
    ``x'`` of ``n'`` after. The patients are the replicates: ``d`` is tested by Student's t, by flipping signs (exact up to 40
    patients, normal beyond), and by Wilcoxon's signed ranks (exact up to 200).

    Parameters
    ----------
    cube
        Cohort cube with ``cube_cells`` over (sample, state), and ``patient`` and ``stage`` as variables over ``sample``.
    state
        State whose share is compared; all states of the cube are the whole.
    patient, stage
        Variables over ``sample``. Several samples of one patient and stage are added up.
    before, after
        The two stages.

    Returns
    -------
    Dataset over ``patient`` (those with cells at both stages): ``composition_cells_before``, ``_after``, ``composition_total_before``,
    ``_after`` (cells), ``composition_share_before``, ``_after`` with Clopper-Pearson limits, ``composition_logit_difference`` (log odds).
    Numbers: patients, mean differences, statistics and P values of the tests, and ``composition_minimum_p_value = 2 / 2^n``, the
    smallest P that n patients allow a test of signs. The attribute ``patients_dropped`` lists patients without cells at both stages.

    Raises
    ------
    MissingVariableError
        If the cube lacks a variable.
    InputError
        If the state or a stage is not in the cube, the state has no cell, or all cells, in all paired patients, or no patient has cells
        at both stages.

    Warns
    -----
    DroppedPatientsWarning
        If patients are left out because they lack a stage.
    SmallSampleWarning
        If so few patients remain that a test of signs cannot reach 0.05.

    Notes
    -----
    Passes over the counts: 0 (the cube is the only input). A share is relative: it rises when other states shrink. The added halves
    pull the log odds of rare states towards even odds, the more so the fewer cells there are. Where a state is expected in fewer than
    about three cells, and one stage has several times the cells of the other, tests of the log odds err more often than they say (in
    simulations 8 % at a level of 5 %, for 1.4 % of 100 and of 700 cells); ``composition_share_t_p_value`` does not.

    References
    ----------
    Haldane JBS (1956). The estimation and significance of the logarithm of a ratio of frequencies. Ann Hum Genet 20:309-311.
    Fisher RA (1935). The Design of Experiments, section 21. Oliver and Boyd.

    Examples
    --------
    >>> cube = xr.Dataset(
    ...     {"cube_cells": (("sample", "state"), [[9, 644], [153, 425]])},
    ...     coords={
    ...         "state": ["stem_like", "other"],
    ...         "patient": ("sample", ["P2", "P2"]),
    ...         "stage": ("sample", ["diagnosis", "relapse"]),
    ...     },
    ... )
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", SmallSampleWarning)
    ...     result = paired_composition(cube, state="stem_like", before="diagnosis", after="relapse")
    >>> round(float(result["composition_share_after"][0]), 4)
    0.2647
    """
    pairs = _pairs(cube, state, (patient, stage), (before, after))
    odds = np.log((pairs.found + CONTINUITY) / (pairs.total - pairs.found + CONTINUITY))
    shares = pairs.found / pairs.total
    difference, exact_flips, exact_ranks, values = _tests(odds[:, 1] - odds[:, 0], shares[:, 1] - shares[:, 0])
    lower, upper = binomial_limits(pairs.found, pairs.total, level=LEVEL)
    _warn(pairs, float(values["composition_minimum_p_value"]))
    for column, when in enumerate(("before", "after")):
        values[f"composition_cells_{when}"] = pairs.found[:, column]
        values[f"composition_total_{when}"] = pairs.total[:, column]
        values[f"composition_share_{when}"] = shares[:, column]
        values[f"composition_mean_share_{when}"] = float(shares[:, column].mean())
        values[f"composition_share_{when}_lower"] = lower[:, column]
        values[f"composition_share_{when}_upper"] = upper[:, column]
    return make_result(
        RESULT,
        {**values, "composition_logit_difference": difference},
        analysis="paired_composition",
        parameters={"state": state, "patient": patient, "stage": stage, "before": before, "after": after},
        coordinates={"patient": pairs.patients},
        attributes={
            "patients_dropped": pairs.dropped,
            "sign_flip_method": "exact" if exact_flips else "normal approximation",
            "signed_rank_method": "exact" if exact_ranks else "normal approximation",
        },
    )


def _tests(difference: Vector, share_difference: Vector) -> tuple[Vector, bool, bool, dict[str, object]]:
    n = difference.size
    t, t_p_value = paired_t_test(difference)
    share_t, share_t_p_value = paired_t_test(share_difference)
    sign_flip, exact_flips = sign_flip_test(difference)
    signed_rank, exact_ranks = signed_rank_test(difference)
    mean = float(difference.mean())
    reach = float(stdtrit(n - 1, 0.5 + LEVEL / 2) * difference.std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan
    return (
        difference,
        exact_flips,
        exact_ranks,
        {
            "composition_patients": n,
            "composition_patients_rising": int((difference > 0).sum()),
            "composition_mean_difference": float(share_difference.mean()),
            "composition_mean_logit_difference": mean,
            "composition_mean_logit_difference_lower": mean - reach,
            "composition_mean_logit_difference_upper": mean + reach,
            "composition_t_statistic": t,
            "composition_t_p_value": t_p_value,
            "composition_share_t_statistic": share_t,
            "composition_share_t_p_value": share_t_p_value,
            "composition_sign_flip_p_value": sign_flip,
            "composition_signed_rank_p_value": signed_rank,
            "composition_minimum_p_value": minimum_p_value(n),
        },
    )


def _pairs(cube: xr.Dataset, state: str, columns: tuple[str, str], stages: tuple[str, str]) -> _Pairs:
    check_variables(cube, ["cube_cells"], dims=("sample", "state"), what="the cube", caller="paired_composition")
    check_variables(cube, columns, dims=("sample",), what="the cube", caller="paired_composition")
    states = [str(label) for label in cube["state"].to_numpy()]
    if len(set(states)) != len(states):
        message = f"The states of the cube must have different names in paired_composition. Got {listed(states)}; rename some."
        raise InputError(message)
    if state not in states:
        message = f"The state of paired_composition must be in the cube. Got {state!r}; present: {listed(states)}."
        raise InputError(message)
    cells, patient, stage = compute(cube["cube_cells"].data, *(cube[column].data for column in columns))
    cells, labels = _whole_cells(np.asarray(cells)), pd.DataFrame({"patient": patient, "stage": stage})
    unknown = labels["patient"].isna() | (labels["patient"].astype(str) == "")
    if unknown.any():
        message = f"Every sample of paired_composition must have a patient. {int(unknown.sum())} of {len(labels)} have no {columns[0]!r}."
        raise InputError(message)
    labels = labels.astype(str)
    absent = [name for name in stages if name not in set(labels["stage"])]
    if absent or stages[0] == stages[1]:
        message = (
            f"The stages 'before' and 'after' of paired_composition must be two values of {columns[1]!r}. Got {stages[0]!r} and "
            f"{stages[1]!r}; present: {listed(sorted(set(labels['stage'])))}."
        )
        raise InputError(message)
    names = list(dict.fromkeys(labels["patient"][labels["stage"].isin(stages)]))
    found, total = np.zeros((len(names), 2), dtype=np.int64), np.zeros((len(names), 2), dtype=np.int64)
    for column, name in enumerate(stages):
        here = (labels["stage"] == name).to_numpy()
        rows = [names.index(owner) for owner in labels["patient"][here]]
        np.add.at(found[:, column], rows, cells[here, states.index(state)])
        np.add.at(total[:, column], rows, cells[here].sum(axis=1))
    return _check_pairs(np.array(names, dtype=object), found, total, state=state, stages=stages)


def _whole_cells(cells: np.ndarray) -> np.ndarray:
    if cells.dtype.kind not in "iu":
        odd = ~((cells >= 0) & (cells == np.floor(cells)) & np.isfinite(cells))
        if odd.any():
            message = f"Numbers of cells must be whole and known in paired_composition. Found {listed(cells[odd])}; pass a cohort cube."
            raise InputError(message)
        cells = cells.astype(np.int64)
    if (cells < 0).any():
        message = f"Numbers of cells must not be negative in paired_composition. Found {listed(cells[cells < 0])}; pass a cohort cube."
        raise InputError(message)
    return cells


def _check_pairs(names: Vector, found: np.ndarray, total: np.ndarray, *, state: str, stages: tuple[str, str]) -> _Pairs:
    paired = (total > 0).all(axis=1)
    dropped = [str(name) for name in names[~paired]]
    if not paired.any():
        message = (
            f"paired_composition needs patients with cells at both {stages[0]!r} and {stages[1]!r}. Found none; patients with one of "
            f"them: {listed(dropped)}."
        )
        raise InputError(message)
    if not found[paired].any():
        message = f"The state {state!r} must have cells in some paired patient. It has none in {listed(names[paired])}."
        raise InputError(message)
    if (found[paired] == total[paired]).all():
        message = (
            f"paired_composition needs cells in other states than {state!r}, since a share is compared. All cells of all patients "
            "are in it; pass a cube with all states."
        )
        raise InputError(message)
    return _Pairs(names[paired], dropped, found[paired], total[paired])


def _warn(pairs: _Pairs, minimum: float) -> None:
    if pairs.dropped:
        message = (
            f"{len(pairs.dropped)} of {len(pairs.dropped) + pairs.patients.size} patients have no cells at one of the stages and are "
            f"left out: {listed(pairs.dropped)}."
        )
        warnings.warn(message, DroppedPatientsWarning, stacklevel=3)
    if minimum > SIGNIFICANT:
        message = (
            f"With {pairs.patients.size} patients no test of signs can give a P value below {minimum:g}, whatever the cells say; add "
            "patients, and read the shares as a description."
        )
        warnings.warn(message, SmallSampleWarning, stacklevel=3)
