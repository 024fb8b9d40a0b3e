"""Does a score go with how much was sequenced?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from chemores_dask.aliases import Vector
from chemores_dask.auditor.findings import CheckOutcome, Finding, Severity, nothing_to_check, number_of
from chemores_dask.auditor.study_design import ScoredDepth, StudyDesign
from chemores_dask.checks import listed

CHECK = "depth"
STRONG = 0.3
"""Spearman correlation from which a score is said to go with depth."""

BEYOND_CHANCE = 0.1
"""What the lower confidence limit of the correlation must exceed for it."""

NORMAL_QUANTILE = 3.2905267314919255
"""Two-sided 99.9 %: many scores are looked at."""

SPREAD = 1.06
"""Variance of Fisher's z of Spearman's correlation, times n - 3 (Fieller, Hartley and Pearson 1957)."""

FEWEST = 10
"""Cells of a patient for a correlation within it."""

LARGEST = 1 - 1e-12


@dataclass(frozen=True)
class _Depth:
    name: str
    unit: str
    rows: int
    patients: int
    pooled: float
    # Mean of Fisher's z over patients with enough cells, as a correlation, and the rows behind it.
    within: float
    within_patients: int
    within_rows: int

    @property
    def goes_with_depth(self) -> bool:
        return _is_strong(self.pooled, self.rows - 3) or _is_strong(
            self.within, self.within_rows - 3 * self.within_patients
        )


def _look(depth: ScoredDepth) -> _Depth:
    score, total = (np.asarray(values, dtype=float) for values in (depth.score, depth.total))
    known = np.isfinite(score) & np.isfinite(total)
    score, total = score[known], total[known]
    pooled = spearman(score, total)
    if depth.patients is None:
        return _Depth(depth.name, "patient", score.size, score.size, pooled, float("nan"), 0, 0)
    names = np.asarray(depth.patients).astype(str)[known]
    found, sizes = [], []
    for name in np.unique(names):
        rows = names == name
        correlation = spearman(score[rows], total[rows]) if rows.sum() >= FEWEST else float("nan")
        if not np.isnan(correlation):
            found.append(np.arctanh(np.clip(correlation, -LARGEST, LARGEST)))
            sizes.append(int(rows.sum()))
    within = float(np.tanh(np.average(found, weights=np.array(sizes) - 3))) if found else float("nan")
    return _Depth(depth.name, "cell", score.size, np.unique(names).size, pooled, within, len(found), sum(sizes))


def _is_strong(correlation: float, degrees: int) -> bool:
    if np.isnan(correlation) or degrees < 1:
        return False
    lower = np.arctanh(min(abs(correlation), LARGEST)) - NORMAL_QUANTILE * np.sqrt(SPREAD / degrees)
    return bool(abs(correlation) >= STRONG and np.tanh(lower) > BEYOND_CHANCE)


def check_depth(design: StudyDesign) -> CheckOutcome:
    """Correlate scores with total counts, over all cells or patients and within each patient.

    Parameters
    ----------
    design
        The design.

    Returns
    -------
    Findings ``depth_correlation``: Spearman's correlation of at least 0.3, over all rows or within patients, and more than chance
    gives.

    References
    ----------
    Fieller EC, Hartley HO, Pearson ES (1957). Tests for rank correlation coefficients. Biometrika 44:470-481.
    """
    if not design.depths:
        return nothing_to_check(CHECK, "no scores stand beside total counts")
    found = [_look(depth) for depth in design.depths]
    said = listed(f"{depth.name} ({_correlations(depth)})" for depth in found)
    return CheckOutcome(CHECK, said, findings=tuple(_finding(depth) for depth in found if depth.goes_with_depth))


def spearman(first: Vector, second: Vector) -> float:
    """Spearman's rank correlation; ties share their mean rank.

    Parameters
    ----------
    first, second
        Numbers of the same rows.

    Returns
    -------
    From -1 to 1; not a number where either does not vary, or there are fewer than three rows.
    """
    if first.size < 3:
        return float("nan")
    ranks = np.stack([rankdata(first), rankdata(second)])
    ranks -= ranks.mean(axis=1, keepdims=True)
    lengths = np.sqrt((ranks**2).sum(axis=1))
    return float("nan") if not lengths.all() else float(ranks[0] @ ranks[1] / lengths.prod())


def _correlations(depth: _Depth) -> str:
    within = (
        f", {depth.within:.2f} within {number_of(depth.within_patients, 'patient')}" if depth.within_patients else ""
    )
    return f"Spearman {depth.pooled:.2f} over {number_of(depth.rows, depth.unit)}{within}"


def _finding(depth: _Depth) -> Finding:
    return Finding(
        "depth_correlation",
        Severity.WARNING,
        depth.name,
        f"The score {depth.name!r} goes with the total counts: {_correlations(depth)}. What is called high may be deeply "
        "sequenced, or large.",
        "Score normalized expression; adjust for the total counts, or thin the counts to one depth and look again.",
        value=max((depth.pooled, depth.within), key=lambda value: -1.0 if np.isnan(value) else abs(value)),
        limit=STRONG,
        patients=depth.patients,
    )
