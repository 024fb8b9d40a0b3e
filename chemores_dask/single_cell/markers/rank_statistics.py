"""From sums of ranks to what is said about each group and gene."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from chemores_dask.aliases import Matrix
from chemores_dask.kernels.multiple_testing import benjamini_hochberg
from chemores_dask.kernels.rank_sums import RankSums
from chemores_dask.single_cell.markers.labeled_cells import LabeledCells

TINY = 1e-9
"""Added to both means before their ratio is taken, as scanpy does."""


def marker_values(
    ranks: RankSums, cells: LabeledCells, *, pair_error: Matrix, logarithms: bool, base_logarithm: float = 1.0
) -> dict[str, Matrix]:
    """All variables of the result.

    Parameters
    ----------
    ranks
        Of all genes.
    cells
        Which cells were compared.
    pair_error
        Per group and gene: largest error of the U statistic.
    logarithms
        Whether the values are logarithms of one plus something, and not counts.
    base_logarithm
        The natural logarithm of their base.

    Returns
    -------
    Arrays by the name of the variable.
    """
    size = cells.grouped.group_cells[:, None].astype(np.float64)
    rest = cells.grouped.cells - size
    # U = R - n (n + 1) / 2 as whole numbers, so that nothing is lost before the division.
    doubled_u = ranks.doubled - (cells.grouped.group_cells * (cells.grouped.group_cells + 1))[:, None]
    pairs = size * rest
    statistic = _statistic(doubled_u / 2 - pairs / 2, ranks.ties, size, rest)
    p_value = 2 * norm.sf(np.abs(statistic))
    groups, parts = cells.grouped.groups, cells.grouped.parts
    sums = ranks.sums.reshape(groups, parts, -1)
    group_sums = sums.sum(axis=1)
    mean, mean_rest = group_sums / size, (group_sums.sum(axis=0) - group_sums) / rest
    means = (np.expm1(base_logarithm * mean), np.expm1(base_logarithm * mean_rest)) if logarithms else (mean, mean_rest)
    return {
        "marker_cells": cells.grouped.group_cells,
        "marker_auroc": doubled_u / 2 / pairs,
        "marker_auroc_error": pair_error / pairs,
        "marker_statistic": statistic,
        "marker_p_value": p_value,
        "marker_q_value": np.stack([benjamini_hochberg(row) for row in p_value]),
        "marker_log_fold_change": _log_fold_change(*means),
        "marker_mean": mean,
        "marker_mean_rest": mean_rest,
        "marker_share": ranks.detected / size,
        "marker_share_rest": (ranks.detected.sum(axis=0) - ranks.detected) / rest,
        "marker_rank": _positions(statistic),
    }


def patient_values(ranks: RankSums, cells: LabeledCells) -> dict[str, Matrix]:
    """In how many patients a gene is higher in the group.

    Parameters
    ----------
    ranks
        Of all genes, with sums per group and patient.
    cells
        Which cells were compared.

    Returns
    -------
    ``marker_patients``, ``marker_patients_compared`` and ``marker_patients_above``.
    """
    groups, parts = cells.met.shape
    sums = ranks.sums.reshape(groups, parts, -1)
    compared = cells.compared
    above = np.zeros((groups, sums.shape[2]), dtype=np.int64)
    for patient in range(parts):
        of_all, cells_of_all = sums[:, patient].sum(axis=0), int(cells.met[:, patient].sum())
        for group in np.flatnonzero(compared[:, patient]):
            own, number = sums[group, patient], int(cells.met[group, patient])
            above[group] += own / number > (of_all - own) / (cells_of_all - number)
    return {
        "marker_patients": cells.patients.astype(np.int64),
        "marker_patients_compared": compared.sum(axis=1).astype(np.int64),
        "marker_patients_above": above,
    }


def _statistic(difference: Matrix, ties: Matrix, size: Matrix, rest: Matrix) -> Matrix:
    cells = size + rest
    # Where all values are the same, rounding must not leave a variance.
    spread = np.maximum(cells * cells * cells - cells - ties, 0.0)
    variance = size * rest * spread / (12 * cells * (cells - 1))
    known = variance > 0
    return np.divide(difference, np.sqrt(variance), out=np.zeros(difference.shape), where=known)


def _log_fold_change(mean: Matrix, mean_rest: Matrix) -> Matrix:
    change: Matrix = np.log2((mean + TINY) / (mean_rest + TINY))
    return change


def _positions(statistic: Matrix) -> Matrix:
    order = np.argsort(-statistic, axis=1, kind="stable")
    positions = np.empty(order.shape, dtype=np.int64)
    np.put_along_axis(positions, order, np.arange(1, order.shape[1] + 1)[None, :], axis=1)
    return positions
