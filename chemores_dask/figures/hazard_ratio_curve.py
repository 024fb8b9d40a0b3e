"""The hazard ratio along a covariate that enters a Cox model as a spline."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator
from scipy.special import ndtri

from chemores_dask.checks import check_variables, listed
from chemores_dask.errors import ParameterError
from chemores_dask.figures.forest import TICKS
from chemores_dask.figures.number_text import count_text, number_text, p_sentence, shown_name
from chemores_dask.figures.recorded import labels_along, number_of, recorded_parameters
from chemores_dask.figures.style import (
    HIGHLIGHT,
    MAIN,
    NEUTRAL,
    dress,
    head,
    message_figure,
    new_figure,
    thousands,
)
from chemores_dask.kernels.spline_basis import spline_basis

POINTS = 121
WIDEST = 1e3


def hazard_ratio_curve(
    model: xr.Dataset,
    *,
    covariate: str | None = None,
    reference: float | None = None,
    labels: Mapping[str, str] | None = None,
) -> Figure:
    """Hazard ratio of a covariate against a reference value, with limits.

    Parameters
    ----------
    model
        Result of ``cox_model`` with a spline.
    covariate
        Which spline; the first unless given.
    reference
        Value whose hazard ratio is 1; the middle knot unless given.
    labels
        What the covariate is called in the picture, by its name.

    Returns
    -------
    Figure, between the outer knots of the spline; ticks at the bottom stand at the knots.

    Raises
    ------
    ParameterError
        If the model has no such spline.
    """
    check_variables(model, ["cox_model_coefficient"], dims=("term",), what="the result", caller="hazard_ratio_curve")
    codes = json.loads(str(model.attrs.get("design", "{}")))
    splines = [name for name in labels_along(model, "covariate") if "knots" in codes.get(name, {})]
    chosen = covariate or (splines[0] if splines else "")
    if chosen not in splines:
        message = f"hazard_ratio_curve needs a spline of the model. Got {covariate!r}; splines: {listed(splines)}."
        raise ParameterError(message)
    knots = np.array(codes[chosen]["knots"])
    middle = float(knots[knots.size // 2]) if reference is None else float(reference)
    own = [place for place, term in enumerate(labels_along(model, "term")) if term.rstrip("'") == chosen]
    values = np.linspace(min(knots[0], middle), max(knots[-1], middle), POINTS)
    apart = spline_basis(values, knots) - spline_basis(np.array([middle]), knots)
    coefficient = model["cox_model_coefficient"].values[own]
    if not np.isfinite(coefficient).all():
        return message_figure(f"The spline of {shown_name(chosen)} was not estimated.")
    covariance = model["cox_model_covariance"].values[np.ix_(own, own)]
    level = float(recorded_parameters(model).get("level", 0.95))
    reach = ndtri(0.5 + level / 2) * np.sqrt(np.einsum("ij,jk,ik->i", apart, covariance, apart))
    ratio, low, high = (np.exp(np.clip(apart @ coefficient + sign * reach, -700, 700)) for sign in (0, -1, 1))
    called = shown_name((labels or {}).get(chosen, chosen))
    figure = _drawn(values, (ratio, low, high), knots, middle, called)
    _write_head(figure, model, chosen, (called, middle, level))
    return figure


def _drawn(
    values: np.ndarray, curves: tuple[np.ndarray, np.ndarray, np.ndarray], knots: np.ndarray, middle: float, called: str
) -> Figure:
    ratio, low, high = curves
    figure = new_figure(width=6.8, height=4.0)
    axes = figure.add_subplot()
    axes.set_yscale("log")
    axes.axhline(1, color=NEUTRAL, linewidth=1, zorder=1)
    axes.fill_between(values, low, high, color=MAIN, alpha=0.16, linewidth=0, zorder=1)
    axes.plot(values, ratio, color=MAIN, linewidth=2.2, gid="ratio", zorder=3)
    axes.plot([middle], [1.0], "o", color=HIGHLIGHT, markersize=7, gid="reference", zorder=4)
    bottom, top = max(min(low.min(), 0.8), 1 / WIDEST) / 1.15, min(max(high.max(), 1.25), WIDEST) * 1.15
    axes.set_ylim(bottom, top)
    axes.plot(knots, np.full(knots.size, bottom), "|", color=NEUTRAL, markersize=14, gid="knots", clip_on=False)
    axes.yaxis.set_major_locator(FixedLocator([tick for tick in TICKS if bottom <= tick <= top]))
    axes.yaxis.set_minor_locator(NullLocator())
    thousands(axes, which="y")
    dress(axes, x=called, y="Hazard ratio (above 1: shorter survival)", grid="y")
    return figure


def _write_head(figure: Figure, model: xr.Dataset, chosen: str, words: tuple[str, float, float]) -> None:
    called, middle, level = words
    place = labels_along(model, "covariate").index(chosen)
    patients, events = number_of(model, "cox_model_patients"), number_of(model, "cox_model_events")
    whole, bent = (float(model[f"cox_model_{kind}_wald_p_value"].values[place]) for kind in ("covariate", "nonlinear"))
    beside = [shown_name(name, longest=16) for name in labels_along(model, "covariate") if name != chosen]
    adjusted = f", beside {', '.join(beside[:5])}{' and others' if len(beside) > 5 else ''}" if beside else ""
    lines = [
        f"Cox model{adjusted}: n = {count_text(patients)} patients, {count_text(events)} events. Wald test of the whole spline "
        f"{p_sentence(whole)}, of its bends (non-linearity) {p_sentence(bent)}.",
        f"Band: {level:.0%} limits against the dot at {number_text(middle)}. Ticks: knots.",
    ]
    if model.attrs.get("note"):
        lines.append(shown_name(str(model.attrs["note"]), longest=240))
    head(figure, f"Hazard ratio along {called}", note="\n".join(lines))
