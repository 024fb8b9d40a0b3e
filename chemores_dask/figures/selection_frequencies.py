"""How often halves of the patients choose each gene."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from chemores_dask.figures.number_text import count_text, number_text, shown_name
from chemores_dask.figures.recorded import labels_along, number_of
from chemores_dask.figures.style import HIGHLIGHT, INK, MAIN, OTHER, SMALL, dress, head, new_figure, percent


def selection_frequencies(stability: xr.Dataset, *, genes: int = 30, title: str = "") -> Figure:
    """Selection probabilities of the genes chosen most often, with the cut-off.

    Parameters
    ----------
    stability
        Result of ``stability_selection``.
    genes
        How many genes are drawn.
    title
        Written above; by default how many genes are selected.

    Returns
    -------
    Figure. Orange genes raise the risk, blue ones lower it; those below the cut-off are gray.
    """
    probability, sign = stability["stability_probability"].values, stability["stability_sign"].values
    names = labels_along(stability, "gene")
    order = np.argsort(-probability, kind="stable")[:genes][::-1]
    selected = stability["stability_selected"].values
    figure = new_figure(width=6.4, height=1.9 + 0.21 * order.size)
    axes = figure.add_subplot()
    for row, number in enumerate(order):
        color = (HIGHLIGHT if sign[number] > 0 else MAIN) if selected[number] else OTHER
        axes.plot([0, probability[number]], [row, row], color=color, linewidth=1.4, zorder=2)
        axes.plot([probability[number]], [row], "o", color=color, markersize=5.5, gid=f"gene-{names[number]}", zorder=3)
    cutoff = number_of(stability, "stability_cutoff")
    axes.axvline(cutoff, color=INK, linewidth=1, linestyle=(0, (4, 3)), gid="cutoff", zorder=1)
    axes.set_yticks(range(order.size), [shown_name(names[number]) for number in order], fontsize=SMALL)
    axes.set_ylim(-0.7, order.size - 0.3)
    axes.set_xlim(0, 1.03)
    dress(axes, x="Halves of the patients that choose the gene", grid="x")
    percent(axes, which="x")
    count = {
        name: count_text(number_of(stability, f"stability_{name}"))
        for name in ("patients", "events", "resamples", "candidates")
    }
    note = [
        f"{count['patients']} patients, {count['events']} events; {count['resamples']} halves, each chooses "
        f"{number_text(number_of(stability, 'stability_genes_per_half'))} of {count['candidates']} genes.",
        f"Expected false selections at {number_text(cutoff)} (dashed): at most "
        f"{number_text(number_of(stability, 'stability_false_bound'))} (Meinshausen and Bühlmann); "
        f"{number_text(number_of(stability, 'stability_unimodal_bound'))} (Shah and Samworth).",
        "Orange raises the risk, blue lowers it.",
    ]
    number = int(number_of(stability, "stability_selected_genes"))
    head(
        figure,
        title or f"{count_text(number)} {'gene is' if number == 1 else 'genes are'} chosen again and again",
        note="\n".join(note),
    )
    return figure
