from __future__ import annotations

import pytest

from chemores_dask.auditor.study_design import PlannedContrast
from chemores_dask.workflow.step_contrasts import step_contrasts
from tests.auditor.designs import clean_samples

SAMPLES = clean_samples().assign(relapse_type=[None, *["one", "two", "one"] * 5])


def read(**arguments):
    return step_contrasts(arguments, SAMPLES, patient="patient", paired=False, where=())


def test_step_contrasts__of_two_stages():
    (found,) = step_contrasts(
        {"stage": "stage", "before": "diagnosis", "after": "relapse"},
        SAMPLES,
        patient="patient",
        paired=True,
        where=(("batch", ("A",)),),
    )
    assert found == PlannedContrast("stage", "diagnosis", "relapse", paired=True, where=(("batch", ("A",)),))
    # Values that no sample has are for the audit to find.
    assert read(stage="stage", before="pre", after="post")[0].first == "pre"
    assert read(stage="moment", before="pre", after="post") == ()
    assert read(stage="stage", before="pre", after="pre") == ()


@pytest.mark.parametrize(
    ("formula", "contrast", "expected"),
    [
        ("~ patient + stage", "stage[T.relapse]", ("diagnosis", "relapse", True)),
        ("~ subtype + stage", "stage[T.relapse]", ("diagnosis", "relapse", False)),
        ("~ stage", "stage", ("diagnosis", "relapse", False)),
        (
            "~ C(stage, contr.treatment('relapse'))",
            "C(stage, contr.treatment('relapse'))[T.diagnosis]",
            ("relapse", "diagnosis", False),
        ),
    ],
)
def test_step_contrasts__of_a_column_of_a_design(formula, contrast, expected):
    for name in ("contrast", "term"):
        (found,) = read(formula=formula, **{name: contrast})
        assert (found.first, found.second, found.paired) == expected
        assert found.formula == formula


@pytest.mark.parametrize(
    "arguments",
    [
        {"formula": "~ score", "contrast": "score"},  # joined, not known before the run
        {"formula": "~ relapse_type", "contrast": "relapse_type[T.two]"},  # not known for every sample
        {"formula": "~ stage", "contrast": "stage[T.remission]"},
        {"formula": "~ cells", "contrast": {"cells": 1.0}},
        {"group": "sample"},
        {"group": "cluster"},
        {},
    ],
)
def test_step_contrasts__are_none_where_nothing_is_known(arguments):
    assert read(**arguments) == ()


def test_step_contrasts__of_groups_are_all_pairs():
    assert [(found.first, found.second) for found in read(group="subtype")] == [("TAL1", "TLX1")]
    (found,) = read(group="subtype", stage="stage", at="diagnosis")
    assert found.where == (("stage", ("diagnosis",)),)
