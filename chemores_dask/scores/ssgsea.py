"""Single-sample gene set enrichment: how high the genes of a set rank within a row, with more weight for those on top."""

from __future__ import annotations

from dataclasses import dataclass

import dask.array as da
import numpy as np
import xarray as xr
from anndata import AnnData

from chemores_dask.aliases import Block, Columns, Matrix
from chemores_dask.checks import check_between
from chemores_dask.errors import InputError
from chemores_dask.gene_sets import GeneSets
from chemores_dask.kernels.set_ranks import SetColumns, set_rank_sums
from chemores_dask.results_spec import Variable
from chemores_dask.scores.expression_rows import expression_rows
from chemores_dask.scores.ranked_sets import SIDES, SUMS, check_ranked_rows, side_columns, up_less_down
from chemores_dask.scores.score_table import declare_scores, make_scores, measured_sets
from chemores_dask.stream import compute, map_rows

ALGORITHM_REVISION = 1

RESULT = declare_scores(
    Variable(
        "ssgsea_range", (), "f", unit="ranks", doc="largest less smallest score, which all were divided by; 1 where not"
    ),
    unit="ranks",
)


def ssgsea(
    cells_or_patients: AnnData | xr.Dataset,
    gene_sets: GeneSets,
    *,
    exponent: float = 0.25,
    normalized: bool = False,
    expression: str = "expression",
    minimum_share: float = 0.5,
) -> xr.Dataset:
    """Single-sample gene set enrichment (ssGSEA) of cells or patients [1]_, as in GSVA [2]_.

    With the rank ``r`` of a gene among the ``N`` genes of a row (1 for the lowest value) and a set of ``k`` genes, the sum over all genes
    of the difference between the two running sums is ``score = sum over the set of r**exponent * r / sum over the set of r**exponent -
    sum over the others of r / (N - k)``: a weighted mean rank of the set less the mean rank of the others. Genes going down are scored in
    the same way and subtracted.

    Parameters
    ----------
    cells_or_patients
        Expression on any scale that keeps the order of genes within a row: counts and log-normalized cells score the same.
    gene_sets
        The sets, without weights.
    exponent
        Of the ranks as weights; 0.25 as published.
    normalized
        Whether to divide by the range of all scores (all rows and all sets together), as GSVA does unless told otherwise. Scores are then
        relative to the cohort and the collection of sets, and cells are read once more, for the range.
    expression
        For patients, the variable over ``(patient, gene)``.
    minimum_share
        Share of a set that must have been measured.

    Returns
    -------
    Dataset: ``cell_score`` over ``(cell, gene_set)``, lazy; or ``patient_score`` and ``patient_score_high`` over ``(patient, gene_set)``,
    ``patient_score_median`` over ``gene_set``. ``score_genes`` and ``score_genes_missing`` over ``gene_set``, and ``ssgsea_range``.

    Raises
    ------
    GeneMismatchError
        If too few genes of a set were measured, or a set holds all genes.
    InputError
        If there are no rows, names repeat, expression is missing or infinite, a set has weights, or all scores are equal and are to be
        normalized.
    MissingVariableError
        If the patients lack ``expression``.

    Warns
    -----
    MissingGenesWarning
        If some genes of a set were not measured.

    Notes
    -----
    Passes over the counts: 0 computed, 1 lazy, for any number of sets; 1 computed besides where ``normalized``.

    Equal values share the mean of their ranks, so the score is the mean over all orders that ties could be put in, and does not depend on
    the order of genes. GSVA puts ties in the order of genes and takes the whole part of their mean rank: without ties the scores are the
    same. All genes of a row are ranked; leave out those that are not expression (spike-ins, antibodies) before.

    References
    ----------
    .. [1] Barbie DA, et al. (2009). Systematic RNA interference reveals that oncogenic KRAS-driven cancers require TBK1. Nature
       462:108-112.
    .. [2] Hanzelmann S, Castelo R, Guinney J (2013). GSVA: gene set variation analysis for microarray and RNA-seq data. BMC
       Bioinformatics 14:7.

    Examples
    --------
    >>> patients = xr.Dataset(
    ...     {"expression": (("patient", "gene"), [[1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0]])},
    ...     coords={"patient": ["p1", "p2"], "gene": ["A", "B", "C", "D"]},
    ... )
    >>> result = ssgsea(patients, GeneSets.from_mapping({"set": ["C", "D"]}), exponent=0)
    >>> result["patient_score"].values.ravel().tolist()
    [2.0, -2.0]
    """
    check_between(exponent, parameter="exponent", caller="ssgsea", minimum=0.0)
    check_between(minimum_share, parameter="minimum_share", caller="ssgsea", minimum=0.0, maximum=1.0)
    found = expression_rows(cells_or_patients, expression=expression, caller="ssgsea")
    used = measured_sets(gene_sets, found, minimum_share=minimum_share, caller="ssgsea")
    sides = side_columns(used, found, caller="ssgsea")
    check_ranked_rows(found, sums=SIDES * SUMS * len(used), caller="ssgsea")
    scores = map_rows(found.rows, _Enrichment(sides, float(exponent)), width=len(used), dtype=np.float64)
    spread = _range_of(scores) if normalized else 1.0
    return make_scores(
        RESULT,
        found,
        gene_sets,
        scores / spread if normalized else scores,
        score_genes=np.array([len(gene_set.genes) for gene_set in used]),
        analysis="ssgsea",
        parameters={
            "exponent": exponent,
            "normalized": normalized,
            "expression": expression,
            "minimum_share": minimum_share,
        },
        further={"ssgsea_range": spread},
    )


@dataclass(frozen=True)
class _Enrichment:
    sides: SetColumns
    exponent: float

    def __call__(self, rows: Block, columns: Columns) -> Matrix:
        del columns
        sums = set_rank_sums(rows, self.sides, exponent=self.exponent, lowest=False)
        genes, sizes = rows.shape[1], self.sides.sizes
        inside = sums.weighted / np.where(sizes > 0, sums.powers, 1.0)
        outside = (genes * (genes + 1) / 2 - sums.ranks) / (genes - sizes)
        return up_less_down(np.where(sizes > 0, inside - outside, 0.0))


def _range_of(scores: da.Array) -> float:
    lowest, highest = compute(scores.min(), scores.max())
    spread = float(highest - lowest)
    if not spread > 0:
        message = (
            f"ssgsea divides by the range of all scores where normalized. All are equal to {float(lowest):g}; "
            "pass more rows or more sets, or normalized=False."
        )
        raise InputError(message)
    return spread
