from __future__ import annotations

import math

import pytest
import xarray as xr

from chemores_dask.errors import InputError, MissingVariableError, PipelineFileError
from chemores_dask.gene_sets import GeneSets
from chemores_dask.workflow.claims import check_claims, compare_claims, read_claims
from chemores_dask.workflow.steps import Pipeline, Step

CLAIM = """
[[claim]]
name = "share at relapse"
step = "expansion"
variable = "share"
select = { patient = "P2" }
value = 0.26
lower = 0.2
upper = 0.3
source = "a paper"
"""


@pytest.fixture
def claims(tmp_path):
    path = tmp_path / "claims.toml"
    path.write_text(CLAIM)
    return read_claims(path)


def result(values=(0.1, 0.25)):
    return {"expansion": xr.Dataset({"share": ("patient", list(values))}, coords={"patient": ["P1", "P2"]})}


def test_compare_claims__reads_the_labeled_value(claims):
    (outcome,) = compare_claims(claims, results=result())
    assert (outcome.found, outcome.holds, outcome.source) == (0.25, True, "a paper")


def test_compare_claims__does_not_hold_for_no_number(claims):
    (outcome,) = compare_claims(claims, results=result((0.1, math.nan)))
    assert not outcome.holds


@pytest.mark.parametrize(
    ("old", "new", "error", "expected"),
    [
        ('"P2"', '"P9"', InputError, "must have the label 'P9' along 'patient'. Present: P1, P2"),
        ("patient =", "sample =", InputError, "runs over patient, not over 'sample'"),
        ('select = { patient = "P2" }', "", InputError, "must lead to one number"),
        ('variable = "share"', 'variable = "shares"', MissingVariableError, "It has: share"),
    ],
)
def test_compare_claims__names_what_is_not_there(tmp_path, old, new, error, expected):
    path = tmp_path / "claims.toml"
    path.write_text(CLAIM.replace(old, new))
    with pytest.raises(error, match=expected):
        compare_claims(read_claims(path), results=result())


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("lower = 0.2", "lower = 0.4", "must be at most 'upper'"),
        ("value = 0.26", "", "'value' of .*share at relapse.* is missing"),
        ("source", "sauce", "Did you mean source"),
        ("lower = 0.2", "lower = nan", "must be at most"),
    ],
)
def test_read_claims__names_the_mistake(tmp_path, old, new, expected):
    path = tmp_path / "claims.toml"
    path.write_text(CLAIM.replace(old, new))
    with pytest.raises(PipelineFileError, match=expected):
        read_claims(path)


def test_check_claims__refuses_variables_that_the_analysis_lacks(claims):
    pipeline = Pipeline("a", "a", "", 1, GeneSets(()), (), (Step("expansion", "paired_composition", "cube"),))
    with pytest.raises(
        PipelineFileError, match=r"The claim 'share at relapse' must name a variable of the result of 'expansion'"
    ):
        check_claims(claims, pipeline)


def test_check_claims__refuses_steps_that_the_pipeline_lacks(claims):
    pipeline = Pipeline("a", "a", "", 1, GeneSets(()), (), (Step("expansions", "pca", "cells"),))
    with pytest.raises(PipelineFileError, match=r"Got 'expansion'.*Did you mean expansions"):
        check_claims(claims, pipeline)
