"""Does time begin before what is tested could be known?"""

from __future__ import annotations

from chemores_dask.auditor.findings import CheckOutcome, Finding, Severity, nothing_to_check
from chemores_dask.auditor.study_design import PlannedModel, StudyDesign
from chemores_dask.checks import listed

CHECK = "time origin"


def check_time_origin(design: StudyDesign) -> CheckOutcome:
    """Look for models whose time counts from before the score was known.

    Parameters
    ----------
    design
        The design.

    Returns
    -------
    Findings ``immortal_time``.
    """
    stated = [model for model in design.models if model.origin and model.score_known]
    if not stated:
        why = (
            "no model of an outcome is planned"
            if not design.models
            else "no model says when time begins and when its score is known"
        )
        return nothing_to_check(CHECK, why)
    said = listed(f"{model.name} (time from {model.origin}, score known at {model.score_known})" for model in stated)
    return CheckOutcome(CHECK, said, findings=tuple(_finding(model) for model in stated if _is_immortal(model)))


def _is_immortal(model: PlannedModel) -> bool:
    return model.origin.casefold() != model.score_known.casefold() and not model.delayed_entry


def _finding(model: PlannedModel) -> Finding:
    return Finding(
        "immortal_time",
        Severity.ERROR,
        model.name,
        f"Time in {model.name!r} counts from {model.origin}, and its score is known only at {model.score_known}. Nobody could have "
        "had the event in "
        f"between and still have a score, so survival with a score looks longer than it is.",
        f"Count time from {model.score_known} (landmark), or let patients enter then (left truncation).",
        patients=model.patients,
    )
