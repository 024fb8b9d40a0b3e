"""How the shares of all states change within patients, and whether a change depends on what it is compared with."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.special import stdtrit

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import listed
from chemores_dask.cohort.composition.paired_shares import rare_and_unequal
from chemores_dask.cohort.composition.state_table import (
    CONTINUITY,
    LEVEL,
    PairedStates,
    check_changeable,
    log_odds,
    paired_states,
    warn_of_few,
)
from chemores_dask.errors import InputError
from chemores_dask.kernels.multiple_testing import benjamini_hochberg
from chemores_dask.kernels.paired_tests import minimum_p_value, paired_t_test, sign_flip_test, signed_rank_test
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 1

TESTS = ("t", "share_t", "sign_flip", "signed_rank")

_STATE = ("state",)
_BOTH = ("patient", "state")
_WITHOUT = ("state", "left_out")
_RATIO = ("state", "reference")
RESULT = declare(
    Variable("change_cells_before", _BOTH, "i", unit="cells"),
    Variable("change_cells_after", _BOTH, "i", unit="cells"),
    Variable("change_share_before", _BOTH, "f"),
    Variable("change_share_after", _BOTH, "f"),
    Variable("change_logit_difference", _BOTH, "f", unit="log odds", doc="after minus before"),
    Variable("change_patients", (), "i", unit="patients", doc="with cells at both stages"),
    Variable("change_patients_rising", _STATE, "i", unit="patients", doc="whose log odds of the state rise"),
    Variable("change_patients_without", _STATE, "i", unit="patients", doc="without a cell of the state at a stage"),
    Variable("change_mean_share_before", _STATE, "f", doc="mean over patients"),
    Variable("change_mean_share_after", _STATE, "f", doc="mean over patients"),
    Variable("change_mean_logit_difference", _STATE, "f", unit="log odds"),
    Variable("change_mean_logit_difference_lower", _STATE, "f", unit="log odds", doc="lower 95 % limit (t)"),
    Variable("change_mean_logit_difference_upper", _STATE, "f", unit="log odds", doc="upper 95 % limit (t)"),
    Variable("change_t_p_value", _STATE, "f", doc="two-sided, paired t of the log odds"),
    Variable("change_t_q_value", _STATE, "f", doc="Benjamini-Hochberg over states"),
    Variable("change_share_t_p_value", _STATE, "f", doc="two-sided, paired t of the shares"),
    Variable("change_share_t_q_value", _STATE, "f", doc="Benjamini-Hochberg over states"),
    Variable("change_sign_flip_p_value", _STATE, "f", doc="two-sided, of the log odds"),
    Variable("change_sign_flip_q_value", _STATE, "f", doc="Benjamini-Hochberg over states"),
    Variable("change_signed_rank_p_value", _STATE, "f", doc="two-sided, of the log odds"),
    Variable("change_signed_rank_q_value", _STATE, "f", doc="Benjamini-Hochberg over states"),
    Variable("change_minimum_p_value", (), "f", doc="smallest P that a test of signs can reach with so many patients"),
    Variable("change_log_odds_trusted", _STATE, "b", doc="enough cells for tests of the log odds to hold their level"),
    Variable("change_without_logit_difference", _WITHOUT, "f", unit="log odds", doc="mean, cells of a state left out"),
    Variable("change_without_t_p_value", _WITHOUT, "f", doc="two-sided, paired t, cells of a state left out"),
    Variable("change_ratio_difference", _RATIO, "f", unit="log ratio", doc="mean change of the ratio to the reference"),
    Variable("change_ratio_t_p_value", _RATIO, "f", doc="two-sided, paired t of the log ratio to the reference"),
    Variable("change_references_agreeing", _STATE, "i", unit="states", doc="towards which the state changes likewise"),
    Variable("change_total_log2_difference", ("patient",), "f", unit="log2 ratio", doc="of the totals", optional=True),
    Variable("change_absolute_log2_difference", _BOTH, "f", unit="log2 ratio", doc="of share × total", optional=True),
    Variable("change_absolute_mean_log2_difference", _STATE, "f", unit="log2 ratio", optional=True),
    Variable("change_absolute_t_p_value", _STATE, "f", doc="two-sided, paired t of the log2 ratios", optional=True),
    Variable("change_absolute_t_q_value", _STATE, "f", doc="Benjamini-Hochberg over states", optional=True),
)


def composition_changes(
    cube: xr.Dataset,
    *,
    patient: str = "patient",
    stage: str = "stage",
    before: str,
    after: str,
    total: str | None = None,
) -> xr.Dataset:
    """Test for every state whether its share changes from one stage to another, within patients.

    Per patient and state ``d = log[(x' + 0.5) / (n' - x' + 0.5)] - log[(x + 0.5) / (n - x + 0.5)]``, tested as in ``paired_composition``.
    Shares add up to 1, so where one state grows, all others shrink: every change is therefore also given without the cells of each
    other state, and as the change of the ratio to each other state, ``log[(x' + 0.5) / (r' + 0.5)] - log[(x + 0.5) / (r + 0.5)]``.

    Parameters
    ----------
    cube
        Cohort cube with ``cube_cells`` over (sample, state), and ``patient`` and ``stage`` as variables over ``sample``.
    patient, stage
        Variables over ``sample``. Several samples of one patient and stage are added up.
    before, after
        The two stages.
    total
        Variable over ``sample`` with an absolute amount, such as a count of blasts or the cellularity, above 0: the change of share ×
        total is given, too. Totals of several samples of one patient and stage are added up, as their cells are.

    Returns
    -------
    Dataset over ``patient`` and ``state``: ``change_cells_before``, ``change_share_before`` and so on, ``change_logit_difference``. Over
    ``state``: means, 95 % limits, P values of four tests with their q values (Benjamini-Hochberg over the states),
    ``change_patients_rising``,
    ``change_patients_without`` (patients without a cell of it at a stage), ``change_log_odds_trusted``. Over ``state`` and ``left_out``,
    and ``state`` and ``reference``: mean changes with their paired t; ``change_references_agreeing`` counts the references towards which
    the mean has the sign of the log odds. Numbers: ``change_patients`` and ``change_minimum_p_value = 2 / 2^n``. A state without cells in
    all of these patients has no P (not a number) and does not count among the tests.

    Raises
    ------
    MissingVariableError
        If the cube lacks a variable.
    InputError
        If a stage is not in the cube, nobody has cells at both, fewer than two states have cells, or a total is not above 0.

    Warns
    -----
    DroppedPatientsWarning
        If patients are left out because they lack a stage.
    SmallSampleWarning
        If so few patients remain that a test of signs cannot reach 0.05.

    Notes
    -----
    Passes over the counts: 0 (the cube is the only input). Where ``change_log_odds_trusted`` is false, a state is expected in fewer than 3
    cells at a stage that has less than half the cells of the other, and tests of the log odds err more often than they say: read
    ``change_share_t_p_value``, or ``beta_binomial_composition``.

    References
    ----------
    Aitchison J (1982). The statistical analysis of compositional data. JRSS B 44:139-177.
    Benjamini Y, Hochberg Y (1995). Controlling the false discovery rate. JRSS B 57:289-300.
    """
    pairs = paired_states(
        cube, columns=(patient, stage), stages=(before, after), caller="composition_changes", extra=total
    )
    found = check_changeable(pairs, caller="composition_changes")
    patients = len(pairs.patients)
    totals = [cells.sum(axis=1, keepdims=True) for cells in (pairs.before, pairs.after)]
    shares = [cells / whole for cells, whole in zip((pairs.before, pairs.after), totals, strict=True)]
    difference = log_odds(pairs.after, totals[1]) - log_odds(pairs.before, totals[0])
    warn_of_few(patients, minimum_p_value(patients), tests="test of signs")
    both = np.stack([pairs.before, pairs.after], axis=1)
    values = {
        "change_cells_before": pairs.before,
        "change_cells_after": pairs.after,
        "change_share_before": shares[0],
        "change_share_after": shares[1],
        "change_logit_difference": difference,
        "change_patients": patients,
        "change_patients_rising": (difference > 0).sum(axis=0),
        "change_patients_without": (both == 0).any(axis=1).sum(axis=0),
        "change_mean_share_before": shares[0].mean(axis=0),
        "change_mean_share_after": shares[1].mean(axis=0),
        "change_minimum_p_value": minimum_p_value(patients),
        "change_log_odds_trusted": found & ~rare_and_unequal(both, both.sum(axis=2, keepdims=True)),
        **_tests(difference, shares[1] - shares[0], found),
        **_others(pairs, found, difference.mean(axis=0)),
        **_absolute(pairs, found, total),
    }
    parameters = {"patient": patient, "stage": stage, "before": before, "after": after, "total": total}
    states = list(pairs.states)
    return make_result(
        RESULT,
        values,
        analysis="composition_changes",
        parameters=parameters,
        coordinates={"patient": pairs.patients, "state": states, "left_out": states, "reference": states},
        attributes={"patients_dropped": list(pairs.dropped)},
    )


def _tests(difference: Matrix, share_difference: Matrix, found: Vector) -> dict[str, object]:
    n, states = difference.shape
    p_values = {name: np.full(states, np.nan) for name in TESTS}
    for state in np.flatnonzero(found):
        own, share = difference[:, state], share_difference[:, state]
        p_values["t"][state] = paired_t_test(own)[1]
        p_values["share_t"][state] = paired_t_test(share)[1]
        p_values["sign_flip"][state] = sign_flip_test(own)[0]
        p_values["signed_rank"][state] = signed_rank_test(own)[0]
    mean = difference.mean(axis=0)
    reach = np.full(states, np.nan)
    if n > 1:
        reach = stdtrit(n - 1, 0.5 + LEVEL / 2) * difference.std(axis=0, ddof=1) / np.sqrt(n)
    values: dict[str, object] = {
        "change_mean_logit_difference": np.where(found, mean, np.nan),
        "change_mean_logit_difference_lower": np.where(found, mean - reach, np.nan),
        "change_mean_logit_difference_upper": np.where(found, mean + reach, np.nan),
    }
    for name, of_test in p_values.items():
        values[f"change_{name}_p_value"] = of_test
        values[f"change_{name}_q_value"] = benjamini_hochberg(of_test)
    return values


def _others(pairs: PairedStates, found: Vector, mean: Vector) -> dict[str, object]:
    """Changes without the cells of another state, and against the cells of another state alone."""
    states = len(pairs.states)
    values = {
        name: np.full((states, states), np.nan)
        for name in ("without_logit_difference", "without_t_p_value", "ratio_difference", "ratio_t_p_value")
    }
    logs = np.log(pairs.after + CONTINUITY) - np.log(pairs.before + CONTINUITY)
    sides = (pairs.before, pairs.after)
    for other in np.flatnonzero(found):
        rest = [cells.sum(axis=1, keepdims=True) - cells[:, [other]] for cells in sides]
        usable = np.ravel((rest[0] > 0) & (rest[1] > 0))
        for state in np.flatnonzero(found):
            if state == other:
                continue
            ratio = logs[:, state] - logs[:, other]
            values["ratio_difference"][state, other] = ratio.mean()
            values["ratio_t_p_value"][state, other] = paired_t_test(ratio)[1]
            if usable.any() and found.sum() > 2:
                odds = [
                    log_odds(cells[usable, state], whole[usable, 0]) for cells, whole in zip(sides, rest, strict=True)
                ]
                values["without_logit_difference"][state, other] = (odds[1] - odds[0]).mean()
                values["without_t_p_value"][state, other] = paired_t_test(odds[1] - odds[0])[1]
    agreeing = (np.sign(values["ratio_difference"]) == np.sign(mean)[:, None]).sum(axis=1)
    return {**{f"change_{name}": value for name, value in values.items()}, "change_references_agreeing": agreeing}


def _absolute(pairs: PairedStates, found: Vector, total: str | None) -> dict[str, object]:
    if pairs.extra is None:
        return {}
    odd = ~(np.isfinite(pairs.extra) & (pairs.extra > 0)).all(axis=1)
    if odd.any():
        message = (
            f"Totals of composition_changes must be above 0 and known. {total!r} is not in {listed(pairs.patients[odd])}; leave these "
            "patients out, or compare shares only."
        )
        raise InputError(message)
    shares = [
        (cells + CONTINUITY) / (cells.sum(axis=1, keepdims=True) + 2 * CONTINUITY)
        for cells in (pairs.before, pairs.after)
    ]
    of_totals = np.log2(pairs.extra[:, 1] / pairs.extra[:, 0])
    difference = np.log2(shares[1] / shares[0]) + of_totals[:, None]
    p_values = np.array(
        [paired_t_test(difference[:, state])[1] if there else np.nan for state, there in enumerate(found)]
    )
    return {
        "change_total_log2_difference": of_totals,
        "change_absolute_log2_difference": difference,
        "change_absolute_mean_log2_difference": np.where(found, difference.mean(axis=0), np.nan),
        "change_absolute_t_p_value": p_values,
        "change_absolute_t_q_value": benjamini_hochberg(p_values),
    }
