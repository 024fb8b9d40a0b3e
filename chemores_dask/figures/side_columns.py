"""Columns of text beside the rows of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from chemores_dask.figures.style import INK, SMALL, SOFT_INK, TICK

FIRST = 8.0
BETWEEN = 14.0


@dataclass(frozen=True)
class Column:
    """A column of text.

    Attributes
    ----------
    header
        Written above; may be empty.
    texts
        One for each row.
    colors
        One for each row, or none for ink.
    bold
        Whether the texts are bold.
    """

    header: str
    texts: Sequence[str]
    colors: Sequence[str] = ()
    bold: bool = False


def write_columns(axes: Axes, columns: Sequence[Column]) -> None:
    """Write columns to the right of axes whose rows lie at 0, 1, 2 and so on, the first one uppermost.

    Parameters
    ----------
    axes
        The axes; their vertical limits must be set.
    columns
        From left to right; each is as wide as its widest text.
    """
    offset = FIRST
    scale = axes.figure.dpi / 72
    for column in columns:
        written = []
        for row, text in enumerate(column.texts):
            color = column.colors[row] if column.colors else INK
            written.append(_write(axes, text, row=row, offset=offset, size=TICK, color=color, bold=column.bold))
        if column.header:
            top = min(axes.get_ylim())
            written.append(_write(axes, column.header, row=top, offset=offset, size=SMALL, color=SOFT_INK, bold=False))
        offset += max((text.get_window_extent().width for text in written), default=0.0) / scale + BETWEEN


def _write(axes: Axes, text: str, *, row: float, offset: float, size: float, color: str, bold: bool) -> object:
    return axes.annotate(
        text,
        xy=(1, row),
        xycoords=axes.get_yaxis_transform(),
        xytext=(offset, 0),
        textcoords="offset points",
        va="center",
        ha="left",
        fontsize=size,
        color=color,
        fontweight="bold" if bold else "normal",
        annotation_clip=False,
        gid="column",
    )
