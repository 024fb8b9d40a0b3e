"""Whether shares of states change within patients, by beta-binomial models of the counts: for rare states, too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy.special import expit

from chemores_dask.aliases import Matrix, Seed
from chemores_dask.checks import check_whole
from chemores_dask.cohort.composition.state_table import (
    LEVEL,
    check_changeable,
    paired_states,
    state_position,
    warn_of_few,
)
from chemores_dask.kernels.likelihood_ratio import bartlett_factor, effect_limits, fit_pairs, ratio_p_value
from chemores_dask.kernels.multiple_testing import benjamini_hochberg
from chemores_dask.kernels.paired_tests import minimum_p_value
from chemores_dask.randomness import cell_keys
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 2

_STATE = ("state",)
RESULT = declare(
    Variable("beta_binomial_effect", _STATE, "f", unit="log odds ratio", doc="after against before, within patients"),
    Variable("beta_binomial_effect_lower", _STATE, "f", unit="log odds ratio", doc="lower 95 % limit (profile)"),
    Variable("beta_binomial_effect_upper", _STATE, "f", unit="log odds ratio", doc="upper 95 % limit (profile)"),
    Variable("beta_binomial_likelihood_ratio", _STATE, "f", doc="twice the difference of the log likelihoods"),
    Variable("beta_binomial_bartlett_factor", _STATE, "f", doc="mean of the likelihood ratio without an effect"),
    Variable("beta_binomial_p_value", _STATE, "f", doc="likelihood ratio test with Bartlett's correction, two-sided"),
    Variable("beta_binomial_q_value", _STATE, "f", doc="Benjamini-Hochberg over the states tested"),
    Variable("beta_binomial_share_before", _STATE, "f", doc="of the typical patient"),
    Variable("beta_binomial_share_after", _STATE, "f", doc="of the typical patient"),
    Variable("beta_binomial_patient_spread", _STATE, "f", unit="log odds", doc="standard deviation between patients"),
    Variable("beta_binomial_correlation", _STATE, "f", doc="of cells within a sample (0 if binomial)"),
    Variable("beta_binomial_cells", _STATE, "i", unit="cells", doc="in the state"),
    Variable("beta_binomial_patients", (), "i", unit="patients", doc="with cells at both stages"),
    Variable(
        "beta_binomial_minimum_p_value", (), "f", doc="smallest P that a test of signs can reach with so many patients"
    ),
)

_COUNTED = ("beta_binomial_cells", "beta_binomial_patients", "beta_binomial_minimum_p_value")


def beta_binomial_composition(
    cube: xr.Dataset,
    *,
    patient: str = "patient",
    stage: str = "stage",
    before: str,
    after: str,
    states: Sequence[str] | None = None,
    draws: int = 200,
    seed: Seed,
) -> xr.Dataset:
    """Test for each state whether its share changes within patients, by a beta-binomial model of the cells.

    ``x ~ BetaBinomial(n, mu, rho)`` with ``logit mu = a + b z + sigma u``: ``z`` is -1/2 before and 1/2 after, ``u ~ N(0, 1)`` the
    patient (a random intercept, integrated by adaptive Gauss-Hermite quadrature), ``rho`` the correlation of cells within a sample.
    ``b = 0``
    is tested by the likelihood ratio, divided by its mean over tables drawn from the model without an effect (Bartlett's correction,
    by parametric bootstrap): few patients make the plain ratio too large, as they make t wider than the normal distribution.

    Parameters
    ----------
    cube
        Cohort cube with ``cube_cells`` over (sample, state), and ``patient`` and ``stage`` as variables over ``sample``.
    patient, stage
        Variables over ``sample``. Several samples of one patient and stage are added up.
    before, after
        The two stages.
    states
        States to be tested, each against all others; all unless given.
    draws
        Tables drawn for the correction of each state.
    seed
        Decides these tables; those of a state depend on its name and not on other states.

    Returns
    -------
    Dataset over ``state``: ``beta_binomial_effect`` (log odds ratio within a patient) with profile limits,
    ``beta_binomial_likelihood_ratio``,
    ``beta_binomial_bartlett_factor``, ``beta_binomial_p_value``, ``beta_binomial_q_value``, shares of the typical patient (``u = 0``),
    ``beta_binomial_patient_spread`` and ``beta_binomial_correlation``. Numbers: ``beta_binomial_patients`` and
    ``beta_binomial_minimum_p_value``. A state without any cell has no values.

    Raises
    ------
    MissingVariableError
        If the cube lacks a variable.
    InputError
        If a state or stage is not in the cube, nobody has cells at both stages, or fewer than two states have cells.
    ParameterError
        If ``draws`` is not a whole number above 0.

    Warns
    -----
    DroppedPatientsWarning
        If patients are left out because they lack a stage.
    SmallSampleWarning
        If so few patients remain that a test of signs cannot reach 0.05: then P rests on the model alone.

    Notes
    -----
    Passes over the counts: 0 (the cube is the only input). Half cells are added nowhere, so unequal numbers of cells do no harm to rare
    states. With 200 draws the correction is known to about 10 %: a P of 0.05 to about 0.01.

    References
    ----------
    Skellam JG (1948). A probability distribution derived from the binomial distribution by regarding the probability of success as
    variable between the sets of trials. JRSS B 10:257-261.
    Rocke DM (1989). Bootstrap Bartlett adjustment in seemingly unrelated regression. JASA 84:598-601.
    """
    caller = "beta_binomial_composition"
    check_whole(draws, parameter="draws", caller=caller, minimum=1)
    pairs = paired_states(cube, columns=(patient, stage), stages=(before, after), caller=caller)
    found = check_changeable(pairs, caller=caller)
    chosen = [state_position(pairs.states, state, caller=caller) for state in states or pairs.states]
    names = [pairs.states[position] for position in chosen]
    patients = len(pairs.patients)
    warn_of_few(patients, minimum_p_value(patients), tests="test of signs")
    total = np.stack([pairs.before.sum(axis=1), pairs.after.sum(axis=1)], axis=1).astype(np.float64)
    cells = np.stack([pairs.before, pairs.after], axis=1)[:, :, chosen].astype(np.float64)
    values = {name: np.full(len(chosen), np.nan) for name in RESULT.by_name if name not in _COUNTED}
    for place, position in enumerate(chosen):
        if found[position]:
            generator = np.random.default_rng([int(seed) % 2**64, int(cell_keys([names[place]])[0])])
            for name, value in _fitted(cells[:, :, place], total, draws, generator).items():
                values[f"beta_binomial_{name}"][place] = value
    values["beta_binomial_q_value"] = benjamini_hochberg(values["beta_binomial_p_value"])
    return make_result(
        RESULT,
        {
            **values,
            "beta_binomial_cells": cells.sum(axis=(0, 1)).astype(np.int64),
            "beta_binomial_patients": patients,
            "beta_binomial_minimum_p_value": minimum_p_value(patients),
        },
        analysis=caller,
        parameters={
            "patient": patient, "stage": stage, "before": before, "after": after,
            "states": None if states is None else list(states), "draws": draws, "seed": seed,
        },
        coordinates={"state": names},
        attributes={"patients_dropped": list(pairs.dropped), "patient_effect": "random intercept, normal on log odds"},
    )  # fmt: skip


def _fitted(found: Matrix, total: Matrix, draws: int, generator: np.random.Generator) -> dict[str, float]:
    fit = fit_pairs(found, total)
    factor = bartlett_factor(fit.null, total, draws=draws, generator=generator)
    lower, upper = effect_limits(fit, found, total, factor=factor, level=LEVEL)
    center, effect, log_spread, log_odds_of_rho = (float(value) for value in fit.full)
    return {
        "effect": effect,
        "effect_lower": lower,
        "effect_upper": upper,
        "likelihood_ratio": fit.ratio,
        "bartlett_factor": factor,
        "p_value": ratio_p_value(fit.ratio, factor),
        "share_before": float(expit(center - effect / 2)),
        "share_after": float(expit(center + effect / 2)),
        "patient_spread": float(np.exp(log_spread)),
        "correlation": float(expit(log_odds_of_rho)),
    }
