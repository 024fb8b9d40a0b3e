"""What is left of a signature without each of its genes."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from chemores_dask.checks import check_variables
from chemores_dask.figures.number_text import count_text, number_text, p_text, shown_name
from chemores_dask.figures.recorded import labels_along, number_of
from chemores_dask.figures.side_columns import Column, write_columns
from chemores_dask.figures.style import HIGHLIGHT, MAIN, NEUTRAL, dress, head, message_figure, new_figure, thousands
from chemores_dask.figures.validation_words import limited_text

TICKS = np.array([0.05, 0.1, 0.2, 0.5, 1, 1.5, 2, 3, 5, 10, 20, 50])
MOST_GENES = 40


def leave_one_gene_dots(left: xr.Dataset, *, genes: int = MOST_GENES, title: str = "") -> Figure:
    """Hazard ratio per standard deviation without each gene, beside that of the whole signature.

    Parameters
    ----------
    left
        Result of ``leave_one_gene_out``.
    genes
        Most genes drawn: those without which the hazard ratio changes most.
    title
        Written above; by default the hazard ratio of the whole signature.

    Returns
    -------
    Figure, the gene whose loss costs most uppermost.
    """
    names = [f"leave_one_hazard_ratio{end}" for end in ("", "_lower", "_upper")]
    check_variables(left, names, dims=("gene",), what="the result", caller="leave_one_gene_dots")
    whole = number_of(left, "leave_one_whole_hazard_ratio")
    ratio = left[names[0]].values.astype(float)
    if not np.isfinite(whole):
        return message_figure("The whole signature has no hazard ratio: its model has no finite estimate.")
    change = np.log(ratio / whole) * np.sign(np.log(whole) or 1.0)
    largest = np.argsort(-np.nan_to_num(np.abs(change), nan=np.inf), kind="stable")[:genes]
    order = largest[np.argsort(np.nan_to_num(change[largest], nan=-np.inf), kind="stable")]
    figure = new_figure(width=7.6, height=1.2 + 0.27 * max(order.size, 3))
    axes = figure.add_subplot()
    _draw(axes, left.isel(gene=order), whole)
    shown = "" if order.size == ratio.size else f"{order.size} of {ratio.size} genes are drawn."
    lines = [
        f"n = {count_text(number_of(left, 'leave_one_patients'))} patients, {count_text(number_of(left, 'leave_one_events'))} events. "
        f"Hazard ratio per standard deviation of the risk, with Wald limits and P.",
        f"Orange: the whole signature, P (Wald) {p_text(number_of(left, 'leave_one_whole_p_value'))}, concordance "
        f"{number_text(number_of(left, 'leave_one_whole_concordance'))}.",
        shown,
    ]
    claim = f"Whole signature: hazard ratio {limited_text(left, 'leave_one_whole_hazard_ratio')}"
    head(figure, title or claim, note="\n".join(lines))
    return figure


def _draw(axes: Axes, left: xr.Dataset, whole: float) -> None:
    ratio, low, high = (left[f"leave_one_hazard_ratio{end}"].values for end in ("", "_lower", "_upper"))
    known = np.concatenate([part[np.isfinite(part) & (part > 0)] for part in (ratio, low, high)] + [[whole, 0.9, 1.1]])
    limits = max(float(known.min()), 1e-3) / 1.05, min(float(known.max()), 1e3) * 1.05
    axes.set_xscale("log")
    axes.set_xlim(*limits)
    axes.set_ylim(ratio.size - 0.4, -0.6)
    axes.axvline(1, color=NEUTRAL, linewidth=1, zorder=1)
    axes.axvline(whole, color=HIGHLIGHT, linewidth=1.4, zorder=2, gid="whole")
    for place, row in enumerate(zip(ratio, low, high, strict=True)):
        if np.isfinite(row).all():
            axes.plot(row[1:], [place, place], color=MAIN, linewidth=1.8, zorder=3, gid="limits")
            axes.plot(row[:1], [place], "o", color=MAIN, markersize=6, zorder=4, gid="gene")
    axes.xaxis.set_major_locator(FixedLocator([tick for tick in TICKS if limits[0] <= tick <= limits[1]]))
    axes.xaxis.set_minor_locator(NullLocator())
    thousands(axes, which="x")
    axes.set_yticks(range(ratio.size), [f"without {shown_name(gene)}" for gene in labels_along(left, "gene")])
    dress(axes, x="Hazard ratio per standard deviation", grid="x")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    texts = {
        name: [number_text(value) if np.isfinite(value) else "–" for value in left[f"leave_one_{name}"].values]
        for name in ("weight", "hazard_ratio", "concordance")
    }
    write_columns(
        axes,
        [
            Column("weight", texts["weight"]),
            Column("ratio", texts["hazard_ratio"], bold=True),
            Column("P", [p_text(value) if np.isfinite(value) else "–" for value in left["leave_one_p_value"].values]),
            Column("concordance", texts["concordance"]),
        ],
    )
