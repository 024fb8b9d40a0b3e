"""Effect and evidence of every gene of a scan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chemores_dask.checks import check_between, check_variables
from chemores_dask.figures.number_text import TINY, count_text
from chemores_dask.figures.point_labels import label_points
from chemores_dask.figures.recorded import labels_along
from chemores_dask.figures.style import (
    HIGHLIGHT,
    MAIN,
    NEUTRAL,
    OTHER,
    SMALL,
    SOFT_INK,
    dress,
    head,
    message_figure,
    new_figure,
)


@dataclass(frozen=True)
class _Scan:
    # Names of its variables (of the effect; the beginning of the others), and what its picture says.
    effect: str
    prefix: str
    counts: tuple[tuple[str, str], ...]
    axis: str
    lower: str
    higher: str
    left_out: str

    @property
    def variables(self) -> tuple[str, str, str]:
        return self.effect, f"{self.prefix}_p_value", f"{self.prefix}_q_value"


COX = _Scan(
    "cox_coefficient",
    "cox",
    (("cox_patients", "patients"), ("cox_events", "events")),
    "Cox coefficient (log hazard ratio per unit of expression)",
    "longer survival",
    "shorter survival",
    "constant, separated or not converged",
)
RESPONSE = _Scan(
    "response_scan_correlation",
    "response_scan",
    (("response_scan_patients", "patients"),),
    "Spearman correlation of expression and response",
    "falls with the response",
    "rises with the response",
    "constant, infinite or known in too few patients",
)


def volcano(scan: xr.Dataset, *, q: float = 0.05, labels: int = 15) -> Figure:
    """Effect and P of each gene; genes below the false discovery rate are highlighted, the first ones named.

    Parameters
    ----------
    scan
        Result of ``cox_scan`` or ``response_scan``.
    q
        False discovery rate (Benjamini-Hochberg) below which genes are highlighted.
    labels
        How many genes, by P, are named where there is room.

    Returns
    -------
    Figure.
    """
    kind = RESPONSE if RESPONSE.effect in scan.variables else COX
    check_variables(scan, kind.variables, dims=("gene",), what="the result", caller="volcano")
    check_between(q, parameter="q", caller="volcano", minimum=0, maximum=1)
    coefficient, p_value, q_value = (scan[name].values.astype(float) for name in kind.variables)
    usable = np.isfinite(coefficient) & np.isfinite(p_value)
    if f"{kind.prefix}_status" in scan:
        usable &= scan[f"{kind.prefix}_status"].values == 0
    if not usable.any():
        return message_figure("No gene could be fitted, so there is nothing to draw.")
    height = -np.log10(np.maximum(p_value, TINY))
    found = usable & (q_value < q)
    figure = new_figure(width=7.4, height=4.5)
    axes = figure.add_subplot()
    for members, color, name in (
        (usable & ~found, OTHER, "other"),
        (found & (coefficient > 0), HIGHLIGHT, "worse"),
        (found & (coefficient <= 0), MAIN, "better"),
    ):
        axes.plot(coefficient[members], height[members], ".", markersize=5 if name != "other" else 3.5, color=color, rasterized=True,
                  gid=name, markeredgewidth=0)  # fmt: skip
    draw_limits(axes, effect=coefficient[usable], height=height[usable], found=height[found], q=q)
    dress(
        axes,
        x=kind.axis,
        y=f"Evidence, −log10 P ({_test(scan, kind)})",
        grid="y",
    )
    worse, better = int((found & (coefficient > 0)).sum()), int((found & (coefficient <= 0)).sum())
    write_sides(
        axes, lower=f"{kind.lower}: {count_text(better)} genes", higher=f"{kind.higher}: {count_text(worse)} genes"
    )
    head(
        figure,
        f"{count_text(found.sum())} of {count_text(usable.sum())} genes with q < {q:g}",
        note=_note(scan, usable, kind),
    )
    members = found if found.any() else usable
    name_genes(axes, scan, members=members, effect=coefficient, p_value=p_value, height=height, labels=labels)
    return figure


def draw_limits(axes: Axes, *, effect: np.ndarray, height: np.ndarray, found: np.ndarray, q: float) -> None:
    """Make room for all points of a volcano, alike on both sides, and draw where the effect is none and where genes are found.

    Parameters
    ----------
    axes
        Those of the volcano.
    effect, height
        Of the genes drawn.
    found
        Heights of the genes below the false discovery rate.
    q
        That rate.
    """
    reach = float(np.abs(effect).max()) * 1.12 or 1.0
    axes.set_xlim(-reach, reach)
    axes.set_ylim(0, float(height.max()) * 1.16 + 0.1)
    axes.axvline(0, color=NEUTRAL, linewidth=0.8, zorder=0)
    if not found.size:
        return
    least = float(found.min())
    axes.axhline(least, color=NEUTRAL, linewidth=0.8, linestyle=(0, (4, 2)), zorder=0, gid="threshold")
    axes.annotate(f"q = {q:g}", xy=(0, least), xycoords=axes.get_yaxis_transform(), xytext=(3, 2), textcoords="offset points",
                  fontsize=SMALL, color=SOFT_INK)  # fmt: skip


def write_sides(axes: Axes, *, lower: str, higher: str) -> None:
    """Say above both sides of a volcano what lies there.

    Parameters
    ----------
    axes
        Those of the volcano.
    lower, higher
        Text of the left and of the right side.
    """
    for place, side, text, color in ((0.01, "left", f"◀ {lower}", MAIN), (0.99, "right", f"{higher} ▶", HIGHLIGHT)):
        axes.text(
            place,
            0.985,
            text,
            transform=axes.transAxes,
            ha=side,
            va="top",
            fontsize=SMALL,
            color=color,
            fontweight="bold",
        )


def name_genes(
    axes: Axes,
    genes: xr.Dataset,
    *,
    members: np.ndarray,
    effect: np.ndarray,
    p_value: np.ndarray,
    height: np.ndarray,
    labels: int,
) -> None:
    """Name the genes with the smallest P, where there is room.

    Parameters
    ----------
    axes
        Limits must be set.
    genes
        Holds their names.
    members
        Which genes may be named.
    effect, p_value, height
        Of all genes; the effect and the height say where they are drawn.
    labels
        How many are named at most.
    """
    names = np.array(labels_along(genes, "gene"))
    first = np.flatnonzero(members)
    first = first[np.argsort(p_value[first], kind="stable")][: max(labels, 0)]
    label_points(axes, names[first].tolist(), x=effect[first], y=height[first])


def _test(scan: xr.Dataset, kind: _Scan) -> str:
    return "Wald test" if kind is COX else str(scan.attrs.get("test", "rank test")).split(",")[0]


def _note(scan: xr.Dataset, usable: np.ndarray, kind: _Scan) -> str:
    parts = []
    for variable, word in kind.counts:
        if variable in scan:
            numbers = scan[variable].values[usable]
            low, high = int(numbers.min()), int(numbers.max())
            parts.append(
                f"{count_text(low)} {word}" if low == high else f"{count_text(low)} to {count_text(high)} {word}"
            )
    lines = "n = " + ", ".join(parts) + ". " if parts else ""
    lines += "q: Benjamini-Hochberg over the genes fitted."
    left_out = int((~usable).sum())
    if left_out:
        lines += f"\n{count_text(left_out)} genes could not be fitted ({kind.left_out}) and are left out."
    return lines
