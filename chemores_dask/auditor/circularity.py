"""Is a signature, or its cut-off, tested on what it was made from?"""

from __future__ import annotations

from chemores_dask.auditor.findings import CheckOutcome, Finding, Severity, nothing_to_check, number_of
from chemores_dask.auditor.study_design import Material, SignatureUse, StudyDesign
from chemores_dask.checks import listed

CHECK = "circularity"


def check_circularity(design: StudyDesign) -> CheckOutcome:
    """Look for overlap between what signatures and cut-offs were made from and what they are tested on.

    Parameters
    ----------
    design
        The design.

    Returns
    -------
    Findings ``tested_on_derivation_cells``, ``tested_on_derivation_patients``, ``tested_on_derivation_labels``,
    ``cutoff_from_tested_patients``, ``blind_cutoff`` and ``scanned_cutoff``. Labels count only where the patients of either side are
    not known: the same question in other patients is a validation.
    """
    derived = [use for use in design.signatures if use.derivation is not None and use.test is not None]
    cut = [use for use in design.signatures if use.cutoff_rule]
    if not derived and not cut:
        why = (
            "no signatures are used"
            if not design.signatures
            else "nothing says in which patients the signatures were found"
        )
        return nothing_to_check(CHECK, f"{why}, and no cut-off is used")
    findings = [finding for use in derived if (finding := _derivation(use)) is not None]
    findings += [finding for use in cut if (finding := _cutoff(use)) is not None]
    said = [f"{use.name}: derivation against test" for use in derived]
    said += [f"cut-off of {use.name} ({use.cutoff_rule})" for use in cut]
    unknown = [use.name for use in design.signatures if use.genes and use.derivation is None]
    if unknown:
        said.append(f"nothing says in which patients {listed(unknown)} was found")
    return CheckOutcome(CHECK, "; ".join(said), findings=tuple(findings))


def _derivation(use: SignatureUse) -> Finding | None:
    made, tested = use.derivation or Material(), use.test or Material()
    cells = set(made.cells) & set(tested.cells)
    patients = sorted(set(made.patients) & set(tested.patients))
    labels = sorted(set(made.labels) & set(tested.labels))
    same = f" and for the same labels ({listed(labels)})" if labels else ""
    hold_out = "Derive it without the patients in whom it is tested (leave one patient out), or test it in others."
    if cells:
        return Finding(
            "tested_on_derivation_cells",
            Severity.ERROR,
            use.name,
            f"{use.name!r} is tested on {number_of(len(cells), 'cell')} of {len(set(tested.cells)):,} that it was derived "
            f"from{same}. It fits them "
            "by construction.",
            hold_out,
            value=float(len(cells)),
            limit=0.0,
            patients=len(patients),
        )
    if patients:
        return Finding(
            "tested_on_derivation_patients",
            Severity.ERROR,
            use.name,
            f"{use.name!r} is tested in {number_of(len(patients), 'patient')} of {len(set(tested.patients))} that it was derived "
            f"from{same}: "
            f"{listed(patients)}.",
            hold_out,
            value=float(len(patients)),
            limit=0.0,
            patients=len(patients),
        )
    unknown = not made.patients or not tested.patients
    if labels and unknown:
        return Finding(
            "tested_on_derivation_labels",
            Severity.WARNING,
            use.name,
            f"{use.name!r} is tested for the labels that it was derived from ({listed(labels)}), and nothing says that the "
            "patients are others.",
            "Say which patients it was derived from and in which it is tested.",
            value=float(len(labels)),
            limit=0.0,
        )
    return None


def _cutoff(use: SignatureUse) -> Finding | None:
    chosen, tested = use.cutoff or Material(), use.test or Material()
    patients = sorted(set(chosen.patients) & set(tested.patients))
    apart = bool(chosen.patients) and bool(tested.patients) and not patients
    if apart or use.cutoff_rule in {"frozen", "scanned_corrected"}:
        return None
    where = (
        f"in {number_of(len(patients), 'patient')} of {len(set(tested.patients))} in whom it is tested"
        if patients
        else "where it is tested"
    )
    if use.cutoff_rule == "scanned":
        return Finding(
            "scanned_cutoff",
            Severity.ERROR,
            use.name,
            f"The cut-off of {use.name!r} is the best of many, found {where}. The P value of the best is far too small.",
            "Show the continuous score first; correct the P for the search (maximally selected statistics), or freeze the cut-off "
            "elsewhere.",
            value=float(len(patients)),
            limit=0.0,
            patients=len(patients),
        )
    if use.cutoff_rule == "blind":
        return Finding(
            "blind_cutoff",
            Severity.NOTE,
            use.name,
            f"The cut-off of {use.name!r} was taken {where}, from the scores alone. It is not tuned to what is tested, but it "
            "belongs to these "
            "patients.",
            "Freeze it before it is used for others, and say whether it travels as a value or as a quantile.",
            value=float(len(patients)),
            limit=0.0,
            patients=len(patients),
        )
    return Finding(
        "cutoff_from_tested_patients",
        Severity.WARNING,
        use.name,
        f"The cut-off of {use.name!r} was chosen {where}.",
        "Choose it in other patients, within cross-validation, or by the scores alone; show the continuous score first.",
        value=float(len(patients)),
        limit=0.0,
        patients=len(patients),
    )
