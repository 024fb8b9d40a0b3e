"""One model per gene, drug or event: the same kernel along one dimension of a Dataset."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from chemores_dask.checks import check_one_of


def scan_columns(
    dataset: xr.Dataset,
    kernel: Callable[..., tuple[np.ndarray, ...]],
    *,
    variable: str,
    over: str,
    outputs: Mapping[str, str | np.dtype[Any]],
    shared: Sequence[object] = (),
) -> dict[str, xr.DataArray]:
    """Run a kernel over every column of a matrix.

    Parameters
    ----------
    dataset
        Holds ``variable``; the dimension ``over`` may be chunked, the other one may not.
    kernel
        ``kernel(matrix, *shared) -> arrays``: ``matrix`` is ``(columns, rows)``, C-contiguous float64, with ``over`` first; it
        returns one array per output, each with one entry per column.
    variable
        Two-dimensional variable to scan.
    over
        Its dimension with one model per entry.
    outputs
        Type of each output by its name, in the order in which the kernel returns them. Where there are many, one output of records is
        quicker: each output costs a task per block.
    shared
        Arrays and numbers that every column needs (times, events, covariates).

    Returns
    -------
    Arrays over ``over`` by name, lazy where ``variable`` is.
    """
    matrix = dataset[variable]
    check_one_of(over, matrix.dims, parameter="over", caller="scan_columns")
    (rest,) = [dim for dim in matrix.dims if dim != over]
    found = xr.apply_ufunc(
        _ScanBlock(kernel, tuple(shared)),
        matrix.transpose(over, rest),
        input_core_dims=[[rest]],
        output_core_dims=[[] for _ in outputs],
        dask="parallelized",
        output_dtypes=list(outputs.values()),
    )
    arrays = found if isinstance(found, tuple) else (found,)
    return dict(zip(outputs, arrays, strict=True))


class _ScanBlock:
    def __init__(self, kernel: Callable[..., tuple[np.ndarray, ...]], shared: tuple[object, ...]) -> None:
        self.kernel = kernel
        self.shared = shared

    def __call__(self, matrix: np.ndarray) -> tuple[np.ndarray, ...] | np.ndarray:
        arrays = self.kernel(np.ascontiguousarray(matrix, dtype=np.float64), *self.shared)
        return arrays if len(arrays) > 1 else arrays[0]
