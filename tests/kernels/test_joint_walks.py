"""States of several reductions out of one block."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from chemores_dask.kernels.count_walk import Wanted
from chemores_dask.kernels.joint_walks import JointBlock
from chemores_dask.kernels.reduction import Reduction

BLOCK = sp.csr_matrix(np.random.default_rng(0).poisson(2.0, size=(20, 6)).astype(np.int32))
GROUPS = np.arange(20) % 3


class Totals:
    """Row totals out of a walk."""

    def wanted(self, columns):
        return Wanted()

    def state(self, walked):
        return walked.row_total

    def __call__(self, rows, columns):
        message = "the walk is shared"
        raise AssertionError(message)


class Sums(Totals):
    """Sums of groups out of a walk."""

    def wanted(self, columns):
        return Wanted(groups=columns["group"])

    def state(self, walked):
        return walked.count_sum


def plain(rows, columns):
    return float(columns["group"].sum())


def test_joint_block__shares_walks_and_keeps_columns_apart():
    reductions = [Reduction(each, np.add) for each in (Totals(), plain, Sums(), Sums())]
    names = [{}, {"a": "group"}, {"a": "group"}, {"b": "group"}]
    columns = {"a": GROUPS, "b": GROUPS[::-1]}
    totals, number, first, second = JointBlock(reductions, names)(BLOCK, columns)
    dense = BLOCK.toarray()
    np.testing.assert_array_equal(totals, dense.sum(axis=1))
    assert number == GROUPS.sum()
    for found, groups in ((first, GROUPS), (second, GROUPS[::-1])):
        np.testing.assert_array_equal(found, [dense[groups == code].sum(axis=0) for code in range(3)])
