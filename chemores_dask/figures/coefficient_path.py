"""Weights of genes along falling penalties."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from chemores_dask.figures.number_text import count_text, number_text, shown_name
from chemores_dask.figures.recorded import labels_along, number_of
from chemores_dask.figures.signature_words import honest_line, training_line
from chemores_dask.figures.style import (
    HIGHLIGHT,
    INK,
    MAIN,
    NEUTRAL,
    OTHER,
    SMALL,
    dress,
    head,
    message_figure,
    new_figure,
    spread_labels,
)

LABEL_GAP = 0.042


def coefficient_path(signature: xr.Dataset, *, labels: int = 12, title: str = "") -> Figure:
    """How the weight of each gene grows as the penalty falls, and where the signature was taken.

    Parameters
    ----------
    signature
        Result of ``fit_risk_signature``.
    labels
        Most genes of the signature that are named, those with the largest weights.
    title
        Written above; by default genes and penalty.

    Returns
    -------
    Figure. One line per gene; those of the signature in color, the others gray.
    """
    weights = signature["risk_signature_path_weight"].values
    if not weights.size:
        return message_figure("No gene has a weight anywhere on the path.")
    place = -np.log10(signature["risk_signature_lambda"].values)
    names, kept = labels_along(signature, "path_gene"), labels_along(signature, "gene")
    at = int(
        np.argmin(
            np.abs(signature["risk_signature_lambda"].values - number_of(signature, "risk_signature_chosen_lambda"))
        )
    )
    figure = new_figure(width=7.2, height=4.6)
    axes = figure.add_subplot()
    axes.axhline(0, color=NEUTRAL, linewidth=0.7, zorder=1)
    for number, name in enumerate(names):
        inside = name in kept
        color = (HIGHLIGHT if weights[at, number] > 0 else MAIN) if inside else OTHER
        axes.plot(
            place,
            weights[:, number],
            color=color,
            linewidth=1.4 if inside else 0.7,
            zorder=3 if inside else 2,
            gid=f"path-{name}",
        )
    axes.axvline(place[at], color=INK, linewidth=1, linestyle=(0, (4, 3)), gid="chosen", zorder=4)
    last = place.size - 1
    named = [number for number, name in enumerate(names) if name in kept]
    named = sorted(named, key=lambda number: -abs(weights[at, number]))[:labels]
    span = float(np.ptp(weights)) or 1.0
    heights = spread_labels([weights[last, number] for number in named], gap=LABEL_GAP * span)
    for number, height in zip(named, heights, strict=True):
        color = HIGHLIGHT if weights[at, number] > 0 else MAIN
        axes.annotate(
            shown_name(names[number]),
            (place[last], weights[last, number]),
            xytext=(place[last] + 0.02 * np.ptp(place), height),
            fontsize=SMALL,
            color=color,
            va="center",
            annotation_clip=False,
        )
    dress(axes, x="-log10 lambda (penalty falls to the right)", y="Log hazard ratio per standard deviation", grid="y")
    note = [
        training_line(signature),
        f"Dashed: lambda {number_text(number_of(signature, 'risk_signature_chosen_lambda'))}, alpha "
        f"{number_text(number_of(signature, 'risk_signature_alpha'))}; gray genes enter later.",
        honest_line(signature),
    ]
    head(figure, title or f"Signature of {count_text(len(kept))} genes", note="\n".join(note))
    return figure
