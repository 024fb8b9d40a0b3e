"""Rank association of every gene with one response: the rank sum of two classes, or the rank correlation with more."""

from __future__ import annotations

import math

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.jit import jit

OK, CONSTANT, ONE_RESPONSE, TOO_FEW_PATIENTS, INFINITE = range(5)
STATUS_FLAGS = ("ok", "constant", "one_response", "too_few_patients", "infinite")

FEWEST = 3
"""Patients below whom nothing is said of a gene."""


def associate_ranks(matrix: Matrix, codes: Vector, levels: int) -> tuple[Vector, ...]:
    """Rank the values of every gene once, and hold the ranks against those of the response.

    Parameters
    ----------
    matrix
        Genes by patients; patients whose value is not a number are left out of that gene.
    codes
        Rank of the response of each patient among the different responses, from 0; int64.
    levels
        Different responses.

    Returns
    -------
    Per gene: rank correlation (ties at their mean rank), sum of the ranks of the patients with the highest response, sum of
    ``t^3 - t`` over ties of the gene, log of the share of arrangements that each arrangement without ties has, patients,
    patients with the highest response, status.
    """
    found = (
        *(np.full(matrix.shape[0], np.nan) for _ in range(4)),
        *(np.zeros(matrix.shape[0], dtype=np.int64) for _ in range(3)),
    )
    hold_ranks(matrix, np.argsort(matrix, axis=1), codes, levels, *found)
    return found


@jit
def response_ranks(counts: Vector, ranks: Vector) -> tuple[float, float]:
    """Mean rank of each response, less the mean of all; the sum of their squares, and the log of the share of one arrangement."""
    total = counts.sum()
    below, squares = 0, 0.0
    log_share = -math.lgamma(total + 1.0)
    for level in range(len(counts)):
        ranks[level] = below + (counts[level] + 1) / 2 - (total + 1) / 2
        squares += counts[level] * ranks[level] * ranks[level]
        log_share += math.lgamma(counts[level] + 1.0)
        below += counts[level]
    return squares, log_share


@jit
def hold_ranks(
    matrix: Matrix,
    order: Matrix,
    codes: Vector,
    levels: int,
    correlation: Vector,
    rank_sum: Vector,
    ties: Vector,
    log_share: Vector,
    patients: Vector,
    highest: Vector,
    status: Vector,
) -> None:
    """Walk over the values of each gene in rising order; those that are not numbers come last."""
    everybody = np.zeros(levels, dtype=np.int64)
    for code in codes:
        everybody[code] += 1
    counts, ranks = everybody.copy(), np.empty(levels)
    squares, share = response_ranks(counts, ranks)
    complete = True
    for gene in range(matrix.shape[0]):
        row, places = matrix[gene], order[gene]
        known = len(row)
        while known > 0 and np.isnan(row[places[known - 1]]):
            known -= 1
        patients[gene] = known
        if not complete or known < len(row):
            counts[:] = everybody
            for place in range(known, len(row)):
                counts[codes[places[place]]] -= 1
            squares, share = response_ranks(counts, ranks)
            complete = known == len(row)
        highest[gene] = counts[levels - 1]
        if known < FEWEST:
            status[gene] = TOO_FEW_PATIENTS
            continue
        if np.isinf(row[places[0]]) or np.isinf(row[places[known - 1]]):
            status[gene] = INFINITE
            continue
        if row[places[0]] == row[places[known - 1]]:
            status[gene] = CONSTANT
            continue
        if squares == 0.0:
            status[gene] = ONE_RESPONSE
            continue
        product, tied, top = 0.0, 0.0, 0.0
        begin = 0
        while begin < known:
            end = begin + 1
            while end < known and row[places[end]] == row[places[begin]]:
                end += 1
            number = float(end - begin)
            rank = (begin + end + 1) / 2
            for place in range(begin, end):
                code = codes[places[place]]
                product += rank * ranks[code]
                if code == levels - 1:
                    top += rank
            tied += number * number * number - number
            begin = end
        total = float(known)
        spread = (total * total * total - total - tied) / 12
        correlation[gene] = min(1.0, max(-1.0, product / math.sqrt(spread * squares)))
        rank_sum[gene], ties[gene], log_share[gene] = top, tied, share
