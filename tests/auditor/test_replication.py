from __future__ import annotations

import pandas as pd
import pytest

from chemores_dask.auditor.replication import check_replicates
from chemores_dask.auditor.study_design import PlannedTest, StudyDesign
from tests.auditor.designs import STAGES, clean_samples

SAMPLES = clean_samples()


def found(test, samples=SAMPLES):
    return check_replicates(StudyDesign(samples, tests=(test,))).findings


def test_check_replicates__counts_cells_and_patients():
    (finding,) = found(PlannedTest("wilcoxon", unit="cell"))
    assert finding.code == "cells_as_replicates"
    assert finding.value == SAMPLES["cells"].sum()
    assert finding.patients == finding.limit == 8
    assert f"{SAMPLES['cells'].sum():,} cells of 8 patients" in finding.text
    (unknown,) = found(PlannedTest("wilcoxon", unit="cell"), SAMPLES.drop(columns="cells"))
    assert "takes cells of 8 patients" in unknown.text


def test_check_replicates__notes_cells_that_are_called_descriptive():
    (finding,) = found(PlannedTest("markers", unit="cell", descriptive=True))
    assert (finding.code, int(finding.severity)) == ("descriptive_cells", 0)


def test_check_replicates__pools_are_no_replicates():
    (finding,) = found(PlannedTest("snakepool", unit="pool", sizes=(25,)))
    assert finding.code == "overlapping_pools"
    assert "25 pools" in finding.text
    assert found(PlannedTest("snakepool", unit="pool"))[0].code == "overlapping_pools"


def test_check_replicates__counts_samples_of_a_side():
    again = SAMPLES[SAMPLES["sample"] == "P03_relapse"].assign(sample="P03_second")
    table = pd.concat([SAMPLES, again], ignore_index=True)
    (paired,) = found(PlannedTest("mixed", unit="sample", contrast=STAGES), table)
    assert (paired.value, paired.limit, paired.patients) == (17.0, 16.0, 1)
    assert "P03" in paired.text
    (loose,) = found(PlannedTest("all", unit="sample"), table)
    assert (loose.value, loose.limit, loose.patients) == (17.0, 8.0, 8)


@pytest.mark.parametrize("unit", ["patient", "gene"])
def test_check_replicates__leaves_other_units_alone(unit):
    assert found(PlannedTest("a", unit=unit)) == ()
    assert found(PlannedTest("a", unit="sample", contrast=STAGES)) == ()
    assert found(PlannedTest("a", unit="sample"), SAMPLES.drop(columns="patient")) == ()
