"""Many cells as an image: each place of a map has the color of all cells that lie there."""

from __future__ import annotations

from typing import NamedTuple

import datashader as ds
import numpy as np
import pandas as pd
import xarray as xr
from datashader import transfer_functions

WIDTH, HEIGHT = 840, 760
"""Places of a map: about the dots of its axes, so that an image is shown as it is."""

MARGIN = 0.03
FAINTEST = 0.45
"""Opacity of a place with one cell, where others have many."""

DENSE = 0.99
"""Share of the places that are not the densest: these are all opaque."""

LARGEST_SPREAD = 3
"""Places by which lone cells are widened to be seen."""

SPREAD_UNTIL = 0.6
GAMMA = 2.2
"""Of screens: light adds up, numbers of colors do not."""


class Shaded(NamedTuple):
    """An image and where it lies.

    Attributes
    ----------
    image
        Rows by columns by red, green, blue and opacity, uint8; the lowest row first.
    extent
        Left, right, bottom, top, in units of the map.
    """

    image: np.ndarray
    extent: tuple[float, float, float, float]


def shade_labels(points: np.ndarray, codes: np.ndarray, *, colors: np.ndarray, on_top: np.ndarray) -> Shaded:
    """Every place in the mixed color of its cells, the more opaque the more there are.

    A cell of a rare label colors as much as several of a frequent one: as many as the square root of the ratio of their numbers.

    Parameters
    ----------
    points
        (cell, 2).
    codes
        Label of each cell.
    colors
        Red, green and blue of each label, from 0 to 1.
    on_top
        Labels that are drawn over all others, since they would be lost among them.

    Returns
    -------
    The image.
    """
    canvas, extent = _canvas(points)
    counted = np.bincount(codes, minlength=len(colors))
    weights = (1.0 / np.sqrt(np.maximum(counted, 1)))[codes]
    light = colors[codes] ** GAMMA * weights[:, None]
    above = on_top[codes]
    density = canvas.points(_frame(points), "x", "y", agg=ds.count()).values
    image = _widened(_mixed(canvas, points[~above], light[~above], weights[~above], density))
    if above.any():
        top = _mixed(canvas, points[above], light[above], weights[above], np.where(density > 0, np.inf, 0))
        image = _over(_widened(top, least=1), image)
    return Shaded(image, extent)


def shade_numbers(points: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, tuple[float, float, float, float]]:
    """The mean of the cells at every place.

    Parameters
    ----------
    points
        (cell, 2).
    values
        (cell,); cells without a number do not count.

    Returns
    -------
    Means, rows by columns, the lowest row first, NaN where no cell is; and the extent.
    """
    canvas, extent = _canvas(points)
    there = np.isfinite(values)
    frame = _frame(points[there]).assign(value=values[there])
    means = canvas.points(frame, "x", "y", agg=ds.mean("value"))
    spread = _spread_of(np.isfinite(means.values))
    return transfer_functions.spread(means, px=spread, how="max").values if spread else means.values, extent


def _canvas(points: np.ndarray) -> tuple[ds.Canvas, tuple[float, float, float, float]]:
    lowest, highest = points.min(axis=0), points.max(axis=0)
    room = np.where(highest > lowest, MARGIN * (highest - lowest), 0.5)
    (left, bottom), (right, top) = lowest - room, highest + room
    canvas = ds.Canvas(plot_width=WIDTH, plot_height=HEIGHT, x_range=(left, right), y_range=(bottom, top))
    return canvas, (float(left), float(right), float(bottom), float(top))


def _frame(points: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"x": points[:, 0], "y": points[:, 1]})


def _mixed(
    canvas: ds.Canvas, points: np.ndarray, light: np.ndarray, weights: np.ndarray, density: np.ndarray
) -> np.ndarray:
    if not len(points):
        return np.zeros((HEIGHT, WIDTH, 4), dtype=np.uint8)
    frame = _frame(points).assign(red=light[:, 0], green=light[:, 1], blue=light[:, 2], weight=weights)
    parts = ("red", "green", "blue", "weight")
    sums = canvas.points(frame, "x", "y", agg=ds.summary(**{part: ds.sum(part) for part in parts}))
    total = sums["weight"].values
    there = np.nan_to_num(total) > 0
    image = np.zeros((*total.shape, 4), dtype=np.uint8)
    for place, part in enumerate(parts[:3]):
        image[there, place] = np.rint(255 * np.clip(sums[part].values[there] / total[there], 0, 1) ** (1 / GAMMA))
    image[there, 3] = np.rint(255 * _opacity(density)[there])
    return image


def _opacity(density: np.ndarray) -> np.ndarray:
    if np.isinf(density).any():
        return (density > 0).astype(np.float64)
    seen = density[density > 0]
    most = max(float(np.quantile(seen, DENSE)), 1.0) if len(seen) else 1.0
    if most <= 1:
        return np.ones(density.shape)
    return FAINTEST + (1 - FAINTEST) * np.clip(np.log(np.maximum(density, 1)) / np.log(most), 0, 1)


def _spread_of(there: np.ndarray) -> int:
    """How far lone places are widened: until enough of them have a neighbor, as datashader's dynspread decides."""
    for spread in range(LARGEST_SPREAD):
        if _share_with_neighbors(there, spread) >= SPREAD_UNTIL:
            return spread
    return LARGEST_SPREAD


def _share_with_neighbors(there: np.ndarray, spread: int) -> float:
    number = int(there.sum())
    if not number:
        return 1.0
    reach = 2 * spread + 1
    padded = np.pad(there, reach)
    crowded = np.zeros(there.shape, dtype=bool)
    rows, columns = there.shape
    for down in range(-reach, reach + 1):
        for across in range(-reach, reach + 1):
            if down or across:
                crowded |= padded[reach + down : reach + down + rows, reach + across : reach + across + columns]
    return float((crowded & there).sum() / number)


def _widened(image: np.ndarray, *, least: int = 0) -> np.ndarray:
    spread = max(_spread_of(image[..., 3] > 0), least)
    if not spread:
        return image
    packed = np.ascontiguousarray(image).view(np.uint32)[..., 0]
    wide = transfer_functions.spread(transfer_functions.Image(xr.DataArray(packed, dims=("y", "x"))), px=spread)
    return np.ascontiguousarray(wide.values).view(np.uint8).reshape(image.shape)


def _over(top: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.where(top[..., 3:] > 0, top, below)
