"""Pairs of beta-binomial counts with a normal effect of the patient: the likelihood, and its maximum.

For patient p at stage j: ``x ~ BetaBinomial(n, mu, rho)``, ``logit mu = a + b z_j + sigma u_p``, ``u_p ~ N(0, 1)``, ``z = -1/2, +1/2``. The
integral over ``u`` is by adaptive Gauss-Hermite quadrature. Parameters stand as ``(a, b, log sigma, logit rho)``.

References
----------
Pinheiro JC, Bates DM (1995). Approximations to the log-likelihood function in the nonlinear mixed-effects model. JCGS 4:12-35.
"""

from __future__ import annotations

import math

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.jit import jit

PARAMETERS = 4
EFFECT = 1
"""Position of the effect of the stage among the parameters."""

NODES, _WEIGHTS = np.polynomial.hermite.hermgauss(15)
LOG_WEIGHTS = np.log(_WEIGHTS) + NODES**2
"""Of the nodes of the quadrature: ``log(weight) + node^2``."""

WIDEST = 20.0
"""Bound of the log odds and of the effect."""

LOG_SPREADS = (-6.0, 2.5)
"""Bounds of the logarithm of sigma."""

MOST_STEPS = 200
SMALL_GAIN, SMALL_SLOPE = 1e-7, 1e-4
"""Of the log likelihood, below which the search ends."""

STIRLING = 20.0


@jit
def log_rise(start: float, steps: float) -> float:
    """``log Gamma(start + steps) - log Gamma(start)`` without cancellation where ``start`` is large.

    Parameters
    ----------
    start
        Above 0.
    steps
        0 or more.

    Returns
    -------
    The difference.
    """
    if start < STIRLING:
        return math.lgamma(start + steps) - math.lgamma(start)
    end = start + steps
    series = (1 / end - 1 / start) / 12 - (1 / end**3 - 1 / start**3) / 360 + (1 / end**5 - 1 / start**5) / 1260
    return (start - 0.5) * math.log1p(steps / start) + steps * (math.log(end) - 1.0) + series


@jit
def digamma_rise(start: float, steps: float) -> float:
    """``psi(start + steps) - psi(start)`` without cancellation where ``start`` is large.

    Parameters
    ----------
    start
        Above 0.
    steps
        0 or more.

    Returns
    -------
    The difference.
    """
    if steps == 0.0:
        return 0.0
    end, shift = start + steps, 0.0
    while start < STIRLING:
        shift += 1 / start
        start += 1.0
    while end < STIRLING:
        shift -= 1 / end
        end += 1.0
    a, b = 1 / (end * end), 1 / (start * start)
    series = (a - b) / 12 - (a * a - b * b) / 120 + (a**3 - b**3) / 252 - (a**4 - b**4) / 240
    return shift + math.log(end / start) - 0.5 * (1 / end - 1 / start) - series


@jit
def log_share(x: float, n: float, eta: float, size: float) -> float:
    """Logarithm of the beta-binomial probability of ``x`` of ``n``, without the binomial coefficient.

    Parameters
    ----------
    x, n
        Found, of how many.
    eta
        Log odds of the mean.
    size
        ``(1 - rho) / rho``, the sum of both parameters of the beta distribution.

    Returns
    -------
    The logarithm.
    """
    mu = 1 / (1 + math.exp(-eta))
    rest = 1 / (1 + math.exp(eta))
    return log_rise(size * mu, x) + log_rise(size * rest, n - x) - log_rise(size, n)


@jit
def slopes(x: float, n: float, eta: float, size: float) -> tuple[float, float]:
    """Derivatives of :func:`log_share` by the log odds and by the logarithm of ``size``.

    Parameters
    ----------
    x, n, eta, size
        As for :func:`log_share`.

    Returns
    -------
    Both derivatives.
    """
    mu = 1 / (1 + math.exp(-eta))
    rest = 1 / (1 + math.exp(eta))
    up, down = digamma_rise(size * mu, x), digamma_rise(size * rest, n - x)
    return size * mu * rest * (up - down), size * (mu * up + rest * down - digamma_rise(size, n))


@jit
def _pull(u: float, found: Vector, total: Vector, etas: Vector, sigma: float, size: float) -> float:
    """Derivative of the logarithm of the integrand at ``u``."""
    slope = -u
    for stage in range(found.size):
        slope += sigma * slopes(found[stage], total[stage], etas[stage] + sigma * u, size)[0]
    return slope


@jit
def _peak(found: Vector, total: Vector, etas: Vector, sigma: float, size: float) -> tuple[float, float]:
    """Where the integrand is largest, and how wide it is there."""
    low, high, u = -40.0, 40.0, 0.0
    for _ in range(80):
        slope = _pull(u, found, total, etas, sigma, size)
        if slope > 0:
            low = u
        else:
            high = u
        curvature = 1.0
        for stage in range(found.size):
            mu = 1 / (1 + math.exp(-(etas[stage] + sigma * u)))
            curvature += sigma**2 * total[stage] * mu * (1 - mu) / (1 + (total[stage] - 1) / (1 + size))
        step = slope / curvature
        if not low < u + step < high:
            step = (low + high) / 2 - u
        u += step
        if abs(step) < 1e-9:
            break
    bend = (_pull(u - 1e-4, found, total, etas, sigma, size) - _pull(u + 1e-4, found, total, etas, sigma, size)) / 2e-4
    return u, 1 / math.sqrt(max(bend, 0.1))


@jit
def log_likelihood(
    theta: Vector, found: Matrix, total: Matrix, nodes: Vector, log_weights: Vector, gradient: Vector
) -> float:
    """Marginal log likelihood, without binomial coefficients.

    Parameters
    ----------
    theta
        ``(a, b, log sigma, logit rho)``.
    found, total
        Patients by (before, after), float64.
    nodes, log_weights
        Of Gauss-Hermite quadrature; ``log(weight) + node^2``.
    gradient
        Is overwritten by the derivatives.

    Returns
    -------
    The log likelihood.
    """
    sigma, size = math.exp(theta[2]), math.exp(-theta[3])
    etas = np.array([theta[0] - theta[1] / 2, theta[0] + theta[1] / 2])
    sums = np.empty((nodes.size, PARAMETERS))
    logs = np.empty(nodes.size)
    gradient[:] = 0.0
    whole = 0.0
    for patient in range(found.shape[0]):
        center, width = _peak(found[patient], total[patient], etas, sigma, size)
        sums[:] = 0.0
        for node in range(nodes.size):
            u = center + math.sqrt(2.0) * width * nodes[node]
            logs[node] = log_weights[node] - u * u / 2
            for stage in range(2):
                x, n, eta = found[patient, stage], total[patient, stage], etas[stage] + sigma * u
                logs[node] += log_share(x, n, eta, size)
                by_eta, by_size = slopes(x, n, eta, size)
                sums[node, 0] += by_eta
                sums[node, 1] += by_eta * (stage - 0.5)
                sums[node, 2] += by_eta * sigma * u
                sums[node, 3] -= by_size
        largest = logs.max()
        weights = np.exp(logs - largest)
        weight = weights.sum()
        whole += largest + math.log(weight * width / math.sqrt(math.pi))
        for parameter in range(PARAMETERS):
            gradient[parameter] += (weights * sums[:, parameter]).sum() / weight
    return whole


@jit
def _bounded(theta: Vector, bounds: Matrix, gradient: Vector, free: Vector) -> Vector:
    """Parameters drawn into their bounds; derivatives that lead out of them, or of fixed parameters, become 0."""
    inside = theta.copy()
    for parameter in range(PARAMETERS):
        inside[parameter] = min(max(theta[parameter], bounds[parameter, 0]), bounds[parameter, 1])
        at_low = inside[parameter] == bounds[parameter, 0] and gradient[parameter] < 0
        at_high = inside[parameter] == bounds[parameter, 1] and gradient[parameter] > 0
        if at_low or at_high or not free[parameter]:
            gradient[parameter] = 0.0
    return inside


@jit
def climb(
    theta: Vector, free: Vector, bounds: Matrix, found: Matrix, total: Matrix, nodes: Vector, log_weights: Vector
) -> float:
    """Maximum of the log likelihood by BFGS steps within bounds.

    Parameters
    ----------
    theta
        Where to start; is overwritten by the maximum.
    free
        Which parameters may move.
    bounds
        Lower and upper bound of each parameter.
    found, total, nodes, log_weights
        As for :func:`log_likelihood`.

    Returns
    -------
    The log likelihood there.
    """
    gradient, new = np.empty(PARAMETERS), np.empty(PARAMETERS)
    height = log_likelihood(theta, found, total, nodes, log_weights, gradient)
    _bounded(theta, bounds, gradient, free)
    inverse, fresh, calm = np.eye(PARAMETERS), True, 0
    for _ in range(MOST_STEPS):
        step = inverse @ gradient
        length = np.sqrt((step**2).sum())
        if fresh and length > 0.5:
            step *= 0.5 / length
        elif length > 3.0:
            step *= 3.0 / length
        gain, share, moved = 0.0, 1.0, theta
        for _ in range(30):
            moved = _bounded(theta + share * step, bounds, np.zeros(PARAMETERS), free)
            gain = log_likelihood(moved, found, total, nodes, log_weights, new) - height
            if gain >= 1e-4 * (gradient * (moved - theta)).sum():
                break
            share /= 2
        if not gain > 0:
            if fresh:
                break
            inverse, fresh = np.eye(PARAMETERS), True
            continue
        _bounded(moved, bounds, new, free)
        change, bend = moved - theta, gradient - new
        product = (change * bend).sum()
        if product > 1e-12:
            if fresh:
                inverse = np.eye(PARAMETERS) * (product / (bend**2).sum())
            left = np.eye(PARAMETERS) - np.outer(change, bend) / product
            inverse = left @ inverse @ left.T + np.outer(change, change) / product
            fresh = False
        theta[:], gradient[:] = moved, new
        height += gain
        calm = calm + 1 if gain < SMALL_GAIN else 0
        if calm > 1 or np.abs(gradient).max() < SMALL_SLOPE:
            break
    return height
