"""Which variables of the samples go together."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from chemores_dask.checks import check_variables
from chemores_dask.figures.number_text import count_text, shown_name
from chemores_dask.figures.recorded import labels_along
from chemores_dask.figures.style import FAINT, INK, SMALL, SOFT_INK, TICK, head, message_figure, new_figure

PAIR = ("variable", "variable_other")
STRONG = 0.5
"""Cramer's V from which the audit says that two variables go together."""

NARROWEST = 5.4
"""Inches that the title needs."""

COLORS = "Oranges"
DARK = 0.65


def association_matrix(found: xr.Dataset) -> Figure:
    """Cramer's V of each pair of variables of the samples, with what was counted.

    Parameters
    ----------
    found
        Result of ``audit``.

    Returns
    -------
    Figure: the lower half of the matrix, with V and below it how many patients or samples were counted.
    """
    check_variables(found, ["association_cramers_v", "association_units", "association_counted"], dims=PAIR, what="the result",
                    caller="association_matrix")  # fmt: skip
    names = labels_along(found, "variable")
    if len(names) < 2:
        return message_figure("The samples have fewer than two variables to hold against each other.")
    strength = found["association_cramers_v"].values
    units, counted = found["association_units"].values, found["association_counted"].values
    lower = np.tril(np.ones_like(strength, dtype=bool), k=-1)
    size = len(names) - 1
    figure = new_figure(width=max(2.6 + 0.95 * size, NARROWEST), height=1.3 + 0.62 * size)
    axes = figure.add_subplot()
    shown = np.where(lower, strength, np.nan)[1:, :-1]
    axes.imshow(shown, cmap=COLORS, vmin=0, vmax=1.15, aspect="auto")
    for row in range(size):
        for column in range(row + 1):
            value = strength[row + 1, column]
            color = "white" if value > DARK else INK if np.isfinite(value) else SOFT_INK
            text = f"{value:.2f}" if np.isfinite(value) else "–"
            axes.text(column, row - 0.1, text, ha="center", va="center", fontsize=TICK, color=color,
                      fontweight="bold" if value >= STRONG else "normal", gid="strength")  # fmt: skip
            said = f"{count_text(units[row + 1, column])} {counted[row + 1, column]}"
            axes.text(column, row + 0.24, said, ha="center", va="center", fontsize=SMALL - 1, color=color, gid="units")
    axes.set_yticks(range(size), [shown_name(name) for name in names[1:]])
    axes.set_xticks(range(size), [shown_name(name) for name in names[:-1]])
    axes.tick_params(length=0, labelsize=TICK, labelcolor=INK)
    axes.set_xticks(np.arange(size - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(size - 1) + 0.5, minor=True)
    axes.grid(visible=True, which="minor", color="white", linewidth=2)
    axes.tick_params(which="minor", length=0)
    for spine in axes.spines.values():
        spine.set_color(FAINT)
    head(
        figure,
        _claim(names, strength, lower),
        note="Cramer's V, corrected for bias: 0 by chance, 1 where one tells the other. No test.",
    )
    return figure


def _claim(names: list[str], strength: np.ndarray, lower: np.ndarray) -> str:
    strong = int((lower & (np.nan_to_num(strength) >= STRONG)).sum())
    pairs = int(lower.sum())
    if not strong:
        return f"No two of {len(names)} variables of the samples go together"
    if strong == 1:
        row, column = np.argwhere(lower & (np.nan_to_num(strength) >= STRONG))[0]
        return f"{shown_name(names[column])} and {shown_name(names[row])} go together"
    return f"{strong} of {pairs} pairs of variables go together"
