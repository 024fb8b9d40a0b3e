"""A score against the necrosis of the tumor, patient by patient."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chemores_dask.checks import check_variables
from chemores_dask.figures.number_text import count_text, number_text, p_sentence, p_text, shown_name
from chemores_dask.figures.recorded import labels_along, number_of, recorded_parameters
from chemores_dask.figures.style import (
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

GRADE_BOUNDS = (0.0, 50.0, 90.0, 100.0)


def necrosis_scatter(association: xr.Dataset, *, labels: dict[str, str] | None = None, title: str = "") -> Figure:
    """Score and percentage of necrosis of every patient, with the cut of a good response and Huvos's grades.

    Parameters
    ----------
    association
        Result of ``necrosis_association``.
    labels
        What the score is called in the picture, by its name.
    title
        Written above; by default Spearman's correlation.

    Returns
    -------
    Figure. Good responders are filled; the note holds n, both correlations with P, and the odds ratio of a good response.
    """
    check_variables(
        association,
        ["necrosis_score", "necrosis_percent"],
        dims=("patient",),
        what="the result",
        caller="necrosis_scatter",
    )
    score, percent = (association[f"necrosis_{name}"].values.astype(float) for name in ("score", "percent"))
    if not score.size:
        return message_figure("There are no patients with a score and a known necrosis to draw.")
    recorded = recorded_parameters(association)
    good_from, name = float(recorded.get("good_from", 90.0)), str(recorded.get("score", "score"))
    figure = new_figure(width=6.8, height=4.2)
    axes = figure.add_subplot()
    good = percent >= good_from
    axes.plot(
        score[~good],
        percent[~good],
        "o",
        markersize=6,
        markerfacecolor="white",
        markeredgecolor=MAIN,
        alpha=0.9,
        gid="poor",
    )
    axes.plot(score[good], percent[good], "o", markersize=6, color=HIGHLIGHT, alpha=0.8, markeredgewidth=0, gid="good")
    axes.axhline(good_from, color=HIGHLIGHT, linewidth=1.2, linestyle=(0, (4, 2)), gid="cut", zorder=1)
    axes.set_ylim(-4, 106)
    _write_grades(axes, association)
    called = shown_name((labels or {}).get(name, name))
    dress(axes, x=called, y="Necrosis (%)", grid="y")
    _write_head(figure, association, title=title, called=called, good_from=good_from)
    return figure


def _write_grades(axes: Axes, association: xr.Dataset) -> None:
    counts = association["necrosis_grade_patients"].values
    places = [25.0, 70.0, 92.0, 102.5]
    for bound in GRADE_BOUNDS[1:3]:
        axes.axhline(bound, color=NEUTRAL, linewidth=0.6, zorder=0)
    for grade, count, place in zip(labels_along(association, "grade"), counts, places, strict=True):
        axes.text(
            1.01,
            place,
            f"Huvos {grade}, n = {count_text(count)}",
            transform=axes.get_yaxis_transform(),
            fontsize=SMALL,
            color=SOFT_INK,
            va="center",
        )


def _write_head(figure: Figure, association: xr.Dataset, *, title: str, called: str, good_from: float) -> None:
    def value(name: str) -> float:
        return number_of(association, f"necrosis_{name}")

    used, total = value("patients"), value("patients_total")
    lines = [
        f"n = {count_text(used)} of {count_text(total)} patients; {count_text(value('patients_without_score'))} have no score, "
        f"{count_text(value('patients_without_response'))} no known necrosis.",
        f"Spearman {number_text(value('spearman_correlation'))}, {p_sentence(value('spearman_p_value'))}; Pearson "
        f"{number_text(value('pearson_correlation'))} ({number_text(value('pearson_correlation_lower'))} to "
        f"{number_text(value('pearson_correlation_upper'))}), {p_sentence(value('pearson_p_value'))}.",
    ]
    ratio, low, high = (float(association[f"necrosis_odds_ratio{end}"].values[0]) for end in ("", "_lower", "_upper"))
    likelihood = float(association["necrosis_likelihood_ratio_p_value"].values[0])
    good = f"Good response (from {good_from:g} %, {count_text(value('good_patients'))} patients, dashes)"
    if np.isfinite(ratio):
        beside = [str(term) for term in association["term"].values[1:]]
        adjusted = f", beside {', '.join(shown_name(term, longest=16) for term in beside[:4])}" if beside else ""
        lines.append(
            f"{good}: odds ratio {number_text(ratio)} ({number_text(low)} to {number_text(high)}) per unit of the score{adjusted}, "
            f"likelihood ratio P {'' if p_text(likelihood).startswith('<') else '= '}{p_text(likelihood)}."
        )
    else:
        status = association["necrosis_status"]
        meaning = str(status.attrs.get("flag_meanings", "")).split()
        word = meaning[int(status.values[0])].replace("_", " ") if meaning else "not estimated"
        lines.append(f"{good}: no odds ratio ({word}); likelihood ratio {p_sentence(likelihood)}.")
    if association.attrs.get("note"):
        lines.append(shown_name(association.attrs["note"], longest=240))
    head(
        figure,
        title or f"{called} and necrosis: Spearman {number_text(value('spearman_correlation'))}",
        note="\n".join(lines),
    )
