from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest
import scipy.sparse as sp

from chemores_dask.errors import FormatError
from chemores_dask.kernels.reduction import Reduction
from chemores_dask.store.layout import Geometry
from chemores_dask.stream.checkpoint_files import MAGIC, UnknownValueError, decode, encode, write_file

ARRAYS = [
    np.arange(12.0).reshape(3, 4),
    np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    np.array([np.nan, np.inf, -0.0]),
    np.array([], dtype=np.int32),
    np.array(3.5),
    np.array(["a", "größer"]),
    np.array([True, False]),
    np.array([2**63], dtype=np.uint64),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}-{array.shape}")
def test_encode__keeps_arrays_to_the_bit(array):
    found = decode(encode(array))
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert found.tobytes() == array.tobytes()
    assert found.flags.writeable
    assert found.flags.f_contiguous == array.flags.f_contiguous


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        2**80,
        -0.1,
        float("inf"),
        "text",
        (),
        [1, (2.5, None)],
        {"a": {1: 2}, ("b", 2): []},
        np.float32(0.1),
    ],
    ids=str,
)
def test_encode__keeps_plain_values_and_their_types(value):
    found = decode(encode(value))
    assert found == value
    assert type(found) is type(value)


def test_encode__keeps_what_is_not_a_number():
    assert np.isnan(decode(encode(float("nan"))))


@pytest.mark.parametrize("kind", [sp.csr_matrix, sp.csr_array])
def test_encode__keeps_sparse_matrices(kind):
    matrix = kind(np.array([[0, 2, 0], [1, 0, 3]], dtype=np.int32))
    found = decode(encode({"x": matrix}))["x"]
    assert type(found) is kind
    assert found.dtype == matrix.dtype
    assert np.array_equal(found.toarray(), matrix.toarray())


def test_encode__keeps_classes_of_values_of_the_package():
    assert decode(encode([Geometry(2, 4)])) == [Geometry(2, 4)]


@dataclass
class _Foreign:
    value: int


class _Pair(NamedTuple):
    first: int
    second: int


@pytest.mark.parametrize(
    "value",
    [
        _Foreign(1),
        _Pair(1, 2),
        {1, 2},
        object(),
        len,
        Reduction(len, max),
        np.array([1, "a"], dtype=object),
        np.ma.array([1]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_encode__refuses_what_it_cannot_keep(value):
    with pytest.raises(UnknownValueError, match="Checkpoints hold"):
        encode({"x": [value]})


def test_decode__finds_every_flipped_byte():
    written = encode({"sums": np.arange(5.0), "cells": 7})
    for place in range(len(written)):
        damaged = bytearray(written)
        damaged[place] ^= 1 << place % 8
        with pytest.raises(FormatError, match="checksum"):
            decode(bytes(damaged))


@pytest.mark.parametrize("size", [0, 5, len(MAGIC), len(MAGIC) + 16, 100])
def test_decode__refuses_files_cut_short(size):
    with pytest.raises(FormatError):
        decode(encode(np.arange(100))[:size])


@pytest.mark.parametrize(
    "tree",
    [
        ["object", "os", "system", []],
        ["object", "chemores_dask.stream.reduce", "reduce_rows", []],
        ["object", "chemores_dask.no_such_room", "X", []],
        ["object", "chemores_dask.store.layout", "Gone", []],
        ["array", "9"],
        ["unknown", 1],
    ],
    ids=str,
)
def test_decode__makes_nothing_but_values_of_the_package(tree, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("chemores_dask.stream.checkpoint_files._described", lambda *_: tree)
        written = encode(None)
    with pytest.raises(FormatError, match="computed again"):
        decode(written)


def test_write_file__leaves_nothing_of_a_write_that_failed(tmp_path, monkeypatch):
    write_file(tmp_path / "new" / "a", b"first")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OSError, match="No space"):
        write_file(tmp_path / "new" / "a", b"second")
    assert [(file.name, file.read_bytes()) for file in (tmp_path / "new").iterdir()] == [("a", b"first")]
