"""Cells as points on a map, or as an image where there are many."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_rgb
from matplotlib.figure import Figure

from chemores_dask.figures.cell_labels import even_order
from chemores_dask.figures.cell_values import CellLabels, cell_values, name_of_color, name_with_unit
from chemores_dask.figures.map_coordinates import AXES, axis_label, drawn_points, map_coordinates
from chemores_dask.figures.number_text import count_text, shown_name
from chemores_dask.figures.point_labels import label_groups
from chemores_dask.figures.shaded_cells import shade_labels, shade_numbers
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

MOST_POINTS = 40_000
"""Cells that are drawn as points; more of them make an image."""

RARE = 0.02
"""Labels of a smaller share of the cells lie on top of the others."""

MOST_LABELS_IN_COLUMN = 20
MANY_LABELS = 12
MIXED = " Where cells of several labels lie in one place their colors mix; the more cells, the stronger the color."
MEANS = " Each place shows the mean of its cells."
ONE_POINT = "; one point is one cell."


def embedding_map(
    scores: xr.Dataset,
    *,
    color: str | xr.DataArray = "sample",
    coordinates: str = "",
    cube: xr.Dataset | None = None,
    title: str = "",
) -> Figure:
    """Cells in two dimensions, colored by a column or by another result.

    Parameters
    ----------
    scores
        Result of ``umap``, ``pca``, ``harmony`` or ``diffusion_map``, or any other with coordinates of cells.
    color
        A column of the samples (``"sample"``, or one that the cube has, such as ``"stage"``), or a variable over ``cell``: text, yes or
        no, a status and numbers of clusters give one color per label, other numbers a color scale. Cells are matched by name.
    coordinates
        Variable over ``cell`` and another dimension, of which the first two columns are drawn; the usual one of the result unless given.
    cube
        Result of ``cohort_cube``, for columns of the samples.
    title
        Written above; by default, what the colors mean.

    Returns
    -------
    Figure. Up to 40,000 cells are points; more of them an image in which each place has the mixed color, or the mean, of its cells. Labels
    of less than 2 % of the cells lie on top. A label whose cells lie together is written in their middle.

    Raises
    ------
    MissingVariableError
        If there are no coordinates, the column is absent, or a cell has no value.
    ParameterError
        If the color runs over something else than cells.
    """
    found = map_coordinates(scores, coordinates=coordinates)
    number, columns = found.shape
    if not number or columns < AXES:
        return message_figure(
            f"A map needs cells and two components. There are {number:,} cells and {columns} components."
        )
    values = cell_values(scores, color, cube=cube)
    points = drawn_points(found)
    placed = np.isfinite(points).all(axis=1)
    if not placed.any():
        return message_figure(f"A map needs cells with a place. None of {number:,} cells has one.")
    name = name_of_color(color)
    figure = new_figure(width=7.6, height=5.2)
    axes = figure.add_subplot()
    if isinstance(values, CellLabels):
        labels = CellLabels(values.codes[placed], values.labels)
        _draw_labels(axes, points[placed], labels, name=name)
        shaded = MIXED
    else:
        _draw_numbers(axes, points[placed], values[placed], name=name_with_unit(color))
        shaded = MEANS
    dress(axes, x=axis_label(scores, found, 0), y=axis_label(scores, found, 1))
    axes.set_xticks([])
    axes.set_yticks([])
    drawn = int(placed.sum())
    note = f"{count_text(drawn)} cells" + (
        f" of {count_text(number)}; the others have no place" if drawn < number else ""
    )
    head(figure, title or f"Cells by {name}", note=note + (ONE_POINT if drawn <= MOST_POINTS else f".{shaded}"))
    if isinstance(values, CellLabels):
        label_groups(axes, [shown_name(label) for label in labels.labels], points=points[placed], codes=labels.codes)
    return figure


def _draw_numbers(axes: Axes, points: np.ndarray, values: np.ndarray, *, name: str) -> None:
    extent = None
    if len(points) > MOST_POINTS and np.isfinite(values).any():
        shown, extent = shade_numbers(points, values)
    else:
        order = np.argsort(values, kind="stable")  # the highest on top: what is rare must not be buried
        points, shown = points[order], values[order]
    finite = shown[np.isfinite(shown)]
    low, high = np.quantile(finite, [0.01, 0.99]) if finite.size else (0.0, 1.0)
    scale = Normalize(low, high if high > low else low + 1)
    if extent is None:
        axes.scatter(
            *points.T, c=shown, s=_size(len(points)), cmap=SEQUENTIAL, norm=scale, linewidths=0, rasterized=True
        )
        axes.margins(0.03)
    else:
        axes.imshow(shown, origin="lower", extent=extent, aspect="auto", cmap=SEQUENTIAL, norm=scale)
    bar = axes.figure.colorbar(ScalarMappable(scale, SEQUENTIAL), ax=axes, shrink=0.7, pad=0.02, extend="both")
    bar.set_label(name, fontsize=TICK, color=INK)
    bar.ax.tick_params(labelsize=SMALL, labelcolor=INK)
    bar.outline.set_visible(False)


def _draw_labels(axes: Axes, points: np.ndarray, labels: CellLabels, *, name: str) -> None:
    counted = labels.counts
    colors = np.array([to_rgb(color) for color in category_colors(len(labels.labels))]).reshape(-1, 3)
    # Rare labels lie on top; labels of like number stay mixed, so that none hides the other.
    on_top = counted < RARE * counted.sum()
    if len(points) > MOST_POINTS:
        shaded = shade_labels(points, labels.codes, colors=colors, on_top=on_top)
        axes.imshow(shaded.image, origin="lower", extent=shaded.extent, aspect="auto")
    else:
        order = even_order(len(points))
        order = order[np.argsort(on_top[labels.codes[order]], kind="stable")]
        of_points = colors[labels.codes[order]]
        axes.scatter(*points[order].T, c=of_points, s=_size(len(points)), linewidths=0, alpha=0.75, rasterized=True)
        axes.margins(0.03)
    for label, color, cells in zip(labels.labels, colors, counted, strict=True):
        axes.plot([], [], "o", markersize=6, color=color, label=f"{shown_name(label)}  ({count_text(cells)})")
    legend = axes.legend(
        title=f"{name[:1].upper()}{name[1:]} (cells)",
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        frameon=False,
        fontsize=SMALL if len(labels.labels) > MANY_LABELS else TICK,
        title_fontsize=TICK,
        ncols=1 + (len(labels.labels) - 1) // MOST_LABELS_IN_COLUMN,
        labelcolor=INK,
        handletextpad=0.2,
        alignment="left",
        borderaxespad=0,
    )
    legend.get_title().set_color(INK)


def _size(number: int) -> float:
    return float(np.clip(40_000 / max(number, 1), 1.5, 14.0))
