"""P values of all genes against those that chance alone would give, of samples and of cells."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import betaincinv

from chemores_dask.checks import check_between, check_one_of, check_variables
from chemores_dask.errors import ParameterError
from chemores_dask.figures.differential_volcano import genes_of
from chemores_dask.figures.number_text import TINY, count_text, share_text
from chemores_dask.figures.style import (
    FAINT,
    HIGHLIGHT,
    MAIN,
    NEUTRAL,
    SMALL,
    SOFT_INK,
    dress,
    head,
    message_figure,
    new_figure,
)

CALLER = "p_value_calibration"
LEVEL = 0.95


def p_value_calibration(
    result: xr.Dataset,
    *,
    cells: xr.Dataset | None = None,
    group: str | None = None,
    state: str | None = None,
    level: float = 0.05,
) -> Figure:
    """Sorted P values of the genes against the quantiles of uniform ones.

    On the diagonal a test errs as often as it says. Where nothing differs between the groups, P values of cells leave the diagonal, since
    cells of one patient are alike; those of samples stay.

    Parameters
    ----------
    result
        Result of ``differential_expression`` or ``differential_by_state``.
    cells
        Result of ``markers`` for the same comparison: ranks of single cells, shown as a warning.
    group
        Group of ``cells``; needed where it has more than one pair of groups.
    state
        State of a result by state.
    level
        P below which genes are counted.

    Returns
    -------
    Figure.
    """
    check_between(level, parameter="level", caller=CALLER, minimum=0, maximum=1)
    genes = genes_of(result, state, caller=CALLER)
    series = [("samples", _known(genes["p_value"].values), MAIN)]
    if cells is not None:
        series.append(("cells", _known(_of_cells(cells, group)), HIGHLIGHT))
    if not series[0][1].size:
        return message_figure("No gene could be tested, so there is nothing to draw.")
    figure = new_figure(width=5.6, height=4.8)
    axes = figure.add_subplot()
    _draw_expected(axes, max(values.size for _, values, _ in series))
    top = _top(series)
    for name, values, color in reversed(series):
        _draw_points(axes, values, top, color, name)
    dress(axes, x="Expected −log10 P, if nothing differed", y="Observed −log10 P", grid="y")
    axes.set_xlim(left=0)
    axes.set_ylim(0, top * 1.04)
    shares = {name: float((values < level).mean()) for name, values, _ in series}
    for row, (name, _, color) in enumerate(series):
        axes.text(0.98, 0.88 - 0.06 * row, _legend(name, shares[name], level, result), transform=axes.transAxes, va="top",
                  ha="right", fontsize=SMALL, color=color, fontweight="bold")  # fmt: skip
    head(figure, _title(shares, level), note=_note(genes, series, top))
    return figure


def _of_cells(cells: xr.Dataset, group: str | None) -> np.ndarray:
    check_variables(cells, ["marker_p_value"], dims=("group", "gene"), what="the result over cells", caller=CALLER)
    known = [str(label) for label in cells["group"].values]
    if group is None and len(known) > 2:
        message = f"{CALLER} draws one group of cells. Name it with group; there are: {', '.join(known)}."
        raise ParameterError(message)
    chosen = known[-1] if group is None else group
    check_one_of(chosen, known, parameter="group", caller=CALLER)
    return np.asarray(cells["marker_p_value"].values[known.index(chosen)], dtype=float)


def _known(p_values: np.ndarray) -> np.ndarray:
    values = np.asarray(p_values, dtype=float)
    return np.asarray(np.maximum(np.sort(values[np.isfinite(values)]), TINY))


def _expected(number: int) -> np.ndarray:
    return np.asarray(-np.log10((np.arange(number) + 0.5) / number))


def _draw_expected(axes: Axes, number: int) -> None:
    ranks = np.unique(np.geomspace(1, number, min(number, 200)).round())
    x = -np.log10((ranks - 0.5) / number)
    lower, upper = (betaincinv(ranks, number - ranks + 1, tail) for tail in ((1 + LEVEL) / 2, (1 - LEVEL) / 2))
    axes.fill_between(x, -np.log10(lower), -np.log10(upper), color=FAINT, linewidth=0, gid="limits")
    axes.plot([0, x.max()], [0, x.max()], color=NEUTRAL, linewidth=0.9, gid="diagonal")
    axes.text(0.98, 0.03, "gray: 95 % of the time by chance,\nif genes were independent", transform=axes.transAxes,
              ha="right", fontsize=SMALL, color=SOFT_INK)  # fmt: skip


def _legend(name: str, share: float, level: float, result: xr.Dataset) -> str:
    test = (
        "Wilcoxon over cells"
        if name == "cells"
        else str(result.attrs.get("test", "test over samples")).split(" of ")[0]
    )
    return f"{test}: {share_text(share)} of genes with P < {level:g}"


def _title(shares: dict[str, float], level: float) -> str:
    if "cells" not in shares:
        return f"{share_text(shares['samples'])} of genes have P < {level:g}"
    return (
        f"P < {level:g} in {share_text(shares['samples'])} of genes by samples, {share_text(shares['cells'])} by cells"
    )


def _top(series: list[tuple[str, np.ndarray, str]]) -> float:
    # Cells have P values beyond any scale on which those of samples can be read.
    samples = series[0][1]
    return float(max(2.5 * -np.log10(samples.min()), 3 * _expected(samples.size).max(), 1.0))


def _draw_points(axes: Axes, values: np.ndarray, top: float, color: str, name: str) -> None:
    x, y = _expected(values.size), -np.log10(values)
    inside = y <= top
    axes.plot(x[inside], y[inside], ".", markersize=4.5, color=color, markeredgewidth=0, gid=name, rasterized=True)
    axes.plot(
        x[~inside],
        np.full((~inside).sum(), top),
        "^",
        markersize=4,
        color=color,
        markeredgewidth=0,
        gid=f"{name} beyond",
    )


def _note(genes: xr.Dataset, series: list[tuple[str, np.ndarray, str]], top: float) -> str:
    lines = [
        f"n = {count_text(int(genes['patients']))} patients, {count_text(int(genes['samples']))} samples; "
        f"{count_text(series[0][1].size)} genes."
    ]
    if len(series) > 1:
        lines.append(
            "P over cells is descriptive: cells of one patient are no replicates, and such tests err far more often than they say."
        )
    beyond = sum(int((-np.log10(values) > top).sum()) for _, values, _ in series)
    if beyond:
        lines.append(f"▲ {count_text(beyond)} points lie beyond the picture.")
    return "\n".join(lines)
