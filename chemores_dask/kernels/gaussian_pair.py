"""Mixtures of two Gaussians, fitted to a histogram by expectation and maximization.

References
----------
Dempster AP, Laird NM, Rubin DB (1977). Maximum likelihood from incomplete data via the EM algorithm. Journal of the Royal Statistical
Society B 39:1-38.

McLachlan GJ, Jones PN (1988). Fitting mixture models to grouped and truncated data via the EM algorithm. Biometrics 44:571-578.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.jit import jit

SPLITS = (0.03, 0.1, 0.25, 0.5, 0.75, 0.9, 0.97)
"""Shares of the values below which a fit starts with the lower Gaussian."""

LEAST_VARIANCE = 1e-6
"""No Gaussian gets narrower than this share of the variance of all values: one of a single value would be infinitely likely."""

TOLERANCE = 1e-11
"""Steps end when the mean logarithm of the likelihood grows by less."""

MOST_STEPS = 20_000
GRID = 1025


@jit
def expectation_steps(
    counts: Vector, values: Vector, start: Matrix, least: float, tolerance: float, most: int
) -> tuple[Matrix, float, int]:
    """Steps of expectation and maximization until the likelihood stays.

    Parameters
    ----------
    counts, values
        How often each value occurs.
    start
        Weight, mean and variance of both Gaussians, Gaussians by row.
    least
        Least variance.
    tolerance
        Steps end when the mean logarithm of the likelihood grows by less.
    most
        The most steps.

    Returns
    -------
    Weights, means and variances; the logarithm of their likelihood; and the number of steps.
    """
    found = start.copy()
    total = counts.sum()
    previous = -np.inf
    likelihood = -np.inf
    steps = 0
    for step in range(most):
        steps = step + 1
        constant = np.log(found[:, 0]) - 0.5 * np.log(2.0 * np.pi * found[:, 2])
        precision = 0.5 / found[:, 2]
        likelihood = 0.0
        mass, first, second = 0.0, 0.0, 0.0
        rest, rest_first, rest_second = 0.0, 0.0, 0.0
        for place in range(len(values)):
            value, count = values[place], counts[place]
            lower = constant[0] - precision[0] * (value - found[0, 1]) ** 2
            upper = constant[1] - precision[1] * (value - found[1, 1]) ** 2
            larger = max(lower, upper)
            both = math.exp(lower - larger) + math.exp(upper - larger)
            likelihood += count * (larger + math.log(both))
            part = count * math.exp(upper - larger) / both
            other = count - part
            mass += part
            first += part * value
            second += part * value * value
            rest += other
            rest_first += other * value
            rest_second += other * value * value
        if likelihood - previous < tolerance * total or mass <= 0.0 or rest <= 0.0:
            break
        previous = likelihood
        found[0] = np.array(
            [rest / total, rest_first / rest, max(rest_second / rest - (rest_first / rest) ** 2, least)]
        )
        found[1] = np.array([mass / total, first / mass, max(second / mass - (first / mass) ** 2, least)])
    return found, likelihood, steps


@dataclass(frozen=True)
class GaussianPair:
    """Two Gaussians, the lower mean first.

    Attributes
    ----------
    weights, means, variances
        Of both.
    log_likelihood
        Of the values.
    """

    weights: Vector
    means: Vector
    variances: Vector
    log_likelihood: float

    @property
    def start(self) -> Matrix:
        """As a start of another fit."""
        return np.column_stack((self.weights, self.means, self.variances))


def fit_pair(counts: Vector, values: Vector, *, starts: list[Matrix] | None = None) -> GaussianPair:
    """Fit two Gaussians to a histogram.

    Parameters
    ----------
    counts, values
        How often each value occurs; values ascend, and should have mean 0 and variance 1 or near.
    starts
        Where to start; from the moments below and above seven quantiles unless given.

    Returns
    -------
    The most likely of the fits, the first of equals.
    """
    total = counts.sum()
    mean = (counts * values).sum() / total
    least = LEAST_VARIANCE * (counts * (values - mean) ** 2).sum() / total
    best: GaussianPair | None = None
    for start in split_starts(counts, values, least=least) if starts is None else starts:
        found, likelihood, _ = expectation_steps(counts, values, start, least, TOLERANCE, MOST_STEPS)
        if best is None or likelihood > best.log_likelihood:
            found = found[np.argsort(found[:, 1], kind="stable")]
            best = GaussianPair(found[:, 0], found[:, 1], found[:, 2], likelihood)
    if best is None:
        message = "Two Gaussians need two different values, or a start."
        raise ValueError(message)
    return best


def split_starts(counts: Vector, values: Vector, *, least: float) -> list[Matrix]:
    """Weights, means and variances below and above some quantiles.

    Parameters
    ----------
    counts, values
        How often each value occurs; values ascend.
    least
        Least variance.

    Returns
    -------
    One start per cut that leaves values on both sides, without repeats.
    """
    shares = np.cumsum(counts) / counts.sum()
    cuts = sorted({int(np.clip(np.searchsorted(shares, split) + 1, 1, len(values) - 1)) for split in SPLITS})
    starts = []
    for cut in cuts if len(values) > 1 else []:
        sides = []
        for part in (slice(None, cut), slice(cut, None)):
            mass = counts[part].sum()
            mean = (counts[part] * values[part]).sum() / mass
            variance = (counts[part] * (values[part] - mean) ** 2).sum() / mass
            sides.append([mass / counts.sum(), mean, max(variance, least)])
        starts.append(np.array(sides))
    return starts


def crossing(pair: GaussianPair) -> float:
    """Where both Gaussians are equally likely, between their means.

    Parameters
    ----------
    pair
        The Gaussians.

    Returns
    -------
    The value above which the upper Gaussian is the likelier one; not a number where one of them is so all the way.
    """
    low, high = float(pair.means[0]), float(pair.means[1])
    if not (_lead(pair, low) < 0 < _lead(pair, high)):
        return float("nan")
    # The lead has one root between the means; halving finds it to the last digit.
    while True:
        middle = low / 2 + high / 2
        if not low < middle < high:
            return high
        low, high = (middle, high) if _lead(pair, middle) < 0 else (low, middle)


def valley_depth(pair: GaussianPair) -> float:
    """How far the density of both falls between the means: 1 less its least value there over the lower of the peaks beside.

    Parameters
    ----------
    pair
        The Gaussians.

    Returns
    -------
    0 where the density has one peak.
    """
    grid = np.linspace(pair.means[0], pair.means[1], GRID)
    parts = [
        weight / np.sqrt(variance) * np.exp(-((grid - mean) ** 2) / (2 * variance))
        for weight, mean, variance in zip(pair.weights, pair.means, pair.variances, strict=True)
    ]
    density = parts[0] + parts[1]
    lowest = int(np.argmin(density))
    peak = min(density[: lowest + 1].max(), density[lowest:].max())
    return float(1.0 - density[lowest] / peak) if peak > 0 else 0.0


def _lead(pair: GaussianPair, value: float) -> float:
    """Logarithm of the odds for the upper Gaussian."""
    logs = np.log(pair.weights) - 0.5 * np.log(pair.variances) - (value - pair.means) ** 2 / (2 * pair.variances)
    return float(logs[1] - logs[0])
