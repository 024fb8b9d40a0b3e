"""UCell: how high the genes of a set rank within each row."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from anndata import AnnData

from chemores_dask.aliases import Block, Columns, Matrix, Vector
from chemores_dask.checks import check_between, check_one_of, check_whole
from chemores_dask.errors import InputError, ParameterError
from chemores_dask.gene_sets import GeneSet, GeneSets
from chemores_dask.kernels.capped_ranks import capped_rank_sums
from chemores_dask.kernels.set_ranks import SetColumns
from chemores_dask.scores.expression_rows import ExpressionRows, expression_rows
from chemores_dask.scores.score_table import columns_of, declare_scores, make_scores, measured_sets
from chemores_dask.stream import check_fits
from chemores_dask.stream.rows import map_rows

ALGORITHM_REVISION = 1

RESULT = declare_scores(unit="1")

LAST = "last"
LEFT_OUT = "left_out"


def ucell(
    cells_or_patients: AnnData | xr.Dataset,
    gene_sets: GeneSets,
    *,
    maximum_rank: int = 1500,
    missing: str = LAST,
    down_weight: float = 1.0,
    expression: str = "expression",
    minimum_share: float = 0.5,
) -> xr.Dataset:
    """Score cells or patients by the ranks of the genes of a set within the row: a Mann-Whitney statistic from 0 to 1 [1]_.

    All genes are ranked within the row, the highest value first; equal values share the mean of their ranks, and ranks beyond
    ``maximum_rank`` (m) count as that. For a set of n genes, ``U = 1 - (sum of r - n (n + 1) / 2) / (m n - n (n + 1) / 2)``: 1 where its
    genes are the n highest, 0 where none is among the first m. Genes going down are scored likewise and subtracted; a difference below
    0 counts as 0.

    Parameters
    ----------
    cells_or_patients
        Cells with counts or anything that orders the genes of a cell likewise, such as logarithms of scaled counts; or patients.
    gene_sets
        The sets, without weights.
    maximum_rank
        About the number of genes that a cell shows; at most the number of genes that were measured.
    missing
        Genes of a set that were not measured: ``"last"`` counts them with ``maximum_rank``, ``"left_out"`` leaves them out.
    down_weight
        Factor of the score of genes going down, 0 or above.
    expression
        For patients, the variable over ``(patient, gene)``.
    minimum_share
        Share of a set that must have been measured.

    Returns
    -------
    Dataset over ``gene_set``, and ``cell`` or ``patient``: ``cell_score`` (lazy), or ``patient_score``, ``patient_score_high`` (above
    the median of the cohort) and ``patient_score_median``; over ``gene_set`` ``score_genes`` and ``score_genes_missing``.

    Raises
    ------
    GeneMismatchError
        If too few genes of a set were measured.
    ParameterError
        If a parameter lies outside its range, or a set has more genes than ``maximum_rank``.
    InputError
        If there are no cells, names of genes repeat, or a set has weights or no genes going up; when computed, if expression is missing
        or infinite.

    Warns
    -----
    MissingGenesWarning
        If some genes of a set were not measured.

    Notes
    -----
    Passes over the counts: 0 computed, 1 lazy, for any number of sets. The score of a row depends on that row only.

    Results equal those of releases of UCell that divide by ``m n - n (n + 1) / 2``; earlier ones divided by ``m n``.

    References
    ----------
    .. [1] Andreatta M, Carmona SJ (2021). UCell: robust and scalable single-cell gene signature scoring. Computational and Structural
       Biotechnology Journal 19:3796-3798.

    Examples
    --------
    >>> import anndata, numpy as np, pandas as pd
    >>> cells = anndata.AnnData(np.array([[5, 3, 0, 0], [0, 1, 0, 1]]), var=pd.DataFrame(index=["A", "B", "C", "D"]))
    >>> sets = GeneSets((GeneSet("first", ("A",)), GeneSet("both", ("A", "B"))))
    >>> ucell(cells, sets, maximum_rank=3)["cell_score"].values.round(3)
    array([[1. , 1. ],
           [0. , 0.5]])
    """
    check_whole(maximum_rank, parameter="maximum_rank", caller="ucell", minimum=2)
    check_one_of(missing, (LAST, LEFT_OUT), parameter="missing", caller="ucell")
    check_between(down_weight, parameter="down_weight", caller="ucell", minimum=0.0, maximum=1e6)
    check_between(minimum_share, parameter="minimum_share", caller="ucell", minimum=0.0, maximum=1.0)
    found = expression_rows(cells_or_patients, expression=expression, caller="ucell")
    used = measured_sets(gene_sets, found, minimum_share=minimum_share, caller="ucell")
    counted = list(gene_sets) if missing == LAST else used
    lowest = min(maximum_rank, len(found.genes))
    for gene_set in counted:
        _check_set(gene_set, maximum_rank=lowest)
    plan = found.plan
    state_bytes = 2 * 8 * max(found.rows.chunks[0]) * len(used)
    check_fits(replace(plan, task_bytes=plan.task_bytes + 2 * state_bytes, state_bytes=state_bytes))
    block = _UcellBlock(
        sets=_columns([gene_set.up for gene_set in used] + [gene_set.down for gene_set in used], found),
        sizes=np.array([len(gene_set.up) for gene_set in counted] + [len(gene_set.down) for gene_set in counted]),
        maximum_rank=lowest,
        down_weight=float(down_weight),
    )
    return make_scores(
        RESULT,
        found,
        gene_sets,
        map_rows(found.rows, block, width=len(used), dtype=np.float64),
        score_genes=np.array([len(gene_set.genes) for gene_set in used]),
        analysis="ucell",
        parameters={
            "maximum_rank": lowest,
            "missing": missing,
            "down_weight": float(down_weight),
            "expression": expression,
            "minimum_share": minimum_share,
        },
    )


@dataclass(frozen=True, eq=False)
class _UcellBlock:
    sets: SetColumns
    sizes: Vector
    maximum_rank: int
    down_weight: float

    def __call__(self, rows: Block, columns: Columns) -> Matrix:
        del columns
        sums = capped_rank_sums(rows, self.sets, maximum_rank=self.maximum_rank)
        sums += (self.sizes - self.sets.sizes) * self.maximum_rank
        least = self.sizes * (self.sizes + 1) / 2
        # A side without genes scores 0.
        scores = np.where(
            self.sizes > 0, 1.0 - (sums - least) / np.maximum(self.maximum_rank * self.sizes - least, 1), 0.0
        )
        up, down = np.split(scores, 2, axis=1)
        difference: Matrix = np.maximum(up - self.down_weight * down, 0.0)
        return difference


def _columns(sides: list[tuple[str, ...]], found: ExpressionRows) -> SetColumns:
    return SetColumns.from_lists([columns_of(side, found) for side in sides], width=len(found.genes))


def _check_set(gene_set: GeneSet, *, maximum_rank: int) -> None:
    if not gene_set.up:
        message = (
            f"A gene set needs genes that go up in ucell: without them every score is 0. {gene_set.name!r} has none that were measured; "
            "score the genes that go down as a set of their own."
        )
        raise InputError(message)
    longest = max(len(gene_set.up), len(gene_set.down))
    if longest > maximum_rank:
        message = (
            f"A gene set must not have more genes than the 'maximum_rank' of ucell ({maximum_rank}; at most the number of genes measured). "
            f"{gene_set.name!r} has {longest}; raise it, or pass a shorter set."
        )
        raise ParameterError(message)
