"""Are outcomes missing, and does it depend on the score?"""

from __future__ import annotations

import numpy as np
from scipy.stats import mannwhitneyu

from chemores_dask.auditor.findings import CheckOutcome, Finding, Severity, nothing_to_check, number_of
from chemores_dask.auditor.study_design import ScoredOutcome, StudyDesign
from chemores_dask.checks import listed

CHECK = "missing outcomes"
LEVEL = 0.01
"""P below which being known is said to go with the score; no claim rests on it, so few false alarms are wanted."""


def check_outcomes(design: StudyDesign) -> CheckOutcome:
    """Compare the scores of patients with and without a known outcome.

    Parameters
    ----------
    design
        The design.

    Returns
    -------
    Findings ``missing_by_score`` (Wilcoxon's rank sum test over patients) or, where the scores do not differ, ``missing_outcomes``.
    """
    if not design.outcomes:
        return nothing_to_check(CHECK, "no scores stand beside outcomes")
    said = listed(
        f"{each.name} ({int(np.asarray(each.known, dtype=bool).sum())} of {len(each.known)} known)"
        for each in design.outcomes
    )
    findings = [finding for each in design.outcomes if (finding := _finding(each)) is not None]
    return CheckOutcome(CHECK, said, findings=tuple(findings))


def _finding(outcome: ScoredOutcome) -> Finding | None:
    known = np.asarray(outcome.known, dtype=bool)
    score = np.asarray(outcome.score, dtype=float)
    missing = int((~known).sum())
    if not missing:
        return None
    with_score = np.isfinite(score)
    here, there = score[known & with_score], score[~known & with_score]
    p_value, area = float("nan"), float("nan")
    if here.size and there.size and np.unique(score[with_score]).size > 1:
        tested = mannwhitneyu(there, here, alternative="two-sided", method="auto")
        p_value, area = float(tested.pvalue), float(tested.statistic) / (here.size * there.size)
    counted = f"The outcome of {outcome.name!r} is not known for {missing} of {number_of(known.size, 'patient')}"
    if p_value < LEVEL:
        return Finding(
            "missing_by_score",
            Severity.WARNING,
            outcome.name,
            f"{counted}, and their scores are {'higher' if area > 0.5 else 'lower'} (P = {p_value:.2g}, Wilcoxon's rank sum test, "
            f"{there.size} "
            f"against {here.size} patients; a patient without outcome has the higher score in {area:.0%} of pairs).",
            "Find out why they are missing; compare the patients left out, and weight or impute before reading an association.",
            value=p_value,
            limit=LEVEL,
            patients=missing,
        )
    return Finding(
        "missing_outcomes",
        Severity.NOTE,
        outcome.name,
        f"{counted}; their scores do not stand out"
        + ("." if np.isnan(p_value) else f" (P = {p_value:.2g}, Wilcoxon's rank sum test)."),
        "Show how many patients each analysis has, in a flow table.",
        value=float(missing),
        limit=0.0,
        patients=missing,
    )
