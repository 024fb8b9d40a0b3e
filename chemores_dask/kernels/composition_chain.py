"""A Markov chain over Dirichlet-multinomial models of paired samples, whose effects are either 0 or not (spike and slab).

Cells of sample s: ``DirichletMultinomial(exp(alpha_k + u_{p(s), k} + z_s i_k b_k))``. Priors: ``alpha ~ N(0, 5^2)``,
``u ~ N(0, sigma^2)`` for each patient and state, ``sigma`` half-normal, ``i ~ Bernoulli(1/2)``, ``b ~ Cauchy(0, 1)``, ``i = 0`` for the
reference.

References
----------
Carlin BP, Chib S (1995). Bayesian model choice via Markov chain Monte Carlo methods. JRSS B 57:473-484 (pseudo-priors).
"""

from __future__ import annotations

import math

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.beta_binomial import log_rise
from chemores_dask.kernels.jit import jit

WIDE = 5.0
"""Prior standard deviation of alpha."""

GOAL = 0.44
"""Share of proposals accepted that steps are adapted to."""

LARGEST = 30.0
"""Bound of the logarithm of a Dirichlet parameter."""


@jit
def _gain(counts: Matrix, logs: Matrix, sums: Vector, rows: Vector, state: int, change: Vector) -> float:
    """Change of the log likelihood when logarithms of one state move in some samples."""
    gain = 0.0
    for row in rows:
        old = math.exp(logs[row, state])
        moved = logs[row, state] + change[row]
        if abs(moved) > LARGEST:
            return -np.inf
        new = math.exp(moved)
        gain += log_rise(new, counts[row, state]) - log_rise(old, counts[row, state])
        whole = counts[row].sum()
        gain -= log_rise(max(sums[row] - old, 0.0) + new, whole) - log_rise(sums[row], whole)
    return gain


@jit
def _move(logs: Matrix, sums: Vector, rows: Vector, state: int, change: Vector) -> None:
    for row in rows:
        logs[row, state] += change[row]
        sums[row] = np.exp(logs[row]).sum()


@jit
def _accepted(gain: float, step: Vector, place: int, adapting: float, draws: np.random.Generator) -> bool:
    """Metropolis's choice; while adapting, the step grows or shrinks towards the wanted share of acceptances."""
    taken = math.log(draws.random()) < gain
    if adapting > 0:
        step[place] *= math.exp(adapting * ((1.0 if taken else 0.0) - GOAL))
    return taken


@jit
def _intercepts(
    counts: Matrix,
    logs: Matrix,
    sums: Vector,
    alpha: Vector,
    steps: Vector,
    adapting: float,
    draws: np.random.Generator,
) -> None:
    """Moves of each alpha, and of all together, which is how strongly samples scatter."""
    samples, states = counts.shape
    rows = np.arange(samples)
    for state in range(states):
        by = steps[state] * draws.standard_normal()
        gain = _gain(counts, logs, sums, rows, state, np.full(samples, by))
        gain += (alpha[state] ** 2 - (alpha[state] + by) ** 2) / (2 * WIDE**2)
        if _accepted(gain, steps, state, adapting, draws):
            _move(logs, sums, rows, state, np.full(samples, by))
            alpha[state] += by
    by = steps[states] * draws.standard_normal()
    gain = ((alpha**2).sum() - ((alpha + by) ** 2).sum()) / (2 * WIDE**2)
    factor = math.exp(by)
    for row in range(samples):
        whole = counts[row].sum()
        gain -= log_rise(sums[row] * factor, whole) - log_rise(sums[row], whole)
        for state in range(states):
            own = math.exp(logs[row, state])
            gain += log_rise(own * factor, counts[row, state]) - log_rise(own, counts[row, state])
    if np.abs(logs + by).max() < LARGEST and _accepted(gain, steps, states, adapting, draws):
        alpha += by
        logs += by
        sums *= factor


@jit
def _patients(
    counts: Matrix,
    logs: Matrix,
    sums: Vector,
    alpha: Vector,
    effects: Matrix,
    spread: Vector,
    steps: Matrix,
    adapting: float,
    draws: np.random.Generator,
) -> None:
    """Moves of the patients' effects, of what they share with alpha, and of their spread."""
    patients, states = effects.shape
    change = np.zeros(counts.shape[0])
    for patient in range(patients):
        rows = np.array([2 * patient, 2 * patient + 1])
        for state in range(states):
            by = steps[patient, state] * draws.standard_normal()
            change[rows] = by
            old = effects[patient, state]
            gain = _gain(counts, logs, sums, rows, state, change)
            gain += (old**2 - (old + by) ** 2) / (2 * spread[0] ** 2)
            if _accepted(gain, steps[patient], state, adapting, draws):
                _move(logs, sums, rows, state, change)
                effects[patient, state] += by
    for state in range(states):
        # What alpha gains, all patients lose: given the rest, a normal draw.
        own = effects[:, state]
        precision = 1 / WIDE**2 + patients / spread[0] ** 2
        center = (own.sum() / spread[0] ** 2 - alpha[state] / WIDE**2) / precision
        by = center + draws.standard_normal() / math.sqrt(precision)
        alpha[state] += by
        effects[:, state] -= by
    squares = (effects**2).sum()
    moved = spread[0] * math.exp(0.3 * draws.standard_normal())
    gain = (patients * states - 1) * math.log(spread[0] / moved) + squares / 2 * (1 / spread[0] ** 2 - 1 / moved**2)
    if math.log(draws.random()) < gain + (spread[0] ** 2 - moved**2) / 2 and moved > 1e-3:
        spread[0] = moved


@jit
def _log_slab(effect: float) -> float:
    return -math.log(math.pi * (1 + effect * effect))


@jit
def _log_pseudo(effect: float, center: float, width: float) -> float:
    return -(((effect - center) / width) ** 2) / 2 - math.log(width * math.sqrt(2 * math.pi))


@jit
def _stages(
    counts: Matrix,
    logs: Matrix,
    sums: Vector,
    sides: Vector,
    reference: int,
    slab: Matrix,
    steps: Vector,
    adapting: float,
    draws: np.random.Generator,
) -> None:
    """Moves of the effects of the stage, and of whether there is one. Rows of ``slab``: effect, whether it counts, pseudo-prior."""
    samples, states = counts.shape
    rows = np.arange(samples)
    for state in range(states):
        if state == reference:
            continue
        effect, center, width = slab[0, state], slab[2, state], slab[3, state]
        if slab[1, state] > 0:
            by = steps[state] * draws.standard_normal()
            gain = _gain(counts, logs, sums, rows, state, sides * by)
            gain += _log_slab(effect + by) - _log_slab(effect)
            if _accepted(gain, steps, state, adapting, draws):
                _move(logs, sums, rows, state, sides * by)
                slab[0, state] += by
        else:
            slab[0, state] = center + width * draws.standard_normal()
        if adapting > 0:
            continue
        effect = slab[0, state]
        away = -1.0 if slab[1, state] > 0 else 1.0
        gain = _gain(counts, logs, sums, rows, state, away * sides * effect)
        gain += away * (_log_slab(effect) - _log_pseudo(effect, center, width))
        if math.log(draws.random()) < gain:
            _move(logs, sums, rows, state, away * sides * effect)
            slab[1, state] = 1.0 - slab[1, state]


@jit
def run_chain(
    counts: Matrix, reference: int, warm_up: int, kept: np.ndarray, inclusion: np.ndarray, draws: np.random.Generator
) -> None:
    """Run the chain.

    Parameters
    ----------
    counts
        Samples by states, float64; rows 2 p and 2 p + 1 are patient p before and after.
    reference
        State without an effect.
    warm_up
        Sweeps before any is kept; all effects count in them, steps are adapted, and pseudo-priors learned in the second half.
    kept
        Sweeps by states; is overwritten by effects.
    inclusion
        Sweeps by states, uint8; is overwritten by whether the effect counts.
    draws
        Source of chance.
    """
    samples, states = counts.shape
    patients = samples // 2
    sides = np.empty(samples)
    sides[0::2], sides[1::2] = -0.5, 0.5
    shares = (counts.sum(axis=0) + 0.5) / (counts.sum() + 0.5 * states)
    alpha = np.log(shares) + math.log(100.0)
    effects, spread = np.zeros((patients, states)), np.array([0.5])
    logs = np.zeros((samples, states)) + alpha
    sums = np.exp(logs).sum(axis=1)
    slab = np.zeros((4, states))
    slab[1], slab[3] = 1.0, 1.0
    slab[1, reference] = 0.0
    steps, patient_steps, stage_steps = np.full(states + 1, 0.2), np.full((patients, states), 0.3), np.full(states, 0.3)
    learned, first = np.zeros((2, states)), warm_up // 2
    for sweep in range(warm_up + kept.shape[0]):
        adapting = 0.0 if sweep >= warm_up else 1.0 / math.sqrt(1.0 + sweep / 10)
        _intercepts(counts, logs, sums, alpha, steps, adapting, draws)
        _patients(counts, logs, sums, alpha, effects, spread, patient_steps, adapting, draws)
        _stages(counts, logs, sums, sides, reference, slab, stage_steps, adapting, draws)
        if first <= sweep < warm_up:
            learned[0] += slab[0]
            learned[1] += slab[0] ** 2
        if sweep == warm_up - 1:
            number = warm_up - first
            slab[2] = learned[0] / number
            slab[3] = np.sqrt(np.maximum(learned[1] / number - slab[2] ** 2, 1e-4))
        if sweep >= warm_up:
            kept[sweep - warm_up] = slab[0] * slab[1]
            inclusion[sweep - warm_up] = slab[1].astype(np.uint8)
