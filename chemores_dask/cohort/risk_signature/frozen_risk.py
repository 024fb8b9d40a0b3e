"""What a frozen signature says of the patients of a cohort: risk, cut-off and survival."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.cohort.risk_signature.risk_prediction import CUTOFF_SCALES, SPREAD_TOLERANCE, predict_risk
from chemores_dask.errors import InputError

BASELINE = "risk_signature_baseline_hazard"
NOTHING_MEASURED, LITTLE_MEASURED = 1, 2

LARGEST_RISK = 600.0
"""A hazard e^600 times the baseline kills at the first death; a larger one would only overflow."""


@dataclass(frozen=True)
class FrozenRisk:
    """The risk of every patient of a cohort.

    Attributes
    ----------
    risk
        Higher for a shorter life; not a number where there is none.
    unscored
        Why there is none, by number of a reason.
    high
        Whether it lies above the cut-off, where there is one.
    cutoff_origin
        Where that cut-off comes from.
    baseline_times, baseline_hazard
        Cumulative hazard at risk 0 from each time on; nothing where the risk predicts no survival.
    """

    risk: Vector
    unscored: Vector
    high: Vector | None
    cutoff_origin: str
    baseline_times: Vector | None = None
    baseline_hazard: Vector | None = None

    def survival(self, rows: Vector, times: Vector, *, landmark: float) -> Matrix | None:
        """Predicted probability to live beyond some times, for those who live beyond the landmark.

        Parameters
        ----------
        rows
            Patients.
        times
            After the landmark.
        landmark
            Time up to which everybody lives.

        Returns
        -------
        Patients by times; None where nothing is predicted.
        """
        if self.baseline_times is None or self.baseline_hazard is None:
            return None
        steps = np.append(0.0, self.baseline_hazard)
        until = steps[np.searchsorted(self.baseline_times, times, side="right")]
        since = steps[np.searchsorted(self.baseline_times, landmark, side="right")] if landmark > 0 else 0.0
        relative = np.exp(np.minimum(self.risk[rows], LARGEST_RISK))
        return np.asarray(np.exp(-relative[:, None] * (until - since)[None, :]))


def predict_frozen(
    patients: xr.Dataset, signature: xr.Dataset, *, expression: str, standardize: str, minimum_weight: float
) -> FrozenRisk:
    """Predict the risk of every patient by a signature.

    Parameters
    ----------
    patients
        With expression over (patient, gene).
    signature
        Result of ``fit_risk_signature``.
    expression
        Variable.
    standardize, minimum_weight
        As of ``predict_risk``.

    Returns
    -------
    The risk.
    """
    found = predict_risk(
        patients, signature=signature, expression=expression, standardize=standardize, minimum_weight=minimum_weight
    )
    risk = found["risk_score"].to_numpy().astype(float)
    nothing = found["risk_missing_share"].to_numpy() >= 1 - SPREAD_TOLERANCE
    unscored = np.where(nothing, NOTHING_MEASURED, LITTLE_MEASURED)
    scale = CUTOFF_SCALES[int(found["risk_cutoff_scale"])]
    high = found["risk_high"].to_numpy().astype(bool)
    origin = f"frozen with the signature, on the scale: {scale}"
    if BASELINE not in signature:
        return FrozenRisk(risk, unscored, high, origin)
    times = signature["time"].to_numpy().astype(float)
    hazard = signature[BASELINE].to_numpy().astype(float)
    if (np.diff(times) <= 0).any() or (np.diff(hazard) < 0).any() or not np.isfinite(hazard).all():
        message = (
            f"The baseline hazard of a signature must rise along rising times. Not so for {BASELINE!r}; take the signature "
            "as it was made."
        )
        raise InputError(message)
    return FrozenRisk(risk, unscored, high, origin, times, hazard)
