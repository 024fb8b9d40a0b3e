"""Can a test be significant at all, with so many patients?"""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

from chemores_dask.auditor.findings import CheckOutcome, Finding, Severity, nothing_to_check, number_of
from chemores_dask.auditor.sample_groups import compared_samples
from chemores_dask.auditor.study_design import PAIRED_KINDS, PlannedTest, StudyDesign
from chemores_dask.checks import listed
from chemores_dask.kernels.attainable_p import minimum_fisher_p_value, minimum_rank_sum_p_value
from chemores_dask.kernels.paired_tests import minimum_p_value

CHECK = "attainable P"
FEWEST = 2


@dataclass(frozen=True)
class TestReach:
    """How small the P value of a test can become.

    Attributes
    ----------
    test
        The test.
    sizes
        Pairs, or units on either side; empty where they are not known.
    p_value
        Smallest P; not a number where the test has no such limit, or its sizes are not known.
    """

    __test__ = False  # not a test of this package

    test: PlannedTest
    sizes: tuple[int, ...]
    p_value: float


def check_attainable(design: StudyDesign) -> tuple[CheckOutcome, tuple[TestReach, ...]]:
    """Work out the smallest P value of each test, and look for tests that cannot be significant.

    Parameters
    ----------
    design
        The design.

    Returns
    -------
    Findings ``too_few_patients`` and ``unattainable_p_value``; and the reach of each test.
    """
    reaches = tuple(_reach(design, test) for test in design.tests)
    looked = [reach for reach in reaches if reach.sizes or reach.test.margins is not None]
    if not looked:
        why = "no tests are planned" if not design.tests else "no test says how many patients it has"
        return nothing_to_check(CHECK, why), reaches
    findings = [finding for reach in looked if (finding := _finding(design, reach)) is not None]
    return CheckOutcome(CHECK, listed(_words(reach) for reach in looked), findings=tuple(findings)), reaches


def planned_sizes(design: StudyDesign, test: PlannedTest) -> tuple[int, ...]:
    """Pairs, or patients on either side, of a test.

    Parameters
    ----------
    design
        The design.
    test
        The test.

    Returns
    -------
    As given with the test, or counted in the table of samples; empty where neither is known.
    """
    if test.sizes or test.contrast is None:
        return test.sizes
    found = compared_samples(design, test.contrast)
    if not found.has_both_values:
        return ()
    if test.contrast.paired or test.kind in PAIRED_KINDS:
        return (len(found.both),)
    return len(found.first), len(found.second)


def _reach(design: StudyDesign, test: PlannedTest) -> TestReach:
    sizes = planned_sizes(design, test)
    p_value = float("nan")
    if test.kind in {"sign_flip", "signed_rank"} and len(sizes) == 1:
        p_value = minimum_p_value(sizes[0])
    elif test.kind == "rank_sum" and len(sizes) == 2:
        p_value = minimum_rank_sum_p_value(*sizes)
    elif test.kind == "fisher" and test.margins is not None:
        p_value = minimum_fisher_p_value(*test.margins[0], test.margins[1][0])
    return TestReach(test, sizes, p_value)


def _words(reach: TestReach) -> str:
    units = " + ".join(f"{size}" for size in reach.sizes)
    units += " pairs" if len(reach.sizes) == 1 else f" {reach.test.unit}s" if reach.sizes else "its margins"
    smallest = "" if isnan(reach.p_value) else f", smallest P {reach.p_value:.2g}"
    return f"{reach.test.name} ({units}{smallest})"


def _finding(design: StudyDesign, reach: TestReach) -> Finding | None:
    test, sizes = reach.test, reach.sizes
    patients = sum(sizes)
    if test.unit in {"patient", "sample"} and sizes and min(sizes) < FEWEST:
        return Finding(
            "too_few_patients",
            Severity.ERROR,
            test.name,
            f"The test {test.name!r} has {' and '.join(number_of(size, test.unit) for size in sizes)}"
            f"{' with both sides' if len(sizes) == 1 else ' on its two sides'}. From one patient nothing can be said about others.",
            "Describe this patient, without a P value, or add patients.",
            value=float(min(sizes)),
            limit=float(FEWEST),
            patients=patients,
        )
    declared = {family.name: family for family in design.families}.get(test.family)
    correction = declared.correction if declared is not None else test.correction
    number = (
        declared.tests or sum(other.tests for other in design.tests if other.family == test.family)
        if declared
        else test.tests
    )
    # Under Holm or Benjamini and Hochberg the largest of several small P values may stay as it is.
    factor = number if correction == "bonferroni" else 1
    if not reach.p_value * factor > design.level:
        return None
    corrected = (
        f" ({reach.p_value * factor:.2g} after {correction} over {number_of(number, 'test')})" if factor > 1 else ""
    )
    return Finding(
        "unattainable_p_value",
        Severity.WARNING,
        test.name,
        f"With {' and '.join(str(size) for size in sizes) or 'these'} {'pairs' if len(sizes) == 1 else 'patients'} the test {test.name!r} "
        f"({test.kind.replace('_', ' ')}) cannot give a P value below {reach.p_value:.2g}{corrected}, whatever the data say.",
        f"Show the effect with its interval and no stars; more than {design.level:g} here says nothing against the effect. Add patients.",
        value=min(1.0, reach.p_value * factor),
        limit=design.level,
        patients=patients,
    )
