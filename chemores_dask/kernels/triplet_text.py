"""Rows of a sparse matrix as lines of text, ``gene cell count``, counted from one: the body of a MatrixMarket file.

References
----------
Boisvert RF, Pozo R, Remington KA (1996). The Matrix Market exchange formats: initial design. NISTIR 5935.
"""

from __future__ import annotations

import numpy as np

from chemores_dask.aliases import Vector
from chemores_dask.kernels.jit import jit

_ZERO = ord("0")
_SPACE = ord(" ")
_NEWLINE = ord("\n")


@jit
def digits_of(number: int) -> int:
    """How many decimal digits a non-negative integer has."""
    digits = 1
    while number >= 10:
        number //= 10
        digits += 1
    return digits


@jit
def put_number(text: Vector, place: int, number: int, after: int) -> int:
    """Write a non-negative integer and one sign after it.

    Parameters
    ----------
    text
        Bytes, written in place.
    place
        Where the number starts.
    number
        The integer.
    after
        Code of the sign.

    Returns
    -------
    The place behind the sign.
    """
    digits = digits_of(number)
    for position in range(place + digits - 1, place - 1, -1):
        text[position] = _ZERO + number % 10
        number //= 10
    text[place + digits] = after
    return place + digits + 1


@jit
def triplet_lines(indptr: Vector, indices: Vector, data: Vector, first: int) -> Vector:
    """Write the rows of a CSR matrix, each row being a column of the file.

    Parameters
    ----------
    indptr, indices, data
        The matrix, cells by genes.
    first
        Number of the first cell in the file, from 0.

    Returns
    -------
    Bytes of the lines.
    """
    cells = len(indptr) - 1
    widest_index = 0
    widest_count = 0
    for entry in range(len(indices)):
        widest_index = max(widest_index, indices[entry])
        widest_count = max(widest_count, data[entry])
    width = digits_of(widest_index + 1) + digits_of(first + cells) + digits_of(widest_count) + 3
    text = np.empty(width * len(indices), dtype=np.uint8)
    place = 0
    for cell in range(cells):
        for entry in range(indptr[cell], indptr[cell + 1]):
            place = put_number(text, place, indices[entry] + 1, _SPACE)
            place = put_number(text, place, first + cell + 1, _SPACE)
            place = put_number(text, place, data[entry], _NEWLINE)
    return text[:place].copy()
