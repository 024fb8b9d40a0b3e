"""Names beside points, none of them over another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from chemores_dask.figures.cell_labels import even_order
from chemores_dask.figures.number_text import shown_name
from chemores_dask.figures.style import INK, NEUTRAL, SMALL

DISTANCES = (6.0, 14.0, 24.0, 36.0)
"""How far from its point a label may stand, in points; near places are tried first."""

SHIFTS = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1))
"""How far the name of a group may move aside, in widths and heights of its own."""

AROUND = 25
OWN_PLACE = 0.7
"""Share of the 25 points around its middle that a group must have to be named there."""

WIDEST = 0.7
"""A group that is wider than this, against all points together, lies in several places."""

MOST_LOOKED_AT = 20_000

ANGLES = tuple(np.deg2rad([0, 180, 35, 145, -35, -145, 90, -90, 65, 115, -65, -115]))


def label_points(
    axes: Axes, names: Sequence[str], *, x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray
) -> list[str]:
    """Write names beside points, the first ones first; a name that finds no free place is left out.

    Parameters
    ----------
    axes
        Limits and scales must be set.
    names
        Names in order of importance.
    x, y
        Where the points are.

    Returns
    -------
    The names that were written.
    """
    figure = axes.figure
    figure.canvas.draw()
    inside = axes.get_window_extent()
    points = axes.transData.transform(np.column_stack([x, y])) if len(names) else np.empty((0, 2))
    scale = figure.dpi / 72
    taken = [Bbox.from_bounds(px - 2.5 * scale, py - 2.5 * scale, 5 * scale, 5 * scale) for px, py in points]
    written = []
    for number, name in enumerate(names):
        label = _label(axes, shown_name(name), (x[number], y[number]))
        size = label.get_window_extent()
        place = _free_place(
            points[number], (size.width, size.height), inside, taken[:number] + taken[number + 1 :], scale
        )
        if place is None:
            label.remove()
            continue
        offset, box = place
        label.set_position(offset)
        if np.hypot(*offset) > DISTANCES[0] + 1:
            label.arrow_patch.set_visible(True)
        taken.append(box)
        written.append(str(name))
    return written


def label_groups(axes: Axes, names: Sequence[str], *, points: np.ndarray, codes: np.ndarray) -> list[str]:
    """Write the names of groups of points in their middle, the largest groups first.

    A group whose middle belongs to others, because it lies in several places, is not named; nor is one whose name would lie over another.

    Parameters
    ----------
    axes
        Limits and scales must be set.
    names
        Of the groups.
    points
        (point, 2).
    codes
        Group of each point.

    Returns
    -------
    The names that were written.
    """
    axes.figure.canvas.draw()
    inside = axes.get_window_extent()
    some = even_order(len(points))[:MOST_LOOKED_AT]
    width = _width(points)
    taken: list[Bbox] = []
    written = []
    for group in np.argsort(-np.bincount(codes, minlength=len(names)), kind="stable"):
        mine = codes == group
        if not mine.any():
            continue
        middle = np.median(points[mine], axis=0)
        distance = ((points[some] - middle) ** 2).sum(axis=1)
        around = some[np.argsort(distance, kind="stable")[:AROUND]]
        if mine[around].mean() < OWN_PLACE or _width(points[mine]) > WIDEST * width:
            continue
        label = axes.text(*middle, names[group], ha="center", va="center", fontsize=SMALL, color=INK, fontweight="bold")
        label.set_path_effects([withStroke(linewidth=2.4, foreground="white")])
        label.set_in_layout(False)
        box = _place_near(label.get_window_extent(), inside, taken)
        if box is None:
            label.remove()
            continue
        label.set_position(axes.transData.inverted().transform(((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2)))
        taken.append(box)
        written.append(str(names[group]))
    return written


def _width(points: np.ndarray) -> float:
    """How far half of the points lie from their middle, at most."""
    return float(np.median(np.hypot(*(points - np.median(points, axis=0)).T)))


def _place_near(box: Bbox, inside: Bbox, taken: Sequence[Bbox]) -> Bbox | None:
    for across, up in SHIFTS:
        moved = box.translated(across * box.width, up * box.height)
        within = moved.x0 >= inside.x0 and moved.x1 <= inside.x1 and moved.y0 >= inside.y0 and moved.y1 <= inside.y1
        if within and not any(moved.overlaps(other) for other in taken):
            return moved
    return None


def _label(axes: Axes, name: str, point: tuple[float, float]) -> Annotation:
    label = axes.annotate(
        name,
        xy=point,
        xytext=(0, 0),
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=SMALL,
        color=INK,
        arrowprops={"arrowstyle": "-", "color": NEUTRAL, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 2},
        path_effects=[withStroke(linewidth=2.2, foreground="white")],
        zorder=6,
    )
    label.arrow_patch.set_visible(False)
    label.set_in_layout(False)
    return label


def _free_place(
    point: np.ndarray, size: tuple[float, float], inside: Bbox, taken: Sequence[Bbox], scale: float
) -> tuple[tuple[float, float], Bbox] | None:
    width, height = size[0] + 2 * scale, size[1] + scale
    for distance in DISTANCES:
        for angle in ANGLES:
            across, up = np.cos(angle), np.sin(angle)
            middle_x = point[0] + across * (distance * scale + width / 2)
            middle_y = point[1] + up * (distance * scale + height / 2)
            box = Bbox.from_bounds(middle_x - width / 2, middle_y - height / 2, width, height)
            within = box.x0 >= inside.x0 and box.x1 <= inside.x1 and box.y0 >= inside.y0 and box.y1 <= inside.y1
            if within and not any(box.overlaps(other) for other in taken):
                return ((middle_x - point[0]) / scale, (middle_y - point[1]) / scale), box
    return None
