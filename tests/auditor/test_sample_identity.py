from __future__ import annotations

import numpy as np

from chemores_dask.auditor.sample_identity import check_identity
from chemores_dask.auditor.study_design import StudyDesign
from tests.auditor.designs import clean_samples

SAMPLES = clean_samples()


def look(**columns):
    return check_identity(StudyDesign(SAMPLES.assign(**columns))).findings


def test_check_identity__finds_two_swapped_samples():
    first, second = (int(np.flatnonzero(SAMPLES["sample"] == name)[0]) for name in ("P00_relapse", "P01_relapse"))
    female, male = SAMPLES["xist_counts"].to_numpy().copy(), SAMPLES["y_counts"].to_numpy().copy()
    female[[first, second]], male[[first, second]] = female[[second, first]], male[[second, first]]
    findings = look(xist_counts=female, y_counts=male)
    assert {finding.subject for finding in findings} == {"P00", "P01"}
    assert all(finding.code == "swapped_sample" for finding in findings)


def test_check_identity__holds_against_the_declared_sex():
    (finding,) = look(sex=np.where(SAMPLES["patient"] == "P00", "F", SAMPLES["sex"].str[:1].str.upper()))
    assert finding.subject == "P00"
    assert "declared female" in finding.text


def test_check_identity__calls_nothing_from_few_or_mixed_counts():
    # A tumor that lost its Y chromosome, and a mixture.
    lost = np.where(SAMPLES["sample"] == "P00_relapse", 0, SAMPLES["y_counts"])
    assert (
        look(y_counts=lost, xist_counts=np.where(SAMPLES["sample"] == "P00_relapse", 2, SAMPLES["xist_counts"])) == ()
    )
    assert look(y_counts=50, xist_counts=50) == ()


def test_check_identity__does_not_need_the_declared_sex():
    design = StudyDesign(SAMPLES.drop(columns="sex"))
    assert check_identity(design).findings == ()
    assert check_identity(design).looked_at == "sex genes of 16 samples of 16 that have enough counts of them"
    assert not check_identity(StudyDesign(SAMPLES.drop(columns="y_counts"))).applicable
