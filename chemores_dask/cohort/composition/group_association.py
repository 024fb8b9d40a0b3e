"""Whether patients who have a state are found more often in one group of patients than in another."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from chemores_dask.aliases import Vector
from chemores_dask.checks import check_between, check_variables, listed
from chemores_dask.cohort.composition.state_table import LEVEL, SIGNIFICANT, read_states, state_position
from chemores_dask.errors import DroppedPatientsWarning, InputError, SmallSampleWarning
from chemores_dask.kernels.contingency import conditional_odds_ratio, fisher_test
from chemores_dask.kernels.multiple_testing import benjamini_hochberg
from chemores_dask.kernels.paired_tests import binomial_limits
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 1

_PATIENT, _GROUP, _PAIR = ("patient",), ("group",), ("pair",)
RESULT = declare(
    Variable("association_share", _PATIENT, "f", doc="of the cells of the patient in the state"),
    Variable("association_positive", _PATIENT, "b", doc="share at or above the threshold"),
    Variable(
        "association_uncertain", _PATIENT, "b", doc="95 % limits (Clopper-Pearson) on both sides of the threshold"
    ),
    Variable("association_group", _PATIENT, "U", doc="group of the patient"),
    Variable("association_group_patients", _GROUP, "i", unit="patients"),
    Variable("association_group_positive", _GROUP, "i", unit="patients", doc="who have the state"),
    Variable("association_group_uncertain", _GROUP, "i", unit="patients", doc="whose cells cannot tell"),
    Variable("association_patients", _PAIR, "i", unit="patients", doc="in both groups"),
    Variable("association_odds_ratio", _PAIR, "f", doc="conditional maximum likelihood, second to first group"),
    Variable("association_odds_ratio_lower", _PAIR, "f", doc="lower 95 % limit (exact)"),
    Variable("association_odds_ratio_upper", _PAIR, "f", doc="upper 95 % limit (exact)"),
    Variable("association_fisher_p_value", _PAIR, "f", doc="two-sided, Fisher's exact test over patients"),
    Variable("association_fisher_q_value", _PAIR, "f", doc="Benjamini-Hochberg over all pairs of groups"),
    Variable("association_minimum_p_value", _PAIR, "f", doc="smallest P that any table with these margins has"),
)


@dataclass(frozen=True)
class _Patients:
    names: Vector
    found: Vector
    total: Vector
    group: Vector


def group_association(
    cube: xr.Dataset,
    *,
    state: str,
    group: str,
    patient: str = "patient",
    stage: str = "stage",
    at: str | None = None,
    threshold: float = 0.05,
) -> xr.Dataset:
    """Test whether patients with a state (at a share or above) are more frequent in one group than in another.

    A patient is positive if ``x / n`` is at least the threshold. For every pair of groups, the two-by-two table of patients is tested by
    Fisher's exact test, two-sided: all tables with the same margins that are no more likely count.

    Parameters
    ----------
    cube
        Cohort cube with ``cube_cells`` over (sample, state), and the other variables over ``sample``.
    state
        The state.
    group
        Variable over ``sample``, the same for all samples of a patient. Patients without a value are left out.
    patient
        Variable over ``sample``; the samples of a patient are added up.
    stage
        Variable over ``sample`` that ``at`` is a value of.
    at
        Only samples of this stage; all unless given.
    threshold
        Least share of a positive patient.

    Returns
    -------
    Dataset over ``patient``: ``association_share``, ``association_positive``, ``association_uncertain`` (limits of the share span the
    threshold), ``association_group``. Over ``group``: patients, positive and uncertain ones. Over ``pair`` ("second vs first"):
    ``association_patients``, ``association_odds_ratio`` with exact limits, ``association_fisher_p_value``, its q value over all pairs, and
    ``association_minimum_p_value``, the smallest P that the margins allow.

    Raises
    ------
    MissingVariableError
        If the cube lacks a variable.
    InputError
        If the state or the stage is not there, a patient is in two groups, or there are not two groups of patients with cells.
    ParameterError
        If the threshold is not a share.

    Warns
    -----
    DroppedPatientsWarning
        If patients have no group, or no cells.
    SmallSampleWarning
        If no pair of groups can reach 0.05.

    Notes
    -----
    Passes over the counts: 0 (the cube is the only input). Where all or no patients of a pair are positive, the odds ratio is not a
    number and P is 1.

    References
    ----------
    Fisher RA (1935). The logic of inductive inference. Journal of the Royal Statistical Society 98:39-82.
    """
    check_between(threshold, parameter="threshold", caller="group_association", minimum=0, maximum=1)
    known = _patients(cube, state, (group, patient, stage), at)
    lower, upper = binomial_limits(known.found, known.total, level=LEVEL)
    positive = known.found >= threshold * known.total
    uncertain = (lower < threshold) & (upper >= threshold)
    groups = sorted(set(known.group))
    pairs = list(combinations(groups, 2))
    tests = [_tested(known.group, positive, pair) for pair in pairs]
    values = {name: np.array([test[name] for test in tests]) for name in tests[0]}
    _warn_of_margins(values["association_minimum_p_value"], values["association_patients"])
    members = [known.group == name for name in groups]
    return make_result(
        RESULT,
        {
            **values,
            "association_fisher_q_value": benjamini_hochberg(values["association_fisher_p_value"]),
            "association_share": known.found / known.total,
            "association_positive": positive,
            "association_uncertain": uncertain,
            "association_group": known.group,
            "association_group_patients": np.array([here.sum() for here in members]),
            "association_group_positive": np.array([(here & positive).sum() for here in members]),
            "association_group_uncertain": np.array([(here & uncertain).sum() for here in members]),
        },
        analysis="group_association",
        parameters={
            "state": state, "group": group, "patient": patient, "stage": stage, "at": at, "threshold": threshold,
        },
        coordinates={
            "patient": known.names,
            "group": groups,
            "pair": np.array([f"{second} vs {first}" for first, second in pairs], dtype=object),
        },
    )  # fmt: skip


def _tested(group: Vector, positive: Vector, pair: tuple[str, str]) -> dict[str, float]:
    first, second = (
        np.array([(positive & (group == name)).sum(), (~positive & (group == name)).sum()]) for name in pair
    )
    p_value, smallest = fisher_test(np.stack([second, first]))
    ratio, lower, upper = conditional_odds_ratio(np.stack([second, first]), level=LEVEL)
    return {
        "association_patients": int(first.sum() + second.sum()),
        "association_odds_ratio": ratio,
        "association_odds_ratio_lower": lower,
        "association_odds_ratio_upper": upper,
        "association_fisher_p_value": p_value,
        "association_minimum_p_value": smallest,
    }


def _patients(cube: xr.Dataset, state: str, columns: tuple[str, str, str], at: str | None) -> _Patients:
    caller = "group_association"
    group, patient, stage = columns
    check_variables(cube, [group], dims=("sample",), what="the cube", caller=caller)
    table = read_states(cube, labels=(patient, stage) if at is not None else (patient,), others=(group,), caller=caller)
    position = state_position(table.states, state, caller=caller)
    chosen = np.ones(len(table.cells), dtype=bool) if at is None else (table.samples[stage] == at).to_numpy()
    if not chosen.any():
        present = listed(sorted(set(table.samples[stage]))) if at is not None else "no samples"
        message = f"The parameter 'at' of {caller} must be a value of {stage!r}. Got {at!r}; present: {present}."
        raise InputError(message)
    frame = pd.DataFrame(
        {
            "patient": table.samples[patient][chosen],
            "group": [_label(value) for value in table.samples[group][chosen]],
            "found": table.cells[chosen, position],
            "total": table.cells[chosen].sum(axis=1),
        }
    )
    several = frame.groupby("patient", sort=False)["group"].nunique()
    if (several > 1).any():
        message = (
            f"A patient must be in one group of {caller}. {listed(several.index[several > 1])} are in several of "
            f"{group!r}; join them, or pick a stage by 'at'."
        )
        raise InputError(message)
    summed = frame.groupby("patient", sort=False).agg(
        group=("group", "first"), found=("found", "sum"), total=("total", "sum")
    )
    kept = summed[(summed["group"] != "") & (summed["total"] > 0)]
    if len(kept) < len(summed):
        dropped = [name for name in summed.index if name not in kept.index]
        message = f"{len(dropped)} of {len(summed)} patients have no {group!r} or no cells and are left out: {listed(dropped)}."
        warnings.warn(message, DroppedPatientsWarning, stacklevel=3)
    if kept["group"].nunique() < 2:
        message = (
            f"{caller} compares groups of patients. {group!r} has patients with cells in "
            f"{listed(set(kept['group']))} only; name a variable with two values."
        )
        raise InputError(message)
    names = kept.index.to_numpy(dtype=object)
    return _Patients(names, kept["found"].to_numpy(), kept["total"].to_numpy(), kept["group"].to_numpy(dtype=object))


def _label(value: Any) -> str:
    return "" if pd.isna(value) else str(value)


def _warn_of_margins(minimum: Vector, patients: Vector) -> None:
    if (minimum > SIGNIFICANT).all():
        message = (
            f"No pair of groups can reach a P value below {minimum.min():g} with up to {patients.max()} patients and as many positive "
            "ones as there are, whatever their cells say; add patients, and read the numbers as a description."
        )
        warnings.warn(message, SmallSampleWarning, stacklevel=3)
