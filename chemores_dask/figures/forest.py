"""Hazard ratios of a Cox model with their limits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from chemores_dask.checks import check_variables
from chemores_dask.figures.number_text import count_text, number_text, p_text, shown_name
from chemores_dask.figures.recorded import labels_along, number_of, recorded_parameters
from chemores_dask.figures.side_columns import Column, write_columns
from chemores_dask.figures.style import (
    MAIN,
    NEUTRAL,
    SMALL,
    SOFT_INK,
    dress,
    head,
    message_figure,
    new_figure,
    thousands,
)

VARIABLES = tuple(
    f"cox_model_{name}" for name in ("hazard_ratio", "hazard_ratio_lower", "hazard_ratio_upper", "p_value")
)
WIDEST = 1e3
TICKS = np.array([0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000])


def forest(model: xr.Dataset, *, labels: Mapping[str, str] | None = None) -> Figure:
    """Hazard ratio of each term on a logarithmic axis, with limits, P, patients and events.

    Parameters
    ----------
    model
        Result of ``cox_model``.
    labels
        What terms are called in the picture, by their name.

    Returns
    -------
    Figure. Limits beyond 1/1000 and 1000 end in arrows.
    """
    check_variables(model, VARIABLES, dims=("term",), what="the result", caller="forest")
    if not model.sizes["term"]:
        return message_figure("The model has no terms to draw.")
    ratio, low, high, p_value = (model[name].values.astype(float) for name in VARIABLES)
    terms = [str((labels or {}).get(term, term)) for term in labels_along(model, "term")]
    figure = new_figure(width=8.4, height=1.15 + 0.36 * max(len(terms), 2))
    axes = figure.add_subplot()
    left, right = _limits(low, high, ratio)
    axes.set_xscale("log")
    axes.set_xlim(left, right)
    axes.set_ylim(len(terms) - 0.4, -0.6)
    axes.axvline(1, color=NEUTRAL, linewidth=1, zorder=1)
    for place, row in enumerate(zip(ratio, low, high, strict=True)):
        _draw_term(axes, place, row, within=(left, right))
    axes.xaxis.set_major_locator(FixedLocator([tick for tick in TICKS if left <= tick <= right]))
    axes.xaxis.set_minor_locator(NullLocator())
    thousands(axes, which="x")
    axes.set_yticks(range(len(terms)), [shown_name(term, longest=36) for term in terms])
    dress(axes, x="Hazard ratio (left of 1: longer survival; right: shorter)", grid="x")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    level = recorded_parameters(model).get("level", 0.95)
    _write_columns(axes, ratio, low, high, p_value, level=float(level))
    _write_head(figure, model)
    return figure


def _limits(low: np.ndarray, high: np.ndarray, ratio: np.ndarray) -> tuple[float, float]:
    ends = np.concatenate([low, high, ratio, [0.8, 1.25]])
    ends = ends[np.isfinite(ends) & (ends > 0)]
    smallest, largest = max(float(ends.min()), 1 / WIDEST), min(float(ends.max()), WIDEST)
    return smallest / 1.25, largest * 1.25


def _draw_term(axes: Axes, place: int, row: tuple[float, float, float], *, within: tuple[float, float]) -> None:
    ratio, low, high = row
    left, right = within
    if not np.isfinite(ratio):
        axes.text(1, place, " not estimated", va="center", fontsize=SMALL, color=SOFT_INK)
        return
    start = max(low, left) if np.isfinite(low) and low > 0 else left
    end = min(high, right) if np.isfinite(high) else right
    axes.plot([start, end], [place, place], color=MAIN, linewidth=2, gid="limits", zorder=2, solid_capstyle="butt")
    if not low >= left:
        axes.plot([left], [place], "<", color=MAIN, markersize=7, clip_on=False)
    if not high <= right:
        axes.plot([right], [place], ">", color=MAIN, markersize=7, clip_on=False)
    axes.plot([float(np.clip(ratio, left, right))], [place], "s", color=MAIN, markersize=8, gid="ratio", zorder=3)


def _write_columns(
    axes: Axes, ratio: np.ndarray, low: np.ndarray, high: np.ndarray, p_value: np.ndarray, *, level: float
) -> None:
    rows = list(zip(ratio, low, high, strict=True))
    ratios = [number_text(value) if np.isfinite(value) else "–" for value in ratio]
    limits = [
        f"{number_text(lower)} to {number_text(upper)}" if np.isfinite(value) else "–" for value, lower, upper in rows
    ]
    columns = [
        Column("ratio", ratios, bold=True),
        Column(f"{level:.0%} limits", limits),
        Column("P (Wald)", [p_text(p) for p in p_value]),
    ]
    write_columns(axes, columns)


def _write_head(figure: Figure, model: xr.Dataset) -> None:
    patients, events = number_of(model, "cox_model_patients"), number_of(model, "cox_model_events")
    concordance = number_of(model, "cox_model_concordance")
    note = f"Concordance {number_text(concordance)}. " if np.isfinite(concordance) else ""
    overall = number_of(model, "cox_model_likelihood_ratio_p_value")
    note += f"Likelihood ratio test of the whole model: P {'' if p_text(overall).startswith('<') else '= '}{p_text(overall)}."
    warning = str(model.attrs.get("note", ""))
    if warning:
        note += f"\n{shown_name(warning, longest=240)}"
    head(figure, f"Cox model: n = {count_text(patients)} patients, {count_text(events)} events", note=note)
