"""Natural breaks of a score with what makes them a threshold that can be frozen: how many classes, and how sure the cut is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from chemores_dask.aliases import Seed, Vector
from chemores_dask.checks import check_whole
from chemores_dask.kernels.dyadic_bins import ValueBins, even_bins
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.scores.break_choice import (
    NaturalClasses,
    break_depths,
    break_values,
    chosen_break,
    elbow_distances,
    natural_classes,
)
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
RESULT = declare(
    Variable(
        "jenks_within_share",
        ("class_number",),
        "f",
        doc="squared deviations from class means, as a share of those from the mean",
    ),
    Variable(
        "jenks_goodness_of_fit", ("class_number",), "f", doc="goodness of variance fit: 1 less the share within classes"
    ),
    Variable(
        "jenks_elbow_distance", ("class_number",), "f", doc="how far the share within lies below the chord of its curve"
    ),
    Variable("jenks_breaks", ("class_number", "break"), "f", unit=SCORE, doc="ascending; not a number behind the last"),
    Variable("jenks_classes", (), "i", unit="classes", doc="chosen: the largest distance to the chord"),
    Variable("jenks_chosen_breaks", ("break",), "f", unit=SCORE, doc="of the chosen classes"),
    Variable("jenks_chosen_break_depth", ("break",), "f", doc="1 less the density at the break over that around it"),
    Variable("jenks_threshold", (), "f", unit=SCORE, doc="the highest chosen break in a valley, else the last"),
    Variable("jenks_threshold_zscore", (), "f", unit="standard deviations", doc="above the mean of these cells"),
    Variable("jenks_threshold_quantile", (), "f", doc="share of these cells below the threshold"),
    Variable("jenks_cells", (), "i", unit="cells"),
    Variable("jenks_bin_cells", ("bin",), "i", unit="cells", doc="histogram of the score, for pictures"),
    Variable("jenks_bin_start", ("bin",), "f", unit=SCORE),
    Variable("jenks_bin_width", (), "f", unit=SCORE),
    Variable("jenks_patients", (), "i", unit="patients", doc="that are resampled", optional=True),
    Variable("jenks_threshold_lower", (), "f", unit=SCORE, doc="2.5 % of the resamples lie below", optional=True),
    Variable("jenks_threshold_upper", (), "f", unit=SCORE, doc="2.5 % of the resamples lie above", optional=True),
    Variable("jenks_same_classes_share", (), "f", doc="of resamples that choose as many classes", optional=True),
    Variable("jenks_resampled_threshold", ("repeat",), "f", unit=SCORE, doc="patients resampled", optional=True),
    Variable("jenks_resampled_classes", ("repeat",), "i", unit="classes", doc="patients resampled", optional=True),
)

PICTURE_BINS = 128
MOST_CLASSES = 100


def jenks_breaks(
    scores: xr.Dataset,
    *,
    gene_set: str,
    classes: int = 8,
    patient: str | None = None,
    repeats: int = 200,
    seed: Seed,
) -> xr.Dataset:
    """Natural breaks of a score, as many as its elbow asks for, with an interval over patients; a threshold to be frozen.

    For ``k = 1, 2, … classes`` the breaks minimize the squared deviations from class means [1]_, [2]_. How many classes are used is read
    off the elbow: the ``k`` at which the curve of the squared deviations within classes lies farthest below the chord from 1 class to
    the most classes. Of its breaks the threshold is the highest one in a valley of the density (as in :func:`score_states`), or the
    last one. Patients are then drawn with replacement, and all of this is done again, for the interval.

    Parameters
    ----------
    scores
        Holds ``cell_score`` over ``(cell, gene_set)``, and ``patient`` over ``cell``; may be lazy.
    gene_set
        The gene set whose score is cut.
    classes
        The most classes that are tried, at least 2. The elbow is one of this curve: with more classes it may lie farther right.
    patient
        Variable with the patient of each cell (``scores.assign(patient=("cell", cells.obs["patient"]))``); without it there is no
        interval, since cells are not replicates.
    repeats
        How often patients are drawn.
    seed
        Of these draws.

    Returns
    -------
    Dataset over ``class_number`` (1, 2, …): ``jenks_within_share``, ``jenks_goodness_of_fit``, ``jenks_elbow_distance`` and, over
    ``break``, ``jenks_breaks``. The chosen ones: ``jenks_classes``, ``jenks_chosen_breaks`` and ``jenks_chosen_break_depth`` (break),
    ``jenks_threshold`` (a score), ``jenks_threshold_zscore`` and ``jenks_threshold_quantile`` (the same cut, for a transfer on these
    scales). With ``patient``: ``jenks_patients``, ``jenks_threshold_lower`` and ``_upper`` (95 %, quantiles of the resamples),
    ``jenks_same_classes_share``, and over ``repeat`` ``jenks_resampled_threshold``, ``jenks_resampled_classes``. Over ``bin`` a histogram
    (``jenks_bin_cells``, ``jenks_bin_start``) of the width ``jenks_bin_width``.

    Raises
    ------
    MissingVariableError
        If ``scores`` lacks a variable.
    ParameterError
        If ``gene_set`` is not in the scores, or a number cannot be used.
    InputError
        If there are no cells, scores are missing or infinite, take fewer different values than there are classes, or the patient of a
        cell is not known.

    Notes
    -----
    Passes over the counts: 1 computed if the scores are lazy and come from counts, otherwise 0. Memory does not grow with cells: scores are
    counted per patient in at most 4,096 bins, whose width is a power of two, so that blocks need not know the range. Breaks are
    exact for the bins; they lie midway between the scores on both sides. Resamples are made of the same bins.

    Freeze the threshold for later cohorts: ``score_states(later, gene_set=..., threshold=jenks["jenks_threshold"])``.

    References
    ----------
    .. [1] Jenks GF (1977). Optimal data classification for choropleth maps. University of Kansas, Department of Geography,
       occasional paper 2.
    .. [2] Fisher WD (1958). On grouping for maximum homogeneity. Journal of the American Statistical Association 53:789-798.

    Examples
    --------
    >>> values = [[0.0], [0.1], [0.2], [5.0], [5.1]]
    >>> scores = xr.Dataset({"cell_score": (("cell", "gene_set"), values)}, coords={"cell": list("abcde"), "gene_set": ["stemness"]})
    >>> found = jenks_breaks(scores, gene_set="stemness", classes=3, seed=1)
    >>> int(found["jenks_classes"]), float(found["jenks_threshold"])
    (2, 2.6)
    """
    check_whole(classes, parameter="classes", caller="jenks_breaks", minimum=2, maximum=MOST_CLASSES)
    check_whole(repeats, parameter="repeats", caller="jenks_breaks", minimum=1)
    check_whole(seed, parameter="seed", caller="jenks_breaks", minimum=0)
    counted = score_bins(scores, gene_set=gene_set, patient=patient, caller="jenks_breaks")
    bins = counted.pooled
    found = natural_classes(bins, classes=classes)
    chosen = _choice(found)
    starts, numbers, width = even_bins(bins, most=PICTURE_BINS)
    values: dict[str, object] = {
        "jenks_within_share": 1.0 - found.goodness,
        "jenks_goodness_of_fit": found.goodness,
        "jenks_elbow_distance": elbow_distances(found.within),
        "jenks_breaks": _table([break_values(bins, found.firsts(k)) for k in range(1, classes + 1)]),
        "jenks_classes": chosen.classes,
        "jenks_chosen_breaks": _table([chosen.breaks], width=classes - 1)[0],
        "jenks_chosen_break_depth": _table([chosen.depths], width=classes - 1)[0],
        "jenks_threshold": chosen.threshold,
        "jenks_threshold_zscore": standard_scores(bins, chosen.threshold),
        "jenks_threshold_quantile": share_below(bins, chosen.threshold),
        "jenks_cells": counted.cells,
        "jenks_bin_cells": np.round(numbers).astype(np.int64),
        "jenks_bin_start": starts,
        "jenks_bin_width": width,
    }
    if patient is not None:
        values |= _resampled(counted, chosen, classes=classes, repeats=repeats, seed=seed)
    coordinates = {"class_number": np.arange(1, classes + 1), "break": np.arange(1, classes)}
    if patient is not None:
        coordinates["repeat"] = np.arange(1, repeats + 1)
    return make_result(
        RESULT,
        values,
        analysis="jenks_breaks",
        parameters={
            "gene_set": gene_set,
            "classes": classes,
            "patient": patient,
            "repeats": repeats,
            "seed": seed,
        },
        coordinates=coordinates,
        attributes={"elbow_rule": "largest distance to the chord", "interval_level": LEVEL},
    )


@dataclass(frozen=True)
class _Choice:
    """What the elbow and the valleys choose."""

    classes: int
    breaks: Vector
    depths: Vector
    threshold: float


def _choice(found: NaturalClasses) -> _Choice:
    distances = elbow_distances(found.within)
    classes = max(int(np.argmax(distances)) + 1, 2)
    firsts = found.firsts(classes)
    breaks = break_values(found.bins, firsts)
    depths, sound = break_depths(found.bins, firsts)
    return _Choice(classes, breaks, depths, float(breaks[chosen_break(sound)]))


def _table(rows: list[Vector], *, width: int | None = None) -> np.ndarray:
    """Rows of unequal lengths, filled up."""
    longest = max(len(row) for row in rows) if width is None else width
    table = np.full((len(rows), longest), np.nan)
    for place, row in enumerate(rows):
        table[place, : len(row)] = row
    return table


def _resampled(counted: ScoreBins, chosen: _Choice, *, classes: int, repeats: int, seed: Seed) -> dict[str, object]:
    thresholds, numbers = np.full(repeats, np.nan), np.zeros(repeats, dtype=np.int64)
    enough = len(counted.patients) > 1
    if not enough:
        warn_single_patient("jenks_breaks")
    for repeat in range(repeats if enough else 0):
        bins: ValueBins = counted.resampled(seed=seed, repeat=repeat)
        most = min(classes, len(bins.counts))
        if most < 2:
            continue
        drawn = _choice(natural_classes(bins, classes=most))
        thresholds[repeat], numbers[repeat] = drawn.threshold, drawn.classes
    lower, upper = threshold_interval(thresholds)
    return {
        "jenks_patients": len(counted.patients),
        "jenks_threshold_lower": lower,
        "jenks_threshold_upper": upper,
        "jenks_same_classes_share": float((numbers == chosen.classes).mean()) if enough else float("nan"),
        "jenks_resampled_threshold": thresholds,
        "jenks_resampled_classes": numbers,
    }
