"""A score as a mixture of two Gaussians: whether there are two groups at all, and where they part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from chemores_dask.aliases import Seed, Vector
from chemores_dask.checks import check_whole
from chemores_dask.errors import InputError
from chemores_dask.kernels.dyadic_bins import ValueBins, coarser
from chemores_dask.kernels.gaussian_pair import LEAST_VARIANCE, GaussianPair, crossing, fit_pair, valley_depth
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.scores.frozen_threshold import (
    LEVEL,
    share_below,
    standard_scores,
    threshold_interval,
    warn_single_patient,
)
from chemores_dask.scores.score_bins import ScoreBins, score_bins

ALGORITHM_REVISION = 1

SCORE = "unit of the score"
STATUS = ("two_groups", "shoulder", "one_gaussian", "no_crossing", "collapsed")
TWO_GROUPS, SHOULDER, ONE_GAUSSIAN, NO_CROSSING, COLLAPSED = range(len(STATUS))

RESULT = declare(
    Variable("mixture_weight", ("gaussian",), "f", doc="share of the cells"),
    Variable("mixture_mean", ("gaussian",), "f", unit=SCORE),
    Variable("mixture_standard_deviation", ("gaussian",), "f", unit=SCORE),
    Variable("mixture_status", (), "i", flags=STATUS, doc="what the fit says about two groups"),
    Variable(
        "mixture_threshold", (), "f", unit=SCORE, doc="both Gaussians equally likely; not a number without two groups"
    ),
    Variable("mixture_threshold_zscore", (), "f", unit="standard deviations", doc="above the mean of these cells"),
    Variable("mixture_threshold_quantile", (), "f", doc="share of these cells below the threshold"),
    Variable("mixture_valley_depth", (), "f", doc="1 less the least density between the means over the lower peak"),
    Variable("mixture_bic_one", (), "f", doc="Bayesian information criterion of one Gaussian; the lower one is better"),
    Variable("mixture_bic_two", (), "f", doc="Bayesian information criterion of two Gaussians"),
    Variable("mixture_cells", (), "i", unit="cells"),
    Variable("mixture_patients", (), "i", unit="patients", doc="that are resampled", optional=True),
    Variable("mixture_threshold_lower", (), "f", unit=SCORE, doc="2.5 % of the resamples lie below", optional=True),
    Variable("mixture_threshold_upper", (), "f", unit=SCORE, doc="2.5 % of the resamples lie above", optional=True),
    Variable("mixture_threshold_share", (), "f", doc="of resamples that have a threshold", optional=True),
    Variable("mixture_resampled_threshold", ("repeat",), "f", unit=SCORE, doc="patients resampled", optional=True),
)

FIT_BINS = 1024


def score_mixture(
    scores: xr.Dataset, *, gene_set: str, patient: str | None = None, repeats: int = 200, seed: Seed
) -> xr.Dataset:
    """Fit two Gaussians to a score, and find where the upper one becomes the likelier.

    Weights, means and variances are found by expectation and maximization [1]_ on a histogram, from the moments below and above seven
    quantiles; the likeliest fit is kept. One Gaussian is fitted, too, and both are held against each other by the Bayesian information
    criterion [2]_. The threshold is the score between the means at which a cell belongs to either with probability 0.5.

    Parameters
    ----------
    scores
        Holds ``cell_score`` over ``(cell, gene_set)``, and ``patient`` over ``cell``; may be lazy.
    gene_set
        The gene set whose score is looked at.
    patient
        Variable with the patient of each cell; without it there is no interval.
    repeats
        How often patients are drawn with replacement.
    seed
        Of these draws; the fit itself has none.

    Returns
    -------
    Dataset over ``gaussian`` (1 the lower): ``mixture_weight``, ``mixture_mean``, ``mixture_standard_deviation``. Numbers:
    ``mixture_status``, ``mixture_threshold`` (also as ``_zscore`` and ``_quantile``), ``mixture_valley_depth``, ``mixture_bic_one``,
    ``mixture_bic_two``, ``mixture_cells``. With ``patient``: ``mixture_patients``, ``mixture_threshold_lower`` and ``_upper`` (95 %,
    quantiles of the resamples), ``mixture_threshold_share`` (of resamples that have a threshold), ``mixture_resampled_threshold``.

    The status is ``two_groups``, or ``shoulder`` (two Gaussians fit better, but their density has one peak: the threshold cuts a
    continuum), or one of three without a threshold: ``one_gaussian`` (fits no worse), ``no_crossing`` (one Gaussian is the likelier one
    all the way between the means, as where both lie over each other), ``collapsed`` (one holds a single value, such as cells without
    a count).

    Raises
    ------
    MissingVariableError
        If ``scores`` lacks a variable.
    ParameterError
        If ``gene_set`` is not in the scores, or a number cannot be used.
    InputError
        If scores are missing or infinite, all equal, there are fewer than 10 cells, or the patient of a cell is not known.

    Notes
    -----
    Passes over the counts: 1 computed if the scores are lazy and come from counts, otherwise 0. Memory does not grow with cells. Bins are
    at most 1/512 of the range wide, which moves means and deviations by about 1e-5 of the deviation. In many cells any departure from
    one Gaussian, such as a skew, favors two: then the depth of the valley says whether there are groups.

    References
    ----------
    .. [1] McLachlan GJ, Jones PN (1988). Fitting mixture models to grouped and truncated data via the EM algorithm. Biometrics 44:571-578.
    .. [2] Schwarz G (1978). Estimating the dimension of a model. Annals of Statistics 6:461-464.

    Examples
    --------
    >>> values = np.concatenate([np.linspace(-1, 1, 60), np.linspace(5, 7, 20)])
    >>> scores = xr.Dataset({"cell_score": (("cell", "gene_set"), values[:, None])}, coords={"gene_set": ["stemness"]})
    >>> found = score_mixture(scores.assign_coords(cell=np.arange(80).astype(str)), gene_set="stemness", seed=1)
    >>> found["mixture_weight"].values.round(3).tolist(), 2 < float(found["mixture_threshold"]) < 4
    ([0.75, 0.25], True)
    """
    check_whole(repeats, parameter="repeats", caller="score_mixture", minimum=1)
    check_whole(seed, parameter="seed", caller="score_mixture", minimum=0)
    counted = score_bins(scores, gene_set=gene_set, patient=patient, caller="score_mixture")
    bins = counted.pooled
    _check_bins(bins, cells=counted.cells)
    found = _fit(bins)
    values: dict[str, object] = {
        "mixture_weight": found.pair.weights,
        "mixture_mean": found.pair.means * found.scale + found.center,
        "mixture_standard_deviation": np.sqrt(found.pair.variances) * found.scale,
        "mixture_status": found.status,
        "mixture_threshold": found.threshold,
        "mixture_threshold_zscore": standard_scores(bins, found.threshold),
        "mixture_threshold_quantile": share_below(bins, found.threshold),
        "mixture_valley_depth": valley_depth(found.pair),
        "mixture_bic_one": found.bic[0],
        "mixture_bic_two": found.bic[1],
        "mixture_cells": counted.cells,
    }
    coordinates = {"gaussian": np.array([1, 2])}
    if patient is not None:
        values |= _resampled(counted, found, repeats=repeats, seed=seed)
        coordinates["repeat"] = np.arange(1, repeats + 1)
    return make_result(
        RESULT,
        values,
        analysis="score_mixture",
        parameters={"gene_set": gene_set, "patient": patient, "repeats": repeats, "seed": seed},
        coordinates=coordinates,
        attributes={"status": STATUS[found.status], "interval_level": LEVEL},
    )


@dataclass(frozen=True)
class _Fit:
    """Two Gaussians of scores that were centered and scaled; the threshold and the criteria are those of the scores."""

    pair: GaussianPair
    center: float
    scale: float
    bic: tuple[float, float]
    status: int
    threshold: float


def _check_bins(bins: ValueBins, *, cells: int) -> None:
    if cells < 10 or len(bins.counts) < 2:
        message = (
            f"score_mixture needs at least 10 cells with different scores. Found {cells} cells with {len(bins.counts)} different scores; "
            "check the score."
        )
        raise InputError(message)


def _fit(bins: ValueBins, *, like: _Fit | None = None) -> _Fit:
    """Fit from many starts, or from a fit to like scores."""
    fine = coarser(bins, most=FIT_BINS)
    counts, middles = fine.counts, fine.middles
    total = float(counts.sum())
    mean = float((counts * middles).sum() / total)
    variance = float((counts * (middles - mean) ** 2).sum() / total)
    center, scale = (mean, np.sqrt(variance)) if like is None else (like.center, like.scale)
    stretched = (middles - center) / scale
    pair = fit_pair(counts, stretched, starts=None if like is None else [like.pair.start])
    log_scale = total * np.log(scale)
    one = total * (np.log(2 * np.pi * variance) + 1) + 2 * np.log(total)
    two = -2 * (pair.log_likelihood - log_scale) + 5 * np.log(total)
    status, place = _status(pair, better=two < one, spread=variance / scale**2)
    return _Fit(pair, center, scale, (float(one), float(two)), status, place * scale + center)


def _status(pair: GaussianPair, *, better: bool, spread: float) -> tuple[int, float]:
    """What the fit says, and the threshold."""
    nothing = float("nan")
    if not better:
        return ONE_GAUSSIAN, nothing
    if pair.variances.min() <= 2 * LEAST_VARIANCE * spread:
        return COLLAPSED, nothing
    place = crossing(pair)
    if np.isnan(place):
        return NO_CROSSING, nothing
    return (TWO_GROUPS if valley_depth(pair) > 0 else SHOULDER), place


def _resampled(counted: ScoreBins, found: _Fit, *, repeats: int, seed: Seed) -> dict[str, object]:
    thresholds: Vector = np.full(repeats, np.nan)
    enough = len(counted.patients) > 1
    if not enough:
        warn_single_patient("score_mixture")
    for repeat in range(repeats if enough else 0):
        bins = counted.resampled(seed=seed, repeat=repeat)
        if len(bins.counts) > 1:
            thresholds[repeat] = _fit(bins, like=found).threshold
    lower, upper = threshold_interval(thresholds)
    return {
        "mixture_patients": len(counted.patients),
        "mixture_threshold_lower": lower,
        "mixture_threshold_upper": upper,
        "mixture_threshold_share": float(np.isfinite(thresholds).mean()) if enough else float("nan"),
        "mixture_resampled_threshold": thresholds,
    }
