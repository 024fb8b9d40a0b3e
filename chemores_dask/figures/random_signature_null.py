"""A signature among random ones."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from chemores_dask.checks import check_variables
from chemores_dask.figures.number_text import count_text, number_text, p_sentence, share_text
from chemores_dask.figures.recorded import number_of
from chemores_dask.figures.style import HIGHLIGHT, NEUTRAL, PALE, SMALL, dress, head, message_figure, new_figure

BINS = 40


def random_signature_null(null: xr.Dataset, *, title: str = "") -> Figure:
    """Concordance of random signatures, with the mark of the signature itself.

    Parameters
    ----------
    null
        Result of ``random_signatures``.
    title
        Written above; by default the P of the concordance.

    Returns
    -------
    Figure.
    """
    name = "random_signature_draw_concordance"
    check_variables(null, [name], dims=("draw",), what="the result", caller="random_signature_null")
    drawn = null[name].values.astype(float)
    drawn = drawn[np.isfinite(drawn)]
    own = number_of(null, "random_signature_concordance")
    if not drawn.size or not np.isfinite(own):
        return message_figure("There is no concordance to compare: no pair of patients can be ordered.")
    figure = new_figure(width=7.6, height=3.3)
    axes = figure.add_subplot()
    counts, edges = np.histogram(drawn, bins=BINS)
    axes.stairs(counts, edges, fill=True, color=PALE, gid="null", zorder=2)
    axes.axvline(0.5, color=NEUTRAL, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    axes.axvline(own, color=HIGHLIGHT, linewidth=2.2, gid="signature", zorder=3)
    right = own > (drawn.min() + drawn.max()) / 2
    text = f"the signature: {number_text(own)}"
    axes.annotate(
        text,
        (own, 1),
        xycoords=axes.get_xaxis_transform(),
        xytext=(-5 if right else 5, -4),
        textcoords="offset points",
        fontsize=SMALL + 0.5,
        color=HIGHLIGHT,
        ha="right" if right else "left",
        va="top",
    )
    axes.set_ylim(0, 1.22 * max(1, int(counts.max())))
    dress(axes, x="Concordance (Harrell)", y="Random signatures", grid="y")
    _write_head(figure, null, drawn, title)
    return figure


def _write_head(figure: Figure, null: xr.Dataset, drawn: np.ndarray, title: str) -> None:
    def count(name: str) -> str:
        return count_text(number_of(null, f"random_signature_{name}"))

    p_value = number_of(null, "random_signature_concordance_p_value")
    low, high = np.quantile(drawn, [0.025, 0.975])
    missing = number_of(null, "random_signature_missing_genes")
    lines = [
        f"n = {count('patients')} patients, {count('events')} events. {count_text(drawn.size)} random signatures of {count('genes')} "
        f"genes with the same weights, from {count('candidates')} genes in bins of mean expression"
        f"{f'; {count_text(missing)} genes of the signature are not measured or do not vary' if missing else ''}.",
        f"Empirical test, random signatures in both directions: concordance {p_sentence(p_value)}; hazard ratio per standard deviation "
        f"{number_text(number_of(null, 'random_signature_hazard_ratio'))}, "
        f"{p_sentence(number_of(null, 'random_signature_hazard_p_value'))}.",
        f"95 % of the random signatures lie between {number_text(float(low))} and {number_text(float(high))}; "
        f"{share_text(number_of(null, 'random_signature_significant_share'))} of them have a Wald P below 0.05 by themselves.",
    ]
    head(figure, title or f"Signature among random ones: {p_sentence(p_value)}", note="\n".join(lines))
