"""States of cells from one score: natural breaks, and the class above the highest break that separates."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import xarray as xr

from chemores_dask.aliases import Vector
from chemores_dask.checks import check_one_of, check_variables, check_whole
from chemores_dask.errors import InputError, ParameterError
from chemores_dask.kernels.histograms import bin_numbers, histogram
from chemores_dask.kernels.natural_breaks import goodness_of_fit, natural_breaks
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.stream import compute

ALGORITHM_REVISION = 1

RESULT = declare(
    Variable("cell_state", ("cell",), "U", unit="label"),
    Variable("state_threshold", (), "f", unit="unit of the score", doc="scores from here on get the second label"),
    Variable("state_goodness_of_fit", (), "f", unit="1", doc="goodness of variance fit of all classes"),
    Variable("state_breaks", ("break",), "f", unit="unit of the score", doc="all natural breaks, ascending"),
    Variable(
        "state_break_depth",
        ("break",),
        "f",
        unit="1",
        doc="1 less the density at the break over that around it; 1 is empty",
    ),
)

BINS = 1024
"""Bins between the least and the largest score."""

WINDOW = 1 / 3
"""Width of the windows in which scores are counted, as a share of the distance between the means of two classes."""

LEAST_DEPTH = 0.25
"""Depth from which a break counts as a valley between two groups."""

LEAST_DEVIATION = 3.0
"""Standard deviations (Poisson) by which the count at a break must fall short, so that noise is not taken for a valley."""


def score_states(
    scores: xr.Dataset,
    *,
    gene_set: str,
    labels: Sequence[str] = ("other", "stem_like"),
    classes: int = 4,
) -> xr.Dataset:
    """Call cells positive for a score above a natural break of its distribution.

    Jenks' natural breaks minimize the squared deviations from class means [1]_, [2]_; they are found by exact dynamic programming
    over 1,024 bins between the least and the largest score. The threshold is the highest break that lies in a valley of the
    density, that is, at which at least a quarter fewer scores lie than around the mean of either class beside it, by more than
    chance would have it. Where no break lies in a valley, it is the last break.

    Parameters
    ----------
    scores
        Holds ``cell_score`` over ``(cell, gene_set)``, as made by :func:`module_score`; may be lazy.
    gene_set
        The gene set whose score is cut.
    labels
        Names for cells below the threshold, and from the threshold on.
    classes
        Classes of the natural breaks, at least 2.

    Returns
    -------
    Dataset: ``cell_state`` over ``cell``; ``state_threshold`` and ``state_goodness_of_fit``, one number each; over ``break``
    (1 to ``classes - 1``) ``state_breaks`` and ``state_break_depth``.

    Raises
    ------
    MissingVariableError
        If ``scores`` lacks ``cell_score``.
    ParameterError
        If ``gene_set`` is not in the scores, or ``labels`` or ``classes`` cannot be used.
    InputError
        If scores are missing or infinite, or take fewer different values than there are classes.

    Notes
    -----
    Passes over the counts: 1 computed if the scores are lazy and come from counts, otherwise 0. One score per cell is held in
    memory (8 bytes).

    The last of four breaks alone finds a rare group, but cuts a large one in two: for a quarter of the cells six standard
    deviations above the rest, halving both groups fits better than keeping the upper one whole. Looking for the valley finds
    both. Its limits: where groups lie closer than about five standard deviations, the last break cuts a continuum, or more than
    the rare group, which ``state_break_depth`` (near or below 0) shows; a far outlier takes a class, and a break, of its own;
    with less than some hundred cells valleys are hard to tell from noise, and the last break is used.

    References
    ----------
    .. [1] Jenks GF (1977). Optimal data classification for choropleth maps. University of Kansas, Department of Geography,
       occasional paper 2.
    .. [2] Fisher WD (1958). On grouping for maximum homogeneity. Journal of the American Statistical Association 53:789-798.

    Examples
    --------
    >>> import xarray as xr
    >>> values = [[0.0], [0.1], [0.2], [5.0]]
    >>> scores = xr.Dataset({"cell_score": (("cell", "gene_set"), values)}, coords={"cell": list("abcd"), "gene_set": ["stemness"]})
    >>> score_states(scores, gene_set="stemness", classes=2)["cell_state"].values.tolist()
    ['other', 'other', 'other', 'stem_like']
    """
    check_variables(scores, ["cell_score"], dims=("cell", "gene_set"), what="scores", caller="score_states")
    check_one_of(gene_set, scores["gene_set"].to_numpy().tolist(), parameter="gene_set", caller="score_states")
    check_whole(classes, parameter="classes", caller="score_states", minimum=2, maximum=BINS)
    if isinstance(labels, str) or len(labels) != 2 or len(set(labels)) != 2:
        message = f"The 'labels' parameter of score_states must be two different names. Got {labels!r}."
        raise ParameterError(message)
    (values,) = compute(scores["cell_score"].sel(gene_set=gene_set).data)
    values = np.asarray(values, dtype=np.float64)
    _check_scores(values, classes=classes)
    breaks, fit = _breaks(values, classes=classes)
    depths, sound = _depths(values, breaks)
    valleys = np.flatnonzero(sound)
    threshold = breaks[valleys[-1] if len(valleys) else -1]
    return make_result(
        RESULT,
        {
            "cell_state": np.where(values >= threshold, labels[1], labels[0]),
            "state_threshold": threshold,
            "state_goodness_of_fit": fit,
            "state_breaks": breaks,
            "state_break_depth": depths,
        },
        analysis="score_states",
        parameters={"gene_set": gene_set, "labels": list(labels), "classes": classes},
        coordinates={"cell": scores["cell"].to_numpy(), "break": np.arange(1, classes)},
    )


def _check_scores(values: Vector, *, classes: int) -> None:
    broken = int((~np.isfinite(values)).sum())
    if broken:
        message = f"Scores must be finite. Found missing or infinite scores in {broken} of {len(values)} cells; leave those cells out."
        raise InputError(message)
    occupied = len(np.unique(bin_numbers(_stretched(values), 0.0, 1.0, BINS))) if len(values) else 0
    if occupied < classes:
        message = (
            f"Natural breaks into {classes} classes need as many different scores. Found {occupied} that differ by more than "
            f"1/{BINS} of their range, in {len(values)} cells; pass fewer classes, or check the score."
        )
        raise InputError(message)


def _stretched(values: Vector) -> Vector:
    """Scores from 0 to 1, so that sums of squares lose no digits and nothing overflows."""
    lower = values.min() / 2
    width = values.max() / 2 - lower
    return (values / 2 - lower) / width if width > 0 else np.zeros(len(values))


def _breaks(values: Vector, *, classes: int) -> tuple[Vector, float]:
    """Breaks midway between neighboring scores of different classes, and the goodness of fit."""
    stretched = _stretched(values)
    bins = histogram(stretched, lower=0.0, upper=1.0, bins=BINS)
    first_bins = natural_breaks(bins, classes=classes)
    numbers = bin_numbers(stretched, 0.0, 1.0, BINS)
    breaks = np.empty(classes - 1)
    for place, first in enumerate(first_bins):
        below = values[numbers < first].max()
        above = values[numbers >= first].min()
        middle = below / 2 + above / 2
        breaks[place] = middle if below < middle < above else above
    return breaks, goodness_of_fit(bins, first_bins)


def _depths(values: Vector, breaks: Vector) -> tuple[Vector, Vector]:
    """How far the density falls at each break, and whether that makes it a valley."""
    stretched = np.sort(_stretched(values))
    ordered = np.sort(values)
    starts = np.concatenate(([0], np.searchsorted(ordered, breaks, side="left"), [len(ordered)]))
    means = np.array([stretched[a:b].mean() for a, b in pairwise(starts)])
    depths = np.empty(len(breaks))
    sound = np.zeros(len(breaks), dtype=bool)
    for place in range(len(breaks)):
        lower, upper = means[place], means[place + 1]
        half = WINDOW * (upper - lower) / 2
        cut = starts[place + 1]
        middle = (stretched[cut - 1] + stretched[cut]) / 2
        at_break, *beside = (_count(stretched, center - half, center + half) for center in (middle, lower, upper))
        around = min(beside)
        depths[place] = 1.0 - at_break / around if around else 0.0
        noise = np.sqrt(at_break + around)
        sound[place] = depths[place] >= LEAST_DEPTH and around - at_break >= LEAST_DEVIATION * noise
    return depths, sound


def _count(ordered: Vector, lower: float, upper: float) -> int:
    return int(np.searchsorted(ordered, upper, side="right") - np.searchsorted(ordered, lower, side="left"))
