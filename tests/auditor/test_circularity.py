from __future__ import annotations

import pytest

from chemores_dask.auditor.circularity import check_circularity
from chemores_dask.auditor.study_design import Material, SignatureUse, StudyDesign
from tests.auditor.designs import clean_samples

STAGE = ("stage",)


def codes(**use):
    outcome = check_circularity(StudyDesign(clean_samples(), signatures=(SignatureUse("s", **use),)))
    return [finding.code for finding in outcome.findings], outcome.applicable


@pytest.mark.parametrize(
    ("derivation", "test", "expected"),
    [
        (Material(("A", "B")), Material(("C",)), []),
        (Material(("A", "B"), labels=STAGE), Material(("C",), labels=STAGE), []),
        (Material(("A", "B"), labels=STAGE), Material(("B", "C"), labels=STAGE), ["tested_on_derivation_patients"]),
        (Material(("A",), ("A:1", "A:2")), Material(("A",), ("A:2",)), ["tested_on_derivation_cells"]),
        (Material(("A",), ("A:1",)), Material(("A",), ("A:2",)), ["tested_on_derivation_patients"]),
        (Material(labels=STAGE), Material(("C",), labels=STAGE), ["tested_on_derivation_labels"]),
        (Material(labels=STAGE), Material(("C",), labels=("response",)), []),
    ],
)
def test_check_circularity__of_derivation_and_test(derivation, test, expected):
    assert codes(derivation=derivation, test=test) == (expected, True)


@pytest.mark.parametrize(
    ("rule", "cutoff", "expected"),
    [
        ("frozen", ("A",), []),
        ("blind", ("A",), ["blind_cutoff"]),
        ("chosen", ("A",), ["cutoff_from_tested_patients"]),
        ("scanned", ("A",), ["scanned_cutoff"]),
        ("scanned_corrected", ("A",), []),
        ("scanned", ("Q",), []),
        ("chosen", ("Q",), []),
        ("scanned", (), ["scanned_cutoff"]),
    ],
)
def test_check_circularity__of_cutoffs(rule, cutoff, expected):
    assert codes(test=Material(("A", "B")), cutoff=Material(cutoff), cutoff_rule=rule) == (expected, True)


def test_check_circularity__says_that_it_knows_no_origin():
    outcome = check_circularity(StudyDesign(clean_samples(), signatures=(SignatureUse("s", genes=("A",)),)))
    assert not outcome.applicable
    assert "nothing says in which patients" in outcome.looked_at
    mixed = (SignatureUse("s", genes=("A",)), SignatureUse("t", cutoff_rule="frozen"))
    assert (
        "nothing says in which patients s was found"
        in check_circularity(StudyDesign(clean_samples(), signatures=mixed)).looked_at
    )
