"""Elastic-net paths of Cox regression: coordinate descent over falling penalties.

Minimized is ``-(1/n) log-likelihood(b) + penalty * sum of factor_j (mixing |b_j| + (1 - mixing)/2 b_j^2)``, with Breslow's likelihood.
Around the last coefficients the likelihood is a weighted sum of squares with the diagonal of its information, which cyclic descent solves
over a working set: genes that are not 0, and those that the sequential strong rule lets in. A penalty is done when the slope of every gene
agrees with its coefficient.

References
----------
Simon N, Friedman J, Hastie T, Tibshirani R (2011). Regularization paths for Cox's proportional hazards model via coordinate descent.
J Stat Softw 39(5):1-13.
Tibshirani R et al. (2012). Strong rules for discarding predictors in lasso-type problems. JRSS B 74:245-266.
"""

from __future__ import annotations

import math

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.jit import jit
from chemores_dask.kernels.penalized_cox import PathState, PenalizedCox, breslow_residuals, gene_slopes, lane_dot

PATH_FLAGS = ("ok", "saturated", "enough_genes", "not_converged")
PATH_OK, SATURATED, ENOUGH_GENES, PATH_NOT_CONVERGED = range(len(PATH_FLAGS))

LARGEST_RATIO = 0.99
"""Share of the deviance that a path explains at most."""

SMALLEST_GAIN = 1e-3
"""Relative gain of explained deviance over the last penalties below which a path ends; both as glmnet has them for Cox models."""

LEAST_PENALTIES = 5

INNER_SHARE = 0.01
"""The weighted squares are solved to this share of the step that led to them: they are about to change."""

INNER_ROUNDS = 3
"""And in at most so many rounds: Newton steps do the rest."""

MOST_SOLVED = 1500
"""Genes that are not 0 whose whole information is made; beyond, descent on its diagonal goes on alone."""

GRAM_ROUNDS = 1000
GRAM_SHARE = 1e-5
"""Newton's quadratic is solved to this share of its first squared step; then, where signs stay, exactly."""

DAMPING = 1e-11
"""Added to the information, as a share of its mean: collinear genes can be solved, too."""

ROUNDING = 1e-13
"""Relative rise of the objective that is rounding."""

HALVINGS = 30


@jit
def _sweep(
    cox: PenalizedCox, penalty: float, b: Vector, genes: Vector, spread: Vector, residual: Vector, weight: Vector
) -> float:
    """One round over some genes; ``residual`` follows. The largest squared step, in the metric of the squares."""
    n = weight.size
    largest = 0.0
    for g in range(genes.size):
        j = genes[g]
        if spread[j] <= 0.0:
            continue
        x = cox.columns[j]
        before = b[j]
        pull = lane_dot(x, residual) / n + spread[j] * before
        edge = penalty * cox.mixing * cox.factor[j]
        if pull > edge:
            after = (pull - edge) / (spread[j] + penalty * (1 - cox.mixing) * cox.factor[j])
        elif pull < -edge:
            after = (pull + edge) / (spread[j] + penalty * (1 - cox.mixing) * cox.factor[j])
        else:
            after = 0.0
        if after != before:
            step = after - before
            b[j] = after
            for i in range(n):
                residual[i] -= step * weight[i] * x[i]
            largest = max(largest, spread[j] * step * step)
    return largest


@jit
def _solve_squares(
    cox: PenalizedCox,
    penalty: float,
    b: Vector,
    working: Vector,
    spread: Vector,
    residual: Vector,
    weight: Vector,
    tolerance: float,
) -> int:
    """Some rounds of descent, over the working set and over what is not 0 in turn; how many."""
    change = _sweep(cox, penalty, b, working, spread, residual, weight)
    goal = max(tolerance, INNER_SHARE * change)
    rounds = 1
    while change > goal and rounds < INNER_ROUNDS:
        change = _sweep(cox, penalty, b, working[b[working] != 0.0], spread, residual, weight)
        rounds += 1
    return rounds


@jit
def _penalty_sum(cox: PenalizedCox, penalty: float, b: Vector) -> float:
    total = 0.0
    for j in range(b.size):
        if b[j] != 0.0:
            total += cox.factor[j] * (cox.mixing * abs(b[j]) + 0.5 * (1 - cox.mixing) * b[j] * b[j])
    return penalty * total


@jit
def _mean_columns(cox: PenalizedCox, exponents: Vector, support: Vector) -> Matrix:
    """For each gene and each time with deaths, its mean over the patients at risk, times the root of the deaths."""
    shift = exponents.max()
    risk = np.exp(exponents - shift)
    runs = cox.opens.size
    deaths, at_risk = np.zeros(runs), np.empty(runs)
    total = 0.0
    for k in range(runs):
        total = 0.0 if cox.opens[k] else total
        for i in range(cox.starts[k], cox.starts[k + 1]):
            total += risk[i]
            deaths[k] += cox.event[i]
        at_risk[k] = total
    means = np.zeros((support.size, np.count_nonzero(deaths)))
    for g in range(support.size):
        x = cox.columns[support[g]]
        place = 0
        for k in range(runs):
            total = 0.0 if cox.opens[k] else total
            for i in range(cox.starts[k], cox.starts[k + 1]):
                total += risk[i] * x[i]
            if deaths[k] > 0:
                means[g, place] = total / at_risk[k] * math.sqrt(deaths[k])
                place += 1
    return means


@jit
def _information(cox: PenalizedCox, state: PathState, support: Vector) -> Matrix:
    """Information per patient of some genes."""
    scaled = np.empty((support.size, state.residual.size))
    root = np.sqrt(np.maximum(cox.event - state.residual, 0.0))
    for g in range(support.size):
        scaled[g] = cox.columns[support[g]] * root
    means = _mean_columns(cox, state.exponents, support)
    information: Matrix = (np.dot(scaled, scaled.T) - np.dot(means, means.T)) / root.size
    return information


@jit
def _newton_target(cox: PenalizedCox, penalty: float, state: PathState, support: Vector, tolerance: float) -> Vector:
    """Where the penalized quadratic with the whole information of some genes is lowest, by descent over their products."""
    information = _information(cox, state, support)
    b: Vector = state.b[support].copy()
    slope, edge = np.empty(support.size), np.empty(support.size)
    for g in range(support.size):
        j = support[g]
        ridge = penalty * cox.factor[j] * (1 - cox.mixing)
        slope[g] = lane_dot(cox.columns[j], state.residual) / state.residual.size - ridge * b[g]
        information[g, g] += ridge
        edge[g] = penalty * cox.factor[j] * cox.mixing
    goal = -1.0
    for _ in range(GRAM_ROUNDS):
        largest = 0.0
        for g in range(support.size):
            bend = information[g, g]
            if bend <= 0.0:
                continue
            pull = slope[g] + bend * b[g]
            after = (pull - edge[g]) / bend if pull > edge[g] else (pull + edge[g]) / bend if pull < -edge[g] else 0.0
            step = after - b[g]
            if step != 0.0:
                b[g] = after
                slope -= step * information[g]
                largest = max(largest, bend * step * step)
        goal = max(tolerance, GRAM_SHARE * largest) if goal < 0.0 else goal
        if largest <= goal:
            break
    _solve_signed(information, slope, edge, b)
    return b


@jit
def _solve_signed(information: Matrix, slope: Vector, edge: Vector, b: Vector) -> None:
    """Go on to the lowest point of the quadratic itself, where that changes no sign."""
    kept = np.flatnonzero(b)
    if kept.size == 0:
        return
    part, pull = np.empty((kept.size, kept.size)), np.empty(kept.size)
    damping = 0.0
    for g in range(kept.size):
        pull[g] = slope[kept[g]] - edge[kept[g]] * np.sign(b[kept[g]])
        for h in range(kept.size):
            part[g, h] = information[kept[g], kept[h]]
        damping += DAMPING * part[g, g] / kept.size
    for g in range(kept.size):
        part[g, g] += damping
    step = np.linalg.solve(part, pull)
    for g in range(kept.size):
        if edge[kept[g]] > 0.0 and (b[kept[g]] + step[g]) * b[kept[g]] <= 0.0:
            return
    for g in range(kept.size):
        b[kept[g]] += step[g]


@jit
def _objective(cox: PenalizedCox, penalty: float, state: PathState) -> float:
    state.log_likelihood[0] = breslow_residuals(
        state.exponents, cox.event, cox.starts, cox.opens, state.residual, state.weight
    )
    objective: float = -state.log_likelihood[0] / state.exponents.size + _penalty_sum(cox, penalty, state.b)
    return objective


@jit
def _accept(
    cox: PenalizedCox, penalty: float, state: PathState, working: Vector, after: Vector, objective: float
) -> tuple[float, float]:
    """Move towards ``after`` as far as the objective does not rise; the new objective, and the share of the way."""
    n = state.exponents.size
    before = state.b[working].copy()
    start = state.exponents.copy()
    step = np.zeros(n)
    for g in range(working.size):
        moved = after[g] - before[g]
        if moved != 0.0:
            x = cox.columns[working[g]]
            for i in range(n):
                step[i] += moved * x[i]
    share = 1.0
    for _ in range(HALVINGS):
        state.b[working] = before + share * (after - before) if share < 1.0 else after
        state.exponents[:] = start + share * step
        found = _objective(cox, penalty, state)
        if found <= objective + ROUNDING * abs(objective):
            return found, share
        share /= 2
    state.b[working] = before
    state.exponents[:] = start
    return _objective(cox, penalty, state), 0.0


@jit
def _fit_working(
    cox: PenalizedCox, penalty: float, state: PathState, working: Vector, tolerance: float, most_rounds: int
) -> bool:
    """Minimize over the working set, by descent that finds which genes are 0 and Newton steps for those that are not.

    Returns
    -------
    Whether the steps became small.
    """
    n = state.exponents.size
    spread, scaled = np.zeros(state.b.size), np.empty(n)
    objective = _objective(cox, penalty, state)
    rounds = 0
    while rounds < most_rounds:
        for g in range(working.size):
            x = cox.columns[working[g]]
            for i in range(n):
                scaled[i] = state.weight[i] * x[i]
            spread[working[g]] = lane_dot(scaled, x) / n
        before = state.b[working].copy()
        scaled[:] = state.residual
        rounds += _solve_squares(cox, penalty, state.b, working, spread, scaled, state.weight, tolerance)
        after = state.b[working].copy()
        largest = np.max(spread[working] * (after - before) ** 2) if working.size else 0.0
        state.b[working] = before
        objective, share = _accept(cox, penalty, state, working, after, objective)
        if largest <= tolerance or share == 0.0:
            return largest <= tolerance
        support = np.flatnonzero(state.b)
        if 0 < support.size <= MOST_SOLVED:
            target = _newton_target(cox, penalty, state, support, tolerance)
            objective, share = _accept(cox, penalty, state, support, target, objective)
    return False


@jit
def fit_penalty(
    cox: PenalizedCox, penalty: float, state: PathState, chosen: Vector, tolerance: float, most_rounds: int
) -> tuple[Vector, bool]:
    """Fit one penalty from where a path stands.

    Parameters
    ----------
    cox
        Patients and genes.
    penalty
        Lambda.
    state
        Overwritten.
    chosen
        Boolean: the working set to begin with. It grows until the slopes of all other genes allow them to stay 0.
    tolerance, most_rounds
        As in :func:`descend_path`.

    Returns
    -------
    Slope of the log-likelihood per patient along each gene, and whether it converged.
    """
    while True:
        converged = _fit_working(cox, penalty, state, np.flatnonzero(chosen), tolerance, most_rounds)
        slopes = gene_slopes(cox.columns, state.residual)
        waiting = False
        for j in range(slopes.size):
            factor = cox.factor[j]
            if not chosen[j] and factor < np.inf and abs(slopes[j]) > penalty * cox.mixing * factor:
                chosen[j] = waiting = True
        if not converged or not waiting:
            return slopes, converged


def fit_unpenalized(cox: PenalizedCox, tolerance: float, most_rounds: int) -> tuple[PathState, Vector, bool]:
    """Fit what is not penalized, where every path starts.

    Parameters
    ----------
    cox
        Patients and genes.
    tolerance, most_rounds
        As in :func:`descend_path`.

    Returns
    -------
    The state of the path, the slope of the log-likelihood per patient along each gene, and whether it converged.
    """
    genes, n = cox.columns.shape
    state = PathState(np.zeros(genes), np.zeros(n), np.empty(n), np.empty(n), np.zeros(1))
    free = cox.factor == 0.0
    alone = cox._replace(factor=np.where(free, 0.0, np.inf))
    slopes, converged = fit_penalty(alone, 0.0, state, free, tolerance, most_rounds)
    return state, slopes, bool(converged)


def descend_path(
    cox: PenalizedCox,
    penalties: Vector,
    limits: tuple[float, float],
    *,
    tolerance: float,
    most_rounds: int,
    most_genes: int,
    stop_early: bool,
) -> tuple[Matrix, Vector, int]:
    """Coefficients along falling penalties, each from those before it.

    Parameters
    ----------
    cox
        Patients and genes.
    penalties
        Falling.
    limits
        Log-likelihood of no coefficients, and that of a saturated model.
    tolerance
        Largest squared step of a coefficient, in the metric of the information per patient, at which a penalty is done.
    most_rounds
        Rounds over the working set for one penalty.
    most_genes
        The path ends when as many penalized genes have a coefficient.
    stop_early
        Whether it also ends where hardly any deviance is left, or gained.

    Returns
    -------
    Coefficients (penalties that were fitted by genes), their log-likelihoods, and why it ended.
    """
    coefficients, log_likelihoods, ratios = [], [], []
    state, slopes, converged = fit_unpenalized(cox, tolerance, most_rounds)
    ended = PATH_OK if converged else PATH_NOT_CONVERGED
    free, usable = cox.factor == 0.0, np.isfinite(cox.factor)
    for k, penalty in enumerate(penalties):
        if ended != PATH_OK:
            break
        bound = cox.mixing * (2 * penalty - penalties[max(k - 1, 0)])
        chosen = free | (state.b != 0.0)
        chosen[usable] |= np.abs(slopes[usable]) >= cox.factor[usable] * bound
        slopes, converged = fit_penalty(cox, float(penalty), state, chosen, tolerance, most_rounds)
        if not converged:
            ended = PATH_NOT_CONVERGED
            break
        coefficients.append(state.b.copy())
        log_likelihoods.append(float(state.log_likelihood[0]))
        ratios.append((log_likelihoods[k] - limits[0]) / (limits[1] - limits[0]))
        if np.count_nonzero(state.b[~free]) >= most_genes:
            ended = ENOUGH_GENES
        elif stop_early and k + 1 >= LEAST_PENALTIES:
            gain = ratios[k] - ratios[k - LEAST_PENALTIES + 1]
            if gain < SMALLEST_GAIN * ratios[k] or ratios[k] > LARGEST_RATIO:
                ended = SATURATED
    found = np.array(coefficients).reshape(len(coefficients), cox.factor.size)
    return found, np.array(log_likelihoods), ended
