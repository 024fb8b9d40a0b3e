"""What a result says about the way it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import xarray as xr


def recorded_parameters(result: xr.Dataset) -> Mapping[str, object]:
    """Parameters of the analysis that made a result.

    Parameters
    ----------
    result
        As made by an analysis.

    Returns
    -------
    Plain values by name; empty where none are recorded.
    """
    text = result.attrs.get("parameters", "{}")
    parameters = json.loads(text) if isinstance(text, str) else text
    return parameters if isinstance(parameters, Mapping) else {}


def labels_along(result: xr.Dataset, dim: str) -> list[str]:
    """Labels of a dimension as text; numbers from 0 where it has none.

    Parameters
    ----------
    result
        Any Dataset.
    dim
        The dimension.

    Returns
    -------
    One label per place.
    """
    values = result[dim].values if dim in result.coords else np.arange(result.sizes[dim])
    return [str(value) for value in values]


def number_of(result: xr.Dataset, variable: str) -> float:
    """A variable without dimensions as a number.

    Parameters
    ----------
    result
        Any Dataset.
    variable
        Its name.

    Returns
    -------
    The number; not a number where the variable is absent.
    """
    return float(result[variable].values) if variable in result.variables else float("nan")


def recorded_level(result: xr.Dataset) -> float:
    """Coverage of the limits of a result.

    Parameters
    ----------
    result
        As made by an analysis with the parameter ``level``, or one of that name among its ``options``.

    Returns
    -------
    The coverage; 0.95, which is every analysis's own choice, where none is recorded.
    """
    parameters = recorded_parameters(result)
    options = parameters.get("options")
    if "level" not in parameters and isinstance(options, Mapping):
        parameters = options
    level = parameters.get("level", 0.95)
    return float(level) if isinstance(level, (int, float)) else 0.95
