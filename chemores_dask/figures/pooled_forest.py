"""Hazard ratios of studies, and what they pool to."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from matplotlib.ticker import FixedLocator, NullLocator

from chemores_dask.checks import check_variables
from chemores_dask.figures.number_text import count_text, number_text, p_sentence, share_text, shown_name
from chemores_dask.figures.recorded import labels_along, number_of, recorded_parameters
from chemores_dask.figures.side_columns import Column, write_columns
from chemores_dask.figures.style import HIGHLIGHT, INK, MAIN, NEUTRAL, dress, head, new_figure, thousands

TICKS = np.array([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100])
LARGEST_MARK = 13.0
MODELS = {
    "fixed": "Fixed effect",
    "dersimonian_laird": "Random effects (DerSimonian-Laird)",
    "restricted_likelihood": "Random effects (REML)",
}
KNAPP = "  REML, Hartung-Knapp limits"
WEIGHED_BY = "restricted_likelihood"


def pooled_forest(pooled: xr.Dataset, *, title: str = "") -> Figure:
    """A row for each study, its mark as large as its weight, and diamonds for the pooled estimates.

    Parameters
    ----------
    pooled
        Result of ``meta_analysis``.
    title
        Written above; by default the pooled hazard ratio with random effects.

    Returns
    -------
    Figure. The thin line through the last diamond is the prediction interval, for three or more studies.
    """
    check_variables(pooled, ["meta_ratio"], dims=("study",), what="the result", caller="pooled_forest")
    studies = pooled.sizes["study"]
    rows = studies + len(MODELS) + 1
    figure = new_figure(width=8.8, height=1.2 + 0.34 * rows)
    axes = figure.add_subplot()
    estimates = _rows(pooled)
    known = estimates[np.isfinite(estimates) & (estimates > 0)]
    left, right = max(1e-2, float(min(known.min(), 0.8)) / 1.2), min(1e2, float(max(known.max(), 1.25)) * 1.2)
    axes.set_xscale("log")
    axes.set_xlim(left, right)
    axes.set_ylim(rows - 0.4, -0.7)
    axes.axvline(1, color=NEUTRAL, linewidth=1, zorder=1)
    axes.axhline(studies - 0.5, color=NEUTRAL, linewidth=0.6, zorder=1)
    weights = pooled["meta_weight"].sel(model=WEIGHED_BY).values
    for place in range(studies):
        _draw_study(axes, place, estimates[place], size=float(np.sqrt(weights[place] / weights.max())))
    for place in range(studies, rows):
        _draw_diamond(axes, place, estimates[place], strong=place >= rows - 2)
    _draw_prediction(axes, pooled, rows - 1)
    axes.xaxis.set_major_locator(FixedLocator([tick for tick in TICKS if left <= tick <= right]))
    axes.xaxis.set_minor_locator(NullLocator())
    thousands(axes, which="x")
    names = [shown_name(study, longest=34) for study in labels_along(pooled, "study")]
    axes.set_yticks(range(rows), [*names, *MODELS.values(), KNAPP])
    dress(axes, x="Hazard ratio (left of 1: longer survival; right: shorter)", grid="x")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    _write_columns(axes, pooled, estimates, weights)
    _write_head(figure, pooled, title)
    return figure


def _rows(pooled: xr.Dataset) -> np.ndarray:
    study = np.stack([pooled[f"meta_ratio{end}"].values for end in ("", "_lower", "_upper")], axis=1)
    models = pooled.sel(model=list(MODELS))
    model = np.stack([models[f"meta_pooled_ratio{end}"].values for end in ("", "_lower", "_upper")], axis=1)
    last = models.isel(model=-1)
    knapp = [float(last[name]) for name in ("meta_pooled_ratio", "meta_knapp_ratio_lower", "meta_knapp_ratio_upper")]
    return np.concatenate([study, model, [knapp]])


def _draw_study(axes: Axes, place: int, row: np.ndarray, *, size: float) -> None:
    left, right = axes.get_xlim()
    axes.plot(np.clip(row[1:], left, right), [place, place], color=MAIN, linewidth=1.6, zorder=2, gid="limits")
    for end, low, sign in ((left, row[1] < left, "<"), (right, row[2] > right, ">")):
        if low:
            axes.plot([end], [place], sign, color=MAIN, markersize=7, clip_on=False)
    axes.plot(row[:1], [place], "s", color=MAIN, markersize=LARGEST_MARK * size, zorder=3, gid="study")


def _draw_diamond(axes: Axes, place: int, row: np.ndarray, *, strong: bool) -> None:
    if not np.isfinite(row).all():
        return
    left, right = axes.get_xlim()
    estimate, low, high = np.clip(row, left, right)
    corners = [(low, place), (estimate, place - 0.28), (high, place), (estimate, place + 0.28)]
    axes.add_patch(
        Polygon(corners, closed=True, color=HIGHLIGHT, alpha=1.0 if strong else 0.55, zorder=3, gid="pooled")
    )


def _draw_prediction(axes: Axes, pooled: xr.Dataset, place: int) -> None:
    ends = [float(pooled[f"meta_prediction_{end}"].sel(model=WEIGHED_BY)) for end in ("lower", "upper")]
    if np.isfinite(ends).all():
        axes.plot(np.clip(ends, *axes.get_xlim()), [place, place], color=INK, linewidth=1.0, zorder=4, gid="prediction")


def _write_columns(axes: Axes, pooled: xr.Dataset, estimates: np.ndarray, weights: np.ndarray) -> None:
    rest = [""] * (len(estimates) - weights.size)
    columns = []
    for name, header in (("patients", "n"), ("events", "events")):
        if f"meta_study_{name}" in pooled:
            numbers = [count_text(float(value)) for value in pooled[f"meta_study_{name}"].values]
            columns.append(Column(header, [*numbers, count_text(number_of(pooled, f"meta_{name}")), *rest[1:]]))
    level = float(recorded_parameters(pooled).get("level", 0.95))
    known = [np.isfinite(row).all() for row in estimates]
    ratios = [number_text(row[0]) if np.isfinite(row[0]) else "–" for row in estimates]
    limits = [
        f"{number_text(row[1])} to {number_text(row[2])}" if fine else "–"
        for row, fine in zip(estimates, known, strict=True)
    ]
    columns += [
        Column("ratio", ratios, bold=True),
        Column(f"{level:.0%} limits", limits),
        Column("weight", [*(share_text(weight) for weight in weights), *rest]),
    ]
    write_columns(axes, columns)


def _write_head(figure: Figure, pooled: xr.Dataset, title: str) -> None:
    last = pooled.sel(model=WEIGHED_BY)
    patients, events = (number_of(pooled, f"meta_{name}") for name in ("patients", "events"))
    counted = f"{count_text(number_of(pooled, 'meta_studies'))} studies"
    counted += f", n = {count_text(patients)} patients" if np.isfinite(patients) else ""
    counted += f", {count_text(events)} events" if np.isfinite(events) else ""
    lines = [
        f"{counted}. Wald test: fixed effect {p_sentence(float(pooled['meta_pooled_p_value'].sel(model='fixed')))}, random effects (REML) "
        f"{p_sentence(float(last['meta_pooled_p_value']))}, by Hartung and Knapp {p_sentence(float(last['meta_knapp_p_value']))}.",
        f"Heterogeneity (Cochran's Q test): Q = {number_text(number_of(pooled, 'meta_heterogeneity_statistic'))}, "
        f"{p_sentence(number_of(pooled, 'meta_heterogeneity_p_value'))}; I² {share_text(float(last['meta_inconsistency_share']))} "
        f"({share_text(number_of(pooled, 'meta_inconsistency_share_lower'))} to "
        f"{share_text(number_of(pooled, 'meta_inconsistency_share_upper'))}), tau² "
        f"{number_text(float(last['meta_between_variance']))}.",
    ]
    ends = [float(last[f"meta_prediction_{end}"]) for end in ("lower", "upper")]
    if np.isfinite(ends).all():
        lines.append(
            f"Another study is expected between {number_text(ends[0])} and {number_text(ends[1])} (thin line)."
        )
    values = [number_text(float(last[f"meta_pooled_ratio{end}"])) for end in ("", "_lower", "_upper")]
    head(figure, title or f"Pooled hazard ratio {values[0]} ({values[1]} to {values[2]})", note="\n".join(lines))
