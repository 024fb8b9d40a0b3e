"""Effect and evidence of every gene of a comparison of samples, and whether the patients agree."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chemores_dask.checks import check_between, check_one_of, check_variables
from chemores_dask.errors import ParameterError
from chemores_dask.figures.number_text import TINY, count_text, shown_name
from chemores_dask.figures.recorded import recorded_parameters
from chemores_dask.figures.style import (
    HIGHLIGHT,
    MAIN,
    OTHER,
    SMALL,
    SOFT_INK,
    dress,
    head,
    message_figure,
    new_figure,
)
from chemores_dask.figures.volcano import draw_limits, name_genes, write_sides

GENES = ("log_fold_change", "p_value", "q_value", "status", "patients_same_direction")
NUMBERS = ("patients", "patients_compared", "samples")
PLAIN, BY_STATE = "differential_", "differential_state_"


def differential_volcano(result: xr.Dataset, *, q: float = 0.05, labels: int = 15, state: str | None = None) -> Figure:
    """Log fold change and P of each gene; genes below the false discovery rate are colored, the first ones named.

    Filled: within every patient compared the gene changes the same way. Ring: not in all of them.

    Parameters
    ----------
    result
        Result of ``differential_expression`` or ``differential_by_state``.
    q
        False discovery rate (Benjamini-Hochberg) below which genes are colored.
    labels
        How many genes, by P, are named where there is room.
    state
        State to draw, of a result by state.

    Returns
    -------
    Figure.
    """
    check_between(q, parameter="q", caller="differential_volcano", minimum=0, maximum=1)
    genes = genes_of(result, state, caller="differential_volcano")
    change, p_value = (genes[name].values.astype(float) for name in ("log_fold_change", "p_value"))
    usable = np.isfinite(change) & np.isfinite(p_value) & (genes["status"].values == 0)
    if not usable.any():
        return message_figure("No gene could be tested, so there is nothing to draw.")
    height = -np.log10(np.maximum(p_value, TINY))
    found = usable & (genes["q_value"].values < q)
    compared = int(genes["patients_compared"])
    agreed = genes["patients_same_direction"].values >= max(compared, 1)
    figure = new_figure(width=7.4, height=4.6)
    axes = figure.add_subplot()
    for members, color, name in (
        (usable & ~found, OTHER, "other"),
        (found & (change > 0), HIGHLIGHT, "higher"),
        (found & (change <= 0), MAIN, "lower"),
    ):
        _draw_points(axes, change, height, members, agreed if compared else members, color, name)
    draw_limits(axes, effect=change[usable], height=height[usable], found=height[found], q=q)
    dress(axes, x=f"log2 fold change ({shown_name(_contrast(result), longest=60)})", y="Evidence, −log10 P", grid="y")
    _say_sides(axes, int((found & (change > 0)).sum()), int((found & (change <= 0)).sum()))
    head(
        figure,
        f"{count_text(found.sum())} of {count_text(usable.sum())} genes with q < {q:g}"
        + (f" in {state}" if state else ""),
        note=_note(result, genes, usable, found & agreed if compared else None, found),
    )
    members = found if found.any() else usable
    name_genes(axes, genes, members=members, effect=change, p_value=p_value, height=height, labels=labels)
    return figure


def genes_of(result: xr.Dataset, state: str | None, *, caller: str) -> xr.Dataset:
    """The variables of one comparison, by the second part of their names.

    Parameters
    ----------
    result
        Result of ``differential_expression`` or ``differential_by_state``.
    state
        State of the latter.
    caller
        Name of the figure, for messages.

    Returns
    -------
    Dataset over ``gene``.

    Raises
    ------
    ParameterError
        If a state is not there, is missing, or was given for a result without states.
    MissingVariableError
        If the result is something else.
    """
    if "differential_state_p_value" in result.variables:
        known = [str(label) for label in result["state"].values]
        if state is None and len(known) > 1:
            message = f"{caller} draws one state. Name it with state; there are: {', '.join(known)}."
            raise ParameterError(message)
        chosen = known[0] if state is None else state
        check_one_of(chosen, known, parameter="state", caller=caller)
        result, prefix = result.isel(state=known.index(chosen)), BY_STATE
    elif state is not None:
        message = f"The result of {caller} must have states where one is named. Got state={state!r} for a result without; leave it out."
        raise ParameterError(message)
    else:
        prefix = PLAIN
    check_variables(result, [prefix + name for name in GENES], dims=("gene",), what="the result", caller=caller)
    check_variables(result, [prefix + name for name in NUMBERS], dims=(), what="the result", caller=caller)
    wanted = {prefix + name: name for name in (*GENES, *NUMBERS)}
    return result[list(wanted)].rename(wanted)


def _draw_points(
    axes: Axes, x: np.ndarray, y: np.ndarray, members: np.ndarray, agreed: np.ndarray, color: str, name: str
) -> None:
    size = 5.5 if name != "other" else 3.5
    filled, ring = members & agreed, members & ~agreed
    axes.plot(x[filled], y[filled], "o", markersize=size, color=color, markeredgewidth=0, gid=name, rasterized=True)
    axes.plot(
        x[ring],
        y[ring],
        "o",
        markersize=size - 0.6,
        markerfacecolor="white",
        markeredgecolor=color,
        markeredgewidth=0.9,
        gid=f"{name} in some",
        rasterized=True,
    )


def _say_sides(axes: Axes, higher: int, lower: int) -> None:
    write_sides(axes, lower=f"lower: {count_text(lower)} genes", higher=f"higher: {count_text(higher)} genes")
    axes.text(0.5, 0.985, "● all patients agree   ○ some do not", transform=axes.transAxes, ha="center", va="top",
              fontsize=SMALL, color=SOFT_INK, gid="agreement",
              bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5})  # fmt: skip


def _contrast(result: xr.Dataset) -> str:
    contrast = recorded_parameters(result).get("contrast", "contrast")
    if isinstance(contrast, dict):
        return " ".join(f"{weight:+g} {name}" for name, weight in contrast.items())
    return contrast if isinstance(contrast, str) else "contrast"


def _note(
    result: xr.Dataset, genes: xr.Dataset, usable: np.ndarray, agreed: np.ndarray | None, found: np.ndarray
) -> str:
    patients, samples = int(genes["patients"]), int(genes["samples"])
    formula = str(recorded_parameters(result).get("formula", ""))
    lines = [
        f"n = {count_text(patients)} patients, {count_text(samples)} samples"
        + (f", {formula}" if formula else "")
        + f". {str(result.attrs.get('test', 'test'))[0].upper()}{str(result.attrs.get('test', 'test'))[1:]}; "
        "q: Benjamini-Hochberg over the genes tested."
    ]
    if agreed is None:
        lines.append("No patient has samples on both sides of the contrast, so nothing is compared within patients.")
    else:
        lines.append(
            f"{count_text(agreed.sum())} of the {count_text(found.sum())} genes change the same way within all "
            f"{count_text(int(genes['patients_compared']))} patients compared."
        )
    left_out = int((~usable).sum())
    if left_out:
        lines.append(f"{count_text(left_out)} genes have too few counts or could not be fitted, and are left out.")
    return "\n".join(lines)
