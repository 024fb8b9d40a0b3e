"""Patients of another cohort, high or low by a cut-off that was frozen before."""

from __future__ import annotations

import numpy as np
import xarray as xr

from chemores_dask.cohort.outcome import patient_names
from chemores_dask.cohort.survival.frozen_cutoff import SCALES, as_score
from chemores_dask.cohort.survival.survival_cutoff import read_score
from chemores_dask.errors import InputError
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 1

RESULT = declare(
    Variable("applied_cutoff_high", ("patient",), "b", doc="at or above the threshold"),
    Variable("applied_cutoff_group", ("patient",), "U", unit="label", doc="low or high"),
    Variable(
        "applied_cutoff_threshold",
        (),
        "f",
        unit="unit of the score",
        doc="the frozen cut-off as a score of these patients",
    ),
    Variable("applied_cutoff_patients", (), "i", unit="patients"),
    Variable("applied_cutoff_patients_high", (), "i", unit="patients"),
)


def apply_cutoff(patients: xr.Dataset, *, cutoff: xr.Dataset, score: str) -> xr.Dataset:
    """Call patients high or low by a cut-off that was found in another cohort; nothing is fitted to these patients.

    Parameters
    ----------
    patients
        Variables over ``patient``.
    cutoff
        Result of :func:`survival_cutoff`. It is used on the scale on which it was frozen: a quantile and a z score follow the
        distribution of these patients, a score does not.
    score
        Variable with the score of these patients, computed as in the first cohort.

    Returns
    -------
    Dataset: over ``patient`` ``applied_cutoff_high`` and, for curves, ``applied_cutoff_group`` (``"low"``, ``"high"``);
    ``applied_cutoff_threshold`` (a score), ``applied_cutoff_patients`` and ``_patients_high``. The attributes ``threshold_scale``,
    ``threshold_given`` and ``threshold_source`` say what was applied.

    Raises
    ------
    MissingVariableError
        If the score is absent.
    InputError
        If ``cutoff`` is not such a result, or a score is missing.

    Notes
    -----
    Passes over the counts: 0. A log-rank test between these groups needs no correction: the cut-off never saw these patients [1]_.

    References
    ----------
    .. [1] Altman DG, Lausen B, Sauerbrei W, Schumacher M (1994). Dangers of using "optimal" cutpoints in the evaluation of prognostic
       factors. J Natl Cancer Inst 86:829-835.

    Examples
    --------
    >>> frozen = xr.Dataset(attrs={"threshold_scale": "quantile", "threshold_frozen": 0.5, "threshold_source": "a scan"})
    >>> later = xr.Dataset({"risk": ("patient", [5.0, 7.0, 6.0, 8.0])})
    >>> apply_cutoff(later, cutoff=frozen, score="risk")["applied_cutoff_group"].values.tolist()
    ['low', 'high', 'low', 'high']
    """
    caller = "apply_cutoff"
    frozen = cutoff.attrs.get("threshold_frozen")
    scale = cutoff.attrs.get("threshold_scale")
    if scale not in SCALES or frozen is None or not np.isfinite(frozen):
        message = (
            f"The 'cutoff' parameter of {caller} must be a result of survival_cutoff, which says threshold_frozen and threshold_scale. "
            f"Got {frozen!r} on the scale {scale!r}."
        )
        raise InputError(message)
    names = patient_names(patients, caller=caller)
    values = read_score(patients, score, caller=caller)
    threshold = as_score(float(frozen), values, scale=str(scale))
    high = values >= threshold
    return make_result(
        RESULT,
        {
            "applied_cutoff_high": high,
            "applied_cutoff_group": np.where(high, "high", "low"),
            "applied_cutoff_threshold": threshold,
            "applied_cutoff_patients": values.size,
            "applied_cutoff_patients_high": int(high.sum()),
        },
        analysis=caller,
        parameters={"score": score, "cutoff": float(frozen), "scale": scale},
        coordinates={"patient": names},
        attributes={
            "threshold_scale": scale,
            "threshold_given": float(frozen),
            "threshold_source": f"frozen: {cutoff.attrs.get('threshold_source', 'another cohort')}",
        },
    )
