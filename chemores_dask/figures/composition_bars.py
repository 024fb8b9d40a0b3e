"""What states the cells of each sample are in."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chemores_dask.checks import check_variables, listed
from chemores_dask.errors import MissingVariableError
from chemores_dask.figures.number_text import count_text, share_text, shown_name
from chemores_dask.figures.recorded import labels_along
from chemores_dask.figures.side_columns import Column, write_columns
from chemores_dask.figures.style import (
    INK,
    SMALL,
    SOFT_INK,
    TICK,
    category_colors,
    dress,
    head,
    message_figure,
    new_figure,
    percent,
)

WIDE_ENOUGH = 0.07
LEGEND_CHARACTERS = 88


def composition_bars(cube: xr.Dataset, *, order: tuple[str, ...] = ("patient", "stage")) -> Figure:
    """Stacked shares of the states in each sample, with the number of cells.

    Parameters
    ----------
    cube
        Result of ``cohort_cube``.
    order
        Columns over ``sample`` by which samples are sorted; those that the cube does not have are passed over.

    Returns
    -------
    Figure with one bar per sample.

    Raises
    ------
    MissingVariableError
        If none of the columns is there although other than the default ones were given.
    """
    check_variables(cube, ["cube_cells"], dims=("sample", "state"), what="the result", caller="composition_bars")
    cells = cube["cube_cells"].values.astype(float)
    if not cells.sum():
        return message_figure("There are no cells to draw.")
    rows = _sorted_samples(cube, order)
    samples, states = np.array(labels_along(cube, "sample"))[rows], labels_along(cube, "state")
    cells = cells[rows]
    totals = cells.sum(axis=1)
    shares = np.divide(cells, totals[:, None], out=np.zeros_like(cells), where=totals[:, None] > 0)
    figure = new_figure(width=8.2, height=1.2 + 0.29 * max(len(samples), 2))
    axes = figure.add_subplot()
    _draw_bars(axes, shares, states)
    axes.set_yticks(range(len(samples)), [shown_name(name) for name in samples])
    axes.set_ylim(len(samples) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    percent(axes, which="x")
    dress(axes, x="Share of the sample's cells")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    write_columns(axes, [Column("cells", [count_text(total) for total in totals], [SOFT_INK] * len(totals))])
    _write_legend(axes, states, cells)
    return figure


def _sorted_samples(cube: xr.Dataset, order: tuple[str, ...]) -> np.ndarray:
    present = [name for name in order if name in cube.coords and cube[name].dims == ("sample",)]
    if not present and tuple(order) not in {(), ("patient", "stage")}:
        columns = [str(name) for name in cube.coords if cube[name].dims == ("sample",)]
        message = (
            f"composition_bars sorts samples by columns of the cube. Got {listed(order)}; present: {listed(columns)}."
        )
        raise MissingVariableError(message)
    keys = [cube[name].values.astype(str) for name in reversed(present)]
    return np.lexsort(keys) if keys else np.arange(cube.sizes["sample"])


def _draw_bars(axes: Axes, shares: np.ndarray, states: list[str]) -> None:
    start = np.zeros(len(shares))
    for state, color in enumerate(category_colors(len(states))):
        axes.barh(range(len(shares)), shares[:, state], left=start, height=0.76, color=color, edgecolor="white", linewidth=0.8,
                  gid=states[state])  # fmt: skip
        for place, share in enumerate(shares[:, state]):
            if share >= WIDE_ENOUGH:
                axes.text(start[place] + share / 2, place, share_text(share), ha="center", va="center", fontsize=SMALL,
                          color=INK if _light(color) else "white")  # fmt: skip
        start += shares[:, state]


def _light(color: str) -> bool:
    red, green, blue = (int(color[place : place + 2], 16) for place in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue > 140


def _write_legend(axes: Axes, states: list[str], cells: np.ndarray) -> None:
    samples = "1 sample" if len(cells) == 1 else f"{len(cells)} samples"
    handles = [axes.plot([], [], "s", markersize=8, color=color)[0] for color in category_colors(len(states))]
    labels = [
        f"{shown_name(state)} ({share_text(share)} of all)"
        for state, share in zip(states, cells.sum(axis=0) / cells.sum(), strict=True)
    ]
    axes.legend(
        handles,
        labels,
        loc="lower left",
        bbox_to_anchor=(-0.01, 1.0),
        ncols=max(min(len(states), LEGEND_CHARACTERS // (max(map(len, labels)) + 4)), 1),
        frameon=False,
        fontsize=TICK,
        labelcolor=INK,
        handletextpad=0.2,
        columnspacing=1.4,
        borderaxespad=0.1,
    )
    head(axes.figure, f"States of {count_text(cells.sum())} cells in {samples}")
