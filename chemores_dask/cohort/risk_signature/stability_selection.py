"""Stability selection: which genes a penalized Cox model chooses again and again in halves of the patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from dask import delayed

from chemores_dask.aliases import Matrix, Seed, Vector
from chemores_dask.checks import check_between, check_whole
from chemores_dask.cohort.risk_signature.penalty_path import PathSettings, first_genes
from chemores_dask.cohort.risk_signature.training_cohort import MINIMUM_EVENTS, TrainingCohort, read_training
from chemores_dask.errors import ParameterError, TooFewEventsError
from chemores_dask.randomness import cell_keys, cell_uniforms, spawn
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.stream import compute

ALGORITHM_REVISION = 1

CALLER = "stability_selection"
PAIRS_PER_TASK = 8
"""Pairs of halves that one task fits."""

_GENE = ("gene",)
RESULT = declare(
    Variable(
        "stability_probability", _GENE, "f", doc="share of the halves of the patients in which the gene is chosen"
    ),
    Variable("stability_both_probability", _GENE, "f", doc="share of the pairs in which both halves choose it"),
    Variable("stability_selected", _GENE, "b", doc="probability at or above the cut-off"),
    Variable("stability_sign", _GENE, "f", doc="mean sign of the weight where chosen: 1 always raises the risk"),
    Variable("stability_cutoff", (), "f", doc="least probability of a selected gene"),
    Variable("stability_selected_genes", (), "i", unit="genes"),
    Variable("stability_genes_per_half", (), "f", unit="genes", doc="chosen on average"),
    Variable(
        "stability_false_bound", (), "f", unit="genes", doc="expected false selections at most (Meinshausen, Bühlmann)"
    ),
    Variable(
        "stability_unimodal_bound",
        (),
        "f",
        unit="genes",
        doc="likewise, where probabilities of genes without effect have one peak (Shah, Samworth)",
    ),
    Variable("stability_candidates", (), "i", unit="genes"),
    Variable("stability_patients", (), "i", unit="patients"),
    Variable("stability_events", (), "i", unit="patients"),
    Variable("stability_resamples", (), "i", doc="halves of the patients, in complementary pairs"),
)


@dataclass(frozen=True)
class StabilityOptions:
    """How halves of the patients are drawn and searched.

    Attributes
    ----------
    resamples
        Halves; an even number, since both halves of a division are used.
    genes
        Each half chooses so many: the first that enter the path.
    cutoff
        Least share of the halves that choose a selected gene; above one half.
    alpha
        Share of absolute values in the penalty.
    penalties, penalty_ratio
        Of the path that is walked until enough genes have entered.
    strata
        Variable over ``patient``: each stratum has a baseline hazard of its own.
    """

    resamples: int = 1000
    genes: int = 20
    cutoff: float = 0.75
    alpha: float = 1.0
    penalties: int = 100
    penalty_ratio: float = 0.01
    strata: str | None = None


def stability_selection(
    patients: xr.Dataset,
    *,
    duration: str,
    event: str,
    expression: str = "expression",
    covariates: Sequence[str] = (),
    options: StabilityOptions = StabilityOptions(),
    seed: int,
) -> xr.Dataset:
    """How often each gene is among the first that a penalized Cox model chooses, in random halves of the patients.

    The patients are divided in two at random, again and again; in each half the path of falling penalties is walked until ``genes`` have
    entered [1]_. Genes that most halves choose are selected, with a bound on how many of them are expected to be false [1]_ [2]_.

    Parameters
    ----------
    patients
        Dims ``(patient, gene)``.
    duration, event
        Variables over ``patient``: follow-up in any unit, and whether it ended in the event (boolean, or 0 and 1).
    expression
        Variable over ``(patient, gene)``, without missing values.
    covariates
        Variables over ``patient`` that stay in every model without a penalty.
    options
        Resamples, genes, cut-off.
    seed
        Of the divisions. Division 17 is the same in whatever number of divisions, order of patients and number of workers.

    Returns
    -------
    Dataset over ``gene``: ``stability_probability``, ``stability_both_probability``, ``stability_selected``, ``stability_sign``; and
    ``stability_false_bound``: ``q^2 / ((2 cutoff - 1) p)`` for q genes chosen per half among p.

    Raises
    ------
    MissingVariableError
        If a named variable is absent.
    InputError
        If an outcome, a covariate or a value of expression is missing or impossible.
    TooFewEventsError
        If there are too few events for halves of the patients.
    ParameterError
        If an option is outside its limits.

    Notes
    -----
    Passes over the counts: 0. The matrix is held once, and half of it once more for each task that runs. The first bound asks that genes
    without effect are exchangeable and chosen no better than by chance; correlated genes share their probability between them.

    References
    ----------
    .. [1] Meinshausen N, Bühlmann P (2010). Stability selection. JRSS B 72:417-473.
    .. [2] Shah RD, Samworth RJ (2013). Variable selection with error control: another look at stability selection. JRSS B 75:55-80.
    """
    _check_options(options)
    training = read_training(
        patients,
        outcome=(duration, event),
        expression=expression,
        covariates=covariates,
        columns=(options.strata, None, None),
        caller=CALLER,
    )
    _check_halves(training, covariates)
    pairs = options.resamples // 2
    settings = PathSettings(options.alpha, options.penalties, options.penalty_ratio, scaled=True)
    shared, seeds = delayed(training, pure=True), spawn(seed, pairs)
    parts = [
        delayed(_search_pairs, pure=True)(shared, settings, options.genes, seeds[start : start + PAIRS_PER_TASK])
        for start in range(0, pairs, PAIRS_PER_TASK)
    ]
    counts = np.sum(compute(*parts), axis=0)
    return make_result(
        RESULT,
        _values(training, counts, options, pairs),
        analysis=CALLER,
        parameters={
            "duration": duration,
            "event": event,
            "expression": expression,
            "covariates": list(covariates),
            "options": {name: getattr(options, name) for name in StabilityOptions.__dataclass_fields__},
            "seed": seed,
        },
        coordinates={"gene": training.genes},
    )


def divide(patients: Vector, seed: Seed) -> tuple[Vector, Vector]:
    """Divide patients in two halves at random; one is left over where their number is odd.

    Parameters
    ----------
    patients
        Names.
    seed
        Of this division.

    Returns
    -------
    Positions of the patients of either half, rising.
    """
    order = np.argsort(cell_uniforms(seed, cell_keys(patients))[:, 0], kind="stable")
    half = patients.size // 2
    return np.sort(order[:half]), np.sort(order[half : 2 * half])


def false_selection_bounds(*, chosen: float, candidates: int, cutoff: float, pairs: int) -> tuple[float, float]:
    """Most false selections to expect.

    Parameters
    ----------
    chosen
        Genes that a half chooses on average.
    candidates
        Genes in all.
    cutoff
        Least probability of a selected gene, above one half.
    pairs
        Of complementary halves.

    Returns
    -------
    The bound of Meinshausen and Bühlmann, and that of Shah and Samworth for probabilities with one peak.

    Examples
    --------
    >>> false_selection_bounds(chosen=10, candidates=1000, cutoff=0.75, pairs=50)[0]
    0.2
    """
    worst = chosen**2 / candidates
    general = worst / (2 * cutoff - 1)
    step = 1 / (2 * pairs)
    if cutoff <= 0.75:
        room = 2 * (2 * cutoff - 1 - step)
        unimodal = worst / room if room > 0 else np.inf
    else:
        unimodal = worst * 4 * (1 - cutoff + step) / (1 + 2 * step)
    return min(general, candidates), min(unimodal, candidates)


def _search_pairs(training: TrainingCohort, settings: PathSettings, genes: int, seeds: Sequence[Seed]) -> Matrix:
    """How often genes are chosen, with which sign, and by both halves."""
    terms = len(training.terms)
    counts = np.zeros((3, training.genes.size))
    for seed in seeds:
        signs = [first_genes(training.part(half), settings, genes)[terms:] for half in divide(training.patients, seed)]
        found = [sign != 0 for sign in signs]
        counts += found[0].astype(float) + found[1], signs[0] + signs[1], found[0] & found[1]
    return counts


def _values(training: TrainingCohort, counts: Matrix, options: StabilityOptions, pairs: int) -> dict[str, object]:
    times, signs, both = counts
    chosen = float(times.sum() / (2 * pairs))
    general, unimodal = false_selection_bounds(
        chosen=chosen, candidates=training.genes.size, cutoff=options.cutoff, pairs=pairs
    )
    # Whole numbers are compared, so that a probability at the cut-off is not lost to rounding.
    selected = times >= options.cutoff * 2 * pairs - 1e-9
    return {
        "stability_probability": times / (2 * pairs),
        "stability_both_probability": both / pairs,
        "stability_selected": selected,
        "stability_sign": np.divide(signs, times, out=np.zeros_like(signs), where=times > 0),
        "stability_cutoff": float(options.cutoff),
        "stability_selected_genes": np.int64(selected.sum()),
        "stability_genes_per_half": chosen,
        "stability_false_bound": general,
        "stability_unimodal_bound": unimodal,
        "stability_candidates": np.int64(training.genes.size),
        "stability_patients": np.int64(training.patients.size),
        "stability_events": np.int64(training.event.sum()),
        "stability_resamples": np.int64(2 * pairs),
    }


def _check_options(options: StabilityOptions) -> None:
    check_whole(options.resamples, parameter="resamples", caller=CALLER, minimum=2)
    check_whole(options.genes, parameter="genes", caller=CALLER, minimum=1)
    check_whole(options.penalties, parameter="penalties", caller=CALLER, minimum=2)
    check_between(options.cutoff, parameter="cutoff", caller=CALLER, minimum=0.51, maximum=1.0)
    check_between(options.alpha, parameter="alpha", caller=CALLER, minimum=0.01, maximum=1.0)
    check_between(options.penalty_ratio, parameter="penalty_ratio", caller=CALLER, minimum=1e-6, maximum=0.99)
    if options.resamples % 2:
        message = (
            f"The 'resamples' of {CALLER} must be even: both halves of a division are used. Got {options.resamples}."
        )
        raise ParameterError(message)


def _check_halves(training: TrainingCohort, covariates: Sequence[str]) -> None:
    needed = 4 * MINIMUM_EVENTS
    if training.event.sum() < needed:
        message = (
            f"{CALLER} needs at least {needed} events, so that halves of the patients have some. Found {training.event.sum()} in "
            f"{training.patients.size} patients beside {len(covariates)} covariates; take a larger cohort."
        )
        raise TooFewEventsError(message)
