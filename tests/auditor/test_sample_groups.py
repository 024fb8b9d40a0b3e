from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from chemores_dask.auditor.sample_groups import compared_samples, counted, labels_of, paired_samples, patient_names
from chemores_dask.auditor.study_design import PlannedContrast, StudyDesign
from tests.auditor.designs import STAGES

TABLE = pd.DataFrame(
    {
        "sample": ["a", "b", "c", "d", "e"],
        "patient": [1, 1, 2, 3, 3],
        "stage": ["diagnosis", "relapse", "relapse", "diagnosis", None],
        "arm": ["x", "x", "y", "y", "y"],
    }
)
DESIGN = StudyDesign(TABLE)


def test_compared_samples__sorts_patients_by_what_they_have():
    found = compared_samples(DESIGN, STAGES)
    assert list(found.table["sample"]) == ["a", "b", "c", "d"]
    assert (found.first, found.second, found.both, found.one) == (("1", "3"), ("1", "2"), ("1",), ("3", "2"))
    assert list(paired_samples(found).table["sample"]) == ["a", "b"]


def test_compared_samples__takes_those_that_take_part():
    found = compared_samples(DESIGN, replace(STAGES, where=(("arm", ("y",)),)))
    assert list(found.table["sample"]) == ["c", "d"]
    assert found.has_both_values
    assert not compared_samples(DESIGN, PlannedContrast("stage", "diagnosis", "remission")).has_both_values


def test_compared_samples__compares_numbers_and_categories_as_text():
    table = TABLE.assign(grade=[1, 2, 1, 2, 3], stage=TABLE["stage"].astype("category"))
    assert compared_samples(StudyDesign(table), PlannedContrast("grade", "1", "2")).first == ("1", "2")
    assert compared_samples(StudyDesign(table), STAGES).first == ("1", "3")


def test_patient_names__are_those_of_samples_where_none_are_known():
    assert list(patient_names(DESIGN)) == ["1", "1", "2", "3", "3"]
    assert patient_names(StudyDesign(TABLE.drop(columns="patient"))).nunique() == 5


def test_counted__equals_crosstab():
    generator = np.random.default_rng(1)
    first, second = (pd.Series(generator.choice(list("abc"), 50)) for _ in range(2))
    found, expected = counted(first, second), pd.crosstab(first, second)
    assert (found.to_numpy() == expected.to_numpy()).all()
    assert list(found.index) == list(expected.index)


def test_labels_of__names_what_is_missing():
    assert list(labels_of(pd.Series(["a", None, "b"]))) == ["a", "(missing)", "b"]
    assert list(labels_of(pd.Series(["a", None], dtype="category"))) == ["a", "(missing)"]
