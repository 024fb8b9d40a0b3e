"""Soft clusters against their formula written out in float64, compiled and plain."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from chemores_dask.kernels.soft_clusters import (
    TILE_ROWS,
    add_cluster_sums,
    corrected_rows,
    normalized_shares,
    runs,
    shifted_logits,
    soft_shares,
    tiles,
    unit_rows,
)

SIGMA = 0.1


@pytest.fixture
def drawn():
    generator = np.random.default_rng(3)
    rows = generator.normal(size=(40, 6)).astype(np.float32)
    centroids = generator.normal(size=(5, 6))
    centroids = (centroids / np.linalg.norm(centroids, axis=1, keepdims=True)).astype(np.float32)
    codes = np.sort(generator.integers(0, 3, 40)).astype(np.int32)
    penalties = -generator.random((3, 5)).astype(np.float32)
    return rows, centroids, codes, penalties


def in_float64(rows, centroids, codes, penalties):
    units = rows.astype(np.float64) / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    return softmax(2.0 / SIGMA * units @ centroids.T.astype(np.float64) + penalties[codes], axis=1)


def test_soft_shares__follow_the_formula(drawn):
    rows, centroids, codes, penalties = drawn
    counts = np.ones((3, 5))
    shares, partition = soft_shares(rows, codes, centroids=centroids, penalties=penalties, sigma=SIGMA, counts=counts)
    wanted = in_float64(rows, centroids, codes, penalties)
    np.testing.assert_allclose(shares, wanted, atol=2e-5)
    np.testing.assert_allclose(counts - 1.0, [wanted[codes == group].sum(axis=0) for group in range(3)], atol=2e-4)
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    sums = np.exp(2.0 / SIGMA * (units @ centroids.T).astype(np.float64) + penalties[codes]).sum(axis=1)
    assert partition == pytest.approx(np.log(sums).sum(), rel=1e-5)


def test_soft_shares__of_a_cell_at_zero_are_alike():
    shares, _ = soft_shares(
        np.zeros((1, 3), dtype=np.float32),
        np.zeros(1, dtype=np.int32),
        centroids=np.eye(3, dtype=np.float32),
        penalties=np.zeros((1, 3), dtype=np.float32),
        sigma=SIGMA,
        counts=np.zeros((1, 3)),
    )
    np.testing.assert_allclose(shares, 1 / 3, rtol=1e-6)


def test_soft_shares__bear_narrow_clusters_and_strong_penalties(drawn):
    rows, centroids, codes, penalties = drawn
    shares, partition = soft_shares(
        rows, codes, centroids=centroids, penalties=200.0 * penalties, sigma=1e-3, counts=np.zeros((3, 5))
    )
    assert np.isfinite(shares).all()
    assert np.isfinite(partition)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-5)


def at_odd_byte(array):
    room = np.empty(array.nbytes + 1, dtype=np.uint8)
    moved = room[1:].view(array.dtype).reshape(array.shape)
    moved[...] = array
    assert not moved.flags.aligned
    return moved


@pytest.mark.parametrize("cells", [1, 2, 40])
def test_soft_shares__have_the_same_bits_wherever_centroids_lie(cells):
    # One cell and centroids at an odd byte: numpy takes another product, and the last bits differ.
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(cells, 12)).astype(np.float32)
    centroids = generator.normal(size=(33, 12)).astype(np.float32)
    settings = {"penalties": np.zeros((1, 33), dtype=np.float32), "sigma": SIGMA, "counts": np.zeros((1, 33))}
    found = [
        soft_shares(rows, np.zeros(cells, dtype=np.int32), centroids=each, **settings)[0].tobytes()
        for each in (centroids, at_odd_byte(centroids))
    ]
    assert found[0] == found[1]


@pytest.mark.parametrize("kernel", [unit_rows, unit_rows.python], ids=["compiled", "plain"])
def test_unit_rows__have_length_one_or_stay_zero(kernel):
    rows = np.array([[3.0, 4.0], [0.0, 0.0], [1e30, 0.0]], dtype=np.float32)
    out = np.full_like(rows, 9.0)
    kernel(rows, out)
    np.testing.assert_allclose(out, [[0.6, 0.8], [0.0, 0.0], [1.0, 0.0]], rtol=1e-6)


def test_kernels__agree_with_their_plain_twins(drawn):
    rows, centroids, codes, penalties = drawn
    both = []
    for logits, shares in (
        (shifted_logits, normalized_shares),
        (shifted_logits.python, normalized_shares.python),
    ):
        values = rows @ centroids.T
        moved = logits(values, codes, penalties, 2.0 / SIGMA)
        assert (values.max(axis=1) == 0.0).all()
        np.exp(values, out=values)
        counts = np.zeros((3, 5))
        both.append((values, counts, moved + shares(values, codes, counts)))
    np.testing.assert_allclose(both[0][0], both[1][0], rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(both[0][1], both[1][1], rtol=1e-5, atol=1e-12)
    assert both[0][2] == pytest.approx(both[1][2], rel=1e-6)


def test_add_cluster_sums__adds_to_every_batch_of_a_cell(drawn):
    rows, centroids, codes, penalties = drawn
    shares = in_float64(rows, centroids, codes, penalties)
    levels = np.array([[0, 2], [0, 3], [1, 2]])
    sums = np.zeros((4, 5, 6))
    add_cluster_sums(rows, shares, codes, levels=levels, sums=sums)
    for batch in range(4):
        inside = (levels[codes] == batch).any(axis=1)
        np.testing.assert_allclose(sums[batch], shares[inside].T @ rows[inside], rtol=1e-6, atol=1e-6)


def test_corrected_rows__lose_the_shifts_of_all_their_batches(drawn):
    rows, centroids, codes, penalties = drawn
    shares = in_float64(rows, centroids, codes, penalties).astype(np.float32)
    levels = np.array([[0, 2], [0, 3], [1, 2]])
    shifts = np.random.default_rng(4).normal(size=(4, 5, 6)).astype(np.float32)
    before = rows.copy()
    found = corrected_rows(rows, shares, codes, levels=levels, shifts=shifts)
    for cell in range(len(rows)):
        first, second = levels[codes[cell]]
        wanted = rows[cell] - shares[cell] @ (shifts[first] + shifts[second])
        np.testing.assert_allclose(found[cell], wanted, atol=1e-5)
    np.testing.assert_array_equal(rows, before)


def test_runs__cut_where_the_code_changes():
    assert list(runs(np.array([2, 2, 0, 0, 0, 1]))) == [(2, slice(0, 2)), (0, slice(2, 5)), (1, slice(5, 6))]
    assert list(runs(np.array([], dtype=np.int32))) == []


def test_tiles__cover_all_rows_once():
    assert list(tiles(TILE_ROWS + 1)) == [slice(0, TILE_ROWS), slice(TILE_ROWS, TILE_ROWS + 1)]
    assert list(tiles(0)) == []
