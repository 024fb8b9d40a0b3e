from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from chemores_dask.auditor.associations import find_associations
from chemores_dask.auditor.confounding import check_confounding
from chemores_dask.auditor.design_audit import audit
from chemores_dask.auditor.study_design import PlannedContrast, StudyDesign
from chemores_dask.errors import MissingVariableError
from tests.auditor.designs import STAGES, SUBTYPES, clean_samples
from tests.auditor.tall_study import tall_samples

SAMPLES = clean_samples()
TYPES = PlannedContrast("relapse_type", "type-1", "type-2")


def found(samples, *contrasts):
    design = StudyDesign(samples, contrasts=contrasts)
    outcome, aliases = check_confounding(design, find_associations(design))
    return {finding.code: finding for finding in outcome.findings}, aliases


def test_check_confounding__of_the_leukemia_study():
    # All five patients of the old batch that relapsed are TAL1 and of type 2.
    findings, _ = found(tall_samples(), TYPES)
    assert set(findings) == {"uninformative_batch", "associated_variables"}
    batch = findings["uninformative_batch"]
    assert "all 5 patients of batch old are type-2" in batch.text
    assert "5 type-1 and 3 type-2 are left" in batch.text
    assert findings["associated_variables"].subject == "batch and tal1"
    assert findings["associated_variables"].value > 0.8
    assert findings["associated_variables"].patients == 18


def test_check_confounding__of_stages_within_patients_is_none_there():
    findings, aliases = found(tall_samples().drop(columns=["subtype", "tal1", "relapse_type"]), STAGES)
    assert findings == {}
    assert aliases == ()


def test_check_confounding__writes_what_equals_what():
    findings, aliases = found(SAMPLES, replace(STAGES, formula="~ patient + batch + stage"))
    assert set(findings) == {"aliased_design"}
    assert {alias.column for alias in aliases} == {"batch[T.batch_1]"}
    # Patients of batch 1 are those with odd numbers.
    expected = " + ".join(f"patient[T.P0{number}]" for number in (1, 3, 5, 7))
    assert aliases[0].combination == expected
    assert findings["aliased_design"].value == findings["aliased_design"].limit - 1
    assert "batch[T.batch_1] = patient[T.P01]" in findings["aliased_design"].text


def test_check_confounding__alias_report_holds_on_the_columns():
    moving = np.where(SAMPLES["patient"] < "P04", 0, 1) + (SAMPLES["stage"] == "relapse")
    findings, aliases = found(
        SAMPLES.assign(batch=pd.Series(moving).map({0: "A", 1: "B", 2: "C"})), replace(STAGES, formula="")
    )
    assert set(findings) == {"aliased_contrast"}
    assert aliases[0].column == "stage relapse"
    assert "batch" in aliases[0].combination


def test_check_confounding__sees_several_batches_together():
    # Plate and chip are shared by both groups each, but together they tell them apart: the group is odd where plate and chip differ.
    table = SAMPLES.assign(plate=(np.arange(16) // 2) % 2, batch=(np.arange(16) // 4) % 2)
    late = (SAMPLES["stage"] == "relapse").to_numpy()
    shifted = table.assign(batch=np.where(late, "x", table["batch"].map({0: "x", 1: "y"})))
    assert set(found(shifted, PlannedContrast("stage", "diagnosis", "relapse"))[0]) <= {
        "uninformative_batch",
        "associated_variables",
    }
    nested = table.assign(batch=[f"{'late' if is_late else 'early'}_{n % 2}" for n, is_late in enumerate(late)])
    assert set(found(nested, PlannedContrast("stage", "diagnosis", "relapse"))[0]) == {"unshared_batch"}


@pytest.mark.parametrize("batch", ["sample", "patient"])
def test_check_confounding__a_batch_for_each_unit_is_part_of_the_spread(batch):
    table = SAMPLES.assign(batch=SAMPLES[batch])
    contrast = STAGES if batch == "sample" else SUBTYPES
    assert "unshared_batch" not in found(table, replace(contrast, formula=""))[0]


def test_check_confounding__a_lone_batch_tells_nothing():
    assert found(SAMPLES.assign(batch="one"), STAGES)[0] == {}


def test_check_confounding__small_batches_of_one_kind_are_accidents():
    tal1 = sorted(set(SAMPLES["patient"][SAMPLES["subtype"] == "TAL1"]))
    for size, expected in ((2, set()), (3, {"uninformative_batch"})):
        table = SAMPLES.assign(batch=np.where(SAMPLES["patient"].isin(tal1[:size]), "old", "new"))
        assert set(found(table, SUBTYPES)[0]) == expected


def test_check_confounding__needs_columns_for_its_formula():
    design = StudyDesign(SAMPLES, contrasts=(replace(STAGES, formula="~ patient + plate"),))
    with pytest.raises(MissingVariableError, match=r"needs the columns plate"):
        audit(design)


def test_check_confounding__missing_batches_are_a_batch_of_their_own():
    table = SAMPLES.assign(batch=SAMPLES["stage"].map({"diagnosis": "A", "relapse": None}))
    assert set(found(table, STAGES)[0]) == {"unshared_batch"}
