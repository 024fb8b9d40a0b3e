"""Are the units of a test independent? Cells of one patient are not, nor are its samples, nor pools of the same cells."""

from __future__ import annotations

from collections import Counter

import numpy as np

from chemores_dask.auditor.findings import CheckOutcome, Finding, Severity, nothing_to_check, number_of
from chemores_dask.auditor.sample_groups import compared_samples, patient_names
from chemores_dask.auditor.study_design import PlannedTest, StudyDesign
from chemores_dask.checks import listed

CHECK = "replicates"


def check_replicates(design: StudyDesign) -> CheckOutcome:
    """Look for tests whose n counts cells, pools, or several samples of a patient.

    Parameters
    ----------
    design
        The design.

    Returns
    -------
    Findings ``cells_as_replicates``, ``descriptive_cells``, ``samples_as_replicates`` and ``overlapping_pools``.
    """
    if not design.tests:
        return nothing_to_check(CHECK, "no tests are planned")
    findings = [finding for test in design.tests if (finding := _finding(design, test)) is not None]
    said = f"the unit of {number_of(len(design.tests), 'test')}: {listed(f'{test.name} ({test.unit})' for test in design.tests)}"
    return CheckOutcome(CHECK, said, findings=tuple(findings))


def _finding(design: StudyDesign, test: PlannedTest) -> Finding | None:
    patients = len(set(patient_names(design)))
    if test.unit == "cell":
        return _cells(design, test, patients)
    if test.unit == "pool":
        drawn = f"{number_of(sum(test.sizes), 'pool')} " if test.sizes else "pools "
        return Finding(
            "overlapping_pools",
            Severity.ERROR,
            test.name,
            f"The test {test.name!r} takes {drawn}as its n. They are drawn again and again from the same cells of "
            f"{number_of(patients, 'patient')}, so more draws add no evidence.",
            "Count inclusion and exclusion once per patient and test over patients; use pools to show how steady an estimate is.",
            value=float(sum(test.sizes)) if test.sizes else float("nan"),
            limit=float(patients),
            patients=patients,
        )
    return _samples(design, test) if test.unit == "sample" and design.has_patients else None


def _cells(design: StudyDesign, test: PlannedTest, patients: int) -> Finding:
    name = design.columns.cells
    cells = (
        float(np.sum(design.samples[name].to_numpy(dtype=float))) if name in design.samples.columns else float("nan")
    )
    counted = f"{int(cells):,} cells" if np.isfinite(cells) else "cells"
    if test.descriptive:
        return Finding(
            "descriptive_cells",
            Severity.NOTE,
            test.name,
            f"P values of {test.name!r} take cells as their n. They are labeled descriptive: they order, and prove nothing about patients.",
            "Quote them never as evidence; test what matters over patients.",
            value=cells,
            patients=patients,
        )
    return Finding(
        "cells_as_replicates",
        Severity.ERROR,
        test.name,
        f"The test {test.name!r} takes {counted} of {number_of(patients, 'patient')} as its n. Cells of one patient are alike for "
        "reasons that "
        "have nothing to do with what is tested, so its P values are far too small.",
        "Sum or average per patient first (pseudobulk, shares, mean scores), and test over patients.",
        value=cells,
        limit=float(patients),
        patients=patients,
    )


def _samples(design: StudyDesign, test: PlannedTest) -> Finding | None:
    patients, samples = patient_names(design), len(design.samples)
    units = Counter((name, "") for name in patients)
    if test.contrast is not None:
        found = compared_samples(design, test.contrast)
        samples = len(found.patient)
        sides = found.value if test.contrast.paired else [""] * samples
        units = Counter(zip(found.patient, sides, strict=True))
    repeated = sorted({patient for (patient, _), times in units.items() if times > 1})
    if not repeated:
        return None
    return Finding(
        "samples_as_replicates",
        Severity.ERROR,
        test.name,
        f"The test {test.name!r} takes {number_of(samples, 'sample')} as its n, and {number_of(len(repeated), 'patient')} "
        f"{'has' if len(repeated) == 1 else 'have'} several of them: {listed(repeated)}.",
        "Add the samples of a patient up, or put the patient into the model.",
        value=float(samples),
        limit=float(len(units)),
        patients=len(repeated),
    )
