"""Weights in lanes: against plain products, compiled and plain."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from dask.base import tokenize

from chemores_dask.errors import CountsError
from chemores_dask.kernels.row_totals import log_scaled_rows
from chemores_dask.kernels.weight_lanes import (
    LANES,
    SMALL_COUNTS,
    LogScaledLaneSums,
    add_lanes,
    lane_weights,
    multiply_in_lanes,
)

ROWS, GENES = 20, 200


@pytest.fixture
def counts():
    generator = np.random.default_rng(7)
    dense = generator.poisson(generator.gamma(0.4, 4.0, GENES), (ROWS, GENES))
    dense[3] = 0
    dense[5, :10] = [64, 63, 65, 2_000_000_000, 70_000, 1, 1, 1, 1, 1]
    return sp.csr_matrix(dense.astype(np.int32))


def weights_of(sums: int) -> sp.csr_matrix:
    """Each sum: many genes with one weight, a few with another, two with weights of their own."""
    generator = np.random.default_rng(8)
    dense = np.zeros((GENES, sums))
    for column in range(sums):
        dense[generator.choice(GENES, 80, replace=False), column] = -1 / (80 + column)
        dense[generator.choice(GENES, 9, replace=False), column] = 1 / 9
        dense[generator.choice(GENES, 2, replace=False), column] = generator.normal(size=2)
    return sp.csr_matrix(dense)


def arrays(weights: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return weights.indptr, weights.indices, weights.data


@pytest.mark.parametrize("sums", [12, 64, 70])
def test_log_scaled_lane_sums__equal_the_product_with_weights(counts, sums):
    weights = weights_of(sums)
    lanes = lane_weights(arrays(weights))
    found = LogScaledLaneSums(1e4, lanes, sums)(counts, {})
    expected = log_scaled_rows(counts, 1e4).astype(np.float64) @ weights.toarray()
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    # Every row by itself, to the bit.
    apart = np.vstack([LogScaledLaneSums(1e4, lanes, sums)(counts[row], {}) for row in range(ROWS)])
    np.testing.assert_array_equal(apart, found)


@pytest.mark.parametrize("sums", [12, 70])
def test_lane_weights__hold_every_weight_once(sums):
    weights = weights_of(sums)
    lanes = lane_weights(arrays(weights))
    groups = len(lanes.factors) // LANES
    table = lanes.table.reshape(groups, GENES, LANES).swapaxes(0, 1).reshape(GENES, -1)
    starts, columns, values = lanes.rest
    again = sp.csr_matrix((values, columns, starts), shape=weights.shape).toarray()
    for lane, (factor, column) in enumerate(zip(lanes.factors, lanes.columns, strict=True)):
        again[:, column] += factor * table[:, lane]
    np.testing.assert_array_equal(again, weights.toarray())
    assert len(values) < weights.nnz / 4


def test_lane_weights__are_for_weights_that_many_genes_share():
    generator = np.random.default_rng(9)
    assert lane_weights(arrays(sp.csr_matrix(generator.normal(size=(GENES, 30))))) is None
    assert lane_weights(arrays(sp.csr_matrix((GENES, 3)))) is None
    few = np.zeros((GENES, 30))
    few[:5] = 0.2
    assert lane_weights(arrays(sp.csr_matrix(few))) is None
    # One sum of many genes does not pay for 64 lanes.
    assert lane_weights(arrays(weights_of(1))) is None


def test_multiply_in_lanes__agrees_with_its_plain_twin(counts):
    weights = weights_of(12)
    lanes = lane_weights(arrays(weights))
    found = []
    for multiply in (multiply_in_lanes, multiply_in_lanes.python):
        product = np.zeros((ROWS, 12))
        counted = np.zeros(SMALL_COUNTS * LANES, dtype=np.uint16)
        parts = (lanes.table, lanes.factors, lanes.columns)
        assert not multiply(counts.data, counts.indices, counts.indptr, 1e4, parts, lanes.rest, counted, product)
        assert not counted.any()
        found.append(product)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-13, atol=1e-15)


def test_add_lanes__agrees_with_its_plain_twin(counts):
    lanes = lane_weights(arrays(weights_of(12)))
    logarithms = np.log1p(np.arange(SMALL_COUNTS) * 0.5)
    found = []
    for add in (add_lanes, add_lanes.python):
        in_lanes = np.zeros(LANES)
        counted = np.zeros(SMALL_COUNTS * LANES, dtype=np.uint32)
        first, last = counts.indptr[5], counts.indptr[6]
        add(counts.data, counts.indices, first, last, lanes.table, logarithms, 0.5, counted, in_lanes)
        found.append(in_lanes)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-13)


@pytest.mark.parametrize("value", [-1, 0.5])
def test_log_scaled_lane_sums__refuse_what_are_no_counts(counts, value):
    broken = counts.astype(type(value))
    broken.data[11] = value
    kernel = LogScaledLaneSums(1e4, lane_weights(arrays(weights_of(12))), 12)
    with pytest.raises(CountsError, match="Counts must be whole numbers"):
        kernel(broken, {})
    broken = counts.copy()
    broken.data[11] = -1
    with pytest.raises(CountsError, match="Found -1"):
        kernel(broken, {})


def test_log_scaled_lane_sums__have_the_same_name_for_the_same_weights():
    kernels = [LogScaledLaneSums(1e4, lane_weights(arrays(weights_of(sums))), sums) for sums in (12, 12, 13)]
    assert tokenize(kernels[0]) == tokenize(kernels[1]) != tokenize(kernels[2])
