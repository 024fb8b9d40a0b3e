"""The likelihood ratio test of the stage in pairs of beta-binomial counts, and how large the ratio is where nothing changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc, chdtri, logit

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.beta_binomial import (
    EFFECT,
    LOG_SPREADS,
    LOG_WEIGHTS,
    NODES,
    PARAMETERS,
    WIDEST,
    climb,
)
from chemores_dask.kernels.jit import jit

STARTS = ((-0.4, -4.0), (-2.0, -2.5), (0.5, -6.0))
"""Log sigma and logit rho from which the search sets out."""

LEAST_SPREAD = -2.0
LEAST_CORRELATION, LARGEST_CORRELATION = -4.0, -3.0
"""Log sigma and logit rho from which tables are searched: near a bound of either the slope vanishes, and a search from there stays."""

FREE = np.ones(PARAMETERS, dtype=np.bool_)
WITHOUT_EFFECT = np.arange(PARAMETERS) != EFFECT


@dataclass(frozen=True)
class PairFit:
    """Both models of one state.

    Attributes
    ----------
    null, full
        ``(a, b, log sigma, logit rho)`` without and with an effect of the stage.
    ratio
        Twice the difference of the log likelihoods.
    """

    null: Vector
    full: Vector
    ratio: float


def fit_pairs(found: Matrix, total: Matrix) -> PairFit:
    """Fit pairs of counts with and without an effect of the stage.

    Parameters
    ----------
    found, total
        Patients by (before, after), float64; some found, and not all.

    Returns
    -------
    Both fits, the best of three starts each.
    """
    bounds = bounds_of(total)
    center = float(np.clip(logit((found.sum() + 0.5) / (total.sum() + 1)), -WIDEST, WIDEST))
    sides = logit((found.sum(axis=0) + 0.5) / (total.sum(axis=0) + 1))
    null = _best([np.array([center, 0.0, *start]) for start in STARTS], WITHOUT_EFFECT, bounds, found, total)
    starts = [null[1].copy(), *(np.array([sides.mean(), sides[1] - sides[0], *start]) for start in STARTS)]
    full = _best(starts, FREE, bounds, found, total)
    return PairFit(null[1], full[1], max(2 * (full[0] - null[0]), 0.0))


def bounds_of(total: Matrix) -> Matrix:
    """Bounds of the parameters: down to a rho that changes no variance by more than a thousandth.

    Parameters
    ----------
    total
        Cells.

    Returns
    -------
    Parameters by (lower, upper).
    """
    lowest = -float(np.log(total.max())) - 7.0
    return np.array([[-WIDEST, WIDEST], [-WIDEST, WIDEST], LOG_SPREADS, [lowest, 3.0]])


def null_draws(null: Vector, total: Matrix, *, draws: int, generator: np.random.Generator) -> np.ndarray:
    """Draw counts from the model without an effect.

    Parameters
    ----------
    null
        Its parameters.
    total
        Patients by stages.
    draws
        How many tables.
    generator
        Source of chance.

    Returns
    -------
    Draws by patients by stages, float64.
    """
    patients = len(total)
    size = float(np.exp(-null[3]))
    eta = null[0] + np.exp(null[2]) * generator.standard_normal((draws, patients, 1))
    mean = np.broadcast_to(np.clip(1 / (1 + np.exp(-eta)), 1e-12, 1 - 1e-12), (draws, patients, 2))
    shares = generator.beta(size * mean, size * (1 - mean))
    return generator.binomial(total.astype(np.int64), shares).astype(np.float64)


@jit
def draw_ratios(
    tables: np.ndarray, total: Matrix, null: Vector, bounds: Matrix, nodes: Vector, log_weights: Vector
) -> Vector:
    """Likelihood ratios of tables drawn without an effect.

    Parameters
    ----------
    tables
        Draws by patients by stages.
    total
        Patients by stages.
    null
        Parameters that they were drawn with: the search starts near them, but away from the bounds of both spreads.
    bounds
        As for :func:`~chemores_dask.kernels.beta_binomial.climb`.
    nodes, log_weights
        Of the quadrature.

    Returns
    -------
    One per table; not a number where none or all cells are found.
    """
    ratios = np.full(tables.shape[0], np.nan)
    free = np.array([True, True, True, True])
    without = np.array([True, False, True, True])
    for draw in range(tables.shape[0]):
        found = tables[draw]
        if found.sum() == 0 or found.sum() == total.sum():
            continue
        theta = null.copy()
        theta[2] = max(theta[2], LEAST_SPREAD)
        theta[3] = min(max(theta[3], LEAST_CORRELATION), LARGEST_CORRELATION)
        low = climb(theta, without, bounds, found, total, nodes, log_weights)
        theta[2] = max(theta[2], LEAST_SPREAD)
        theta[3] = min(max(theta[3], LEAST_CORRELATION), LARGEST_CORRELATION)
        high = climb(theta, free, bounds, found, total, nodes, log_weights)
        ratios[draw] = max(2 * (high - low), 0.0)
    return ratios


def bartlett_factor(null: Vector, total: Matrix, *, draws: int, generator: np.random.Generator) -> float:
    """Mean of the likelihood ratio where nothing changes: 1 in endless samples, and more in small ones.

    Parameters
    ----------
    null, total, draws, generator
        As for :func:`null_draws`.

    Returns
    -------
    The mean over draws.
    """
    tables = null_draws(null, total, draws=draws, generator=generator)
    ratios = draw_ratios(tables, total, null, bounds_of(total), NODES, LOG_WEIGHTS)
    known = ratios[~np.isnan(ratios)]
    return float(known.mean()) if known.size else 1.0


def ratio_p_value(ratio: float, factor: float) -> float:
    """P value of a likelihood ratio that is divided by its mean without an effect.

    Parameters
    ----------
    ratio
        Twice the difference of the log likelihoods.
    factor
        Its mean without an effect.

    Returns
    -------
    Upper tail of chi-square with one degree of freedom.
    """
    return float(chdtrc(1, ratio / factor))


def effect_limits(fit: PairFit, found: Matrix, total: Matrix, *, factor: float, level: float) -> tuple[float, float]:
    """Limits of the effect: values that the corrected test does not refuse.

    Parameters
    ----------
    fit
        Both models.
    found, total
        As for :func:`fit_pairs`.
    factor
        Of the correction.
    level
        Coverage.

    Returns
    -------
    Lower and upper limit; infinite beyond a log odds ratio of 20.
    """
    bounds = bounds_of(total)
    allowed = factor * float(chdtri(1, 1 - level))
    top = _height(fit.full.copy(), FREE, bounds, found, total)
    limits = []
    for side in (-1.0, 1.0):
        inside, outside, theta, reach = fit.full[EFFECT], np.nan, fit.full.copy(), 0.5
        while np.isnan(outside) and abs(inside) < WIDEST:
            tried = inside + side * reach
            theta[EFFECT] = tried
            if 2 * (top - _height(theta, WITHOUT_EFFECT, bounds, found, total)) > allowed:
                outside = tried
            else:
                inside, reach = tried, 2 * reach
        if np.isnan(outside):
            limits.append(side * np.inf)
            continue
        while abs(outside - inside) > 1e-4:
            theta[EFFECT] = (inside + outside) / 2
            refused = 2 * (top - _height(theta, WITHOUT_EFFECT, bounds, found, total)) > allowed
            inside, outside = (inside, theta[EFFECT]) if refused else (theta[EFFECT], outside)
        limits.append((inside + outside) / 2)
    return float(limits[0]), float(limits[1])


def _height(theta: Vector, free: Vector, bounds: Matrix, found: Matrix, total: Matrix) -> float:
    height: float = climb(theta, free, bounds, found, total, NODES, LOG_WEIGHTS)
    return height


def _best(starts: list[Vector], free: Vector, bounds: Matrix, found: Matrix, total: Matrix) -> tuple[float, Vector]:
    heights = [_height(start, free, bounds, found, total) for start in starts]
    best = int(np.argmax(heights))
    return heights[best], starts[best]
