"""Results of the analyses of response, on tiny patients."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np

from chemores_dask.cohort.response.classifier_performance import PerformanceOptions, classifier_performance
from chemores_dask.cohort.response.response_groups import response_groups
from chemores_dask.errors import ChemoresWarning
from chemores_dask.testing.nouns import tiny_patients
from chemores_dask.testing.response_nouns import (
    tiny_necrosis_association,
    tiny_response_groups,
    tiny_response_scan,
    with_responses,
)


@cache
def _made(name, patients=None):
    cohort = with_responses(tiny_patients())
    if patients is not None:
        cohort = cohort.isel(patient=slice(0, patients))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ChemoresWarning)
        if name == "groups":
            return tiny_response_groups(tiny_patients())
        if name == "necrosis":
            return tiny_necrosis_association(tiny_patients())
        if name == "few":
            return response_groups(cohort, score="stemness", response="day_29")
        if name == "many":
            labels = np.array([f"response {number}" for number in range(6)], dtype=object)
            cohort = cohort.assign(many=("patient", labels[np.arange(cohort.sizes["patient"]) % 6]))
            return response_groups(cohort, score="stemness", response="many", order=labels.tolist())
        if name == "separated":
            parted = cohort.assign(stemness=("patient", (cohort["day_29"].values == "M3") * 1.0))
            return _performance(parted)
        return _performance(cohort)


def _performance(cohort):
    return classifier_performance(
        cohort,
        score="stemness",
        response="day_29",
        positive=["M3"],
        against="age",
        options=PerformanceOptions(draws=50, bins=5),
        seed=3,
    )


def groups_result():
    return _made("groups").copy(deep=True)


def few_patients_result():
    return _made("few", 9).copy(deep=True)


def many_groups_result():
    return _made("many").copy(deep=True)


def performance_result():
    return _made("performance").copy(deep=True)


def separated_result():
    return _made("separated").copy(deep=True)


def necrosis_result():
    return _made("necrosis").copy(deep=True)


def response_scan_result():
    return tiny_response_scan(tiny_patients())
