"""How far several ways to score agree, pair by pair."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chemores_dask.checks import check_one_of, check_variables
from chemores_dask.figures.number_text import count_text, shown_name
from chemores_dask.figures.recorded import labels_along
from chemores_dask.figures.style import INK, SMALL, TICK, dress, head, message_figure, new_figure

COLORS = "RdBu"
DARK = 0.65
"""Correlations beyond this are written in white."""

MOST_SETS = 6
COLUMNS = 3


def agreement_matrix(agreement: xr.Dataset, *, gene_set: str | None = None) -> Figure:
    """Rank correlation of the scores of every two methods, one square per gene set.

    Parameters
    ----------
    agreement
        Result of ``score_agreement``.
    gene_set
        Which set; the first six unless given.

    Returns
    -------
    Figure. Above the diagonal Spearman's correlation, below it the share of rows on the same side of both medians.

    Raises
    ------
    ParameterError
        If the gene set is not there.
    MissingVariableError
        If the result is another.
    """
    dims = ("gene_set", "score", "score_other")
    names = ["agreement_correlation", "agreement_same_side", "agreement_rows"]
    check_variables(agreement, names, dims=dims, what="the result", caller="agreement_matrix")
    present, methods = labels_along(agreement, "gene_set"), labels_along(agreement, "score")
    if gene_set is not None:
        check_one_of(gene_set, present, parameter="gene_set", caller="agreement_matrix")
    wanted = present[:MOST_SETS] if gene_set is None else [gene_set]
    if not wanted or not methods:
        return message_figure("There are no scores to compare.")
    columns = min(len(wanted), COLUMNS)
    rows = -(-len(wanted) // columns)
    side = 0.62 * len(methods) + 1.2
    figure = new_figure(width=max(columns * side + 0.6, 7.2), height=rows * side)
    panels = np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).ravel()
    for axes, name in zip(panels, wanted, strict=False):
        place = present.index(name)
        correlation = agreement["agreement_correlation"].values[place]
        _draw_square(axes, correlation, agreement["agreement_same_side"].values[place], methods=methods, name=name)
    for axes in panels[len(wanted) :]:
        axes.set_axis_off()
    _write_heads(figure, agreement, wanted, present)
    return figure


def _draw_square(axes: Axes, correlation: np.ndarray, same_side: np.ndarray, *, methods: list[str], name: str) -> None:
    size = len(methods)
    shown = np.where(np.triu(np.ones((size, size), dtype=bool), k=1), correlation, np.nan)
    axes.imshow(shown, cmap=COLORS, vmin=-1, vmax=1, zorder=1)
    for row in range(size):
        for column in range(size):
            if row == column:
                continue
            upper = column > row
            value = correlation[row, column] if upper else same_side[row, column]
            text = (
                "–" if not np.isfinite(value) else f"{value:.2f}".replace("-", "−") if upper else f"{100 * value:.0f} %"
            )
            white = upper and abs(value) > DARK
            axes.text(
                column,
                row,
                text,
                ha="center",
                va="center",
                fontsize=SMALL,
                color="white" if white else INK,
                gid="correlation" if upper else "same side",
                zorder=3,
            )
    labels = [shown_name(method, longest=18) for method in methods]
    dress(axes)
    axes.set_xticks(range(size), labels, rotation=45, ha="right", rotation_mode="anchor", fontsize=TICK)
    axes.set_yticks(range(size), labels, fontsize=TICK)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(shown_name(name), fontsize=TICK, color=INK, loc="left")


def _write_heads(figure: Figure, agreement: xr.Dataset, wanted: list[str], present: list[str]) -> None:
    places = [present.index(name) for name in wanted]
    correlation = agreement["agreement_correlation"].values[places]
    pairs = correlation[:, *np.triu_indices(correlation.shape[1], k=1)]
    known = pairs[np.isfinite(pairs)]
    rows = str(agreement.attrs.get("rows", "rows"))
    numbers = agreement["agreement_rows"].values[places]
    title = "Scores by different methods"
    if known.size:
        title += f" correlate by {known.min():.2f} to {known.max():.2f}".replace("-", "−")
    least, most = count_text(numbers.min()), count_text(numbers.max())
    note = f"n = {least if least == most else f'{least} to {most}'} {rows}. Above the diagonal: Spearman's rank correlation."
    note += f" Below: share of {rows} that both methods put on the same side of their medians."
    if len(wanted) < len(present):
        note += f" {len(wanted)} of {len(present)} gene sets."
    head(figure, title, note=note)
