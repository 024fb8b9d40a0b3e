"""States of cells from one score: cut at natural breaks of its own, or at thresholds that were found elsewhere and are frozen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from chemores_dask.aliases import Vector
from chemores_dask.checks import check_one_of, check_whole, listed
from chemores_dask.errors import InputError, ParameterError
from chemores_dask.kernels.dyadic_bins import bin_groups, pool_bins
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.scores.break_choice import break_depths, break_values, chosen_break, natural_classes
from chemores_dask.scores.score_bins import MOST_BINS, refuse_broken, score_rows
from chemores_dask.stream import compute

ALGORITHM_REVISION = 2

RESULT = declare(
    Variable("cell_state", ("cell",), "U", unit="label"),
    Variable("state_threshold", (), "f", unit="unit of the score", doc="scores from here on get the last label"),
    Variable("state_goodness_of_fit", (), "f", unit="1", doc="goodness of variance fit of all classes"),
    Variable("state_breaks", ("break",), "f", unit="unit of the score", doc="all breaks, ascending"),
    Variable(
        "state_break_depth",
        ("break",),
        "f",
        unit="1",
        doc="1 less the density at the break over that around it; 1 is empty",
    ),
)

LABELS = ("other", "stem_like")
SCALES = ("score", "zscore", "quantile")
MOST_CLASSES = 1024


def score_states(
    scores: xr.Dataset,
    *,
    gene_set: str,
    labels: Sequence[str] = LABELS,
    classes: int = 4,
    threshold: float | xr.DataArray | None = None,
    breaks: Sequence[float] | xr.DataArray | None = None,
    scale: str = "score",
) -> xr.Dataset:
    """Give cells a state by their score: above or below a natural break, or between breaks that are given.

    Jenks' natural breaks minimize the squared deviations from class means [1]_, [2]_; they are found by exact dynamic programming
    over some 4,096 bins between the least and the largest score. The threshold is the highest break that lies in a valley of the
    density, that is, at which at least a quarter fewer scores lie than around the mean of either class beside it, by more than
    chance would have it. Where no break lies in a valley, it is the last break.

    A ``threshold`` or ``breaks`` found in another cohort (:func:`jenks_breaks`, :func:`score_mixture`) are used as they are: nothing is
    fitted to these cells.

    Parameters
    ----------
    scores
        Holds ``cell_score`` over ``(cell, gene_set)``, as made by :func:`module_score`; may be lazy.
    gene_set
        The gene set whose score is cut.
    labels
        Names for cells below the threshold, and from the threshold on; with ``breaks`` one more than there are breaks, lowest first.
    classes
        Classes of the natural breaks, at least 2; without meaning for what is given.
    threshold
        A frozen threshold, such as ``jenks["jenks_threshold"]``.
    breaks
        Frozen breaks, ascending, such as ``jenks["jenks_chosen_breaks"]``; those that are not a number are left out.
    scale
        What a frozen threshold or break means: ``"score"``, a score; ``"zscore"``, standard deviations above the mean of these cells;
        ``"quantile"``, the share of these cells below it. A score is the same cut for every cohort and needs scores that can be compared
        between cohorts; the others follow the cohort, and so what it consists of: a cohort with more stem-like cells has a higher
        mean, and the same quantile calls the same share in every cohort. What was chosen stands in the attribute ``threshold_scale``.

    Returns
    -------
    Dataset: ``cell_state`` over ``cell``; ``state_threshold`` (the last break in use, as a score) and ``state_goodness_of_fit``, one number
    each; over ``break`` (1, 2, …) ``state_breaks`` (scores) and ``state_break_depth``. Attributes ``threshold_source`` (natural breaks of
    these scores, or frozen), ``threshold_scale``, and ``threshold_given`` where it was frozen.

    Raises
    ------
    MissingVariableError
        If ``scores`` lacks ``cell_score``.
    ParameterError
        If ``gene_set`` is not in the scores, or ``labels``, ``classes``, or what is frozen cannot be used.
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
    >>> score_states(scores, gene_set="stemness", threshold=0.1)["cell_state"].values.tolist()
    ['other', 'stem_like', 'stem_like', 'stem_like']
    """
    rows = score_rows(scores, gene_set=gene_set, caller="score_states")
    check_whole(classes, parameter="classes", caller="score_states", minimum=2, maximum=MOST_CLASSES)
    check_one_of(scale, SCALES, parameter="scale", caller="score_states")
    given = _given(threshold, breaks)
    if given is None and scale != "score":
        message = f"The 'scale' parameter of score_states says what a frozen threshold means. Got {scale!r} without one; give one."
        raise ParameterError(message)
    _check_labels(labels, wanted=2 if given is None else len(given) + 1)
    (column,) = compute(rows)
    values = np.asarray(column, dtype=np.float64)[:, 0]
    refuse_broken(int((~np.isfinite(values)).sum()), len(values))
    bins = pool_bins(bin_groups(values, np.zeros(len(values), dtype=np.int64), most=MOST_BINS))
    if given is None:
        firsts = natural_classes(bins, classes=classes).firsts(classes)
        cuts = break_values(bins, firsts)
    else:
        cuts = _as_scores(given, values, scale=scale)
        firsts = np.searchsorted(bins.lowest, cuts, side="left")
    depths, sound = break_depths(bins, firsts)
    used = cuts if given is not None else cuts[[chosen_break(sound)]]
    names = np.array(labels, dtype=object)
    return make_result(
        RESULT,
        {
            "cell_state": names[np.searchsorted(used, values, side="right")],
            "state_threshold": used[-1],
            "state_goodness_of_fit": _goodness(values, cuts),
            "state_breaks": cuts,
            "state_break_depth": depths,
        },
        analysis="score_states",
        parameters={
            "gene_set": gene_set,
            "labels": list(labels),
            "classes": classes,
            "frozen": None if given is None else given.tolist(),
            "scale": scale,
        },
        coordinates={"cell": scores["cell"].to_numpy(), "break": np.arange(1, len(cuts) + 1)},
        attributes={
            "threshold_source": "natural breaks of these scores" if given is None else "frozen",
            "threshold_scale": scale,
            **({} if given is None else {"threshold_given": given.tolist()}),
        },
    )


def _given(threshold: float | xr.DataArray | None, breaks: Sequence[float] | xr.DataArray | None) -> Vector | None:
    """What is frozen, as numbers in ascending order; None where nothing is."""
    if threshold is not None and breaks is not None:
        message = "score_states takes a 'threshold' or 'breaks', not both. Got both; leave one out."
        raise ParameterError(message)
    if threshold is None and breaks is None:
        return None
    parameter, what = ("threshold", threshold) if breaks is None else ("breaks", breaks)
    try:
        found = np.asarray(what, dtype=np.float64)
    except (TypeError, ValueError) as error:
        message = f"The {parameter!r} parameter of score_states must hold numbers. Got {what!r}."
        raise ParameterError(message) from error
    if found.ndim != (parameter == "breaks"):
        message = (
            f"The {parameter!r} parameter of score_states must be {'a list' if parameter == 'breaks' else 'one number'}. Got {what!r}; "
            "pass one number as 'threshold' and several as 'breaks'."
        )
        raise ParameterError(message)
    found = np.atleast_1d(found)
    found = found[~np.isnan(found)] if parameter == "breaks" else found
    if not len(found) or not np.isfinite(found).all() or (np.diff(found) <= 0).any():
        message = (
            f"Frozen thresholds of score_states must be numbers in ascending order. Got {listed(np.atleast_1d(np.asarray(what)))}. Where "
            "a fit found no threshold (its status says why), there is nothing to freeze."
        )
        raise ParameterError(message)
    return found


def _check_labels(labels: Sequence[str], *, wanted: int) -> None:
    if isinstance(labels, str) or len(labels) != wanted or len(set(labels)) != wanted:
        number = {2: "two"}.get(wanted, str(wanted))
        message = (
            f"The 'labels' parameter of score_states must be {number} different names, one more than there are breaks to cut at. "
            f"Got {labels!r}."
        )
        raise ParameterError(message)


def _as_scores(given: Vector, values: Vector, *, scale: str) -> Vector:
    """Frozen thresholds as scores of these cells."""
    if scale == "score":
        return given
    if len(values) < 2:
        message = f"A threshold on the scale {scale!r} needs at least 2 cells in score_states. Got {len(values)}."
        raise InputError(message)
    if scale == "zscore":
        return values.mean() + given * values.std(ddof=1)
    if (given < 0).any() or (given > 1).any():
        message = f"A threshold on the scale 'quantile' must lie between 0 and 1. Got {listed(given)}."
        raise ParameterError(message)
    ordered = np.append(np.sort(values), np.inf)
    # Nine digits, so that 7 % of 100 cells are seven cells.
    found = ordered[np.ceil(np.round(given * len(values), 9)).astype(np.int64)]
    return np.where(np.isinf(found), np.nextafter(ordered[-2], np.inf), found)


def _goodness(values: Vector, cuts: Vector) -> float:
    """Share of the squared deviations that lies between classes."""
    if not len(values):
        return float("nan")
    lower = values.min() / 2
    width = values.max() / 2 - lower
    if not width > 0:
        return float("nan")
    stretched = (values / 2 - lower) / width
    codes = np.searchsorted(cuts, values, side="right")
    counts = np.bincount(codes)
    means = np.bincount(codes, weights=stretched) / np.maximum(counts, 1)
    within = ((stretched - means[codes]) ** 2).sum()
    return float(1.0 - within / ((stretched - stretched.mean()) ** 2).sum())
