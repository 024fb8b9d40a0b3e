"""Are there enough events for the terms of a model?"""

from __future__ import annotations

from chemores_dask.auditor.findings import CheckOutcome, Finding, Severity, nothing_to_check, number_of
from chemores_dask.auditor.study_design import PlannedModel, StudyDesign
from chemores_dask.checks import listed

CHECK = "events per term"
ENOUGH = 10.0
"""Events per term below which estimates are biased and intervals too short (Peduzzi and others 1995)."""

LEAST = 5.0
"""Events per term below which a model should not be shown (Vittinghoff and McCulloch 2007)."""


def check_events(design: StudyDesign) -> CheckOutcome:
    """Look for models with few events per term.

    Parameters
    ----------
    design
        The design.

    Returns
    -------
    Findings ``few_events``: an error below 5 events per term, a warning below 10.

    References
    ----------
    Peduzzi P and others (1995). Importance of events per independent variable in proportional hazards regression analysis II. J Clin
    Epidemiol 48:1503-1510. Vittinghoff E, McCulloch CE (2007). Relaxing the rule of ten events per variable. Am J Epidemiol 165:710-718.
    """
    if not design.models:
        return nothing_to_check(CHECK, "no model of an outcome is planned")
    said = listed(
        f"{model.name} ({number_of(model.events, 'event')}, {number_of(model.terms, 'term')})"
        for model in design.models
    )
    findings = tuple(_finding(model) for model in design.models if model.events < ENOUGH * model.terms)
    return CheckOutcome(CHECK, said, findings=findings)


def _finding(model: PlannedModel) -> Finding:
    share = model.events / model.terms
    return Finding(
        "few_events",
        Severity.ERROR if share < LEAST else Severity.WARNING,
        model.name,
        f"The model {model.name!r} has {number_of(model.events, 'event')} in {number_of(model.patients, 'patient')} for "
        f"{number_of(model.terms, 'term')}: {share:.1f} events per term.",
        "Use fewer terms, or a penalized model (Firth); show intervals, and do not choose terms by their P values.",
        value=share,
        limit=ENOUGH,
        patients=model.patients,
    )
