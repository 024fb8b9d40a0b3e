"""Does every patient have both sides of a paired comparison, and is the pairing used where it is there?"""

from __future__ import annotations

from chemores_dask.auditor.findings import CheckOutcome, Finding, Severity, nothing_to_check, number_of
from chemores_dask.auditor.formula_columns import formula_variables
from chemores_dask.auditor.sample_groups import ComparedSamples, compared_samples, labels_of
from chemores_dask.auditor.study_design import PlannedContrast, StudyDesign
from chemores_dask.checks import listed

CHECK = "pairs"


def check_pairs(design: StudyDesign) -> CheckOutcome:
    """Look for patients without both sides of a paired comparison, and for pairs that a comparison passes over.

    Parameters
    ----------
    design
        The design.

    Returns
    -------
    Findings ``absent_values``, ``no_pairs``, ``unpaired_patients`` and ``pairing_ignored``.
    """
    if not design.all_contrasts:
        return nothing_to_check(CHECK, "no comparison of samples is planned")
    findings = [finding for contrast in design.all_contrasts if (finding := _finding(design, contrast)) is not None]
    said = ", ".join(_counts(design, contrast) for contrast in design.all_contrasts)
    return CheckOutcome(CHECK, said, findings=tuple(findings))


def _counts(design: StudyDesign, contrast: PlannedContrast) -> str:
    found = compared_samples(design, contrast)
    return (
        f"{contrast.name}: {number_of(len(found.both), 'patient')} with both, "
        f"{len(found.first) - len(found.both)} with {contrast.first} only, {len(found.second) - len(found.both)} with "
        f"{contrast.second} only"
    )


def _finding(design: StudyDesign, contrast: PlannedContrast) -> Finding | None:
    found = compared_samples(design, contrast)
    both, one = len(found.both), len(found.one)
    subject = contrast.name
    if not found.has_both_values:
        return _absent(design, contrast, found)
    if not contrast.paired:
        if not both or _formula_pairs(design, contrast):
            return None
        return Finding(
            "pairing_ignored",
            Severity.WARNING,
            subject,
            f"{number_of(both, 'patient')} of {both + one} {'has' if both == 1 else 'have'} samples on both sides, but "
            f"{contrast.variable!r} is "
            f"compared as though all were strangers: {listed(found.both)}.",
            f"Compare within patients (paired, or '~ {design.columns.patient} + {contrast.variable}').",
            value=float(both),
            limit=0.0,
            patients=both,
        )
    if not both:
        return Finding(
            "no_pairs",
            Severity.ERROR,
            subject,
            f"The comparison is within patients, and no patient has samples of both {contrast.first!r} and {contrast.second!r}.",
            "Compare between patients, or check the names of the patients: they must be the same at both stages.",
            value=0.0,
            limit=2.0,
            patients=one,
        )
    if not one:
        return None
    return Finding(
        "unpaired_patients",
        Severity.WARNING,
        subject,
        f"The comparison is within patients, and {one} of {both + one} lack one side and drop out: {listed(found.one)}.",
        "Say how many pairs there are wherever the result is shown, and whether those left out differ.",
        value=float(one),
        limit=0.0,
        patients=one,
    )


def _absent(design: StudyDesign, contrast: PlannedContrast, found: ComparedSamples) -> Finding:
    sides = ((contrast.first, found.first), (contrast.second, found.second))
    absent = [value for value, patients in sides if not patients]
    present = sorted(set(labels_of(design.samples[contrast.variable])))
    return Finding(
        "absent_values",
        Severity.ERROR,
        contrast.name,
        f"No sample that takes part has {listed(map(repr, absent))} in {contrast.variable!r}. Present: {listed(present)}.",
        "Correct the names of the compared values, or add the samples.",
        value=float(len(absent)),
        limit=0.0,
    )


def _formula_pairs(design: StudyDesign, contrast: PlannedContrast) -> bool:
    return bool(contrast.formula) and design.columns.patient in formula_variables(contrast.formula)
