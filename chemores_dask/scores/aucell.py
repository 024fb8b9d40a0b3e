"""AUCell: how early the genes of a set are recovered among the highest values of each row."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from anndata import AnnData

from chemores_dask.aliases import Block, Columns, Matrix, Seed, Vector
from chemores_dask.checks import check_between, check_one_of, check_whole
from chemores_dask.errors import InputError, ParameterError
from chemores_dask.gene_sets import GeneSet, GeneSets
from chemores_dask.kernels.recovery_areas import TieDraws, recovery_areas
from chemores_dask.kernels.set_ranks import SetColumns
from chemores_dask.randomness import cell_keys, mix
from chemores_dask.scores.expression_rows import expression_rows
from chemores_dask.scores.score_table import columns_of, declare_scores, make_scores, measured_sets
from chemores_dask.stream import check_fits
from chemores_dask.stream.rows import map_rows

ALGORITHM_REVISION = 1

RESULT = declare_scores(unit="1")

AS_AUCELL = "aucell"
AS_PYSCENIC = "pyscenic"
KEYS = "keys"


def aucell(
    cells_or_patients: AnnData | xr.Dataset,
    gene_sets: GeneSets,
    *,
    seed: Seed,
    top_share: float = 0.05,
    normalization: str = AS_AUCELL,
    expression: str = "expression",
    minimum_share: float = 0.5,
) -> xr.Dataset:
    """Score cells or patients by the area under the curve that recovers the genes of a set among the highest values of the row [1]_.

    All genes are ranked within the row, the highest value first, equal values in random order. With T the first 5 % of the ranks,
    ``area = sum of (T - r) over the genes of the set with rank r < T``, divided by the largest area that is possible.

    Parameters
    ----------
    cells_or_patients
        Cells with counts or anything that orders the genes of a cell likewise, such as logarithms of scaled counts; or patients.
    gene_sets
        The sets, without weights and without genes going down.
    seed
        Decides the order of equal values: draws belong to the seed, the cell and the gene, so neither blocks nor the order of cells or
        of genes matter.
    top_share
        Share of the genes whose ranks count, above 0 and at most 1.
    normalization
        ``"aucell"`` divides by the area of a curve that begins with all genes of the set, as R's AUCell does (``normAUC=TRUE``);
        T is rounded up. ``"pyscenic"`` divides by T times the number of genes, as pySCENIC does [2]_; T is rounded to the nearest.
    expression
        For patients, the variable over ``(patient, gene)``.
    minimum_share
        Share of a set that must have been measured; the others are left out. pySCENIC gives 0 below 0.8.

    Returns
    -------
    Dataset over ``gene_set``, and ``cell`` or ``patient``: ``cell_score`` (lazy), or ``patient_score``, ``patient_score_high`` (above
    the median of the cohort) and ``patient_score_median``; over ``gene_set`` ``score_genes`` and ``score_genes_missing``.

    Raises
    ------
    GeneMismatchError
        If too few genes of a set were measured.
    ParameterError
        If a parameter lies outside its range, or ``top_share`` holds fewer than two genes.
    InputError
        If there are no cells, names of genes repeat, or a set has weights or genes going down; when computed, if expression is missing
        or infinite.

    Warns
    -----
    MissingGenesWarning
        If some genes of a set were not measured.

    Notes
    -----
    Passes over the counts: 0 computed, 1 lazy, for any number of sets. The score of a row depends on that row only.

    Where a cell shows fewer genes than T, genes without counts take the other ranks in random order. A cell without counts has the
    score of chance.

    References
    ----------
    .. [1] Aibar S, et al. (2017). SCENIC: single-cell regulatory network inference and clustering. Nature Methods 14:1083-1086.
    .. [2] Van de Sande B, et al. (2020). A scalable SCENIC workflow for single-cell gene regulatory network analysis. Nature Protocols
       15:2247-2276.

    Examples
    --------
    >>> import anndata, numpy as np, pandas as pd
    >>> cells = anndata.AnnData(np.array([[9, 5, 3, 0], [1, 5, 9, 0]]), var=pd.DataFrame(index=["A", "B", "C", "D"]))
    >>> sets = GeneSets((GeneSet("set", ("A", "B")),))
    >>> aucell(cells, sets, seed=1, top_share=0.75)["cell_score"].values.round(3).ravel()
    array([1.   , 0.333])
    """
    check_whole(seed, parameter="seed", caller="aucell")
    check_between(top_share, parameter="top_share", caller="aucell", minimum=0.0, maximum=1.0)
    check_one_of(normalization, (AS_AUCELL, AS_PYSCENIC), parameter="normalization", caller="aucell")
    check_between(minimum_share, parameter="minimum_share", caller="aucell", minimum=0.0, maximum=1.0)
    found = expression_rows(cells_or_patients, expression=expression, caller="aucell")
    last_rank = _last_rank(len(found.genes), top_share=top_share, normalization=normalization)
    used = measured_sets(gene_sets, found, minimum_share=minimum_share, caller="aucell")
    for gene_set in used:
        _check_set(gene_set)
    plan = found.plan
    state_bytes = 8 * max(found.rows.chunks[0]) * len(used)
    check_fits(replace(plan, task_bytes=plan.task_bytes + 2 * state_bytes, state_bytes=state_bytes))
    sizes = np.array([len(gene_set.up) for gene_set in used])
    block = _AucellBlock(
        sets=SetColumns.from_lists([columns_of(one.up, found) for one in used], width=len(found.genes)),
        gene_keys=cell_keys(found.genes),
        gene_order=np.argsort(found.genes, kind="stable"),
        largest=_largest_areas(sizes, last_rank=last_rank, normalization=normalization),
        last_rank=last_rank,
        seed=int(seed),
    )
    return make_scores(
        RESULT,
        found,
        gene_sets,
        map_rows(found.rows, block, columns={KEYS: found.keys}, width=len(used), dtype=np.float64),
        score_genes=sizes,
        analysis="aucell",
        parameters={
            "seed": seed,
            "top_share": top_share,
            "normalization": normalization,
            "last_rank": last_rank,
            "expression": expression,
            "minimum_share": minimum_share,
        },
    )


@dataclass(frozen=True, eq=False)
class _AucellBlock:
    sets: SetColumns
    gene_keys: Vector
    gene_order: Vector
    largest: Vector
    last_rank: int
    seed: Seed

    def __call__(self, rows: Block, columns: Columns) -> Matrix:
        start = mix(np.array([self.seed % 2**64], dtype=np.uint64))[0]
        draws = TieDraws(mix(columns[KEYS] ^ start), self.gene_keys, self.gene_order)
        return recovery_areas(rows, self.sets, draws, last_rank=self.last_rank) / self.largest


def _last_rank(genes: int, *, top_share: float, normalization: str) -> int:
    last_rank = math.ceil(top_share * genes) if normalization == AS_AUCELL else round(top_share * genes)
    if last_rank < 2:
        message = (
            f"The 'top_share' parameter of aucell must hold two genes or more. {top_share:g} of {genes} genes are {last_rank}; raise it, "
            "or pass expression of more genes."
        )
        raise ParameterError(message)
    return last_rank


def _largest_areas(sizes: Vector, *, last_rank: int, normalization: str) -> Vector:
    if normalization == AS_PYSCENIC:
        return last_rank * sizes.astype(np.float64)
    counted = np.minimum(sizes, last_rank - 1)
    return counted * last_rank - counted * (counted + 1) / 2


def _check_set(gene_set: GeneSet) -> None:
    if gene_set.down:
        message = (
            f"The curve of aucell recovers genes that go up. {gene_set.name!r} also has {len(gene_set.down)} that go down; score these as "
            "a set of their own."
        )
        raise InputError(message)
