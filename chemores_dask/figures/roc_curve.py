"""The ROC curve of a score, its area, and the cut-off in use."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from chemores_dask.checks import check_variables
from chemores_dask.figures.number_text import count_text, number_text, p_sentence, share_text, shown_name
from chemores_dask.figures.recorded import number_of, recorded_parameters
from chemores_dask.figures.style import HIGHLIGHT, MAIN, NEUTRAL, PALE, SMALL, dress, head, new_figure, percent

LABEL_RIGHT = 0.6
"""A cut-off to the right of this has its label on the left."""


def roc_curve(performance: xr.Dataset, *, title: str = "") -> Figure:
    """Sensitivity against the share of false alarms at every cut-off, with the area and its limits.

    Parameters
    ----------
    performance
        Result of ``classifier_performance``.
    title
        Written above; by default score and response.

    Returns
    -------
    Figure. The cut-off in use is a dot with its sensitivity and specificity; the note holds n, the area with DeLong's limits, its P, and
    whether the cut-off was learned in the same patients.
    """
    points = ["performance_roc_sensitivity", "performance_roc_specificity"]
    check_variables(performance, points, dims=("point",), what="the result", caller="roc_curve")
    sensitivity, specificity = (performance[name].values.astype(float) for name in points)
    figure = new_figure(width=5.6, height=4.6)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=NEUTRAL, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    axes.fill_between(1 - specificity, sensitivity, step=None, color=PALE, alpha=0.45, linewidth=0, zorder=0)
    axes.plot(1 - specificity, sensitivity, color=MAIN, linewidth=2, gid="curve", zorder=3)
    used = 1 - number_of(performance, "performance_specificity"), number_of(performance, "performance_sensitivity")
    axes.plot(*used, "o", color=HIGHLIGHT, markersize=8, gid="cutoff", zorder=4)
    words = (
        f"cut-off {number_text(number_of(performance, 'performance_cutoff'))}\nsensitivity {share_text(used[1])}\n"
        f"specificity {share_text(1 - used[0])}"
    )
    left = used[0] > LABEL_RIGHT
    axes.annotate(
        words,
        used,
        xytext=(-10 if left else 12, -8),
        textcoords="offset points",
        ha="right" if left else "left",
        va="top" if used[1] > 0.3 else "bottom",
        fontsize=SMALL + 0.5,
        color=HIGHLIGHT,
    )
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_aspect("equal")
    dress(axes, x="False alarms (1 − specificity)", y="Found (sensitivity)", grid="both")
    percent(axes, which="x")
    percent(axes, which="y")
    head(figure, title or _title(performance), note="\n".join(_lines(performance)))
    return figure


def patients_line(performance: xr.Dataset) -> str:
    """How many patients, and how many of them positive.

    Parameters
    ----------
    performance
        Result of ``classifier_performance``.

    Returns
    -------
    A sentence.
    """
    n, positive = (
        number_of(performance, "performance_patients"),
        number_of(performance, "performance_positive_patients"),
    )
    recorded = recorded_parameters(performance)
    labels = recorded.get("positive", [])
    called = " or ".join(shown_name(label, longest=14) for label in labels) if isinstance(labels, list) else "positive"
    taught = number_of(performance, "performance_training_patients")
    beside = f"; learned in {count_text(taught)} others" if taught else ""
    return f"n = {count_text(n)} patients, {count_text(positive)} with {called}{beside}."


def optimism_line(performance: xr.Dataset) -> list[str]:
    """What was learned in the patients in whom it is measured.

    Parameters
    ----------
    performance
        Result of ``classifier_performance``.

    Returns
    -------
    One sentence, or none.
    """
    note = str(performance.attrs.get("note", ""))
    return [note.split(". Name", maxsplit=1)[0] + "."] if note else []


def _title(performance: xr.Dataset) -> str:
    recorded = recorded_parameters(performance)
    area = number_text(number_of(performance, "performance_auroc"))
    return f"{shown_name(recorded.get('score', 'score'))}: area under the ROC curve {area}"


def _lines(performance: xr.Dataset) -> list[str]:
    ends = [number_of(performance, f"performance_auroc_{end}") for end in ("lower", "upper")]
    limits = " to ".join(number_text(end) for end in ends) if np.isfinite(ends).all() else "not available"
    level = recorded_parameters(performance).get("options", {})
    percent_text = f"{float(level.get('level', 0.95)):.0%}" if isinstance(level, dict) else "95%"
    lines = [
        patients_line(performance),
        f"Area {number_text(number_of(performance, 'performance_auroc'))}, {percent_text} limits (DeLong) {limits}.",
        f"Wilcoxon rank-sum test: {p_sentence(number_of(performance, 'performance_auroc_p_value'))}.",
    ]
    if "performance_against_auroc" in performance:
        other = shown_name(recorded_parameters(performance).get("against", "the other score"))
        lines.append(
            f"Area of {other} {number_text(number_of(performance, 'performance_against_auroc'))} in "
            f"{count_text(number_of(performance, 'performance_against_patients'))} patients with both."
        )
        lines.append(
            f"DeLong's test of the difference: {p_sentence(number_of(performance, 'performance_against_p_value'))}."
        )
    origin = str(performance.attrs.get("cutoff_origin", ""))
    if origin:
        lines.append(f"Cut-off: {origin}.")
    if not np.isfinite(number_of(performance, "performance_auroc_lower")):
        lines.append("No limits: the score parts the classes, or one of them has a single patient.")
    return [*lines, *optimism_line(performance)]
