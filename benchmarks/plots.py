"""Two plots of how work grows with the cells: seconds and peak memory, both axes logarithmic, with the slope."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")

import matplotlib.pyplot as plt

from benchmarks.measurement import Notebook

SERIES = {
    "ours.chain": ("chemores_dask, from disk", "#0b5cad", "o"),
    "scanpy.chain": ("scanpy, in memory", "#b3541e", "s"),
}
DRAWN = {
    "time": ("seconds", "Seconds from store to principal components", 1.0),
    "memory": ("peak_bytes", "Peak memory of all processes (GB)", 1e9),
}


def draw_growth(notebook: Notebook, results: Path, *, sizes: Sequence[int]) -> list[Path]:
    """Draw both plots of the chain from store to principal components.

    Returns
    -------
    Paths of the pictures; none where nothing was measured at two sizes.
    """
    return [path for name in DRAWN if (path := _draw(notebook, results / f"{name}.png", name, sorted(sizes)))]


def slope(cells: Sequence[float], values: Sequence[float]) -> float:
    """Exponent of growth: the slope of a straight line through the logarithms."""
    return float(np.polyfit(np.log(cells), np.log(values), 1)[0])


def _draw(notebook: Notebook, path: Path, name: str, sizes: Sequence[int]) -> Path | None:
    column, label, unit = DRAWN[name]
    figure, axes = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
    drawn = False
    for step, (title, color, marker) in SERIES.items():
        found = [(size, row[column] / unit) for size in sizes if (row := notebook.find(step, size)) is not None]
        if len(found) < 2:
            continue
        cells, values = zip(*found, strict=True)
        axes.plot(cells, values, color=color, marker=marker, label=f"{title}, slope {slope(cells, values):.2f}")
        drawn = True
    axes.set(xscale="log", yscale="log", xlabel="Cells", ylabel=label)
    axes.grid(visible=True, which="major", color="#dddddd")
    axes.spines[["top", "right"]].set_visible(False)
    if drawn:
        axes.legend(frameon=False)
        figure.savefig(path, dpi=130)
    plt.close(figure)
    return path if drawn else None
