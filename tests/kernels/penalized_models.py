"""Patients and genes as the kernels of penalized Cox models take them, and the likelihood written down plainly."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from chemores_dask.kernels.penalized_cox import PenalizedCox, order_of_risk


def made(seed=0, patients=60, genes=15, *, mixing=1.0, strata=1):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(genes, patients))
    duration = np.ceil(rng.exponential(10 * np.exp(-0.8 * x[0] + 0.6 * x[1])))
    event = rng.random(patients) < 0.7
    order, starts, opens = order_of_risk(duration, np.arange(patients) % strata)
    columns = x[:, order]
    columns = (columns - columns.mean(axis=1, keepdims=True)) / columns.std(axis=1, keepdims=True)
    return PenalizedCox(np.ascontiguousarray(columns), event[order], starts, opens, np.ones(genes), mixing)


def likelihood(cox, b):
    """The partial likelihood, written down patient by patient."""
    exponents, total = b @ cox.columns, 0.0
    borders = np.flatnonzero(np.append(cox.opens, True))
    for lower, upper in pairwise(borders):
        for run in range(lower, upper):
            at_risk = np.log(np.exp(exponents[cox.starts[lower] : cox.starts[run + 1]]).sum())
            own = np.arange(cox.starts[run], cox.starts[run + 1])
            total += sum(exponents[i] - at_risk for i in own if cox.event[i])
    return total
