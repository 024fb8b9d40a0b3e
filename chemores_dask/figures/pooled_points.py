"""Ratios of shares between pools of cells, as published: a reproduction that says so."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chemores_dask.checks import check_variables, listed
from chemores_dask.errors import ParameterError
from chemores_dask.figures.number_text import count_text, number_text, p_text, share_text, shown_name
from chemores_dask.figures.recorded import labels_along, recorded_parameters
from chemores_dask.figures.side_columns import Column, write_columns
from chemores_dask.figures.style import HIGHLIGHT, MAIN, NEUTRAL, PALE, dress, head, message_figure, new_figure

RATIOS = ("pooled_log2_difference", "pooled_log2_difference_lower", "pooled_log2_difference_upper")
WIDEST = 10.0


def pooled_points(pooled: xr.Dataset, *, pair: str | None = None) -> Figure:
    """Point and range of the log2 ratio of shares of each state, labeled "reproduction, not inference".

    Parameters
    ----------
    pooled
        Result of ``pooled_composition``.
    pair
        Which pair of groups, as "second vs first"; the first one unless given.

    Returns
    -------
    Figure. Ratios beyond 2^10 end in arrows; the note holds cells, patients, the tests and their limits.

    Raises
    ------
    ParameterError
        If the pair is not there.
    """
    check_variables(pooled, RATIOS, dims=("pair", "state"), what="the result", caller="pooled_points")
    pairs = labels_along(pooled, "pair")
    if pair is not None and pair not in pairs:
        message = f"The pair of pooled_points must be one of: {listed(pairs)}. Got {pair!r}."
        raise ParameterError(message)
    name = pairs[0] if pair is None else pair
    one = pooled.isel(pair=pairs.index(name))
    shown = np.flatnonzero(~np.isnan(one["pooled_log2_difference"].values))
    if not shown.size:
        return message_figure("No state has cells in these groups, so there is nothing to compare.")
    one = one.isel(state=shown)
    figure = new_figure(width=9.2, height=1.25 + 0.4 * max(shown.size, 2))
    axes = figure.add_subplot()
    least = float(recorded_parameters(pooled).get("log2_difference", 0.25))
    _draw_ranges(axes, one, least)
    axes.set_yticks(range(shown.size), [shown_name(state) for state in labels_along(one, "state")])
    axes.set_ylim(shown.size - 0.4, -0.6)
    dress(axes, x=f"log2 ratio of shares, {shown_name(name, longest=40)}", grid="x")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    write_columns(axes, _columns(one))
    _write_head(figure, one, name, least)
    return figure


def _draw_ranges(axes: Axes, one: xr.Dataset, least: float) -> None:
    ratio, lower, upper = (np.clip(one[name].values, -WIDEST, WIDEST) for name in RATIOS)
    reach = max(float(np.nanmax(np.abs(np.concatenate([ratio, lower, upper])))) * 1.08, 2 * least, 0.5)
    axes.set_xlim(-reach, reach)
    axes.axvspan(-least, least, color=PALE, alpha=0.4, linewidth=0, zorder=0)
    axes.axvline(0, color=NEUTRAL, linewidth=1, zorder=1)
    for place, called in enumerate(one["pooled_called"].values):
        color = HIGHLIGHT if called else MAIN
        axes.plot([lower[place], upper[place]], [place, place], color=color, linewidth=2, gid="range", zorder=2)
        far = np.isinf(one["pooled_log2_difference"].values[place])
        marker = "o" if not far else ">" if ratio[place] > 0 else "<"
        axes.plot(
            [ratio[place]], [place], marker, color=color, markersize=7, gid="called" if called else "point", zorder=3
        )


def _columns(one: xr.Dataset) -> list[Column]:
    first, second = one["pooled_share_first"].values, one["pooled_share_second"].values
    return [
        Column("share", [f"{share_text(a)} → {share_text(b)}" for a, b in zip(first, second, strict=True)], bold=True),
        Column("P, exchange", [p_text(p) for p in one["pooled_permutation_p_value"].values]),
        Column("q, exchange", [p_text(p) for p in one["pooled_permutation_q_value"].values]),
        Column("P, hypergeometric", [p_text(p) for p in one["pooled_hypergeometric_p_value"].values]),
    ]


def _write_head(figure: Figure, one: xr.Dataset, name: str, least: float) -> None:
    cells = [int(one[f"pooled_cells_{side}"].values.sum()) for side in ("first", "second")]
    counted = [f"{count_text(number)} cells of {int(one[f'pooled_patients_in_{side}'].values)} patients"
               for number, side in zip(cells, ("first", "second"), strict=True)]  # fmt: skip
    q = float(recorded_parameters(one).get("q", 0.05))
    groups = [shown_name(str(one[f"pooled_{side}"].values)) for side in ("first", "second")]
    lines = [
        "Reproduction, not inference: the P values take cells as their n and say nothing about other patients.",
        f"{groups[0]}: {counted[0]}; {groups[1]}: {counted[1]}. One-sided exchange of labels; ranges: bootstrap of cells, 95 %.",
        f"Orange: q < {number_text(q)} and more than {number_text(least)} doublings (outside of the band).",
    ]
    head(figure, f"Pooled cells, {shown_name(name, longest=40)}: reproduction, not inference", note="\n".join(lines))
