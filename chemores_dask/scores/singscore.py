"""singscore: the mean rank of a set within a row, between its least and its greatest possible value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from anndata import AnnData

from chemores_dask.aliases import Block, Columns, Matrix
from chemores_dask.checks import check_between
from chemores_dask.gene_sets import GeneSets
from chemores_dask.kernels.set_ranks import SetColumns, set_rank_sums
from chemores_dask.scores.expression_rows import expression_rows
from chemores_dask.scores.ranked_sets import SIDES, SUMS, check_ranked_rows, side_columns
from chemores_dask.scores.score_table import declare_scores, make_scores, measured_sets
from chemores_dask.stream import map_rows

ALGORITHM_REVISION = 1

RESULT = declare_scores(unit="1")


def singscore(
    cells_or_patients: AnnData | xr.Dataset,
    gene_sets: GeneSets,
    *,
    expression: str = "expression",
    minimum_share: float = 0.5,
) -> xr.Dataset:
    """Centered mean rank of the genes of a set (singscore) in cells or patients [1]_.

    Genes are ranked within a row from 1, equal values sharing the lowest of their ranks. With the mean rank ``m`` of the ``k`` genes going
    up among ``N``, ``score = (m - least) / (greatest - least) - 1/2`` with ``least = (k + 1) / 2`` and
    ``greatest = (2 N - k + 1) / 2``. For genes going down ``N + 1 - r`` takes the place of the rank ``r``; a set with both scores the sum
    of both. Without ties scores lie between -1 and 1, those of sets in one direction between -1/2 and 1/2.

    Parameters
    ----------
    cells_or_patients
        Expression on any scale that keeps the order of genes within a row: counts and log-normalized cells score the same.
    gene_sets
        The sets, without weights.
    expression
        For patients, the variable over ``(patient, gene)``.
    minimum_share
        Share of a set that must have been measured.

    Returns
    -------
    Dataset: ``cell_score`` over ``(cell, gene_set)``, lazy; or ``patient_score`` and ``patient_score_high`` over ``(patient, gene_set)``,
    ``patient_score_median`` over ``gene_set``. ``score_genes`` and ``score_genes_missing`` over ``gene_set``.

    Raises
    ------
    GeneMismatchError
        If too few genes of a set were measured, or a set holds all genes.
    InputError
        If there are no rows, names repeat, expression is missing or infinite, or a set has weights.
    MissingVariableError
        If the patients lack ``expression``.

    Warns
    -----
    MissingGenesWarning
        If some genes of a set were not measured.

    Notes
    -----
    Passes over the counts: 0 computed, 1 lazy, for any number of sets.

    A row is scored by itself: no other row matters. Genes that a cell lacks all have rank 1, as published: scores of cells rise with the
    number of genes that were detected and may pass the bounds, so look at their correlation with the total counts.

    References
    ----------
    .. [1] Foroutan M, et al. (2018). Single sample scoring of molecular phenotypes. BMC Bioinformatics 19:404.

    Examples
    --------
    >>> patients = xr.Dataset(
    ...     {"expression": (("patient", "gene"), [[1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0]])},
    ...     coords={"patient": ["p1", "p2"], "gene": ["A", "B", "C", "D"]},
    ... )
    >>> result = singscore(patients, GeneSets.from_mapping({"set": ["C", "D"]}))
    >>> result["patient_score"].values.ravel().tolist()
    [0.5, -0.5]
    """
    check_between(minimum_share, parameter="minimum_share", caller="singscore", minimum=0.0, maximum=1.0)
    found = expression_rows(cells_or_patients, expression=expression, caller="singscore")
    used = measured_sets(gene_sets, found, minimum_share=minimum_share, caller="singscore")
    sides = side_columns(used, found, caller="singscore")
    check_ranked_rows(found, sums=SIDES * SUMS * len(used), caller="singscore")
    return make_scores(
        RESULT,
        found,
        gene_sets,
        map_rows(found.rows, _MeanRanks(sides), width=len(used), dtype=np.float64),
        score_genes=np.array([len(gene_set.genes) for gene_set in used]),
        analysis="singscore",
        parameters={"expression": expression, "minimum_share": minimum_share},
    )


@dataclass(frozen=True)
class _MeanRanks:
    sides: SetColumns

    def __call__(self, rows: Block, columns: Columns) -> Matrix:
        del columns
        genes, sizes = rows.shape[1], self.sides.sizes
        means = set_rank_sums(rows, self.sides, exponent=0.0, lowest=True).ranks / np.maximum(sizes, 1)
        means[:, 1::SIDES] = genes + 1 - means[:, 1::SIDES]
        least = (sizes + 1) / 2
        centered = (means - least) / (genes - sizes) - 0.5
        centered[:, sizes == 0] = 0.0
        return centered[:, 0::SIDES] + centered[:, 1::SIDES]
