"""Who made a result from what: fingerprints and versions."""

from __future__ import annotations

import hashlib
import json
import math
import platform
from collections.abc import Mapping
from functools import cache
from importlib import metadata

import numpy as np

from chemores_dask.errors import ParameterError

RECORDED_PACKAGES = (
    "chemores_dask",
    "anndata",
    "dask",
    "distributed",
    "numba",
    "numpy",
    "pandas",
    "scipy",
    "xarray",
    "zarr",
)


def canonical_json(value: object) -> str:
    """Write plain data as JSON in exactly one way.

    Parameters
    ----------
    value
        Mappings with string keys, lists, tuples, strings, numbers, booleans and None, nested; numpy scalars and arrays count as
        their plain values.

    Returns
    -------
    JSON with sorted keys and no spaces.

    Raises
    ------
    ParameterError
        If a value is of another type, or a number is not finite.
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def fingerprint(*, step: str, parameters: Mapping[str, object], inputs: Mapping[str, object], revision: int) -> str:
    """Name a result by all that decides its numbers.

    Parameters
    ----------
    step
        The analysis.
    parameters
        Its parameters by name, defaults included.
    inputs
        Fingerprints or checksums of what it read, by name.
    revision
        The analysis's ``ALGORITHM_REVISION``.

    Returns
    -------
    Twelve hexadecimal digits.
    """
    described = {"step": step, "parameters": parameters, "inputs": inputs, "revision": revision}
    return hashlib.sha256(canonical_json(described).encode()).hexdigest()[:12]


@cache
def versions() -> dict[str, str]:
    """Versions of Python, this package and what its numbers rest on."""
    found = {"python": platform.python_version()}
    for package in RECORDED_PACKAGES:
        found[package] = metadata.version(package)
    return found


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        message = f"Numbers in a fingerprint must be finite. Got {value}; leave the parameter out or pass None."
        raise ParameterError(message)
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    message = (
        f"A fingerprint takes plain values. Got {type(value).__name__}; pass a string, a number, a list or a mapping."
    )
    raise ParameterError(message)
