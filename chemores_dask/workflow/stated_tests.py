"""What the analyses of the catalogue say about the tests that they make, for the audit of a run."""

from __future__ import annotations

from dataclasses import dataclass

PATIENT = "patient"
CELL = "cell"
GENE = "gene"


@dataclass(frozen=True)
class StatedTests:
    """The tests that an analysis makes.

    Attributes
    ----------
    kind
        As in :class:`~chemores_dask.auditor.study_design.PlannedTest`; of several tests of one question, the one that patients limit.
    unit
        What it takes as its n: ``"patient"``, ``"cell"`` or ``"gene"``.
    over
        Dimension along which one call tests again and again; empty where it asks one question.
    correction
        What the analysis itself does about these.
    paired
        Whether it compares within patients.
    descriptive
        Whether its P values are labeled as descriptive wherever they are shown.
    """

    kind: str
    unit: str = PATIENT
    over: str = ""
    correction: str = ""
    paired: bool = False
    descriptive: bool = False
