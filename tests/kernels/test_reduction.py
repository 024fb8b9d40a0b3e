"""The laws of a Reduction, and several of them in one pass."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.sparse as sp
from dask.base import tokenize
from hypothesis import given, settings
from hypothesis import strategies as st

from chemores_dask.kernels.reduction import Reduction, together


@dataclass(frozen=True)
class ColumnSums:
    power: int

    def __call__(self, rows, columns):
        return np.asarray(rows.power(self.power).sum(axis=0)).ravel()


@dataclass(frozen=True)
class Weighted:
    def __call__(self, rows, columns):
        return columns["weight"] @ rows


def add(first, second):
    return first + second


def mean(state):
    return state / 60


SUMS = Reduction(ColumnSums(1), add)
SQUARES = Reduction(ColumnSums(2), add, mean)
WEIGHTED = Reduction(Weighted(), add)


@settings(deadline=None, max_examples=40)
@given(cuts=st.lists(st.integers(0, 60), max_size=5), seed=st.integers(0, 100))
def test_together__splits_anywhere(cuts, seed):
    random = np.random.default_rng(seed)
    rows, weight = sp.csr_matrix(random.poisson(1.0, (60, 5))), random.integers(0, 9, 60)
    both = together(sums=SUMS, squares=SQUARES, weighted=WEIGHTED)
    borders = [0, *sorted(cuts), 60]
    states = [both.block(rows[start:stop], {"weight": weight[start:stop]}) for start, stop in pairwise(borders)]
    left = states[0]
    for state in states[1:]:
        left = both.merge(left, state)
    right = states[-1]
    for state in reversed(states[:-1]):
        right = both.merge(state, right)
    dense = rows.toarray()
    for result in (both.finish(left), both.finish(right)):
        np.testing.assert_array_equal(result["sums"], dense.sum(axis=0))
        np.testing.assert_array_equal(result["squares"], (dense**2).sum(axis=0) / 60)
        np.testing.assert_array_equal(result["weighted"], weight @ dense)


def test_together__nests():
    rows = sp.csr_matrix(np.eye(5))
    nested = together(outer=together(inner=SUMS), other=SQUARES)
    result = nested.finish(nested.block(rows, {}))
    np.testing.assert_array_equal(result["outer"]["inner"], np.ones(5))


def test_together__travels_and_has_a_lasting_name():
    both = together(sums=SUMS, squares=SQUARES)
    assert tokenize(both) == tokenize(together(sums=SUMS, squares=SQUARES))
    assert tokenize(both) != tokenize(together(sums=SQUARES, squares=SUMS))
    rows = sp.csr_matrix(np.eye(5))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(both)).block(rows, {})["sums"], np.ones(5))


def test_reduction__returns_its_state_unless_told_otherwise():
    state = object()
    assert SUMS.finish(state) is state
