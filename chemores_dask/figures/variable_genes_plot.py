"""Which genes vary more than their mean explains."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from chemores_dask.checks import check_variables
from chemores_dask.errors import MissingVariableError
from chemores_dask.figures.number_text import count_text
from chemores_dask.figures.point_labels import label_points
from chemores_dask.figures.recorded import labels_along
from chemores_dask.figures.style import MAIN, NEUTRAL, OTHER, dress, head, message_figure, new_figure, thousands

HEIGHTS = {
    "gene_variance_normalized": "Variance after stabilization",
    "gene_dispersion_normalized": "Normalized dispersion (z score)",
}


def variable_genes_plot(genes: xr.Dataset, *, labels: int = 12) -> Figure:
    """Mean and normalized variance (or dispersion) of each gene, with the chosen genes highlighted.

    Parameters
    ----------
    genes
        Result of ``variable_genes``.
    labels
        How many of the most variable genes are named.

    Returns
    -------
    Figure.

    Raises
    ------
    MissingVariableError
        If there is neither a normalized variance nor a normalized dispersion.
    """
    check_variables(
        genes, ["gene_mean", "gene_variable"], dims=("gene",), what="the result", caller="variable_genes_plot"
    )
    height = next((name for name in HEIGHTS if name in genes), None)
    if height is None:
        message = (
            f"variable_genes_plot needs one of {', '.join(HEIGHTS)}. Got the variables {', '.join(map(str, genes))}."
        )
        raise MissingVariableError(message)
    mean, spread = genes["gene_mean"].values.astype(float), genes[height].values.astype(float)
    chosen = genes["gene_variable"].values.astype(bool)
    shown = np.isfinite(mean) & np.isfinite(spread) & (mean > 0)
    if not shown.any():
        return message_figure("There are no expressed genes to draw.")
    figure = new_figure()
    axes = figure.add_subplot()
    for members, color, name in ((shown & ~chosen, OTHER, "other"), (shown & chosen, MAIN, "chosen")):
        axes.plot(mean[members], spread[members], ".", markersize=3, color=color, rasterized=True, gid=name, alpha=0.8)
    axes.set_xscale("log")
    axes.xaxis.set_minor_formatter(NullFormatter())
    thousands(axes, which="x")
    if height == "gene_variance_normalized" and spread[shown].min() > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_formatter(NullFormatter())
        thousands(axes, which="y")
    axes.margins(x=0.04, y=0.09)
    dress(axes, x=_mean_label(genes), y=HEIGHTS[height], grid="both")
    axes.text(0.99, 0.02, f"gray: {count_text((shown & ~chosen).sum())} other genes", transform=axes.transAxes, ha="right",
              fontsize=8.5, color=NEUTRAL)  # fmt: skip
    head(
        figure,
        f"{count_text(chosen.sum())} variable genes of {count_text(chosen.size)}",
        note="Blue: chosen genes; the most variable ones are named.",
    )
    names = np.array(labels_along(genes, "gene"))
    best = np.flatnonzero(shown & chosen)
    best = best[np.argsort(-spread[best], kind="stable")][: max(labels, 0)]
    label_points(axes, names[best].tolist(), x=mean[best], y=spread[best])
    return figure


def _mean_label(genes: xr.Dataset) -> str:
    return "Mean of raw counts per cell" if "gene_variance_normalized" in genes else "Mean of scaled counts per cell"
