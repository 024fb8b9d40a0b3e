"""How much each principal component says."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from chemores_dask.checks import check_variables
from chemores_dask.figures.number_text import share_text
from chemores_dask.figures.style import MAIN, NEUTRAL, SMALL, dress, head, message_figure, new_figure, percent


def variance_explained(components: xr.Dataset) -> Figure:
    """Share of the variance that each component explains, and of all components up to it.

    Parameters
    ----------
    components
        Result of ``pca``.

    Returns
    -------
    Figure.
    """
    check_variables(
        components, ["pca_variance_ratio"], dims=("component",), what="the result", caller="variance_explained"
    )
    ratio = components["pca_variance_ratio"].values.astype(float)
    if not ratio.size:
        return message_figure("There are no components to draw.")
    number = np.arange(1, ratio.size + 1)
    figure = new_figure(height=3.6)
    left, right = figure.subplots(1, 2)
    left.vlines(number, 0, ratio, color=MAIN, linewidth=1.6)
    left.plot(number, ratio, "o", color=MAIN, markersize=4.5, gid="single")
    right.plot(number, np.cumsum(ratio), "-o", color=MAIN, markersize=4, linewidth=1.6, gid="together")
    for axes, label in ((left, "Variance explained by it"), (right, "Variance explained up to it")):
        axes.set_ylim(0, None)
        percent(axes, which="y")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        axes.margins(x=0.04)
        dress(axes, x="Component", y=label, grid="y")
    right.annotate(
        share_text(float(ratio.sum())),
        xy=(number[-1], ratio.sum()),
        xytext=(0, -12),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=SMALL,
        color=NEUTRAL,
    )
    head(
        figure,
        f"{ratio.size} component{'s explain' if ratio.size != 1 else ' explains'} {share_text(float(ratio.sum()))} of the variance",
        note="Share of the variance of all genes used; most of the rest is counting noise.",
    )
    return figure
