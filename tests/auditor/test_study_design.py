from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from chemores_dask.auditor.study_design import (
    PlannedContrast,
    PlannedFamily,
    PlannedModel,
    PlannedTest,
    SampleColumns,
    ScoredDepth,
    ScoredOutcome,
    SignatureUse,
    StudyDesign,
)
from chemores_dask.errors import InputError, MissingVariableError, ParameterError
from tests.auditor.designs import STAGES, SUBTYPES, clean_design, clean_samples

SAMPLES = clean_samples()


@pytest.mark.parametrize(
    ("samples", "match"),
    [
        ({"sample": ["a"]}, r"must be a table"),
        (pd.DataFrame([["a", "b"]], columns=["sample", "sample"]), r"must have different names.*rename"),
        (pd.DataFrame({"sample": ["a", "a"]}), r"one row per sample.*Found more than once in 'sample': a"),
        (pd.DataFrame({"patient": ["P1", None]}), r"must have a patient\. 1 of 2 have none"),
        (pd.DataFrame({"patient": ["P1", ""]}), r"must have a patient\. 1 of 2 have none"),
        (pd.DataFrame({"cells": [3, -1]}), r"must be known and not negative"),
        (pd.DataFrame({"cells": [3, np.nan]}), r"must be known and not negative"),
        (pd.DataFrame({"cells": ["many", "few"]}), r"must be known and not negative"),
    ],
)
def test_study_design__refuses_tables_that_are_none(samples, match):
    with pytest.raises(InputError, match=match):
        StudyDesign(samples)


def test_study_design__refuses_a_contrast_of_a_missing_column():
    with pytest.raises(
        MissingVariableError, match=r"needs the columns stadium in the table of samples\. Present: sample"
    ):
        StudyDesign(SAMPLES, contrasts=(PlannedContrast("stadium", "diagnosis", "relapse"),))
    with pytest.raises(MissingVariableError, match=r"needs the columns arm"):
        StudyDesign(SAMPLES, contrasts=(replace(STAGES, where=(("arm", ("A",)),)),))


def test_study_design__refuses_families_that_are_not_declared_once():
    loose = PlannedTest("expansion", family="primary")
    with pytest.raises(InputError, match=r"must name families that are declared once\. Named: primary; declared: none"):
        StudyDesign(SAMPLES, tests=(loose,))
    with pytest.raises(InputError, match=r"Named: one twice"):
        StudyDesign(SAMPLES, tests=(loose,), families=(PlannedFamily("primary"), PlannedFamily("primary")))


@pytest.mark.parametrize(
    "make",
    [
        lambda: PlannedTest("a", kind="t"),
        lambda: PlannedTest("a", unit="mouse"),
        lambda: PlannedTest("a", kind="fisher", margins=((3, 4, 5), (6, 6))),
        lambda: PlannedTest("a", kind="fisher", margins=((3, 4), (6, 6))),
        lambda: PlannedTest("a", tests=0),
        lambda: PlannedTest("a", sizes=(-1,)),
        lambda: PlannedTest("a", correction="fdr"),
        lambda: PlannedFamily("a", "sidak"),
        lambda: PlannedModel("a", patients=10, events=3, terms=0),
        lambda: SignatureUse("a", cutoff_rule="best"),
        lambda: SignatureUse("a", minimum_share=2.0),
        lambda: StudyDesign(SAMPLES, level=5),
    ],
)
def test_study_design__refuses_values_out_of_range(make):
    with pytest.raises(ParameterError, match=r"must be"):
        make()


def test_planned_contrast__needs_two_values():
    with pytest.raises(InputError, match=r"must compare two values of 'stage'\. Got 'relapse' twice"):
        PlannedContrast("stage", "relapse", "relapse")
    assert STAGES.name == "relapse against diagnosis"


@pytest.mark.parametrize(
    "make",
    [
        lambda: ScoredDepth("a", np.ones(3), np.ones(4)),
        lambda: ScoredDepth("a", np.ones(3), np.ones(3), np.array(["P"])),
        lambda: ScoredOutcome("a", np.ones((2, 2)), np.ones((2, 2), dtype=bool)),
    ],
)
def test_scored_tables__must_have_one_value_per_row(make):
    with pytest.raises(InputError, match=r"must hold one value each per row"):
        make()


def test_study_design__knows_its_contrasts_and_batches():
    design = clean_design()
    assert design.all_contrasts == (STAGES, SUBTYPES)
    assert replace(design, contrasts=(SUBTYPES,)).all_contrasts == (SUBTYPES, STAGES)
    assert design.batches == ("batch",)
    assert replace(design, columns=SampleColumns(batches=("sex", "chip"))).batches == ("sex",)
    assert not StudyDesign(SAMPLES.drop(columns="patient")).has_patients


def test_signature_use__keeps_each_gene_once():
    use = SignatureUse("a", genes=("CD44", "CD44", "JUN"), measured=["JUN"])
    assert use.genes == ("CD44", "JUN")
    assert use.measured == {"JUN"}
