"""How good an approximate result is, in one sentence beside the step that made it."""

from __future__ import annotations

import xarray as xr

from chemores_dask.figures.number_text import count_text
from chemores_dask.figures.recorded import number_of, recorded_parameters

DIGITS = 3


def certificate_of(result: xr.Dataset | None) -> str:
    """What a result says about its own quality: the recall of neighbors, the trustworthiness of a map.

    Parameters
    ----------
    result
        Of a step; None where the run has none.

    Returns
    -------
    Words without a full stop; none for results that say nothing of the kind.
    """
    if result is None:
        return ""
    if "neighbor_recall" in result.variables:
        return _recall(result)
    if "umap_trustworthiness" in result.variables:
        return _trustworthiness(result)
    return ""


def _recall(result: xr.Dataset) -> str:
    number = result.sizes.get("neighbor", recorded_parameters(result).get("neighbors", ""))
    nearest = f"the {number} nearest neighbors of each cell"
    if not number_of(result, "neighbor_recall_queries") > 0:
        return f"{nearest} are exact"
    return f"it found {_measured(result, 'neighbor_recall')} of {nearest}, by exact search for {_queries(result, 'neighbor_recall')}"


def _trustworthiness(result: xr.Dataset) -> str:
    words = f"the map has a trustworthiness of {_measured(result, 'umap_trustworthiness')}"
    if "umap_landmark" in result.variables:
        landmarks = int(result["umap_landmark"].sum())
        number = result.sizes["cell"]
        of_all = "all cells" if landmarks == number else f"{count_text(landmarks)} landmarks"
        words += f", laid out from {of_all}"
    return f"{words}, measured on {_queries(result, 'umap_trustworthiness')}"


def _measured(result: xr.Dataset, name: str) -> str:
    value, lower, upper = (number_of(result, f"{name}{end}") for end in ("", "_lower", "_upper"))
    interval = f" ({lower:.{DIGITS}f} to {upper:.{DIGITS}f})" if upper > lower else ""
    return f"{value:.{DIGITS}f}{interval}"


def _queries(result: xr.Dataset, name: str) -> str:
    return f"{count_text(number_of(result, f'{name}_queries'))} cells"
