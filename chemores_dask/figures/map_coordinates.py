"""Where cells lie on a map: the first two columns of coordinates that an analysis gave them."""

from __future__ import annotations

import numpy as np
import xarray as xr

from chemores_dask.checks import listed
from chemores_dask.errors import MissingVariableError
from chemores_dask.figures.number_text import share_text

AXES = 2
NAMES = {
    "umap_coordinates": "UMAP {}",
    "harmony_scores": "Harmony component {}",
    "diffusion_components": "Diffusion component {}",
    "projected_scores": "Component {}",
    "pca_scores": "Component {}",
}
"""Coordinates that are drawn without being named, the first that is there, and what their axes are called."""

SHARES = {"pca_scores": "pca_variance_ratio"}
"""Where a result says which share of the variance an axis shows."""


def map_coordinates(result: xr.Dataset, *, coordinates: str = "") -> xr.DataArray:
    """The coordinates of cells that a result holds.

    Parameters
    ----------
    result
        Over ``cell``.
    coordinates
        Name of a variable over ``cell`` and something else; found by itself unless given.

    Returns
    -------
    Over cell and axis; lazy ones stay lazy.

    Raises
    ------
    MissingVariableError
        If there are none.
    """
    names = [coordinates] if coordinates else list(NAMES)
    for name in names:
        if name in result.data_vars and result[name].ndim == AXES and result[name].dims[0] == "cell":
            return result[name]
    planes = [str(name) for name in result.data_vars if result[name].ndim == AXES and result[name].dims[0] == "cell"]
    message = (
        f"A map of cells needs coordinates over cell and one other dimension: {listed(names)}. "
        f"The result has: {listed(planes)}; name one in the option 'coordinates'."
    )
    raise MissingVariableError(message)


def drawn_points(found: xr.DataArray) -> np.ndarray:
    """The first two columns, float64.

    Parameters
    ----------
    found
        Made by :func:`map_coordinates`.

    Returns
    -------
    (cell, 2).
    """
    return found[:, :AXES].values.astype(np.float64)


def axis_label(result: xr.Dataset, found: xr.DataArray, place: int) -> str:
    """What an axis of the map is called.

    Parameters
    ----------
    result
        Where the coordinates come from.
    found
        The coordinates.
    place
        0 or 1.

    Returns
    -------
    Text, with the share of the variance where it is known.
    """
    words = str(found.name or "axis").replace("_", " ")
    name = NAMES.get(str(found.name), f"{words[:1].upper()}{words[1:]} {{}}").format(place + 1)
    share = SHARES.get(str(found.name), "")
    return f"{name} ({share_text(float(result[share].values[place]))} of the variance)" if share in result else name
