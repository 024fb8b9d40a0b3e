"""A frozen risk in a cohort of its own: does it tell who dies earlier, do its predictions come true, and what are they worth?"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import xarray as xr

from chemores_dask.aliases import Seed, Vector
from chemores_dask.checks import check_between, check_one_of, check_variables, check_whole
from chemores_dask.cohort.response.scored_patients import EVENTS_PER_TERM, read_measurement
from chemores_dask.cohort.risk_signature.frozen_risk import FrozenRisk, predict_frozen
from chemores_dask.cohort.risk_signature.performance_of_risk import THRESHOLDS, Question, measure_performance
from chemores_dask.cohort.risk_signature.scored_cohort import REASONS, ScoredCohort, score_cohort
from chemores_dask.cohort.risk_signature.validation_values import (
    cutoff_values,
    group_values,
    hazard_values,
    horizon_values,
    performance_values_of,
)
from chemores_dask.errors import FewEventsWarning, ParameterError
from chemores_dask.kernels.cox import STATUS_FLAGS
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 1

CALLER = "validate_risk"
_PATIENT, _HORIZON, _TIME = ("patient",), ("horizon",), ("time",)
_GROUP, _THRESHOLD = ("horizon", "risk_group"), ("horizon", "threshold")
_BOOTSTRAP, _WALD, _CURVE = "bootstrap over patients", "Wald", "log-log"


def _with_limits(
    name: str, dims: tuple[str, ...] = (), *, doc: str = "", limits: str = _BOOTSTRAP, optional: bool = False
) -> list[Variable]:
    return [
        Variable(f"validation_{name}", dims, "f", doc=doc, optional=optional),
        Variable(f"validation_{name}_lower", dims, "f", doc=f"lower limit ({limits})", optional=optional),
        Variable(f"validation_{name}_upper", dims, "f", doc=f"upper limit ({limits})", optional=optional),
    ]


RESULT = declare(
    Variable("validation_flow_patients", ("reason",), "i", unit="patients", doc="left out by the first reason"),
    Variable("validation_flow_events", ("reason",), "i", unit="patients", doc="with the event, among those"),
    Variable("validation_patients", (), "i", unit="patients", doc="with a risk and an outcome, beyond the landmark"),
    Variable("validation_events", (), "i", unit="patients", doc="with the event, among those"),
    Variable("validation_risk", _PATIENT, "f", unit="of the risk"),
    Variable("validation_high", _PATIENT, "b", doc="above the frozen cut-off", optional=True),
    *_with_limits("concordance", doc="Harrell's: who dies earlier has the higher risk"),
    *_with_limits("uno_concordance", doc="Uno's, up to the last horizon: free of the pattern of censoring"),
    *_with_limits("hazard_ratio", doc="per standard deviation of the risk in these patients", limits=_WALD),
    Variable("validation_risk_deviation", (), "f", unit="of the risk", doc="standard deviation in these patients"),
    Variable("validation_p_value", (), "f", doc="Wald test of the risk in a Cox model, two-sided"),
    Variable("validation_cox_status", (), "i", flags=STATUS_FLAGS),
    *_with_limits(
        "calibration_slope",
        doc="log hazard ratio per unit of the risk; 1 is right for a log hazard ratio",
        limits=_WALD,
    ),
    Variable("validation_slope_p_value", (), "f", doc="Wald test that the slope is 1, two-sided", optional=True),
    *_with_limits("auc", _HORIZON, doc="who has the event by then has a higher risk than who lives beyond"),
    *_with_limits("survival", _HORIZON, doc="Kaplan-Meier", limits=_CURVE),
    Variable("validation_horizon_events", _HORIZON, "i", unit="patients", doc="with the event by the horizon"),
    Variable("validation_at_risk", _HORIZON, "i", unit="patients", doc="followed beyond the horizon"),
    *_with_limits("curve_auc", _TIME, doc="as at the horizons"),
    Variable("validation_curve_survival", _TIME, "f", doc="Kaplan-Meier"),
    Variable("validation_predicted_survival", _HORIZON, "f", doc="mean over patients", optional=True),
    *_with_limits(
        "observed_over_expected",
        _HORIZON,
        doc="share with the event (Kaplan-Meier) over the predicted one",
        optional=True,
    ),
    *_with_limits("brier", _HORIZON, doc="mean squared error of predicted survival", optional=True),
    Variable("validation_brier_null", _HORIZON, "f", doc="of Kaplan-Meier for everybody", optional=True),
    *_with_limits("prediction_accuracy", _HORIZON, doc="1 less the ratio of both", optional=True),
    *_with_limits("integrated_brier", doc="mean over time up to the last horizon", optional=True),
    Variable("validation_integrated_brier_null", (), "f", doc="of Kaplan-Meier for everybody", optional=True),
    *_with_limits("integrated_prediction_accuracy", doc="1 less the ratio of both", optional=True),
    *_with_limits("curve_brier", _TIME, doc="as at the horizons", optional=True),
    Variable("validation_curve_brier_null", _TIME, "f", doc="of Kaplan-Meier for everybody", optional=True),
    Variable("validation_group_patients", ("risk_group",), "i", unit="patients", optional=True),
    Variable("validation_group_predicted", _GROUP, "f", doc="mean predicted share with the event", optional=True),
    *_with_limits("group_observed", _GROUP, doc="share with the event (Kaplan-Meier)", limits=_CURVE, optional=True),
    *_with_limits("net_benefit", _THRESHOLD, doc="of treating by the prediction, per patient", optional=True),
    Variable("validation_net_benefit_all", _THRESHOLD, "f", doc="of treating everybody", optional=True),
    Variable("validation_high_patients", (), "i", unit="patients", doc="above the frozen cut-off", optional=True),
    Variable("validation_high_events", (), "i", unit="patients", doc="with the event, among those", optional=True),
    *_with_limits("high_hazard_ratio", doc="above against below the frozen cut-off", limits=_WALD, optional=True),
    Variable("validation_high_p_value", (), "f", doc="Wald test of the groups, two-sided", optional=True),
    Variable("validation_high_cox_status", (), "i", flags=STATUS_FLAGS, optional=True),
    Variable("validation_log_rank_p_value", (), "f", doc="log-rank test of the groups", optional=True),
)


@dataclass(frozen=True)
class ValidationOptions:
    """How a risk is validated.

    Attributes
    ----------
    expression
        Variable over (patient, gene), for a signature.
    standardize
        ``"training"``: genes by their mean and standard deviation in the training cohort; ``"cohort"``: by those of this one.
    minimum_weight
        Least share of the signature's weight that must be measured, in the cohort and in a patient.
    high
        With ``risk``: boolean variable, patients above a cut-off that was frozen elsewhere.
    landmark
        Patients whose follow-up ends by then are left out, and predictions are for those who live so long.
    groups
        Groups of rising risk in which predicted and observed survival are compared.
    points
        Times of the curves, evenly spread up to the last horizon.
    draws
        Cohorts drawn for bootstrap limits.
    level
        Coverage of all limits.
    """

    expression: str = "expression"
    standardize: str = "training"
    minimum_weight: float = 0.8
    high: str | None = None
    landmark: float = 0.0
    groups: int = 4
    points: int = 50
    draws: int = 1000
    level: float = 0.95


def validate_risk(
    patients: xr.Dataset,
    *,
    signature: xr.Dataset | None = None,
    risk: str | None = None,
    duration: str,
    event: str,
    horizons: Sequence[float],
    options: ValidationOptions = ValidationOptions(),
    seed: Seed,
) -> xr.Dataset:
    """Hold a frozen risk against the survival of patients it has never seen.

    The risk comes first as it is, continuous: hazard ratio per standard deviation, Harrell's and Uno's concordance [1]_, area under the
    ROC curve over time (cumulative cases, dynamic controls [2]_). A signature that brings a baseline hazard predicts survival, too: its
    calibration, Brier score [3]_ and net benefit [4]_ follow. Patients who are censored before a time weigh nothing there, and the others
    the more. Groups above and below the cut-off of the signature come last.

    Parameters
    ----------
    patients
        Variables over ``patient`` and, for a signature, expression over (patient, gene). Patients without a risk or an outcome are left
        out and counted by reason.
    signature
        Result of :func:`fit_risk_signature`.
    risk
        Instead of a signature: a variable over ``patient``, higher for a shorter life.
    duration, event
        Variables over ``patient``: follow-up in any unit, and whether it ended in the event (boolean, or 0 and 1).
    horizons
        Times within follow-up, in that unit.
    options
        Expression, landmark, groups, draws.
    seed
        Of the bootstrap.

    Returns
    -------
    Dataset over ``patient`` (in order of names), ``horizon``, ``time`` of the curves, ``reason``, ``risk_group`` and ``threshold``:
    ``validation_concordance``, ``validation_uno_concordance``, ``validation_hazard_ratio`` (per standard deviation),
    ``validation_calibration_slope``, ``validation_auc`` and ``validation_curve_auc``, each with limits; where survival is predicted,
    ``validation_observed_over_expected``, ``validation_brier``, ``validation_prediction_accuracy`` (1 less Brier score over that of
    Kaplan-Meier), ``validation_group_observed`` beside ``validation_group_predicted``, ``validation_net_benefit``; where there is a
    cut-off, ``validation_high_hazard_ratio`` and ``validation_log_rank_p_value``. ``validation_flow_patients`` counts who was left out,
    and why.

    Raises
    ------
    MissingVariableError
        If a variable is absent.
    GeneMismatchError
        If too little of the signature is measured in the cohort.
    ParameterError
        If there are both a signature and a risk or neither, or a horizon lies outside of follow-up.
    InputError
        If an outcome is impossible. Variable and patients are named.
    TooFewEventsError
        If fewer than two events are left.

    Warns
    -----
    FewEventsWarning
        Below ten events.

    Notes
    -----
    Passes over the counts: 0. Nothing is learned here: cut-off, weights and baseline are the signature's; a cut-off that travels as a
    quantile takes it from the risks of all patients of this cohort, with or without an outcome. Baseline hazard is constant beyond the
    last event of training. The bootstrap draws patients, in tasks of 50 cohorts. Limits are not numbers where half of the drawn cohorts
    do not give the value.

    References
    ----------
    .. [1] Uno H, Cai T, Pencina MJ, D'Agostino RB, Wei LJ (2011). On the C-statistics for evaluating overall adequacy of risk prediction
       procedures with censored survival data. Stat Med 30:1105-1117.
    .. [2] Uno H, Cai T, Tian L, Wei LJ (2007). Evaluating prediction rules for t-year survivors with censored regression models. JASA
       102:527-537.
    .. [3] Graf E, Schmoor C, Sauerbrei W, Schumacher M (1999). Assessment and comparison of prognostic classification schemes for
       survival data. Stat Med 18:2529-2545.
    .. [4] Vickers AJ, Cronin AM, Elkin EB, Gonen M (2008). Extensions to decision curve analysis, a novel method for evaluating diagnostic
       tests, prediction models and molecular markers. BMC Med Inform Decis Mak 8:53.
    """
    _check_options(options)
    frozen = _risk_of(patients, signature, risk, options)
    cohort = score_cohort(
        patients,
        frozen.risk,
        frozen.unscored,
        duration=duration,
        event=event,
        landmark=options.landmark,
        caller=CALLER,
    )
    asked = _horizons(horizons, cohort, options)
    note = _events_note(cohort)
    times = np.linspace(options.landmark, asked[-1], options.points + 1)[1:]
    predicted = frozen.survival(cohort.rows, np.concatenate([asked, times]), landmark=options.landmark)
    question = Question(cohort.risk, cohort.duration, cohort.event, predicted, asked, times)
    performance = measure_performance(question, draws=options.draws, seed=seed)
    high = None if frozen.high is None else frozen.high[cohort.rows]
    values: dict[str, object] = {
        "validation_flow_patients": cohort.flow,
        "validation_flow_events": cohort.flow_events,
        "validation_patients": cohort.risk.size,
        "validation_events": int(cohort.event.sum()),
        "validation_risk": cohort.risk,
        **hazard_values(cohort, level=options.level, log_hazard=signature is not None),
        **horizon_values(cohort, asked, level=options.level),
        **performance_values_of(performance, asked.size, level=options.level),
    }
    if predicted is not None:
        values |= group_values(cohort, asked, predicted[:, : asked.size], groups=options.groups, level=options.level)
    if high is not None:
        values |= {"validation_high": high, **cutoff_values(cohort, high, level=options.level)}
    return make_result(
        RESULT,
        values,
        analysis=CALLER,
        parameters={
            "risk": risk,
            "signature": signature is not None,
            "duration": duration,
            "event": event,
            "horizons": [float(value) for value in asked],
            "options": asdict(options),
            "seed": seed,
        },
        coordinates={
            "patient": cohort.patients,
            "horizon": asked,
            "time": times,
            "reason": list(REASONS),
            **({} if predicted is None else {"threshold": THRESHOLDS}),
        },
        attributes={"cutoff_origin": frozen.cutoff_origin, **note},
    )


def _check_options(options: ValidationOptions) -> None:
    check_one_of(options.standardize, ("training", "cohort"), parameter="standardize", caller=CALLER)
    check_between(options.minimum_weight, parameter="minimum_weight", caller=CALLER, minimum=0.0, maximum=1.0)
    check_between(options.landmark, parameter="landmark", caller=CALLER, minimum=0.0)
    check_between(options.level, parameter="level", caller=CALLER, minimum=0.5, maximum=0.9999)
    check_whole(options.groups, parameter="groups", caller=CALLER, minimum=2)
    check_whole(options.points, parameter="points", caller=CALLER, minimum=2, maximum=1000)
    check_whole(options.draws, parameter="draws", caller=CALLER, minimum=1)


def _risk_of(
    patients: xr.Dataset, signature: xr.Dataset | None, risk: str | None, options: ValidationOptions
) -> FrozenRisk:
    if (signature is None) == (risk is None):
        message = f"{CALLER} needs either a 'signature' or the name of a 'risk' variable. Got {'neither' if risk is None else 'both'}."
        raise ParameterError(message)
    if signature is not None:
        if options.high is not None:
            message = f"The 'high' option of {CALLER} goes with 'risk': a signature brings a cut-off of its own. Leave it out."
            raise ParameterError(message)
        return predict_frozen(
            patients,
            signature,
            expression=options.expression,
            standardize=options.standardize,
            minimum_weight=options.minimum_weight,
        )
    values = read_measurement(patients, str(risk), caller=CALLER)
    high = None if options.high is None else _high(patients, options.high, values)
    return FrozenRisk(values, np.full(values.size, 3), high, "" if high is None else f"variable {options.high}")


def _high(patients: xr.Dataset, name: str, risk: Vector) -> Vector:
    check_variables(patients, [name], dims=("patient",), what="patients", caller=CALLER)
    values = read_measurement(patients, name, caller=CALLER)
    wrong = ~np.isnan(risk) & (values != 0) & (values != 1)
    if wrong.any():
        message = (
            f"The variable {name!r} of {CALLER} must be boolean, or 0 and 1, for every patient with a risk. Not so for {int(wrong.sum())} "
            "patients."
        )
        raise ParameterError(message)
    return values == 1


def _horizons(horizons: Sequence[float], cohort: ScoredCohort, options: ValidationOptions) -> Vector:
    for value in horizons:
        check_between(value, parameter="horizons", caller=CALLER)
    given = np.array([float(value) for value in horizons])
    last = float(cohort.duration.max())
    if not given.size or not ((given > options.landmark) & (given < last)).all():
        start = f"the landmark, {options.landmark:g}," if options.landmark else "0"
        message = (
            f"The 'horizons' of {CALLER} must lie after {start} and before the end of follow-up, {last:g}. Got {given.tolist()}; "
            "somebody must be followed beyond every horizon."
        )
        raise ParameterError(message)
    return np.unique(given)


def _events_note(cohort: ScoredCohort) -> dict[str, object]:
    events = int(cohort.event.sum())
    if events >= EVENTS_PER_TERM:
        return {}
    note = f"{events} events: too few for limits to hold."
    warnings.warn(f"{CALLER}: {note} Read the estimates as a description.", FewEventsWarning, stacklevel=3)
    return {"note": note}
