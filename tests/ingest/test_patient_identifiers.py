"""Tests of matching identifiers of samples and patients."""

from __future__ import annotations

import pytest

from chemores_dask.errors import InputError, ParameterError
from chemores_dask.ingest.patient_identifiers import match_identifiers

TUMORS = ["TCGA-02-0001", "TCGA-02-0002", "TCGA-02-0003"]


def test_match_identifiers__says_how_each_was_found() -> None:
    samples = ["gene", "TCGA-02-0001", "tcga.02.0002", "TCGA_02_0003_01A_11R", "X77", "Ab 1"]
    found = match_identifiers(samples, [*TUMORS, "77", "AB-1", "P9"])
    assert dict(found.patient) == {
        "TCGA-02-0001": "TCGA-02-0001",
        "tcga.02.0002": "TCGA-02-0002",
        "TCGA_02_0003_01A_11R": "TCGA-02-0003",
        "X77": "77",
        "Ab 1": "AB-1",
    }
    assert list(found.manner.values()) == [
        "equal",
        "punctuation and case",
        "suffix 01A-11R",
        "punctuation",
        "punctuation and case",
    ]
    assert found.samples_without_patient == ("gene",)
    assert found.patients_without_sample == ("P9",)
    assert found.table().iloc[2].tolist() == ["TCGA_02_0003_01A_11R", "TCGA-02-0003", "suffix 01A-11R"]
    assert found.summary() == (
        "5 patients have a sample (1 equal, 2 punctuation and case, 1 suffix, 1 punctuation); 1 patients have none, "
        "1 samples have no patient, 0 samples are not used."
    )


def test_match_identifiers__compares_whole_parts() -> None:
    found = match_identifiers(["P10", "P1B", "P1-B", "P2"], ["P1", "P-2"])
    assert dict(found.patient) == {"P1-B": "P1"}


def test_match_identifiers__takes_the_longest_name() -> None:
    assert dict(match_identifiers(["P-1-2-x"], ["P-1", "P-1-2"]).patient) == {"P-1-2-x": "P-1-2"}


def test_match_identifiers__knows_codes_of_samples_with_and_without_letter_on_either_side() -> None:
    found = match_identifiers(["TCGA-02-0001-01A-11R", "TCGA-02-0002"], ["TCGA-02-0001-01", "TCGA-02-0002-01A"])
    assert list(found.patient.values()) == ["TCGA-02-0001-01", "TCGA-02-0002-01A"]
    assert list(found.manner.values()) == ["suffix A-11R", "suffix 01A of the patient"]


def test_match_identifiers__refuses_several_samples_unless_a_rule_is_named() -> None:
    samples = ["TCGA-02-0001-11A", "TCGA-02-0001-01A", "TCGA-02-0002-06A", "TCGA-02-0003"]
    with pytest.raises(InputError, match=r"TCGA-02-0001 \(TCGA-02-0001-11A, TCGA-02-0001-01A\).*suffix"):
        match_identifiers(samples, TUMORS)
    tumors = match_identifiers(samples, TUMORS, suffix="-01")
    assert list(tumors.patient) == ["TCGA-02-0001-01A", "TCGA-02-0003"]
    assert list(tumors.unused) == ["TCGA-02-0001-11A", "TCGA-02-0002-06A"]
    assert tumors.unused["TCGA-02-0002-06A"] == "its name goes on with 06A, not with 01"
    assert tumors.patients_without_sample == ("TCGA-02-0002",)
    first = match_identifiers(samples, TUMORS, several="first")
    assert list(first.patient) == ["TCGA-02-0001-11A", "TCGA-02-0002-06A", "TCGA-02-0003"]
    assert dict(first.unused) == {"TCGA-02-0001-01A": "TCGA-02-0001-11A is used for TCGA-02-0001"}


@pytest.mark.parametrize(
    ("samples", "patients", "named"),
    [
        (["P-1"], ["P.1", "P_1"], r"P-1 \(P.1 or P_1\)"),
        (["p1-01A"], ["P1", "p1"], r"p1-01A \(P1 or p1\)"),
        (["A"], ["A-01", "A-02"], r"A \(A-01 or A-02\)"),
    ],
)
def test_match_identifiers__refuses_samples_of_either_of_two_patients(samples, patients, named) -> None:
    with pytest.raises(InputError, match=named):
        match_identifiers(samples, patients)


def test_match_identifiers__prefers_the_equal_name_among_alike_ones() -> None:
    assert dict(match_identifiers(["P.1", "P_1"], ["P_1", "P.1"]).patient) == {"P.1": "P.1", "P_1": "P_1"}


def test_match_identifiers__refuses_repeated_names_and_unknown_rules() -> None:
    with pytest.raises(InputError, match=r"Samples must have.*More than once: a"):
        match_identifiers(["a", "a"], ["a"])
    with pytest.raises(InputError, match=r"Patients must have.*More than once: b"):
        match_identifiers(["a"], ["b", "b"])
    with pytest.raises(ParameterError, match="refuse, first"):
        match_identifiers(["a"], ["a"], several="mean")  # type: ignore[arg-type]


def test_match_identifiers__matches_nothing_without_samples() -> None:
    found = match_identifiers([], ["a"])
    assert found.table().empty
    assert found.summary().startswith("0 patients have a sample (none)")
