"""A risk signature: genes whose weighted sum foretells survival, chosen by a penalized Cox model and frozen."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import xarray as xr
from dask import delayed

from chemores_dask.checks import check_between, check_one_of, check_whole
from chemores_dask.cohort.risk_signature.frozen_values import cutoff_values, frozen_values, held_out_values, path_values
from chemores_dask.cohort.risk_signature.penalty_choice import (
    REFITS,
    RULES,
    ChoiceSettings,
    choose_lazily,
    hold_out_lazily,
    with_mixings,
)
from chemores_dask.cohort.risk_signature.penalty_path import PathSettings
from chemores_dask.cohort.risk_signature.risk_prediction import CUTOFF_SCALES
from chemores_dask.cohort.risk_signature.signature_table import FROZEN
from chemores_dask.cohort.risk_signature.training_cohort import read_training
from chemores_dask.errors import EmptySignatureWarning, ParameterError
from chemores_dask.randomness import spawn
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.stream import compute

ALGORITHM_REVISION = 1

CALLER = "fit_risk_signature"
PER_DEVIATION = "log hazard ratio per standard deviation"
_GENE, _PENALTY, _FOLD, _TERM = ("gene",), ("penalty",), ("outer_fold",), ("term",)

RESULT = declare(
    *FROZEN,
    Variable("risk_signature_coefficient", _GENE, "f", unit="log hazard ratio per unit of expression"),
    Variable(
        "risk_signature_term_coefficient",
        _TERM,
        "f",
        unit="log hazard ratio per unit",
        doc="of covariates beside which genes were weighed; not part of the score",
        optional=True,
    ),
    Variable("risk_signature_baseline_hazard", ("time",), "f", doc="cumulative (Breslow), of a patient with score 0"),
    Variable("risk_signature_events", (), "i", unit="patients", doc="with the event, among those"),
    Variable("risk_signature_candidates", (), "i", unit="genes", doc="among which it was chosen"),
    Variable("risk_signature_constant_genes", (), "i", unit="genes", doc="of those, the same in all patients"),
    Variable("risk_signature_alpha", (), "f", doc="share of absolute values in the penalty"),
    Variable("risk_signature_chosen_lambda", (), "f", doc="penalty of the frozen weights"),
    Variable("risk_signature_minimum_lambda", (), "f", doc="of the lowest cross-validated deviance"),
    Variable("risk_signature_one_error_lambda", (), "f", doc="largest within one standard error of it"),
    Variable("risk_signature_lambda", _PENALTY, "f"),
    Variable("risk_signature_path_genes", _PENALTY, "i", unit="genes", doc="with a weight"),
    Variable(
        "risk_signature_deviance_ratio", _PENALTY, "f", doc="share of the deviance explained in the training patients"
    ),
    Variable(
        "risk_signature_cv_deviance",
        _PENALTY,
        "f",
        unit="per event",
        doc="cross-validated partial likelihood, times -2",
    ),
    Variable("risk_signature_cv_deviance_error", _PENALTY, "f", unit="per event", doc="standard error over folds"),
    Variable("risk_signature_path_weight", ("penalty", "path_gene"), "f", unit=PER_DEVIATION),
    Variable("risk_signature_alpha_deviance", ("alpha",), "f", unit="per event", doc="lowest cross-validated"),
    Variable("risk_signature_outer_concordance", _FOLD, "f", doc="Harrell's, of patients left out", optional=True),
    Variable("risk_signature_outer_patients", _FOLD, "i", unit="patients", optional=True),
    Variable("risk_signature_outer_events", _FOLD, "i", unit="patients", optional=True),
    Variable("risk_signature_outer_genes", _FOLD, "i", unit="genes", optional=True),
    Variable("risk_signature_outer_alpha", _FOLD, "f", optional=True),
    Variable("risk_signature_outer_lambda", _FOLD, "f", optional=True),
    Variable(
        "risk_signature_concordance",
        (),
        "f",
        doc="Harrell's, pairs within outer folds: all was chosen without them",
        optional=True,
    ),
    Variable(
        "risk_signature_concordance_error", (), "f", doc="standard error (infinitesimal jackknife)", optional=True
    ),
    Variable("risk_signature_training_concordance", (), "f", doc="in the training patients, and so optimistic"),
    Variable(
        "risk_signature_held_out_deviance_ratio",
        (),
        "f",
        doc="share explained in patients left out; below 0: worse than nothing",
        optional=True,
    ),
)


@dataclass(frozen=True)
class SignatureOptions:
    """How a signature is made.

    Attributes
    ----------
    alphas
        Shares of absolute values in the penalty to choose from: 1 is the lasso, 0 is ridge and keeps every gene.
    penalties
        Number of penalties (lambda) on a path.
    penalty_ratio
        Of the last to the first penalty; None: 0.01 with fewer patients than genes, else 0.0001.
    standardize
        Penalties apply to coefficients per standard deviation.
    penalty_factor
        Variable over ``gene`` by which the penalty is multiplied: 0 keeps a gene in, infinity out.
    strata
        Variable over ``patient``: each stratum has a baseline hazard of its own.
    folds, outer_folds
        Of the choice, and of the estimate of what it is worth (0: none).
    rule
        ``"minimum"``: penalty of the lowest cross-validated deviance; ``"one_error"``: the largest within one standard error of it.
    refit
        ``"penalized"``: weights as they are on the path; ``"unpenalized"``: the chosen genes fitted again without a penalty.
    cutoff_scale, cutoff
        ``"quantile"``: the cut-off travels as this quantile of the scores of whatever cohort; ``"zscore"``: as this many standard
        deviations from the mean of the scores.
    """

    alphas: Sequence[float] = (1.0,)
    penalties: int = 100
    penalty_ratio: float | None = None
    standardize: bool = True
    penalty_factor: str | None = None
    strata: str | None = None
    folds: int = 10
    outer_folds: int = 5
    rule: str = "minimum"
    refit: str = "penalized"
    cutoff_scale: str = "quantile"
    cutoff: float = 0.5


def fit_risk_signature(
    patients: xr.Dataset,
    *,
    duration: str,
    event: str,
    expression: str = "expression",
    covariates: Sequence[str] = (),
    cohort: str | None = None,
    options: SignatureOptions = SignatureOptions(),
    seed: int,
) -> xr.Dataset:
    """Choose genes that foretell survival, weigh them, and freeze what a new cohort needs.

    Minimized is ``-(1/n) log partial likelihood + lambda * sum of (alpha |b| + (1 - alpha)/2 b^2)`` with Breslow's treatment of ties,
    along falling penalties [1]_. The penalty is chosen by cross-validated partial likelihood [2]_; an outer cross-validation, in which
    every choice is made again without the patients it is held against, says what the result is worth.

    Parameters
    ----------
    patients
        Dims ``(patient, gene)``.
    duration, event
        Variables over ``patient``: follow-up in any unit, and whether it ended in the event (boolean, or 0 and 1).
    expression
        Variable over ``(patient, gene)``, without missing values.
    covariates
        Variables over ``patient`` beside which the genes are weighed, without a penalty. They are no part of the score.
    cohort
        Variable over ``patient``: folds keep its groups whole, so that the estimate is one for a new cohort.
    options
        Penalties, folds, cut-off.
    seed
        Of the folds. A patient's draw belongs to the seed and the patient's name.

    Returns
    -------
    Dataset without any patient, which :func:`predict_risk` applies to others. Over ``gene`` (those with a weight):
    ``risk_signature_weight``, ``_coefficient``, ``_center``, ``_scale``. The cut-off with its scale; numbers of patients, events and
    candidates. Over ``penalty``: the cross-validated deviance; over ``path_gene``: the weights along the path. Over ``outer_fold``:
    concordance in the patients left out; pooled in ``risk_signature_concordance``.

    Raises
    ------
    MissingVariableError
        If a named variable is absent.
    InputError
        If an outcome, a covariate or a value of expression is missing or impossible, or what is not penalized has no finite coefficients.
    TooFewEventsError
        If there are fewer than five events, or a fold has none.
    ParameterError
        If an option is outside its limits.

    Warns
    -----
    EmptySignatureWarning
        If no gene foretells survival better than none.

    Notes
    -----
    Passes over the counts: 0. The whole matrix is held, once per fold that is fitted at the time. Coefficients equal glmnet's at a small
    ``thresh`` [1]_; deviances those of ``cv.glmnet`` with the same folds and penalties. The same bits for any number of workers.

    References
    ----------
    .. [1] Simon N, Friedman J, Hastie T, Tibshirani R (2011). Regularization paths for Cox's proportional hazards model via coordinate
       descent. J Stat Softw 39(5):1-13.
    .. [2] Verweij PJM, van Houwelingen HC (1993). Cross-validation in survival analysis. Stat Med 12:2305-2314.
    """
    _check_options(options)
    training = read_training(
        patients,
        outcome=(duration, event),
        expression=expression,
        covariates=covariates,
        columns=(options.strata, cohort, options.penalty_factor),
        caller=CALLER,
    )
    path = PathSettings(1.0, options.penalties, options.penalty_ratio, options.standardize)
    settings = ChoiceSettings(with_mixings(path, options.alphas), options.folds, options.rule, options.refit)
    own, outer = spawn(seed, 2)
    shared = delayed(training, pure=True)
    planned = [choose_lazily(training, shared, settings, seed=own, caller=CALLER)]
    if options.outer_folds:
        planned += hold_out_lazily(training, shared, settings, folds=options.outer_folds, seed=outer, caller=CALLER)
    model, *held_out = compute(*planned)
    frozen, genes = frozen_values(training, model)
    if not genes.size:
        message = (
            f"{CALLER}: no gene foretells survival of {training.patients.size} patients with {training.event.sum()} events better than "
            "none does; the signature has no genes, and scores nobody."
        )
        warnings.warn(message, EmptySignatureWarning, stacklevel=2)
    along, path_genes = path_values(training, model, options.alphas)
    found, times = cutoff_values(training, model, scale=options.cutoff_scale, cutoff=options.cutoff)
    coordinates = {
        "gene": genes,
        "time": times,
        "path_gene": path_genes,
        "alpha": np.array(options.alphas, dtype=float),
    }
    if training.terms:
        coordinates["term"] = np.array(training.terms, dtype=object)
    return make_result(
        RESULT,
        {**frozen, **along, **found, **(held_out_values(held_out) if held_out else {})},
        analysis=CALLER,
        parameters={
            "duration": duration,
            "event": event,
            "expression": expression,
            "covariates": list(covariates),
            "cohort": cohort,
            "options": {**asdict(options), "alphas": [float(alpha) for alpha in options.alphas]},
            "seed": seed,
        },
        coordinates=coordinates,
    )


def _check_options(options: SignatureOptions) -> None:
    alphas = list(options.alphas)
    if not alphas or len(set(alphas)) != len(alphas):
        message = f"The alphas of {CALLER} must be a list of different numbers. Got {options.alphas!r}."
        raise ParameterError(message)
    for alpha in alphas:
        check_between(alpha, parameter="alphas", caller=CALLER, minimum=0.0, maximum=1.0)
    check_whole(options.penalties, parameter="penalties", caller=CALLER, minimum=2)
    if options.penalty_ratio is not None:
        check_between(options.penalty_ratio, parameter="penalty_ratio", caller=CALLER, minimum=1e-6, maximum=0.99)
    check_whole(options.folds, parameter="folds", caller=CALLER, minimum=2)
    check_whole(options.outer_folds, parameter="outer_folds", caller=CALLER, minimum=0)
    check_one_of(options.rule, RULES, parameter="rule", caller=CALLER)
    check_one_of(options.refit, REFITS, parameter="refit", caller=CALLER)
    check_one_of(options.cutoff_scale, CUTOFF_SCALES, parameter="cutoff_scale", caller=CALLER)
    lowest, highest = (0.0, 1.0) if options.cutoff_scale == CUTOFF_SCALES[0] else (-10.0, 10.0)
    check_between(options.cutoff, parameter="cutoff", caller=CALLER, minimum=lowest, maximum=highest)
