"""Do tests belong to families that are declared and corrected?"""

from __future__ import annotations

from chemores_dask.auditor.findings import CheckOutcome, Finding, Severity, nothing_to_check, number_of
from chemores_dask.auditor.study_design import PlannedTest, StudyDesign
from chemores_dask.checks import listed

CHECK = "families of tests"
UNCORRECTED = ("", "none")


def check_families(design: StudyDesign) -> CheckOutcome:
    """Look for many tests without a declared family, and for families without a correction.

    Descriptive tests do not count.

    Parameters
    ----------
    design
        The design.

    Returns
    -------
    Findings ``undeclared_family`` and ``uncorrected_family``.
    """
    tests = [test for test in design.tests if not test.descriptive]
    if not tests:
        return nothing_to_check(CHECK, "no tests are planned that are more than a description")
    findings = [
        *(_many(test) for test in tests if test.tests > 1 and not test.family and test.correction in UNCORRECTED),
        *_families(design),
        *_loose([test for test in tests if not test.family and test.tests == 1], level=design.level),
    ]
    families = [f"{family.name} ({family.correction or 'no correction'})" for family in design.families]
    many = [
        f"{test.name} ({test.tests:,} by {test.correction})"
        for test in tests
        if test.tests > 1 and test.correction not in UNCORRECTED
    ]
    said = (
        f"{number_of(sum(test.tests for test in tests), 'test')} of {number_of(len(tests), 'kind')}; "
        f"declared families: {listed([*families, *many])}"
    )
    return CheckOutcome(CHECK, said, findings=tuple(findings))


def _many(test: PlannedTest) -> Finding:
    return Finding(
        "uncorrected_family",
        Severity.WARNING,
        test.name,
        f"{test.name!r} makes {test.tests:,} tests and does not correct them.",
        "Correct them (Benjamini and Hochberg for a screen, Holm for few), and keep all results, not only the survivors.",
        value=float(test.tests),
        limit=1.0,
    )


def _families(design: StudyDesign) -> list[Finding]:
    findings = []
    for family in design.families:
        number = family.tests or sum(test.tests for test in design.tests if test.family == family.name)
        if number > 1 and family.correction in UNCORRECTED:
            findings.append(
                Finding(
                    "uncorrected_family",
                    Severity.WARNING,
                    family.name,
                    f"The family {family.name!r} has {number_of(number, 'test')}, and nothing corrects them.",
                    "Correct them together (Holm for few, Benjamini and Hochberg for a screen), or name one of them as the primary test.",
                    value=float(number),
                    limit=1.0,
                )
            )
    return findings


def _loose(tests: list[PlannedTest], *, level: float) -> list[Finding]:
    if len(tests) < 2:
        return []
    chance = 1 - (1 - level) ** len(tests)
    return [
        Finding(
            "undeclared_family",
            Severity.WARNING,
            "all tests",
            f"{number_of(len(tests), 'test')} belong to no declared family: {listed(test.name for test in tests)}. If nothing were "
            "true and they "
            f"were independent, at least one would come below {level:g} with a probability of {chance:.0%}.",
            "Declare which tests belong together and how they are corrected, or which one is primary, before looking at them.",
            value=float(len(tests)),
            limit=1.0,
        )
    ]
