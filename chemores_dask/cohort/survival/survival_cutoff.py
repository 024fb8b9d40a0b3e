"""A score and survival: per standard deviation first, the median split second, and a scanned cut-off with the P that scanning costs."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import xarray as xr
from dask import delayed
from scipy.special import ndtr, ndtri

from chemores_dask.aliases import Seed, Vector
from chemores_dask.checks import check_between, check_one_of, check_whole
from chemores_dask.cohort.outcome import Outcome, check_outcome, design_matrix
from chemores_dask.cohort.survival.frozen_cutoff import SCALES, on_scales
from chemores_dask.errors import InputError, TooFewEventsError
from chemores_dask.kernels.cox import OK, STATUS_FLAGS, fit_cox, risk_order, standardize
from chemores_dask.kernels.logrank import log_rank_sums, log_rank_test
from chemores_dask.kernels.selected_ranks import (
    SAME,
    cut_moments,
    cut_statistics,
    log_rank_scores,
    maximum_p_1992,
    maximum_p_1994,
    share_reached,
    shuffled_maxima,
)
from chemores_dask.randomness import spawn
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.stream import compute

ALGORITHM_REVISION = 1

LEVEL = 0.95
STEPS_AT_ONCE = 4_000_000
"""Patients drawn within one task."""

MAX_ITERATIONS = 50
EFRON = True
_CUT, _PATIENT = ("cut",), ("patient",)
_OF = "unit of the score"
RESULT = declare(
    Variable("cutoff_patients", (), "i", unit="patients"),
    Variable("cutoff_events", (), "i", unit="events"),
    Variable("cutoff_score", _PATIENT, "f", unit=_OF),
    Variable("cutoff_continuous_hazard_ratio", (), "f", doc="per standard deviation of the score (Cox)"),
    Variable("cutoff_continuous_hazard_ratio_lower", (), "f", doc="lower 95 % limit"),
    Variable("cutoff_continuous_hazard_ratio_upper", (), "f", doc="upper 95 % limit"),
    Variable("cutoff_continuous_p_value", (), "f", doc="Wald test of the score as it is, without a cut"),
    Variable("cutoff_continuous_status", (), "i", flags=STATUS_FLAGS),
    Variable("cutoff_deviation", (), "f", unit=_OF, doc="standard deviation of the score"),
    Variable("cutoff_median", (), "f", unit=_OF, doc="median of the score; above it patients are high"),
    Variable("cutoff_median_patients_high", (), "i", unit="patients"),
    Variable("cutoff_median_events_high", (), "i", unit="events"),
    Variable("cutoff_median_hazard_ratio", (), "f", doc="high against low at the median (Cox)"),
    Variable("cutoff_median_hazard_ratio_lower", (), "f", doc="lower 95 % limit"),
    Variable("cutoff_median_hazard_ratio_upper", (), "f", doc="upper 95 % limit"),
    Variable("cutoff_median_status", (), "i", flags=STATUS_FLAGS),
    Variable("cutoff_median_statistic", (), "f", unit="chi-square", doc="log-rank test at the median"),
    Variable("cutoff_median_p_value", (), "f", doc="log-rank test at the median, chosen without looking at survival"),
    Variable("cutoff_scan_threshold", _CUT, "f", unit=_OF, doc="from here on patients are high"),
    Variable("cutoff_scan_patients_high", _CUT, "i", unit="patients"),
    Variable(
        "cutoff_scan_statistic",
        _CUT,
        "f",
        unit="standard deviations",
        doc="log-rank scores of the high patients, standardized; above 0 where they have more events",
    ),
    Variable("cutoff_statistic", (), "f", unit="standard deviations", doc="largest absolute statistic of the scan"),
    Variable("cutoff_p_value", (), "f", doc="maximally selected log-rank statistic, by random orders of the patients"),
    Variable("cutoff_p_value_1992", (), "f", doc="maximally selected log-rank statistic, Lausen and Schumacher 1992"),
    Variable("cutoff_p_value_1994", (), "f", doc="maximally selected log-rank statistic, Lausen et al. 1994"),
    Variable(
        "cutoff_p_value_not_corrected",
        (),
        "f",
        doc="log-rank test as if the cut-off had been fixed beforehand: description, no test",
    ),
    Variable(
        "cutoff_statistic_limit",
        (),
        "f",
        unit="standard deviations",
        doc="largest statistic that 5 % of the random orders exceed",
    ),
    Variable(
        "cutoff_threshold", (), "f", unit=_OF, doc="where the statistic is largest; from here on patients are high"
    ),
    Variable("cutoff_threshold_zscore", (), "f", unit="standard deviations", doc="above the mean of these patients"),
    Variable("cutoff_threshold_quantile", (), "f", doc="share of these patients below the threshold"),
    Variable("cutoff_high", _PATIENT, "b", doc="at or above the threshold"),
    Variable("cutoff_patients_high", (), "i", unit="patients"),
    Variable("cutoff_events_high", (), "i", unit="events"),
    Variable(
        "cutoff_hazard_ratio", (), "f", doc="high against low, in the patients who chose the cut-off: too far from 1"
    ),
    Variable("cutoff_status", (), "i", flags=STATUS_FLAGS),
)


@dataclass(frozen=True)
class CutoffOptions:
    """How a cut-off is looked for and kept.

    Attributes
    ----------
    minimum_share
        Least share of the patients on either side of a cut.
    scale
        The scale on which the cut-off is frozen for other cohorts: ``"quantile"``, the share of the patients below it; ``"zscore"``,
        standard deviations above the mean of the cohort; ``"score"``, the score itself, for scores that are the same in every cohort.
    draws
        Random orders of the patients behind the P value.
    """

    minimum_share: float = 0.1
    scale: str = "quantile"
    draws: int = 9_999


def survival_cutoff(
    patients: xr.Dataset,
    *,
    duration: str,
    event: str,
    score: str,
    options: CutoffOptions = CutoffOptions(),
    seed: Seed,
) -> xr.Dataset:
    """Relate a score to survival without and with a cut-off, and pay for looking for one.

    First the hazard ratio per standard deviation, from a Cox model of the score as it is; then the median split, which nobody chose;
    last every cut that leaves ``minimum_share`` of the patients on either side. The largest standardized sum of log-rank scores among
    these is a maximally selected rank statistic: its P value comes from random orders of the patients [1]_, and beside it stand the
    approximations of R's ``maxstat`` [2]_, [3]_.

    Parameters
    ----------
    patients
        Variables over ``patient``.
    duration, event
        Variables: end of follow-up in any unit, and whether it ended in the event (boolean, or 0 and 1).
    score
        Variable with numbers, such as a score of genes, or the expression of one.
    options
        Least group, scale of the frozen cut-off, number of draws.
    seed
        Of the draws.

    Returns
    -------
    Dataset. Without a cut: ``cutoff_continuous_hazard_ratio`` with limits and ``cutoff_continuous_p_value``. Median split:
    ``cutoff_median_hazard_ratio`` with limits, ``cutoff_median_p_value``. Over ``cut``: ``cutoff_scan_threshold``,
    ``cutoff_scan_patients_high``, ``cutoff_scan_statistic``. The cut-off: ``cutoff_threshold``, the same as ``_zscore`` and ``_quantile``,
    ``cutoff_statistic``, ``cutoff_p_value``, ``cutoff_p_value_1992`` and ``_1994``; ``cutoff_p_value_not_corrected`` and
    ``cutoff_hazard_ratio`` describe and test nothing. Over ``patient`` ``cutoff_score`` and ``cutoff_high``. The attributes
    ``threshold_scale`` and ``threshold_frozen`` are what :func:`apply_cutoff` uses in another cohort.

    Raises
    ------
    MissingVariableError
        If a named variable is absent.
    InputError
        If an outcome or a score is missing or impossible, the score is constant or no number, or its ties leave no cut.
    TooFewEventsError
        If there are fewer than two events.
    ParameterError
        If an option lies outside its range.

    Notes
    -----
    Passes over the counts: 0. Thresholds lie midway between the scores on both sides; R names the lower of the two. Where times tie,
    ``maxstat`` computes other log-rank scores; given these it gives the same statistics. ``surv_cutpoint`` of survminer shows the cut-off
    with ``minprop = 0.1`` and no P value, and the P value of curves drawn with it is the one that is not corrected here: without any
    effect it lies below 0.05 in some two fifths of the cohorts. The median split is left out (not a number) where nobody is above it.

    References
    ----------
    .. [1] Hothorn T, Lausen B (2003). On the exact distribution of maximally selected rank statistics. Comput Stat Data Anal 43:121-137.
    .. [2] Lausen B, Schumacher M (1992). Maximally selected rank statistics. Biometrics 48:73-85.
    .. [3] Altman DG, Lausen B, Sauerbrei W, Schumacher M (1994). Dangers of using "optimal" cutpoints in the evaluation of prognostic
       factors. J Natl Cancer Inst 86:829-835.

    Examples
    --------
    >>> patients = xr.Dataset({
    ...     "months": ("patient", [9.0, 8.0, 7.0, 6.0, 5.0, 2.0, 3.0, 1.0]),
    ...     "died": ("patient", [False, True, False, True, True, True, True, True]),
    ...     "risk": ("patient", [0.1, 0.3, 0.2, 0.6, 0.4, 1.5, 1.4, 1.8]),
    ... })
    >>> found = survival_cutoff(patients, duration="months", event="died", score="risk", seed=1)
    >>> round(float(found["cutoff_threshold"]), 2), float(found["cutoff_threshold_quantile"])
    (0.35, 0.375)
    """
    caller = "survival_cutoff"
    _check_options(options, seed)
    outcome = check_outcome(patients, duration=duration, event=event, caller=caller)
    values = read_score(patients, score, caller=caller)
    _check_events(outcome, event)
    scores = _rank_scores(outcome)
    # Sums are taken in an order that the caller's does not change.
    order, drawn = np.lexsort((scores, values)), np.sort(scores)
    below = _allowed_cuts(values[order], options.minimum_share, score)
    mean, deviation = cut_moments(drawn, below)
    # The sums below a cut and above it are the same but for their sign.
    statistics = -cut_statistics(scores[order], below, mean, deviation)
    best = int(np.argmax(np.abs(statistics)))
    largest = float(np.abs(statistics[best]))
    maxima = _maxima(drawn, below, mean, deviation, draws=options.draws, seed=seed)
    thresholds = _between(values[order], below)
    scales = on_scales(thresholds[best], values)
    high = values >= thresholds[best]
    chosen = _split_values(high, outcome)
    return make_result(
        RESULT,
        {
            "cutoff_patients": values.size,
            "cutoff_events": int(outcome.event.sum()),
            "cutoff_score": values,
            **_continuous_values(values, outcome),
            **_median_values(values, outcome),
            "cutoff_scan_threshold": thresholds,
            "cutoff_scan_patients_high": values.size - below,
            "cutoff_scan_statistic": statistics,
            "cutoff_statistic": largest,
            "cutoff_p_value": share_reached(maxima, largest),
            "cutoff_p_value_1992": maximum_p_1992(largest, options.minimum_share),
            "cutoff_p_value_1994": maximum_p_1994(largest, below, values.size),
            "cutoff_p_value_not_corrected": chosen["p_value"],
            "cutoff_statistic_limit": float(np.quantile(maxima, 0.95, method="higher")),
            "cutoff_threshold": scales["score"],
            "cutoff_threshold_zscore": scales["zscore"],
            "cutoff_threshold_quantile": scales["quantile"],
            "cutoff_high": high,
            "cutoff_patients_high": int(high.sum()),
            "cutoff_events_high": int(outcome.event[high].sum()),
            "cutoff_hazard_ratio": chosen["hazard_ratio"],
            "cutoff_status": chosen["status"],
        },
        analysis=caller,
        parameters={"duration": duration, "event": event, "score": score, "options": asdict(options), "seed": seed},
        coordinates={"patient": outcome.patients, "cut": np.arange(1, below.size + 1)},
        attributes={
            "test": "maximally selected log-rank statistic",
            "threshold_scale": options.scale,
            "threshold_frozen": scales[options.scale],
            "threshold_source": f"scan of {score!r} in {values.size} patients",
        },
    )


def read_score(patients: xr.Dataset, score: str, *, caller: str) -> Vector:
    """Numbers of a variable over ``patient``.

    Raises
    ------
    MissingVariableError
        If it is absent.
    InputError
        If it holds text, or a patient lacks it.
    """
    matrix, terms = design_matrix(patients, [score], caller=caller)
    if terms != [score]:
        message = f"The score of {caller} must hold numbers. {score!r} holds labels; name another variable."
        raise InputError(message)
    return np.ascontiguousarray(matrix[:, 0])


def _check_options(options: CutoffOptions, seed: Seed) -> None:
    caller = "survival_cutoff"
    check_between(options.minimum_share, parameter="minimum_share", caller=caller, minimum=0.01, maximum=0.49)
    check_one_of(options.scale, SCALES, parameter="scale", caller=caller)
    check_whole(options.draws, parameter="draws", caller=caller, minimum=99, maximum=10_000_000)
    check_whole(seed, parameter="seed", caller=caller, minimum=0)


def _check_events(outcome: Outcome, event: str) -> None:
    if outcome.event.sum() < 2:
        message = (
            f"survival_cutoff needs at least two events. Found {int(outcome.event.sum())} with {event!r} among "
            f"{outcome.event.size} patients; is it coded the other way round?"
        )
        raise TooFewEventsError(message)


def _rank_scores(outcome: Outcome) -> Vector:
    scores = log_rank_scores(outcome.duration, outcome.event)
    if not np.ptp(scores) > SAME:
        message = (
            f"survival_cutoff needs patients whose follow-up differs. All {scores.size} have the same time and event; there is nothing to "
            "compare."
        )
        raise InputError(message)
    return scores


def _allowed_cuts(ordered: Vector, share: float, score: str) -> Vector:
    n = ordered.size
    below = np.flatnonzero(np.diff(ordered) > 0) + 1
    # Nine digits, so that 10 % of 70 patients are seven of them.
    least = np.round(share * n, 9)
    allowed = below[(below >= least) & (n - below >= least)]
    if not allowed.size:
        message = (
            f"A cut of {score!r} in survival_cutoff must leave {share:.0%} of the {n} patients on either side. Found none: it takes "
            f"{below.size + 1} different values, most of them few or one of them very often; lower 'minimum_share', or group it by hand."
        )
        raise InputError(message)
    return allowed


def _between(ordered: Vector, below: Vector) -> Vector:
    lower, upper = ordered[below - 1], ordered[below]
    middle = lower / 2 + upper / 2
    # Neighboring numbers have none between them.
    return np.where(middle > lower, middle, upper)


def _maxima(scores: Vector, below: Vector, mean: Vector, deviation: Vector, *, draws: int, seed: Seed) -> Vector:
    streams = np.array(spawn(seed, draws), dtype=np.uint64)
    parts = np.array_split(streams, -(-draws * int(below[-1]) // STEPS_AT_ONCE))
    given = [delayed(array, pure=True) for array in (scores, below, mean, deviation)]
    return np.concatenate(compute(*(delayed(_drawn, pure=True)(*given, part) for part in parts)))


def _drawn(scores: Vector, below: Vector, mean: Vector, deviation: Vector, streams: Vector) -> Vector:
    # A compiled kernel would travel as its code; a function travels as its name.
    return shuffled_maxima(scores, below, mean, deviation, streams)


def _continuous_values(values: Vector, outcome: Outcome) -> dict[str, object]:
    spread = float(values.std(ddof=1))
    ratio, lower, upper, p_value, status = _hazard(values / spread, outcome)
    return {
        "cutoff_continuous_hazard_ratio": ratio,
        "cutoff_continuous_hazard_ratio_lower": lower,
        "cutoff_continuous_hazard_ratio_upper": upper,
        "cutoff_continuous_p_value": p_value,
        "cutoff_continuous_status": status,
        "cutoff_deviation": spread,
    }


def _median_values(values: Vector, outcome: Outcome) -> dict[str, object]:
    median = float(np.median(values))
    found = _split_values(values > median, outcome)
    return {
        "cutoff_median": median,
        "cutoff_median_patients_high": int((values > median).sum()),
        "cutoff_median_events_high": int(outcome.event[values > median].sum()),
        **{
            f"cutoff_median_{name}": found[name]
            for name in ("hazard_ratio", "hazard_ratio_lower", "hazard_ratio_upper", "status", "statistic", "p_value")
        },
    }


def _split_values(high: Vector, outcome: Outcome) -> dict[str, float]:
    """High against low patients: log-rank test and hazard ratio."""
    order = np.argsort(outcome.duration, kind="stable")
    sums = log_rank_sums(
        outcome.entry[order],
        outcome.duration[order],
        outcome.event[order],
        high[order].astype(np.int64),
        np.zeros(high.size, dtype=np.int64),
        2,
        np.zeros(3),
    )
    statistic, _, p_value = log_rank_test(*sums)
    ratio, lower, upper, _, status = _hazard(high.astype(float), outcome)
    return {
        "statistic": statistic,
        "p_value": p_value,
        "hazard_ratio": ratio,
        "hazard_ratio_lower": lower,
        "hazard_ratio_upper": upper,
        "status": status,
    }


def _hazard(column: Vector, outcome: Outcome) -> tuple[float, float, float, float, int]:
    """Hazard ratio per unit with its limits, Wald's P value and the status; not numbers where the status is not ok."""
    scaled, _, spread = standardize(column[:, None])
    if spread[0] == 0:
        return (np.nan,) * 4 + (STATUS_FLAGS.index("constant"),)
    order, risk = risk_order(outcome.duration, outcome.event, outcome.entry, np.zeros(column.size, dtype=np.int64))
    design = np.ascontiguousarray(scaled[order])
    place, covariance, _, _, status = fit_cox(design, risk, EFRON, np.zeros(1), MAX_ITERATIONS)
    if status != OK:
        return (np.nan,) * 4 + (int(status),)
    coefficient, error = float(place[0] / spread[0]), float(np.sqrt(covariance[0, 0]) / spread[0])
    reach = float(ndtri(0.5 + LEVEL / 2)) * error
    ratio, lower, upper = np.exp([coefficient, coefficient - reach, coefficient + reach])
    return float(ratio), float(lower), float(upper), float(2 * ndtr(-abs(coefficient / error))), int(status)
