"""How every picture looks: colors, sizes, axes. Nothing global is changed."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F6D1F", "#5B3A8C")
"""Colors that people with any kind of color vision can tell apart, in the order of use (after Okabe and Ito)."""

HIGHLIGHT = PALETTE[1]
MAIN = PALETTE[0]
PALE = "#BFD5E6"
NEUTRAL = "#8A8F98"
FAINT = "#D9DCE1"
OTHER = "#B4BAC2"
INK = "#1F2933"
SOFT_INK = "#52606D"
SEQUENTIAL = "viridis"

TITLE = 12.5
NOTE = 9.5
LABEL = 10.5
TICK = 9.5
SMALL = 8.5

LIGHTER, DARKER = 0.5, 0.45
"""Shares of white and black in the colors that follow the first eight."""

GOLDEN = 0.6180339887498949
DOTS_PER_INCH = 160
MARGIN = 8.0
"""Points around the head of a figure."""


def new_figure(*, width: float = 7.2, height: float = 4.4) -> Figure:
    """An empty figure that arranges its axes by itself.

    Parameters
    ----------
    width, height
        Inches.

    Returns
    -------
    Figure, drawn by Agg: it needs no screen and no pyplot.
    """
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained", facecolor="white")
    figure.get_layout_engine().set(w_pad=MARGIN / 72, h_pad=MARGIN / 72)
    FigureCanvasAgg(figure)
    return figure


def message_figure(message: str) -> Figure:
    """A figure that says why there is nothing to draw.

    Parameters
    ----------
    message
        One sentence.

    Returns
    -------
    Figure.
    """
    figure = new_figure(height=1.4)
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.text(0.5, 0.5, message, ha="center", va="center", fontsize=LABEL, color=SOFT_INK, wrap=True)
    return figure


def dress(axes: Axes, *, x: str = "", y: str = "", grid: str = "") -> None:
    """Label axes with quantity and unit, and quieten everything else.

    Parameters
    ----------
    axes
        To be dressed.
    x, y
        Labels.
    grid
        ``"x"``, ``"y"``, ``"both"`` or none.
    """
    axes.set_xlabel(x, fontsize=LABEL, color=INK)
    axes.set_ylabel(y, fontsize=LABEL, color=INK)
    axes.tick_params(labelsize=TICK, colors=SOFT_INK, labelcolor=INK, length=3, width=0.8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(NEUTRAL)
        axes.spines[side].set_linewidth(0.8)
    if grid:
        axes.grid(visible=True, axis=grid, color=FAINT, linewidth=0.6, zorder=0)
    axes.set_axisbelow(True)


def head(figure: Figure, title: str, *, note: str = "") -> None:
    """Write the claim of the picture above it, and n and tests below the claim in a lighter text.

    The figure grows by the height of both, so that the picture itself stays as large as it is. Long lines of the note are broken.

    Parameters
    ----------
    figure
        Call this once per figure, before anything is measured.
    title
        One line.
    note
        Further lines.
    """
    points = 72 * figure.get_figwidth()
    broken = [part for line in note.split("\n") if line for part in wrap(line, width=int(points / (NOTE * 0.545)))]
    inches = (MARGIN + 1.5 * TITLE + 1.35 * NOTE * len(broken)) / 72
    height = figure.get_figheight() + inches
    figure.set_figheight(height)
    figure.get_layout_engine().set(rect=(0, 0, 1, 1 - inches / height))
    left, top = MARGIN / points, 1 - MARGIN / 72 / height
    figure.text(left, top, title, fontsize=TITLE, fontweight="bold", color=INK, va="top", ha="left", gid="title")
    below = top - 1.5 * TITLE / 72 / height
    figure.text(
        left, below, "\n".join(broken), fontsize=NOTE, color=SOFT_INK, va="top", ha="left", linespacing=1.25, gid="note"
    )


def category_colors(number: int) -> list[str]:
    """A color for each of some categories.

    Parameters
    ----------
    number
        How many; beyond eight lighter and darker ones follow, beyond twenty-four they are taken from a map of colors in an order that
        keeps neighbors apart, and labels must tell them.

    Returns
    -------
    Colors as hexadecimal text.
    """
    if number <= len(PALETTE):
        return list(PALETTE[:number])
    if number <= 3 * len(PALETTE):
        lighter = [_mixed(color, "white", LIGHTER) for color in PALETTE]
        darker = [_mixed(color, "black", DARKER) for color in PALETTE]
        return [*PALETTE, *lighter, *darker][:number]
    order = np.argsort(np.argsort((np.arange(number) * GOLDEN) % 1.0))
    return [to_hex(color) for color in colormaps["turbo"](np.linspace(0.04, 0.96, number)[order])]


def _mixed(color: str, other: str, share: float) -> str:
    return to_hex((1 - share) * np.array(to_rgb(color)) + share * np.array(to_rgb(other)))


def thousands(axes: Axes, *, which: str) -> None:
    """Show the numbers of an axis in full, with separators.

    Parameters
    ----------
    axes
        The axes.
    which
        ``"x"`` or ``"y"``.
    """
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}".replace("-", "−")))


def percent(axes: Axes, *, which: str) -> None:
    """Show shares from 0 to 1 as percentages.

    Parameters
    ----------
    axes
        The axes.
    which
        ``"x"`` or ``"y"``.
    """
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g} %"))


def spread_labels(positions: Sequence[float] | np.ndarray, *, gap: float) -> np.ndarray:
    """Move labels on a line apart until none is nearer to the next than a gap.

    Groups of labels that touch are centered on the mean of their positions, so that each moves as little as it can.

    Parameters
    ----------
    positions
        Where the labels belong.
    gap
        Least distance.

    Returns
    -------
    Where to write them, in the order given.

    Examples
    --------
    >>> spread_labels([0.0, 0.1, 5.0], gap=1.0)
    array([-0.45,  0.55,  5.  ])
    """
    wanted = np.asarray(positions, dtype=np.float64)
    order = np.argsort(wanted, kind="stable")
    groups: list[list[float]] = []  # each: number of labels, center
    for position in wanted[order]:
        groups.append([1.0, float(position)])
        while len(groups) > 1 and _reach(groups[-2], gap, 1) + gap > _reach(groups[-1], gap, -1) + 1e-12:
            last, before = groups.pop(), groups[-1]
            number = last[0] + before[0]
            groups[-1] = [number, (last[0] * last[1] + before[0] * before[1]) / number]
    placed = np.concatenate(
        [np.empty(0)] + [center + gap * (np.arange(number) - (number - 1) / 2) for number, center in groups]
    )
    result = np.empty(len(wanted))
    result[order] = placed
    return result


def _reach(group: list[float], gap: float, direction: int) -> float:
    return group[1] + direction * gap * (group[0] - 1) / 2
