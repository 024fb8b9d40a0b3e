"""Cells as points in the plane of two components."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chemores_dask.checks import check_variables
from chemores_dask.errors import ParameterError
from chemores_dask.figures.cell_labels import MOST_POINTS, align_cells, even_order, ordered_labels, sample_column
from chemores_dask.figures.number_text import count_text, share_text, shown_name
from chemores_dask.figures.style import (
    INK,
    SEQUENTIAL,
    SMALL,
    TICK,
    category_colors,
    dress,
    head,
    message_figure,
    new_figure,
)

LEAST_COMPONENTS = 2
RARE = 0.25


def embedding_map(
    scores: xr.Dataset, *, color: str | xr.DataArray = "sample", cube: xr.Dataset | None = None, title: str = ""
) -> Figure:
    """The first two principal components of each cell, colored by a column or by another result.

    Parameters
    ----------
    scores
        Result of ``pca``.
    color
        A column of the samples (``"sample"``, or one that the cube has, such as ``"stage"``), or a variable over ``cell``: text gives
        one color per label, numbers a color scale. Cells are matched by name.
    cube
        Result of ``cohort_cube``, for columns of the samples.
    title
        Written above; by default, what the colors mean.

    Returns
    -------
    Figure. Of more than 40,000 cells an even selection is drawn, and the note says so.

    Raises
    ------
    MissingVariableError
        If the column is absent, or a cell has no value.
    ParameterError
        If the color runs over something else than cells.
    """
    check_variables(scores, ["pca_scores"], dims=("cell", "component"), what="the result", caller="embedding_map")
    number, components = scores["pca_scores"].shape
    if not number or components < LEAST_COMPONENTS:
        return message_figure(
            f"A map needs cells and two components. There are {number:,} cells and {components} components."
        )
    if isinstance(color, xr.DataArray) and color.dims != ("cell",):
        message = (
            f"The color of embedding_map must run over ('cell',). It runs over {color.dims}; pick one with select."
        )
        raise ParameterError(message)
    values = align_cells(color, scores) if isinstance(color, xr.DataArray) else sample_column(scores, color, cube=cube)
    chosen = even_order(number)[:MOST_POINTS]
    points = scores["pca_scores"].isel(component=slice(0, 2)).values[chosen]
    name = _name_of(color)
    figure = new_figure(width=7.6, height=5.2)
    axes = figure.add_subplot()
    if values.dtype.kind in "fiu":
        _draw_numbers(axes, points, values[chosen].astype(float), name=_with_unit(color))
    else:
        order = _preferred(color, cube)
        _draw_labels(axes, points, values.astype(str), chosen=chosen, name=name, order=order)
    dress(axes, x=_component_label(scores, 0), y=_component_label(scores, 1))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.margins(0.03)
    drawn = (
        f"{count_text(len(chosen))} of {count_text(number)} cells, evenly chosen"
        if len(chosen) < number
        else f"{count_text(number)} cells"
    )
    head(figure, title or f"Cells by {name}", note=f"{drawn}; one point is one cell.")
    return figure


def _draw_numbers(axes: Axes, points: np.ndarray, values: np.ndarray, *, name: str) -> None:
    finite = values[np.isfinite(values)]
    low, high = np.quantile(finite, [0.01, 0.99]) if finite.size else (0.0, 1.0)
    order = np.argsort(values, kind="stable")  # the highest on top: what is rare must not be buried
    drawn = axes.scatter(
        points[order, 0],
        points[order, 1],
        c=values[order],
        s=_size(len(points)),
        cmap=SEQUENTIAL,
        vmin=low,
        vmax=high if high > low else low + 1,
        linewidths=0,
        rasterized=True,
    )
    bar = axes.figure.colorbar(drawn, ax=axes, shrink=0.7, pad=0.02, extend="both")
    bar.set_label(name, fontsize=TICK, color=INK)
    bar.ax.tick_params(labelsize=SMALL, labelcolor=INK)
    bar.outline.set_visible(False)


def _draw_labels(
    axes: Axes, points: np.ndarray, labels: np.ndarray, *, chosen: np.ndarray, name: str, order: np.ndarray | None
) -> None:
    counted = pd.Series(labels).value_counts()
    shown = ordered_labels(labels, order=order)
    colors = dict(zip(shown, category_colors(len(shown)), strict=True))
    of_points = labels[chosen]
    # Rare labels last, so that they lie on top; labels of like number stay mixed, so that none hides the other.
    rare = counted < RARE * counted.max()
    top = np.argsort(pd.Series(of_points).map(rare).to_numpy(), kind="stable")
    axes.scatter(
        points[top, 0],
        points[top, 1],
        c=[colors[label] for label in of_points[top]],
        s=_size(len(points)),
        linewidths=0,
        alpha=0.75,
        rasterized=True,
    )
    for label in shown:
        text = f"{shown_name(label)}  ({count_text(counted[label])})"
        axes.plot([], [], "o", markersize=6, color=colors[label], label=text)
    legend = axes.legend(
        title=f"{name[:1].upper()}{name[1:]} (cells)",
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        frameon=False,
        fontsize=SMALL if len(shown) > 12 else TICK,
        title_fontsize=TICK,
        ncols=1 + (len(shown) - 1) // 20,
        labelcolor=INK,
        handletextpad=0.2,
        alignment="left",
        borderaxespad=0,
    )
    legend.get_title().set_color(INK)


def _size(number: int) -> float:
    return float(np.clip(40_000 / max(number, 1), 1.5, 14.0))


def _component_label(scores: xr.Dataset, place: int) -> str:
    if "pca_variance_ratio" not in scores:
        return f"Component {place + 1}"
    return f"Component {place + 1} ({share_text(float(scores['pca_variance_ratio'].values[place]))} of the variance)"


def _name_of(color: str | xr.DataArray) -> str:
    """What is shown, in words: ``stemness score`` for the variable ``cell_score`` of the gene set ``stemness``."""
    if not isinstance(color, xr.DataArray):
        return color.replace("_", " ")
    picked = [str(color[other].values) for other in color.coords if color[other].ndim == 0]
    words = str(color.name or "value").removeprefix("cell_").replace("_", " ")
    return shown_name(" ".join([*picked, words]), longest=60)


def _with_unit(color: str | xr.DataArray) -> str:
    unit = str(color.attrs.get("units", "")) if isinstance(color, xr.DataArray) else ""
    name = _name_of(color)
    return f"{name[:1].upper()}{name[1:]}" + (f" ({shown_name(unit)})" if unit not in {"", "1"} else "")


def _preferred(color: str | xr.DataArray, cube: xr.Dataset | None) -> np.ndarray | None:
    return cube[color].values if isinstance(color, str) and cube is not None and color in cube.coords else None
