"""What components hold of covariates, as strips of colored squares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chemores_dask.errors import MissingVariableError
from chemores_dask.figures.number_text import count_text, number_text, shown_name
from chemores_dask.figures.recorded import labels_along, number_of
from chemores_dask.figures.style import FAINT, INK, SMALL, SOFT_INK, TICK, dress, head, new_figure

MOST_COMPONENTS = 30
MOST_NUMBERS = 12

NOTHING = 0.005
"""Correlations below are written as none: they are rounding."""


@dataclass(frozen=True)
class Strip:
    """One variable over components and covariates.

    Attributes
    ----------
    variable
        Its name in the result.
    title
        What it says.
    colors
        Map of colors.
    least
        Value of the first color; the last one is 1.
    """

    variable: str
    title: str
    colors: str
    least: float


STRIPS = (
    Strip("pca_covariate_correlation", "Correlation had nothing been regressed out", "RdBu_r", -1.0),
    Strip("pca_regressed_correlation", "Correlation of the scores, after regression", "RdBu_r", -1.0),
    Strip("dependence_correlation", "Correlation of the scores", "RdBu_r", -1.0),
    Strip(
        "dependence_share",
        "Share of the component's variance between levels of the covariate (along any curve)",
        "Purples",
        0.0,
    ),
)


def covariate_strips(result: xr.Dataset) -> Figure:
    """Correlation of each component with each covariate, before and after regression; or its dependence along any curve.

    Parameters
    ----------
    result
        Result of ``pca`` with covariates that were regressed out, or of ``covariate_dependence``.

    Returns
    -------
    Figure with one strip per variable: components from left to right (at most 30), covariates from top to bottom.

    Raises
    ------
    MissingVariableError
        If the result holds neither.
    """
    strips = [strip for strip in STRIPS if strip.variable in result]
    if not strips:
        message = (
            "covariate_strips needs the result of pca with covariates (regress=[...]) or of covariate_dependence. Got one without: "
            "nothing was regressed out."
        )
        raise MissingVariableError(message)
    covariates = labels_along(result, "covariate")
    shown = min(result.sizes["component"], MOST_COMPONENTS)
    figure = new_figure(width=8.2, height=len(strips) * (0.75 + 0.3 * len(covariates)))
    rows = np.atleast_1d(figure.subplots(len(strips), 1, sharex=True))
    for axes, strip in zip(rows, strips, strict=True):
        values = result[strip.variable].values[:shown].T.astype(float)
        mesh = _draw(axes, values, strip, covariates)
        bar = figure.colorbar(mesh, ax=axes, fraction=0.03, pad=0.01)
        bar.ax.tick_params(labelsize=SMALL, colors=SOFT_INK, length=2)
        bar.outline.set_visible(False)
    dress(rows[-1], x="Component")
    rows[-1].tick_params(axis="y", length=0)
    components = labels_along(result, "component")[:shown]
    step = max(shown // 15, 1)
    rows[-1].set_xticks(np.arange(0, shown, step) + 0.5, components[::step])
    head(figure, _title(result, strips, shown), note=_note(result))
    return figure


def _draw(axes: Axes, values: np.ndarray, strip: Strip, covariates: list[str]) -> object:
    mesh = axes.pcolormesh(
        np.ma.masked_invalid(values), cmap=strip.colors, vmin=strip.least, vmax=1.0, edgecolors="white", linewidth=1.0, gid=strip.variable
    )  # fmt: skip
    axes.set_yticks(np.arange(len(covariates)) + 0.5, [shown_name(name, longest=22) for name in covariates])
    axes.set_ylim(len(covariates), 0)
    axes.set_facecolor(FAINT)
    axes.set_title(strip.title, fontsize=TICK, color=INK, loc="left")
    axes.tick_params(axis="both", length=0, labelsize=TICK, colors=SOFT_INK, labelcolor=INK)
    for spine in axes.spines.values():
        spine.set_visible(False)
    written = values if values.shape[1] <= MOST_NUMBERS else values[:, :0]
    for (row, column), value in np.ndenumerate(written):
        if np.isfinite(value):
            text = f"{round(value, 2) + 0.0:.2f}".replace("-", "−")
            color = "white" if abs(value) > 0.6 else INK
            axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=SMALL, color=color)
    return mesh


def _title(result: xr.Dataset, strips: list[Strip], shown: int) -> str:
    last = strips[-1]
    values = np.abs(result[last.variable].values[:shown].astype(float))
    place = np.unravel_index(int(np.nanargmax(values)), values.shape)
    covariate = shown_name(labels_along(result, "covariate")[place[1]], longest=24)
    component = labels_along(result, "component")[place[0]]
    if last.variable == "pca_regressed_correlation":
        largest = float(values.max())
        by_more = f" by more than {number_text(largest)}" if largest >= NOTHING else ""
        return f"After regression no component correlates with a covariate{by_more}"
    return f"Component {component} depends most: {covariate} holds {100 * values[place]:.2g} % of its variance"


def _note(result: xr.Dataset) -> str:
    cells = number_of(result, "dependence_cells")
    if np.isfinite(cells):
        chance = float(result["dependence_chance_share"].max())
        return (
            f"n = {count_text(cells)} cells, which describe and are no replicates. A covariate without a meaning would hold up to "
            f"{100 * chance:.2g} % by chance."
        )
    return "Regression is linear: what depends on a covariate along a curve stays (covariate_dependence shows it)."
