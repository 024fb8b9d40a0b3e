from __future__ import annotations

from dataclasses import replace

import pytest

from chemores_dask.auditor.pairing import check_pairs
from chemores_dask.auditor.study_design import PlannedContrast, StudyDesign
from tests.auditor.designs import STAGES, clean_samples

SAMPLES = clean_samples()
UNPAIRED = PlannedContrast("stage", "diagnosis", "relapse")


def outcome(contrast, samples=SAMPLES):
    return check_pairs(StudyDesign(samples, contrasts=(contrast,)))


def test_check_pairs__counts_who_has_what():
    said = outcome(STAGES, SAMPLES[~SAMPLES["sample"].isin(["P00_relapse", "P01_diagnosis"])]).looked_at
    assert said == "relapse against diagnosis: 6 patients with both, 1 with diagnosis only, 1 with relapse only"


def test_check_pairs__names_those_who_drop_out():
    (finding,) = outcome(STAGES, SAMPLES[SAMPLES["sample"] != "P00_relapse"]).findings
    assert (finding.code, finding.patients) == ("unpaired_patients", 1)
    assert "1 of 8 lack one side and drop out: P00" in finding.text


def test_check_pairs__takes_a_patient_in_the_formula_for_pairing():
    assert outcome(replace(UNPAIRED, formula="~ patient + stage")).findings == ()
    assert outcome(replace(UNPAIRED, formula="~ outpatient + stage"), SAMPLES.assign(outpatient="no")).findings[
        0
    ].code == ("pairing_ignored")


def test_check_pairs__names_values_that_are_absent():
    (finding,) = outcome(PlannedContrast("stage", "diagnosis", "remission", paired=True)).findings
    assert finding.code == "absent_values"
    assert "'remission' in 'stage'. Present: diagnosis, relapse" in finding.text


@pytest.mark.parametrize("columns", [["stage"], ["stage", "sample"]])
def test_check_pairs__without_patients_each_sample_stands_alone(columns):
    assert outcome(UNPAIRED, SAMPLES[columns]).findings == ()
    assert outcome(replace(STAGES, formula=""), SAMPLES[columns]).findings[0].code == "no_pairs"
