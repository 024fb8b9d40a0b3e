"""Do samples have enough cells, and about as many?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from chemores_dask.auditor.findings import CheckOutcome, Finding, Severity, nothing_to_check, number_of
from chemores_dask.auditor.study_design import StudyDesign
from chemores_dask.checks import listed

CHECK = "cells of samples"
FEWEST = 10
"""Cells below which a sample says hardly anything about shares or expression."""

SHOWN = 3

LARGEST_RATIO = 10.0
"""Cells of the fullest sample over those of the median sample, or of the median sample over the emptiest."""


def check_cells(design: StudyDesign) -> CheckOutcome:
    """Look for samples with few cells, or with many more or fewer than the others.

    Parameters
    ----------
    design
        The design.

    Returns
    -------
    Findings ``few_cells`` and ``imbalanced_cells``.
    """
    column = design.columns.cells
    if column not in design.samples.columns or not len(design.samples):
        return nothing_to_check(
            CHECK, f"the table of samples has no column {column!r}" if len(design.samples) else "there are no samples"
        )
    cells = pd.Series(design.samples[column].to_numpy(dtype=float), index=_names(design))
    said = (
        f"{number_of(len(cells), 'sample')} with {int(cells.min()):,} to {int(cells.max()):,} cells, "
        f"{float(cells.median()):,.0f} in the median"
    )
    findings = [finding for finding in (_few(cells), _imbalanced(cells)) if finding is not None]
    return CheckOutcome(CHECK, said, findings=tuple(findings))


def _names(design: StudyDesign) -> list[str]:
    column = design.columns.sample
    return [
        str(name) for name in (design.samples[column] if column in design.samples.columns else design.samples.index)
    ]


def _subject(samples: pd.Series) -> str:
    return listed(samples.index) if len(samples) <= SHOWN else number_of(len(samples), "sample")


def _few(cells: pd.Series) -> Finding | None:
    few = cells[(cells < FEWEST).to_numpy()]
    if not len(few):
        return None
    return Finding(
        "few_cells",
        Severity.WARNING,
        _subject(few),
        f"{number_of(len(few), 'sample')} of {len(cells)} {'has' if len(few) == 1 else 'have'} fewer than {FEWEST} cells: "
        f"{listed(f'{name} ({int(number)})' for name, number in few.items())}.",
        "Leave them out of shares and pseudobulk, and say so; a state that was not found there may only have been missed.",
        value=float(few.min()),
        limit=float(FEWEST),
    )


def _imbalanced(cells: pd.Series) -> Finding | None:
    enough = cells[(cells >= FEWEST).to_numpy()]
    if len(enough) < 2:
        return None
    middle = float(np.median(enough))
    ratio = max(float(enough.max()) / middle, middle / float(enough.min()))
    if ratio < LARGEST_RATIO:
        return None
    far = enough[((enough >= LARGEST_RATIO * middle) | (enough * LARGEST_RATIO <= middle)).to_numpy()]
    return Finding(
        "imbalanced_cells",
        Severity.WARNING,
        _subject(far),
        f"{number_of(len(far), 'sample')} {'differs' if len(far) == 1 else 'differ'} more than {LARGEST_RATIO:g} times from the "
        f"median of {middle:,.0f} "
        f"cells: {listed(f'{name} ({int(number):,})' for name, number in far.items())}. Whatever pools cells shows mostly the "
        "fullest samples.",
        "Weigh patients alike (shares, pseudobulk), and see whether few cells go with one side of a comparison.",
        value=ratio,
        limit=LARGEST_RATIO,
    )
