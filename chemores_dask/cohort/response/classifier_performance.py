"""How well a score finds the patients of a response: discrimination, a cut-off, calibration, and net benefit."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import xarray as xr

from chemores_dask.aliases import Vector
from chemores_dask.checks import check_between, check_one_of, check_whole, listed
from chemores_dask.cohort.outcome import patient_names
from chemores_dask.cohort.response.performance_values import (
    THRESHOLDS,
    Classified,
    calibration_values,
    call_values,
    comparison_values,
    curve_values,
    drawn_values,
    learn_probabilities,
)
from chemores_dask.cohort.response.scored_patients import (
    Flow,
    count_flow,
    flow_values,
    label_text,
    read_labels,
    read_measurement,
)
from chemores_dask.errors import InputError, OptimisticEstimateWarning
from chemores_dask.kernels.newton import OK, STATUS_FLAGS
from chemores_dask.kernels.roc import youden_cutoff
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 1

_PATIENT, _POINT, _BIN, _THRESHOLD = ("patient",), ("point",), ("bin",), ("threshold",)


def _with_limits(
    name: str, dims: tuple[str, ...] = (), *, doc: str, limits: str, optional: bool = False
) -> list[Variable]:
    return [
        Variable(f"performance_{name}", dims, "f", doc=doc, optional=optional),
        Variable(f"performance_{name}_lower", dims, "f", doc=f"lower limit ({limits})", optional=optional),
        Variable(f"performance_{name}_upper", dims, "f", doc=f"upper limit ({limits})", optional=optional),
    ]


RESULT = declare(
    Variable("performance_patients", (), "i", unit="patients", doc="in whom the score is measured"),
    Variable("performance_positive_patients", (), "i", unit="patients", doc="of those, with the response to be found"),
    Variable("performance_training_patients", (), "i", unit="patients", doc="in whom cut-off and model were learned"),
    Variable("performance_patients_total", (), "i", unit="patients", doc="in the cohort"),
    Variable("performance_patients_without_score", (), "i", unit="patients"),
    Variable(
        "performance_patients_without_response", (), "i", unit="patients", doc="with a score, but no known response"
    ),
    Variable("performance_missing_auroc", (), "f", doc="probability that a score is higher where no response is known"),
    Variable(
        "performance_missing_p_value",
        (),
        "f",
        doc="Wilcoxon rank-sum test of the score, response unknown against known",
    ),
    Variable("performance_score", _PATIENT, "f", unit="of the score"),
    Variable("performance_positive", _PATIENT, "b"),
    Variable("performance_probability", _PATIENT, "f", doc="of the response, by the model or as given", optional=True),
    Variable(
        "performance_model_status", (), "i", flags=(*STATUS_FLAGS, "given"), doc="of the model that gives probabilities"
    ),
    *_with_limits("auroc", doc="area under the ROC curve", limits="DeLong"),
    Variable("performance_auroc_bootstrap_lower", (), "f", doc="lower limit (bootstrap over patients)"),
    Variable("performance_auroc_bootstrap_upper", (), "f", doc="upper limit (bootstrap over patients)"),
    Variable("performance_auroc_p_value", (), "f", doc="Wilcoxon rank-sum test that the area is one half, two-sided"),
    Variable("performance_minimum_p_value", (), "f", doc="smallest P that so many patients can reach"),
    Variable(
        "performance_roc_cutoff", _POINT, "f", unit="of the score", doc="patients at or above are called positive"
    ),
    Variable("performance_roc_sensitivity", _POINT, "f"),
    Variable("performance_roc_specificity", _POINT, "f"),
    Variable("performance_cutoff", (), "f", unit="of the score", doc="patients at or above are called positive"),
    Variable("performance_true_positives", (), "i", unit="patients"),
    Variable("performance_false_positives", (), "i", unit="patients"),
    Variable("performance_true_negatives", (), "i", unit="patients"),
    Variable("performance_false_negatives", (), "i", unit="patients"),
    *_with_limits("sensitivity", doc="share of the positive patients called positive", limits="Clopper-Pearson"),
    *_with_limits("specificity", doc="share of the negative patients called negative", limits="Clopper-Pearson"),
    *_with_limits(
        "positive_predictive_value", doc="share of positives among those called so", limits="Clopper-Pearson"
    ),
    *_with_limits(
        "negative_predictive_value", doc="share of negatives among those called so", limits="Clopper-Pearson"
    ),
    Variable("performance_against_patients", (), "i", unit="patients", doc="with both scores", optional=True),
    *_with_limits("against_auroc", doc="area of the other score", limits="DeLong", optional=True),
    *_with_limits("against_difference", doc="area less that of the other score", limits="DeLong", optional=True),
    Variable(
        "performance_against_p_value", (), "f", doc="DeLong's test of two correlated areas, two-sided", optional=True
    ),
    *_with_limits("calibration_intercept", doc="calibration in the large; 0 is right", limits="Wald", optional=True),
    *_with_limits(
        "calibration_slope", doc="1 is right; less, and probabilities are too bold", limits="Wald", optional=True
    ),
    Variable("performance_spiegelhalter_z", (), "f", optional=True),
    Variable(
        "performance_spiegelhalter_p_value",
        (),
        "f",
        doc="Spiegelhalter's test of calibration, two-sided",
        optional=True,
    ),
    *_with_limits(
        "brier", doc="mean squared error of the probabilities", limits="bootstrap over patients", optional=True
    ),
    Variable(
        "performance_brier_null", (), "f", doc="of the share of positives as everybody's probability", optional=True
    ),
    Variable("performance_brier_skill", (), "f", doc="1 less the ratio of both", optional=True),
    Variable("performance_bin_patients", _BIN, "i", unit="patients", optional=True),
    Variable("performance_bin_predicted", _BIN, "f", doc="mean probability", optional=True),
    *_with_limits("bin_observed", _BIN, doc="share of positives", limits="Clopper-Pearson", optional=True),
    *_with_limits(
        "net_benefit", _THRESHOLD, doc="of treating by the probability", limits="bootstrap over patients", optional=True
    ),
    Variable("performance_net_benefit_all", _THRESHOLD, "f", doc="of treating everybody", optional=True),
)


@dataclass(frozen=True)
class PerformanceOptions:
    """How a classifier is measured.

    Attributes
    ----------
    cutoff
        A cut-off fixed beforehand: patients at or above it are called positive. Without it ``rule`` finds one in the training patients.
    rule
        ``"youden"``: largest sum of sensitivity and specificity; ``"quantile"``: the ``quantile`` of the scores.
    quantile
        For that rule.
    scale
        ``"score"``: probabilities come from a logistic model of the score; ``"probability"``: the score is one.
    bins
        Most groups of the calibration curve.
    draws
        Cohorts drawn for bootstrap limits.
    level
        Coverage of all limits.
    unknown
        Labels of the response that say that nothing is known.
    """

    cutoff: float | None = None
    rule: str = "youden"
    quantile: float = 0.5
    scale: str = "score"
    bins: int = 10
    draws: int = 1000
    level: float = 0.95
    unknown: Sequence[str] = ("Unknown",)


def classifier_performance(
    patients: xr.Dataset,
    *,
    score: str,
    response: str,
    positive: Sequence[str],
    training: str | None = None,
    against: str | None = None,
    options: PerformanceOptions = PerformanceOptions(),
    seed: int,
) -> xr.Dataset:
    """Measure how well a score finds the patients with some response.

    Discrimination by the area under the ROC curve with DeLong's limits [1]_; a cut-off by sensitivity, specificity and predictive values;
    probabilities by calibration, Brier score and Spiegelhalter's test [2]_; what acting on them is worth by the decision curve [3]_.

    Parameters
    ----------
    patients
        Variables over ``patient``. Those who lack the score or the response are left out and counted.
    score
        Variable with numbers; higher means more likely positive. It is not turned round: an area below one half says that it should be.
    response
        Variable with labels.
    positive
        Labels of the response to be found; all other known labels are negative.
    training
        Boolean variable: patients in whom the cut-off and the model of the probabilities are learned. All measures come from the others.
    against
        Another score, whose area is compared with the first in patients who have both.
    options
        Cut-off, probabilities, bins, draws.
    seed
        Of the bootstrap.

    Returns
    -------
    Dataset over ``patient`` (in order of names), ``point`` of the ROC curve, ``bin`` and ``threshold``: ``performance_auroc`` with limits
    by DeLong and by bootstrap, ``performance_cutoff`` and what it does, ``performance_calibration_slope`` and ``_intercept``,
    ``performance_brier``, ``performance_net_benefit``. Calibration, Brier score and net benefit are left out where the model has no
    finite estimates (``performance_model_status``). The attribute ``cutoff_origin`` says where the cut-off comes from.

    Raises
    ------
    MissingVariableError
        If a variable is absent. The message lists those present.
    InputError
        If a class has no patients, a probability lies outside 0 to 1, or ``training`` is not boolean.

    Warns
    -----
    OptimisticEstimateWarning
        If the cut-off or the model was learned in the patients in whom it is measured.

    Notes
    -----
    Passes over the counts: 0. The bootstrap draws patients, with cut-off and model as they are. Calibration of a model in its own
    patients is perfect by construction.

    References
    ----------
    .. [1] DeLong ER, DeLong DM, Clarke-Pearson DL (1988). Comparing the areas under two or more correlated ROC curves. Biometrics
       44:837-845.
    .. [2] Spiegelhalter DJ (1986). Probabilistic prediction in patient management and clinical trials. Stat Med 5:421-433.
    .. [3] Vickers AJ, Elkin EB (2006). Decision curve analysis. Med Decis Making 26:565-574.
    """
    _check_options(options)
    names, values, found, flow = _read(patients, score, response, positive, options)
    known = ~np.isnan(values) & (found >= 0)
    learning = known & _training(patients, training, names)
    order = np.argsort(names.astype(str), kind="stable")
    tested = order[(known if training is None else known & ~learning)[order]]
    measured = Classified(values[tested], found[tested] == 1)
    taught = measured if training is None else Classified(values[learning], found[learning] == 1)
    for part, what in ((measured, "to be measured"), (taught, "for training")):
        _check_classes(part, what, score=score, response=response, positive=positive)
    cutoff, origin, notes = _cutoff(taught, options, own=training is None)
    probability, status = _probabilities(measured, taught, options, names[tested], score=score)
    if training is None and options.scale == "score":
        notes = [*notes, "the model of the probabilities"]
    shown: dict[str, object] = {} if probability is None else {"performance_probability": probability}
    if probability is not None:
        shown |= calibration_values(probability, measured.positive, bins=options.bins, level=options.level)
    if against is not None:
        shown |= _comparison(patients, against, tested, measured, level=options.level)
    drawn = drawn_values(measured, probability, draws=options.draws, level=options.level, seed=seed)
    return make_result(
        RESULT,
        {
            **flow_values(flow, "performance"),
            "performance_patients": tested.size,
            "performance_positive_patients": int(measured.positive.sum()),
            "performance_training_patients": 0 if training is None else int(learning.sum()),
            "performance_score": measured.score,
            "performance_positive": measured.positive,
            "performance_model_status": status,
            **curve_values(measured, level=options.level),
            **call_values(measured, cutoff, level=options.level),
            **shown,
            **drawn,
        },
        analysis="classifier_performance",
        parameters={
            "score": score,
            "response": response,
            "positive": [label_text(label) for label in _listed_labels(positive)],
            "training": training,
            "against": against,
            "options": asdict(options),
            "seed": seed,
        },
        coordinates={"patient": names[tested]} | ({} if probability is None else {"threshold": THRESHOLDS}),
        attributes={"cutoff_origin": origin, **_optimism(notes)},
    )


def _check_options(options: PerformanceOptions) -> None:
    caller = "classifier_performance"
    check_one_of(options.rule, ("youden", "quantile"), parameter="rule", caller=caller)
    check_one_of(options.scale, ("score", "probability"), parameter="scale", caller=caller)
    check_between(options.quantile, parameter="quantile", caller=caller, minimum=0.0, maximum=1.0)
    check_between(options.level, parameter="level", caller=caller, minimum=0.5, maximum=0.9999)
    check_whole(options.bins, parameter="bins", caller=caller, minimum=2)
    check_whole(options.draws, parameter="draws", caller=caller, minimum=1)
    if options.cutoff is not None:
        check_between(options.cutoff, parameter="cutoff", caller=caller, minimum=-np.inf, maximum=np.inf)


def _listed_labels(positive: Sequence[str]) -> list[object]:
    return [positive] if isinstance(positive, str) or not isinstance(positive, Sequence) else list(positive)


def _read(
    patients: xr.Dataset, score: str, response: str, positive: Sequence[str], options: PerformanceOptions
) -> tuple[Vector, Vector, Vector, Flow]:
    caller = "classifier_performance"
    names = patient_names(patients, caller=caller)
    values = read_measurement(patients, score, caller=caller)
    labels = read_labels(patients, response, unknown=options.unknown, caller=caller)
    wanted = {label_text(label) for label in _listed_labels(positive)}
    absent = sorted(wanted - set(labels))
    if absent or not wanted:
        message = (
            f"The 'positive' labels of {caller} must be labels of {response!r}. Not there: {listed(absent)}; present: "
            f"{listed(sorted(set(labels) - {''}))}."
        )
        raise InputError(message)
    found = np.array([-1 if not label else int(label in wanted) for label in labels], dtype=np.int64)
    return names, values, found, count_flow(values, found >= 0)


def _training(patients: xr.Dataset, training: str | None, names: Vector) -> Vector:
    if training is None:
        return np.ones(names.size, dtype=bool)
    chosen = read_measurement(patients, training, caller="classifier_performance")
    odd = ~np.isin(chosen, (0.0, 1.0))
    if odd.any():
        message = (
            f"The training variable {training!r} of classifier_performance must be boolean, or 0 and 1, for every patient. Not so for: "
            f"{listed(names[odd])}."
        )
        raise InputError(message)
    return chosen == 1


def _check_classes(part: Classified, what: str, *, score: str, response: str, positive: Sequence[str]) -> None:
    if not part.positive.any() or part.positive.all():
        message = (
            f"classifier_performance needs positive and negative patients {what}. With {score!r} and a known {response!r} there are "
            f"{int(part.positive.sum())} with {listed(_listed_labels(positive))} and {int((~part.positive).sum())} others."
        )
        raise InputError(message)


def _cutoff(taught: Classified, options: PerformanceOptions, *, own: bool) -> tuple[float, str, list[str]]:
    if options.cutoff is not None:
        return float(options.cutoff), "given", []
    where = f"the same {taught.score.size} patients" if own else f"{taught.score.size} training patients"
    if options.rule == "quantile":
        # A quantile of the scores knows nothing of the response.
        return float(np.quantile(taught.score, options.quantile)), f"quantile {options.quantile:g} of {where}", []
    cutoff = youden_cutoff(taught.score, taught.positive)
    return cutoff, f"Youden's index in {where}", ["the cut-off"] if own else []


def _probabilities(
    measured: Classified, taught: Classified, options: PerformanceOptions, names: Vector, *, score: str
) -> tuple[Vector | None, int]:
    if options.scale == "score":
        probability, status = learn_probabilities(taught.score, taught.positive, measured.score)
        return (probability if status == OK else None), status
    outside = (measured.score < 0) | (measured.score > 1)
    if outside.any():
        found = [f"{name} ({value:g})" for name, value in zip(names[outside], measured.score[outside], strict=True)]
        message = (
            f"With scale 'probability' the score {score!r} of classifier_performance must lie between 0 and 1. Not so for: "
            f"{listed(found)}; "
            "use scale 'score'."
        )
        raise InputError(message)
    return measured.score, len(STATUS_FLAGS)


def _comparison(
    patients: xr.Dataset, against: str, tested: Vector, measured: Classified, *, level: float
) -> dict[str, object]:
    other = read_measurement(patients, against, caller="classifier_performance")[tested]
    both = ~np.isnan(other)
    if not measured.positive[both].any() or measured.positive[both].all():
        message = (
            f"The comparison of classifier_performance needs positive and negative patients with {against!r}. Found "
            f"{int(measured.positive[both].sum())} and {int((~measured.positive[both]).sum())}."
        )
        raise InputError(message)
    return comparison_values(measured.score[both], other[both], measured.positive[both], level=level)


def _optimism(learned: list[str]) -> dict[str, object]:
    if not learned:
        return {}
    note = (
        f"Learned in the same patients in whom it is measured, and so optimistic: {' and '.join(learned)}. Name training patients, or fix "
        "it beforehand."
    )
    warnings.warn(f"classifier_performance: {note}", OptimisticEstimateWarning, stacklevel=3)
    return {"note": note}
