"""Cross-validated deviance along falling penalties."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from chemores_dask.figures.number_text import count_text, number_text
from chemores_dask.figures.recorded import number_of, recorded_parameters
from chemores_dask.figures.signature_words import honest_line, training_line
from chemores_dask.figures.style import HIGHLIGHT, MAIN, SMALL, SOFT_INK, dress, head, new_figure

TICKS = 8


def signature_choice(signature: xr.Dataset, *, title: str = "") -> Figure:
    """Deviance of patients left out, for every penalty, with one standard error; above, how many genes have a weight.

    Parameters
    ----------
    signature
        Result of ``fit_risk_signature``.
    title
        Written above; by default the number of genes at the chosen penalty.

    Returns
    -------
    Figure. The chosen penalty is marked, beside the two that rules may choose.
    """
    place = -np.log10(signature["risk_signature_lambda"].values)
    deviance, error = (signature[f"risk_signature_cv_{name}"].values for name in ("deviance", "deviance_error"))
    figure = new_figure(width=7.2, height=4.2)
    axes = figure.add_subplot()
    axes.vlines(place, deviance - error, deviance + error, color=MAIN, alpha=0.35, linewidth=1.2, gid="errors")
    axes.plot(place, deviance, "o", color=MAIN, markersize=3.2, gid="deviance", zorder=3)
    for name, style in (("minimum", (0, (1, 2))), ("one_error", (0, (5, 3)))):
        axes.axvline(
            -np.log10(number_of(signature, f"risk_signature_{name}_lambda")),
            color=SOFT_INK,
            linewidth=1,
            linestyle=style,
            gid=name,
        )
    chosen = -np.log10(number_of(signature, "risk_signature_chosen_lambda"))
    at = int(np.argmin(np.abs(place - chosen)))
    axes.plot([place[at]], [deviance[at]], "o", color=HIGHLIGHT, markersize=8, gid="chosen", zorder=4)
    shown = np.unique(np.linspace(0, place.size - 1, TICKS).astype(int))
    genes = signature["risk_signature_path_genes"].values
    above = axes.secondary_xaxis("top")
    above.set_xticks(place[shown], [count_text(number) for number in genes[shown]], fontsize=SMALL)
    above.set_xlabel("Genes with a weight", fontsize=SMALL)
    dress(axes, x="-log10 lambda (penalty falls to the right)", y="Deviance per event, patients left out", grid="y")
    rule = dict(recorded_parameters(signature).get("options", {})).get("rule", "minimum")
    word = (
        "lowest deviance" if rule == "minimum" else "largest penalty within one standard error of the lowest deviance"
    )
    note = [
        training_line(signature),
        f"Chosen (orange): {word}; lambda {number_text(number_of(signature, 'risk_signature_chosen_lambda'))}. Dotted: lowest; dashed: one "
        "standard error.",
        honest_line(signature),
    ]
    head(
        figure,
        title or f"{count_text(number_of(signature, 'risk_signature_genes'))} genes at the chosen penalty",
        note="\n".join(note),
    )
    return figure
