"""Text of sparse matrices."""

from __future__ import annotations

import io

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp

from chemores_dask.kernels.triplet_text import digits_of, put_number, triplet_lines


@pytest.mark.parametrize("number", [0, 1, 9, 10, 99, 100, 12345, 2**40])
def test_digits_of__counts_decimal_digits(number):
    assert digits_of(number) == digits_of.python(number) == len(str(number))


@pytest.mark.parametrize("number", [0, 7, 10, 4096])
def test_put_number__writes_digits_and_a_sign(number):
    for kernel in (put_number, put_number.python):
        text = np.zeros(12, dtype=np.uint8)
        place = kernel(text, 2, number, ord(";"))
        assert bytes(text[2:place]) == f"{number};".encode()


@pytest.fixture
def counts():
    matrix = sp.random(13, 101, density=0.2, random_state=np.random.default_rng(0), format="csr")
    matrix.data = np.ceil(10 ** (5 * matrix.data)).astype(np.int32)
    return matrix


def test_triplet_lines__are_read_back_by_scipy(counts):
    text = triplet_lines(counts.indptr, counts.indices, counts.data, 0)
    head = f"%%MatrixMarket matrix coordinate integer general\n101 13 {counts.nnz}\n".encode()
    read = scipy.io.mmread(io.BytesIO(head + bytes(text)), spmatrix=False)
    np.testing.assert_array_equal(read.toarray(), counts.toarray().T)


def test_triplet_lines__are_the_same_compiled_and_plain(counts):
    compiled = triplet_lines(counts.indptr, counts.indices, counts.data, 95)
    plain = triplet_lines.python(counts.indptr, counts.indices, counts.data, 95)
    assert bytes(compiled) == bytes(plain)


def test_triplet_lines__join_to_those_of_the_whole(counts):
    whole = triplet_lines(counts.indptr, counts.indices, counts.data, 0)
    top, bottom = counts[:5], counts[5:]
    parts = [
        triplet_lines(top.indptr, top.indices, top.data, 0),
        triplet_lines(bottom.indptr, bottom.indices, bottom.data, 5),
    ]
    assert bytes(whole) == b"".join(bytes(part) for part in parts)


def test_triplet_lines__of_no_entries_are_empty():
    assert len(triplet_lines(np.zeros(4, dtype=np.int32), np.empty(0, np.int32), np.empty(0, np.int32), 0)) == 0
