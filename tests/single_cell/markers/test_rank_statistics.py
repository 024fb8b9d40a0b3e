"""From ranks to statements, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from chemores_dask.kernels.rank_sums import RankSums
from chemores_dask.single_cell.markers.rank_statistics import marker_values, patient_values
from tests.single_cell.markers.labeled_examples import two_groups


def worked():
    """Group a holds 1, 2, 2 and group b holds 2, 5: ranks 1, 3, 3 and 3, 5; a second gene has one value everywhere."""
    ranks = RankSums(
        doubled=np.array([[14, 18], [16, 12]]),
        ties=np.array([24.0, 120.0]),
        detected=np.array([[3, 3], [2, 2]]),
        sums=np.array([[5.0, 3.0], [7.0, 2.0]]),
    )
    return ranks, two_groups(np.array([[3], [2]]))


def test_marker_values__are_those_of_the_textbook():
    ranks, cells = worked()
    found = marker_values(ranks, cells, pair_error=np.array([[0.6, 0.0], [0.6, 0.0]]), logarithms=False)
    # U = 7 - 6 = 1 of 6 pairs; variance 6 / 12 * (6 - 24 / 20).
    assert found["marker_auroc"][:, 0] == pytest.approx([1 / 6, 5 / 6])
    z = (1 - 3) / np.sqrt(2.4)
    assert found["marker_statistic"][:, 0] == pytest.approx([z, -z])
    assert found["marker_p_value"][0, 0] == pytest.approx(2 * norm.sf(-z))
    assert found["marker_auroc_error"][:, 0] == pytest.approx([0.1, 0.1])
    assert found["marker_mean"][:, 0] == pytest.approx([5 / 3, 3.5])
    assert found["marker_mean_rest"][:, 0] == pytest.approx([3.5, 5 / 3])
    assert found["marker_log_fold_change"][0, 0] == pytest.approx(np.log2(5 / 3 / 3.5))
    assert found["marker_share"].tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert found["marker_cells"].tolist() == [3, 2]


def test_marker_values__of_one_value_everywhere_say_nothing():
    ranks, cells = worked()
    found = marker_values(ranks, cells, pair_error=np.zeros((2, 2)), logarithms=False)
    assert found["marker_auroc"][:, 1].tolist() == [0.5, 0.5]
    assert found["marker_statistic"][:, 1].tolist() == [0.0, 0.0]
    assert found["marker_p_value"][:, 1].tolist() == [1.0, 1.0]


def test_marker_values__take_logarithms_back_before_the_ratio():
    ranks, cells = worked()
    found = marker_values(ranks, cells, pair_error=np.zeros((2, 2)), logarithms=True)
    wanted = np.log2((np.expm1(5 / 3) + 1e-9) / (np.expm1(3.5) + 1e-9))
    assert found["marker_log_fold_change"][0, 0] == pytest.approx(wanted)


def test_marker_values__rank_genes_by_the_statistic_and_equals_in_order():
    ranks, cells = worked()
    found = marker_values(ranks, cells, pair_error=np.zeros((2, 2)), logarithms=False)
    assert found["marker_rank"].tolist() == [[2, 1], [1, 2]]
    tied = RankSums(
        ranks.doubled[:, [1, 1, 1]], ranks.ties[[1, 1, 1]], ranks.detected[:, [1, 1, 1]], ranks.sums[:, [1, 1, 1]]
    )
    assert (
        marker_values(tied, cells, pair_error=np.zeros((2, 3)), logarithms=False)["marker_rank"].tolist()
        == [[1, 2, 3]] * 2
    )


def test_marker_values__survive_millions_of_ties():
    # One cell in 2e6 is detected: the sums of cubes differ in their last digits only.
    cells = two_groups(np.array([[10**6], [10**6]]))
    zeros = 2 * 10**6 - 1
    zero_rank = zeros + 1
    doubled = np.array([[(10**6 - 1) * zero_rank + 2 * 2 * 10**6], [10**6 * zero_rank]])
    ranks = RankSums(doubled, np.array([float(zeros) ** 3 - zeros]), np.array([[1], [0]]), np.array([[1.0], [0.0]]))
    found = marker_values(ranks, cells, pair_error=np.zeros((2, 1)), logarithms=False)
    assert found["marker_statistic"][0, 0] == pytest.approx(1.0, rel=1e-5)


def test_patient_values__count_patients_whose_mean_is_higher():
    # First patient: 6/2 against 3/1; second: 8/2 against 1/1; third has no cells in group b.
    cells = two_groups(np.array([[2, 2, 3], [1, 1, 0]]))
    sums = np.array([[6.0], [8.0], [9.0], [3.0], [1.0], [0.0]])
    ranks = RankSums(np.zeros((2, 1)), np.zeros(1), np.zeros((2, 1)), sums)
    found = patient_values(ranks, cells)
    assert found["marker_patients"].tolist() == [3, 2]
    assert found["marker_patients_compared"].tolist() == [2, 2]
    assert found["marker_patients_above"].tolist() == [[1], [0]]
