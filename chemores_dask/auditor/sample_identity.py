"""Do the sex genes of a sample fit its patient?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from chemores_dask.auditor.findings import CheckOutcome, Finding, Severity, nothing_to_check, number_of
from chemores_dask.auditor.sample_groups import patient_names
from chemores_dask.auditor.study_design import StudyDesign
from chemores_dask.checks import listed

CHECK = "identity of samples"
FEWEST_COUNTS = 20.0
"""Counts of XIST and the Y chromosome together below which no sex is called."""

CLEAR = 0.9
"""Share of these counts on one side from which a sex is called. Loss of Y or XIST in a tumor leaves none, and so no call."""


def check_identity(design: StudyDesign) -> CheckOutcome:
    """Call the sex of each sample by XIST and genes of the Y chromosome, and hold it against its patient.

    Parameters
    ----------
    design
        The design.

    Returns
    -------
    Findings ``swapped_sample``: samples of one patient of different sex, or of another sex than declared.
    """
    columns, table = design.columns, design.samples
    absent = [name for name in (columns.female_counts, columns.male_counts) if name not in table.columns]
    if absent or not design.has_patients:
        return nothing_to_check(CHECK, f"the table of samples has no column {listed(absent or [columns.patient])}")
    called = _called(table[columns.female_counts], table[columns.male_counts])
    patient = patient_names(design)
    findings = []
    for name in dict.fromkeys(patient):
        rows = (patient == name).to_numpy()
        sexes = sorted(set(called[rows]) - {""})
        declared = _declared(table.loc[rows, columns.sex]) if columns.sex in table.columns else ""
        if len(sexes) > 1 or (declared and sexes and sexes != [declared]):
            findings.append(_finding(design, name, rows, called, declared))
    said = (
        f"sex genes of {number_of(int((called != '').sum()), 'sample')} of {len(table)} that have enough counts of them"
    )
    return CheckOutcome(CHECK, said, findings=tuple(findings))


def _called(female: pd.Series, male: pd.Series) -> np.ndarray:
    women, men = female.to_numpy(dtype=float), male.to_numpy(dtype=float)
    total = women + men
    share = np.divide(women, total, out=np.full(len(total), 0.5), where=total > 0)
    called = np.where(share >= CLEAR, "female", np.where(share <= 1 - CLEAR, "male", ""))
    return np.where(total >= FEWEST_COUNTS, called, "").astype(object)


def _declared(column: pd.Series) -> str:
    values = {str(value).strip().casefold() for value in column.dropna()}
    known = {"female" if value.startswith("f") else "male" for value in values if value[:1] in {"f", "m"}}
    return known.pop() if len(known) == 1 else ""


def _finding(design: StudyDesign, name: str, rows: np.ndarray, called: np.ndarray, declared: str) -> Finding:
    column = design.columns.sample
    samples = design.samples.loc[rows, column] if column in design.samples.columns else design.samples.index[rows]
    said = [f"{sample} is {sex or 'not clear'}" for sample, sex in zip(samples, called[rows], strict=True)]
    return Finding(
        "swapped_sample",
        Severity.ERROR,
        name,
        f"By XIST and genes of the Y chromosome, of patient {name}: {listed(said)}"
        + (f"; declared {declared}." if declared else "."),
        "Check the labels of these samples against genotypes before anything is compared within this patient.",
        value=float(len(set(called[rows]) - {""})),
        limit=1.0,
        patients=1,
    )
