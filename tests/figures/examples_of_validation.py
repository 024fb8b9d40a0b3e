"""Results of validated signatures and pooled studies."""

from __future__ import annotations

from functools import cache

from chemores_dask.cohort.risk_signature.validate_risk import ValidationOptions
from chemores_dask.testing.nouns import tiny_patients
from chemores_dask.testing.validation_nouns import (
    tiny_leave_one_gene_out,
    tiny_meta_analysis,
    tiny_random_signatures,
    tiny_studies,
)
from tests.cohort.risk_signature.validation_cohorts import cohort, signature, validated


@cache
def _made(name):
    if name == "null":
        return tiny_random_signatures(tiny_patients())
    if name == "left":
        return tiny_leave_one_gene_out(tiny_patients())
    if name == "pooled":
        return tiny_meta_analysis(tiny_studies())
    options = ValidationOptions(draws=30, points=12)
    if name == "bare":
        return validated(signature=signature(baseline=False), options=options)
    patients = cohort()
    patients["months"][3] = float("nan")
    return validated(patients, options=options)


def validation_result():
    return _made("whole").copy(deep=True)


def bare_validation_result():
    return _made("bare").copy(deep=True)


def null_result():
    return _made("null").copy(deep=True)


def left_result():
    return _made("left").copy(deep=True)


def pooled_result():
    return _made("pooled").copy(deep=True)
