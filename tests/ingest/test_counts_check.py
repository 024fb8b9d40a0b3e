"""Tests of the check that numbers are counts."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from chemores_dask.errors import CountsError
from chemores_dask.ingest.counts_check import check_block, first_offence, whole_counts


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int64, np.uint64, np.float32, np.float64, bool])
def test_whole_counts__takes_every_kind_of_number(kind: type) -> None:
    values = np.array([0, 1, 1, 0]).astype(kind)
    result = whole_counts(values, where="a file")
    assert result.dtype == np.int32
    assert result.tolist() == [0, 1, 1, 0]


def test_whole_counts__keeps_the_largest_count() -> None:
    assert whole_counts(np.array([2.0**31 - 1]), where="a file").tolist() == [2**31 - 1]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([1.0, 2.177], "looks normalized"),
        ([1.0, -0.3], "looks scaled"),
        ([3, -1], "looks scaled"),
        ([1.0, np.nan], "not a number"),
        ([1.0, np.inf], "not a number"),
        ([1, 2**31], "more than"),
        ([1.0, 3e9], "more than"),
        ([1.0, 2.0**31], "more than"),
    ],
)
def test_whole_counts__refuses_what_is_not_a_count(values: list[float], reason: str) -> None:
    assert first_offence(np.array(values)) == 1
    with pytest.raises(CountsError, match=reason):
        whole_counts(np.array(values), where="a file")


def test_first_offence__is_none_without_values() -> None:
    assert first_offence(np.array([], dtype=float)) is None


def test_check_block__names_cell_and_gene() -> None:
    block = sp.csr_matrix(np.array([[0, 1.0, 0], [0, 0, 0], [2.0, 0, 0.5]]))
    with pytest.raises(CountsError, match="cell c, gene Z"):
        check_block(block, barcodes=["a", "b", "c"], genes=["X", "Y", "Z"], where="a file")


def test_check_block__drops_stored_zeros_and_leaves_its_input() -> None:
    block = sp.csr_matrix((np.array([0.0, 2.0]), np.array([0, 1]), np.array([0, 2])), shape=(1, 2))
    result = check_block(block, barcodes=["a"], genes=["X", "Y"], where="a file")
    assert result.nnz == 1
    assert block.nnz == 2
