"""A score in the cells of each patient, stage by stage, with the patients' medians linked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chemores_dask.checks import check_one_of, check_variables, listed
from chemores_dask.errors import ParameterError
from chemores_dask.figures.cell_labels import ordered_labels, sample_column
from chemores_dask.figures.number_text import count_text, shown_name
from chemores_dask.figures.recorded import labels_along, number_of
from chemores_dask.figures.style import (
    INK,
    SMALL,
    SOFT_INK,
    TICK,
    category_colors,
    dress,
    head,
    message_figure,
    new_figure,
)

BINS = 80
SMOOTHING = np.array([1, 4, 6, 4, 1]) / 16
EVERYTHING = "all cells"
MOST_NAMES = 40
PAIR = 2

GAP = 0.9
"""Room between patients, in violins."""

LETTER, TITLE_LETTER = 0.09, 0.115
"""Width of a letter of a name, and of the title, in inches."""


@dataclass(frozen=True)
class _Violin:
    patient: int
    stage: int
    place: float
    cells: int
    median: float
    heights: np.ndarray


def score_violins(
    scores: xr.Dataset,
    *,
    gene_set: str | None = None,
    cube: xr.Dataset | None = None,
    patient: str = "patient",
    stage: str | None = None,
    order: Sequence[str] = (),
    states: xr.Dataset | None = None,
) -> Figure:
    """One violin per patient and stage; dots are medians, and lines join the medians of a patient.

    Parameters
    ----------
    scores
        Result of a score of cells. Patients and stages are coordinates over ``cell``, or columns of the cube.
    gene_set
        Which score; the only one unless given.
    cube
        Result of ``cohort_cube`` with the columns of the samples.
    patient
        Column with the patient of each sample.
    stage
        Column with the stage of each sample; all cells of a patient together unless given.
    order
        Stages in the order to draw them, earlier ones first; as in the cube unless given.
    states
        Result of ``score_states``, for the threshold.

    Returns
    -------
    Figure. Violins are drawn from histograms, each with the same area, however many cells there are.

    Raises
    ------
    ParameterError
        If the gene set must be named, or is not there, or ``order`` names a stage that is not there.
    MissingVariableError
        If a column, or the score of cells, is not there.
    """
    check_variables(scores, ["cell_score"], dims=("cell", "gene_set"), what="the result", caller="score_violins")
    name = _gene_set(scores, gene_set)
    values = scores["cell_score"].isel(gene_set=labels_along(scores, "gene_set").index(name)).values.astype(float)
    known = np.isfinite(values)
    if not known.any():
        return message_figure("There are no cells with a score to draw.")
    patients = sample_column(scores, patient, cube=cube)[known]
    stages = np.full(known.sum(), EVERYTHING) if stage is None else sample_column(scores, stage, cube=cube)[known]
    names, labels = ordered_labels(patients), _stages(stages, stage, cube=cube, order=order)
    edges = _edges(values[known])
    violins = _violins(values[known], _codes(patients, names), _codes(stages, labels), edges=edges)
    figure = new_figure(width=float(np.clip(1.6 + 0.34 * (violins[-1].place + 1), 7.2, 13.5)), height=4.4)
    axes = figure.add_subplot()
    colors = category_colors(len(labels))
    _draw_violins(axes, violins, edges=edges, colors=colors)
    _draw_medians(axes, violins, colors=colors)
    _write_patients(axes, violins, names)
    dress(axes, y=f"Score of {shown_name(name)} ({scores['cell_score'].attrs.get('units', '1')})", grid="y")
    axes.tick_params(axis="x", length=0)
    threshold = float("nan") if states is None else number_of(states, "state_threshold")
    if np.isfinite(threshold):
        axes.axhline(threshold, color=INK, linewidth=1.1, linestyle=(0, (4, 2)), zorder=1, gid="threshold")
    if len(labels) > 1:
        _write_stages(axes, labels, colors)
    _write_heads(figure, violins, labels, name=name, threshold=threshold)
    return figure


def _gene_set(scores: xr.Dataset, gene_set: str | None) -> str:
    present = labels_along(scores, "gene_set")
    if gene_set is None and len(present) != 1:
        message = f"score_violins needs the option 'gene_set', since there are several scores: {listed(present)}."
        raise ParameterError(message)
    wanted = present[0] if gene_set is None else gene_set
    check_one_of(wanted, present, parameter="gene_set", caller="score_violins")
    return wanted


def _stages(stages: np.ndarray, stage: str | None, *, cube: xr.Dataset | None, order: Sequence[str]) -> list[str]:
    in_cube = cube[stage].values if stage is not None and cube is not None and stage in cube.coords else ()
    labels = ordered_labels(stages, order=np.array([*order, *in_cube], dtype=object))
    strange = [label for label in order if str(label) not in labels]
    if strange:
        message = f"The option 'order' of score_violins must name stages that are there. Got {listed(strange)}; there are {listed(labels)}."
        raise ParameterError(message)
    return labels


def _codes(labels: np.ndarray, names: Sequence[str]) -> np.ndarray:
    present, inverse = np.unique(labels, return_inverse=True)
    place = {name: number for number, name in enumerate(names)}
    return np.array([place[label] for label in present])[inverse]


def _edges(values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    margin = 0.03 * (high - low) or 0.5
    return np.linspace(low - margin, high + margin, BINS + 1)


def _violins(values: np.ndarray, patients: np.ndarray, stages: np.ndarray, *, edges: np.ndarray) -> list[_Violin]:
    """One violin for each patient and stage with cells, side by side."""
    groups = patients * (int(stages.max()) + 1) + stages
    sorted_cells = np.argsort(groups, kind="stable")
    present, starts = np.unique(groups[sorted_cells], return_index=True)
    violins: list[_Violin] = []
    for group, cells in zip(present, np.split(sorted_cells, starts[1:]), strict=True):
        patient, stage = divmod(int(group), int(stages.max()) + 1)
        step = 0.0 if not violins else 1.0 if violins[-1].patient == patient else 1.0 + GAP
        heights = np.convolve(np.histogram(values[cells], bins=edges)[0] / len(cells), SMOOTHING, mode="same")
        place = (violins[-1].place if violins else 0.0) + step
        violins.append(_Violin(patient, stage, place, len(cells), float(np.median(values[cells])), heights))
    return violins


def _draw_violins(axes: Axes, violins: Sequence[_Violin], *, edges: np.ndarray, colors: Sequence[str]) -> None:
    middles = (edges[1:] + edges[:-1]) / 2
    # The same area for all, the widest typical one as wide as its place; a spike may not cover its neighbors.
    widest = max(float(np.median([violin.heights.max() for violin in violins])), 1e-9)
    for violin in violins:
        width = np.minimum(0.44 * violin.heights / widest, 0.5)
        axes.fill_betweenx(
            middles,
            violin.place - width,
            violin.place + width,
            where=width > 0.002,
            color=colors[violin.stage],
            alpha=0.45,
            linewidth=0,
            zorder=2,
            gid="violin",
        )


def _draw_medians(axes: Axes, violins: Sequence[_Violin], *, colors: Sequence[str]) -> None:
    for patient in sorted({violin.patient for violin in violins}):
        own = [violin for violin in violins if violin.patient == patient]
        places, medians = [violin.place for violin in own], [violin.median for violin in own]
        if len(own) > 1:
            axes.plot(places, medians, color=INK, linewidth=1.1, zorder=4, gid="link")
        for violin in own:
            axes.plot(
                violin.place,
                violin.median,
                marker="o",
                markersize=5.5,
                color=colors[violin.stage],
                markeredgecolor="white",
                markeredgewidth=1.0,
                zorder=5,
                gid="median",
            )


def _write_patients(axes: Axes, violins: Sequence[_Violin], names: Sequence[str]) -> None:
    places = [float(np.mean([v.place for v in violins if v.patient == number])) for number in range(len(names))]
    shown = [shown_name(name, longest=14) for name in names] if len(names) <= MOST_NAMES else [""] * len(names)
    tilted = LETTER * (max(len(name) for name in shown) + 1) * len(names) > axes.figure.get_figwidth() - 1
    axes.set_xticks(places, shown, fontsize=TICK, rotation=90 if tilted else 0)
    axes.set_xlim(-0.75, violins[-1].place + 0.75)


def _write_stages(axes: Axes, labels: Sequence[str], colors: Sequence[str]) -> None:
    texts = [shown_name(label) for label in labels]
    handles = [
        axes.plot([], [], marker="o", markersize=7, linestyle="", color=color, label=text)[0]
        for text, color in zip(texts, colors, strict=True)
    ]
    axes.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=max(int(axes.figure.get_figwidth() / (LETTER * max(len(text) for text in texts) + 0.4)), 1),
        frameon=False,
        fontsize=SMALL,
        labelcolor=SOFT_INK,
        borderaxespad=0.1,
        handletextpad=0.2,
    )


def _write_heads(
    figure: Figure, violins: Sequence[_Violin], labels: Sequence[str], *, name: str, threshold: float
) -> None:
    numbers = sorted({violin.patient for violin in violins})
    cells = sum(violin.cells for violin in violins)
    by_patient = [{v.stage: v.median for v in violins if v.patient == number} for number in numbers]
    paired = [medians for medians in by_patient if len(medians) == PAIR]
    title = f"Score of {shown_name(name)} in {_patients(len(numbers))}"
    note = f"n = {_patients(len(numbers))}, {count_text(cells)} cells."
    if len(labels) == PAIR and paired:
        rising, falling = (sum(sign * (m[1] - m[0]) > 0 for m in paired) for sign in (1, -1))
        first, last = (shown_name(label) for label in labels)
        change = f"lower at {last} in {falling}" if falling > rising else f"higher at {last} in {rising}"
        claim = f"Median score of {shown_name(name)}: {change} of {_patients(len(paired))}"
        title = claim if len(claim) * TITLE_LETTER < figure.get_figwidth() else title
        note += f" {len(paired)} with cells at {first} and at {last}, whose medians are joined."
        note += f" Median {change} of them." if title != claim else ""
    elif len(labels) > 1:
        note += " Lines join the stages of a patient."
    note += "\nViolins: cells, each of the same area. Dots: medians of the cells of a patient."
    if np.isfinite(threshold):
        note += " Dashes: threshold of the states."
    head(figure, title, note=f"{note}\nNo test: cells are described, patients are the replicates.")


def _patients(number: int) -> str:
    return "1 patient" if number == 1 else f"{number} patients"
