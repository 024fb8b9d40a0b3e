"""Hazard ratios of a risk in a cohort."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.cox import CONSTANT, risk_order
from chemores_dask.kernels.cox_columns import GeneModel, scan_genes

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
    return fit_risks(risk[None, :], duration, event)[0]


def fit_risks(risks: Matrix, duration: Vector, event: Vector) -> list[RiskHazard]:
    """Fit the hazard of each of some risks, alone.

    Parameters
    ----------
    risks
        Risks by patients.
    duration, event
        Outcome.

    Returns
    -------
    One model per risk.
    """
    n, none = duration.size, np.zeros(0)
    order, at_risk = risk_order(duration, event, np.full(n, -np.inf), np.zeros(n, dtype=np.int64))
    model = GeneModel(order, at_risk, np.zeros((n, 0)), none, none, none.astype(np.int64), EFRON, MOST_STEPS)
    estimates, status, _ = scan_genes(np.ascontiguousarray(risks, dtype=np.float64), model)
    deviation = np.where(status == CONSTANT, 0.0, risks.std(axis=1))
    return [
        RiskHazard(float(slope), float(error), float(spread), int(flag))
        for slope, error, spread, flag in zip(
            estimates["coefficient"], estimates["error"], deviation, status, strict=True
        )
    ]
