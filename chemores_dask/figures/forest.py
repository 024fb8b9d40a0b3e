"""Hazard ratios of a Cox model, or odds ratios of a response, with their limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from chemores_dask.checks import check_variables, listed
from chemores_dask.errors import MissingVariableError
from chemores_dask.figures.number_text import count_text, number_text, p_sentence, p_text, shown_name
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

WIDEST = 1e3
TICKS = np.array([0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000])


@dataclass(frozen=True)
class _Ratios:
    """Where a model keeps its ratios, and what they are called."""

    ratio: str
    p_value: str
    axis: str
    head: Callable[[xr.Dataset], tuple[str, str]]

    @property
    def variables(self) -> tuple[str, ...]:
        """The ratio, its limits, and P."""
        return (self.ratio, f"{self.ratio}_lower", f"{self.ratio}_upper", self.p_value)


def forest(model: xr.Dataset, *, labels: Mapping[str, str] | None = None) -> Figure:
    """Ratio of each term on a logarithmic axis, with limits, P and patients.

    Parameters
    ----------
    model
        Result of ``cox_model``, ``ordinal_regression`` or ``necrosis_association``.
    labels
        What terms are called in the picture, by their name.

    Returns
    -------
    Figure. Limits beyond 1/1000 and 1000 end in arrows.

    Raises
    ------
    MissingVariableError
        If the result has no ratios.
    """
    kind = _kind_of(model)
    check_variables(model, kind.variables, dims=("term",), what="the result", caller="forest")
    if not model.sizes["term"]:
        return message_figure("The model has no terms to draw.")
    ratio, low, high, p_value = (model[name].values.astype(float) for name in kind.variables)
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
    dress(axes, x=kind.axis, grid="x")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    level = recorded_parameters(model).get("level", 0.95)
    _write_columns(axes, ratio, low, high, p_value, level=float(level))
    title, note = kind.head(model)
    warning = str(model.attrs.get("note", ""))
    head(figure, title, note=f"{note}\n{shown_name(warning, longest=240)}" if warning else note)
    return figure


def _kind_of(model: xr.Dataset) -> _Ratios:
    for kind in KINDS:
        if kind.ratio in model:
            return kind
    message = f"forest needs ratios of a model: one of {listed(kind.ratio for kind in KINDS)}. Found: {listed(model.data_vars)}."
    raise MissingVariableError(message)


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


def _cox_head(model: xr.Dataset) -> tuple[str, str]:
    patients, events = number_of(model, "cox_model_patients"), number_of(model, "cox_model_events")
    concordance = number_of(model, "cox_model_concordance")
    note = f"Concordance {number_text(concordance)}. " if np.isfinite(concordance) else ""
    overall = number_of(model, "cox_model_likelihood_ratio_p_value")
    note += f"Likelihood ratio test of the whole model: P {'' if p_text(overall).startswith('<') else '= '}{p_text(overall)}."
    return f"Cox model: n = {count_text(patients)} patients, {count_text(events)} events", note


def _ordinal_head(model: xr.Dataset) -> tuple[str, str]:
    patients = number_of(model, "ordinal_patients")
    note = (
        f"Likelihood ratio test of the whole model: {p_sentence(number_of(model, 'ordinal_likelihood_ratio_p_value'))}. "
        f"Brant's test of proportional odds: {p_sentence(number_of(model, 'ordinal_parallel_p_value'))}."
    )
    return f"Proportional odds model: n = {count_text(patients)} patients", note


def _necrosis_head(model: xr.Dataset) -> tuple[str, str]:
    patients, good = (number_of(model, f"necrosis_logistic_{name}patients") for name in ("", "good_"))
    return (
        f"Logistic model of a good response: n = {count_text(patients)} patients, {count_text(good)} of them good",
        "",
    )


KINDS = (
    _Ratios(
        "cox_model_hazard_ratio",
        "cox_model_p_value",
        "Hazard ratio (left of 1: longer survival; right: shorter)",
        _cox_head,
    ),
    _Ratios("ordinal_odds_ratio", "ordinal_p_value", "Odds ratio of a higher response", _ordinal_head),
    _Ratios("necrosis_odds_ratio", "necrosis_p_value", "Odds ratio of a good response", _necrosis_head),
)
