"""Names for the types that travel through the package."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import dask.array as da
import numpy as np
import scipy.sparse as sp

Rows: TypeAlias = da.Array
"""Cells by genes; every block is a CSR matrix that holds whole rows."""

Block: TypeAlias = sp.csr_matrix
"""Some whole rows in memory."""

Vector: TypeAlias = np.ndarray
"""A one-dimensional array."""

Matrix: TypeAlias = np.ndarray
"""A dense two-dimensional array."""

Seed: TypeAlias = int
StorePath: TypeAlias = str | os.PathLike[str]
Names: TypeAlias = Sequence[str]
Columns: TypeAlias = Mapping[str, np.ndarray]
"""Arrays with one entry (or one row) per cell, by name."""
