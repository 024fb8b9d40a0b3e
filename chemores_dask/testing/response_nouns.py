"""Tiny patients with responses to therapy, and calls of the analyses of response on them."""

from __future__ import annotations

import numpy as np
import xarray as xr

from chemores_dask.cohort.response.classifier_performance import PerformanceOptions, classifier_performance
from chemores_dask.cohort.response.necrosis_association import necrosis_association
from chemores_dask.cohort.response.ordinal_regression import ordinal_regression
from chemores_dask.cohort.response.response_groups import response_groups
from chemores_dask.cohort.response.response_scan import response_scan


def with_responses(patients: xr.Dataset) -> xr.Dataset:
    """The tiny patients with a score, a response at day 29 (three unknown), and the necrosis of the tumor (two unknown).

    Parameters
    ----------
    patients
        Of :func:`~chemores_dask.testing.nouns.tiny_patients`.

    Returns
    -------
    Dataset with ``stemness``, ``total``, ``day_29``, ``necrosis`` and ``discovery`` over ``patient``.
    """
    n = patients.sizes["patient"]
    generator = np.random.default_rng(13)
    score = generator.normal(size=n)
    hidden = score + generator.logistic(scale=0.8, size=n)
    response = np.array(["M1", "M2", "M3"], dtype=object)[np.digitize(hidden, [-0.4, 0.9])]
    response[[4, 17, 30]] = ["Unknown", "", "Unknown"]
    necrosis = np.clip(np.round(75 - 14 * hidden + generator.normal(0, 12, size=n)), 0, 100)
    necrosis[[2, 11]] = np.nan
    return patients.assign(
        stemness=("patient", score),
        total=("patient", generator.lognormal(15, 0.3, size=n)),
        day_29=("patient", response),
        necrosis=("patient", necrosis),
        discovery=("patient", np.arange(n) % 2 == 0),
    )


def tiny_response_groups(patients: xr.Dataset) -> xr.Dataset:
    """Scores between responses."""
    return response_groups(with_responses(patients), score="stemness", response="day_29", depth="total")


def tiny_ordinal_regression(patients: xr.Dataset) -> xr.Dataset:
    """Responses modeled by the score."""
    return ordinal_regression(with_responses(patients), response="day_29", formula="~ stemness")


def tiny_necrosis_association(patients: xr.Dataset) -> xr.Dataset:
    """Score and necrosis."""
    return necrosis_association(
        with_responses(patients), score="stemness", necrosis="necrosis", good_from=75.0, penalty="firth"
    )


def tiny_classifier_performance(patients: xr.Dataset) -> xr.Dataset:
    """The score as a classifier, trained on half of the patients."""
    return classifier_performance(
        with_responses(patients),
        score="stemness",
        response="day_29",
        positive=["M3"],
        training="discovery",
        against="age",
        options=PerformanceOptions(draws=50, bins=4),
        seed=3,
    )


def tiny_response_scan(patients: xr.Dataset) -> xr.Dataset:
    """Every gene against the response."""
    return response_scan(with_responses(patients), response="day_29", order=["M1", "M2", "M3"])
