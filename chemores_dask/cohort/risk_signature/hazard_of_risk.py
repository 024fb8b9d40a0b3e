"""Hazard ratios of a risk in a cohort."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from chemores_dask.aliases import Vector
from chemores_dask.kernels.cox import CONSTANT, OK, fit_cox, risk_order, standardize

MOST_STEPS = 50
EFRON = True


@dataclass(frozen=True)
class RiskHazard:
    """A Cox model of one risk, by Efron's treatment of ties.

    Attributes
    ----------
    coefficient, standard_error
        Log hazard ratio per unit of the risk; not a number where the model has no finite estimate.
    deviation
        Standard deviation of the risk (of the patients: divided by n).
    status
        Of the model.
    """

    coefficient: float
    standard_error: float
    deviation: float
    status: int

    @property
    def p_value(self) -> float:
        """Two-sided Wald test that the hazard does not depend on the risk."""
        return float(2 * ndtr(-abs(self.coefficient / self.standard_error)))

    def limits(self, level: float, *, unit: float = 1.0) -> tuple[float, float, float]:
        """Log hazard ratio per some units of the risk, with Wald limits."""
        reach = float(ndtri(0.5 + level / 2)) * self.standard_error
        return unit * self.coefficient, unit * (self.coefficient - reach), unit * (self.coefficient + reach)


def fit_risk(risk: Vector, duration: Vector, event: Vector) -> RiskHazard:
    """Fit the hazard of a risk.

    Parameters
    ----------
    risk
        One per patient.
    duration, event
        Outcome.

    Returns
    -------
    The model.
    """
    columns, _, spread = standardize(risk[:, None])
    if spread[0] == 0:
        return RiskHazard(np.nan, np.nan, 0.0, CONSTANT)
    order, at_risk = risk_order(duration, event, np.full(risk.size, -np.inf), np.zeros(risk.size, dtype=np.int64))
    b, covariance, _, _, status = fit_cox(np.ascontiguousarray(columns[order]), at_risk, EFRON, np.zeros(1), MOST_STEPS)
    if status != OK:
        return RiskHazard(np.nan, np.nan, float(spread[0]), int(status))
    return RiskHazard(float(b[0] / spread[0]), float(np.sqrt(covariance[0, 0]) / spread[0]), float(spread[0]), OK)
