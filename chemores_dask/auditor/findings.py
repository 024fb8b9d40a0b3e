"""What a check of a design says: findings, or that there was nothing to look at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from chemores_dask.errors import ParameterError


class Severity(IntEnum):
    """How much a finding matters: read it, doubt what follows, or mend it first."""

    NOTE = 0
    WARNING = 1
    ERROR = 2


CODES = {
    "cells_as_replicates": "a test takes cells as its n",
    "descriptive_cells": "P values over cells, labeled descriptive",
    "samples_as_replicates": "a test takes several samples of one patient as independent",
    "overlapping_pools": "a test takes pools of the same cells as its n",
    "absent_values": "no sample has a compared value",
    "unpaired_patients": "patients lack one side of a paired comparison",
    "no_pairs": "no patient has both sides of a paired comparison",
    "pairing_ignored": "patients with both sides are compared as though they were strangers",
    "too_few_patients": "one side of a comparison has fewer than two patients",
    "unattainable_p_value": "no arrangement of the data can be significant",
    "aliased_design": "columns of the design follow from each other",
    "aliased_contrast": "batches and patients together tell the compared values",
    "unshared_batch": "no batch holds both compared values",
    "uninformative_batch": "a batch holds one compared value only",
    "associated_variables": "two variables of the samples go together",
    "few_events": "too few events for the terms of a model",
    "undeclared_family": "several tests belong to no declared family",
    "uncorrected_family": "a family of tests is not corrected",
    "tested_on_derivation_cells": "a signature is tested on cells that it was derived from",
    "tested_on_derivation_patients": "a signature is tested in patients that it was derived from",
    "tested_on_derivation_labels": "a signature is tested for the labels that it was derived from",
    "cutoff_from_tested_patients": "a cut-off was chosen in the patients in whom it is tested",
    "blind_cutoff": "a cut-off was taken from the tested patients, without a look at what is tested",
    "scanned_cutoff": "the best of many cut-offs is tested as though it were the only one",
    "missing_genes": "genes of a signature were not measured",
    "too_few_genes": "too little of a signature was measured",
    "ribosomal_genes": "a signature holds ribosomal genes",
    "mangled_gene_names": "names of genes were changed on their way",
    "depth_correlation": "a score goes with the total counts",
    "missing_outcomes": "outcomes are not known for all patients",
    "missing_by_score": "whether the outcome is known goes with the score",
    "immortal_time": "time counts from before the score could be known",
    "imbalanced_cells": "samples differ much in their number of cells",
    "few_cells": "a sample has hardly any cells",
    "swapped_sample": "the sex genes of a sample do not fit its patient",
}
"""All codes, with what each stands for."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or that a reader must know.

    Attributes
    ----------
    code
        One of ``CODES``.
    severity
        Note, warning or error.
    subject
        The test, variable, model, signature or sample concerned.
    text
        What was found, as sentences.
    mend
        What to do about it.
    value, limit
        The figure that decided, and the limit it was held against; not a number where there is none.
    patients
        Patients concerned; 0 where it is not about patients.
    """

    code: str
    severity: Severity
    subject: str
    text: str
    mend: str
    value: float = float("nan")
    limit: float = float("nan")
    patients: int = 0

    def __post_init__(self) -> None:
        if self.code not in CODES:
            message = f"The code of a finding must be one of those in CODES. Got {self.code!r}; add it there."
            raise ParameterError(message)


@dataclass(frozen=True)
class CheckOutcome:
    """What became of one check.

    Attributes
    ----------
    check
        Its name.
    looked_at
        What it looked at; where it had nothing to look at, why.
    applicable
        Whether it had anything to look at.
    findings
        What it found.
    """

    check: str
    looked_at: str
    applicable: bool = True
    findings: tuple[Finding, ...] = ()


def nothing_to_check(check: str, why: str) -> CheckOutcome:
    """The outcome of a check that has nothing to look at.

    Parameters
    ----------
    check
        Its name.
    why
        What the design does not say.

    Returns
    -------
    An outcome that is neither clean nor not.
    """
    return CheckOutcome(check, why, applicable=False)


def number_of(count: int, noun: str, *, plural: str = "") -> str:
    """A number with its noun.

    Parameters
    ----------
    count
        How many.
    noun
        For one of them.
    plural
        For several; with an s unless given.

    Returns
    -------
    Text.

    Examples
    --------
    >>> number_of(1, "patient"), number_of(1200, "cell"), number_of(2, "batch", plural="batches")
    ('1 patient', '1,200 cells', '2 batches')
    """
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"
