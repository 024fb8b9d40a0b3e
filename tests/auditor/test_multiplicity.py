from __future__ import annotations

from dataclasses import replace

from chemores_dask.auditor.multiplicity import check_families
from chemores_dask.auditor.study_design import PlannedFamily, PlannedTest, StudyDesign
from tests.auditor.designs import clean_samples

DRUGS = tuple(
    PlannedTest(name, kind="paired_t") for name in ("cytarabine", "FX1", "venetoclax", "S-63845", "A-1331852")
)


def look(tests, families=()):
    return check_families(StudyDesign(clean_samples(), tests=tuple(tests), families=tuple(families)))


def test_check_families__of_five_drugs_without_correction():
    (finding,) = look(DRUGS).findings
    assert (finding.code, finding.value) == ("undeclared_family", 5.0)
    assert "23%" in finding.text


def test_check_families__is_content_with_a_declared_and_corrected_family():
    tests = [replace(test, family="drugs") for test in DRUGS]
    assert look(tests, [PlannedFamily("drugs", "holm")]).findings == ()
    (finding,) = look(tests, [PlannedFamily("drugs")]).findings
    assert (finding.code, finding.value) == ("uncorrected_family", 5.0)
    (finding,) = look(tests[:1], [PlannedFamily("drugs", "none", tests=198)]).findings
    assert finding.value == 198.0


def test_check_families__one_test_needs_no_family():
    assert look(DRUGS[:1]).findings == ()
    assert look([replace(DRUGS[0], family="one")], [PlannedFamily("one", "none")]).findings == ()


def test_check_families__many_tests_of_one_analysis_are_a_family():
    (finding,) = look([PlannedTest("drugs", tests=198)]).findings
    assert (finding.code, finding.value) == ("uncorrected_family", 198.0)
    assert look([PlannedTest("drugs", tests=198, correction="benjamini_hochberg")]).findings == ()


def test_check_families__descriptive_tests_do_not_count():
    outcome = look([replace(test, descriptive=True) for test in DRUGS])
    assert not outcome.applicable
