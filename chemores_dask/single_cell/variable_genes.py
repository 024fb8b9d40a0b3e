"""Genes that vary more between cells than genes of their mean do."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr
from anndata import AnnData

from chemores_dask.aliases import Block, Columns, Matrix, Rows, Vector
from chemores_dask.checks import check_columns, check_one_of, check_whole, listed
from chemores_dask.errors import InputError
from chemores_dask.kernels.count_histograms import (
    BYTES_PER_GENE,
    MOST_TABLES,
    CountHistograms,
    clipped_sums,
    merge_histograms,
    power_sums,
    walked_histograms,
)
from chemores_dask.kernels.count_walk import Walked, Wanted, walk_counts
from chemores_dask.kernels.group_sums import GroupSums, merge_group_sums
from chemores_dask.kernels.loess import loess_trend
from chemores_dask.kernels.moments import (
    GroupMoments,
    block_moments,
    clipped_power_sums,
    count_power_sums,
    merge_moments,
    variance_of_counts,
)
from chemores_dask.kernels.reduction import Reduction
from chemores_dask.kernels.row_counts import LARGEST_COUNT, first_wrong_count
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.single_cell.cell_rows import check_cells, labels_of, planned_rows
from chemores_dask.single_cell.cohort_cube import coded, largest_group_count
from chemores_dask.stream.compute import compute
from chemores_dask.stream.plan import KERNEL_BYTES, STATES_PER_TASK, check_fits
from chemores_dask.stream.reduce import reduce_rows

ALGORITHM_REVISION = 2

RESULT = declare(
    Variable("gene_mean", ("gene",), "f", unit="counts (seurat_v3) or scaled counts (seurat)", doc="over all cells"),
    Variable(
        "gene_variance", ("gene",), "f", unit="square of the unit of gene_mean", doc="over all cells, divisor n - 1"
    ),
    Variable("gene_variance_normalized", ("gene",), "f", doc="seurat_v3: variance of clipped z scores", optional=True),
    Variable("gene_dispersion_normalized", ("gene",), "f", doc="seurat: z score of the log dispersion", optional=True),
    Variable("gene_variable", ("gene",), "b", doc="among the genes asked for"),
    Variable("gene_rank", ("gene",), "f", doc="from 0, the most variable gene; not a number where not ranked"),
    Variable(
        "gene_variable_batches",
        ("gene",),
        "i",
        unit="batches",
        doc="batches in which the gene is variable",
        optional=True,
    ),
)

METHODS = ("seurat", "seurat_v3")
SPAN = 0.3
BINS = 20
TIE_DIGITS = 9
"""Digits behind the point to which scores of ``seurat`` are compared: two genes alone in a bin tie, and rounding must not decide."""

LARGEST_LOGARITHM = 88.0
"""Above this, exp overflows float32: such values are not logarithms of scaled counts."""

ONE_PASS_SHARE = 0.25
"""Of the memory of a pass, for the histograms of all batches."""

_WAITING_STATES = 24
_SUMS_BYTES = 24
_MOMENTS_BYTES = 32
_LOGARITHM_BYTES = 16
"""Of memory for each stored value: its logarithm and its scaled count in double precision."""


def variable_genes(cells: AnnData, *, method: str, genes: int = 2000, batch: str | None = None) -> xr.Dataset:
    """Choose the genes that vary most for their mean.

    ``seurat_v3`` [1]_ takes raw counts: a quadratic loess (span 0.3) of log10 variance on log10 mean gives the expected standard
    deviation s of a gene; its normalized variance is that of (count - mean) / s, with counts clipped at mean + s sqrt(cells).
    ``seurat`` [2]_ takes log-normalized values: genes are put into 20 bins of log(1 + mean) of the scaled counts, and the
    logarithm of variance / mean is turned into a z score within its bin (1 for a gene alone in its bin). Both are scanpy's flavors of
    these names. With ``batch``, they are computed in each batch, and a gene is chosen by its median rank over the batches in
    which it is variable, then by the number of these (``seurat_v3``), or by that number, then by the mean z score (``seurat``).

    Parameters
    ----------
    cells
        Raw counts for ``seurat_v3``, log-normalized cells (:func:`~chemores_dask.single_cell.normalize.log_normalize`) for ``seurat``.
    method
        ``"seurat_v3"`` or ``"seurat"``.
    genes
        Number of genes to choose. Exactly as many are chosen (ties go to the gene that comes first), or fewer where fewer vary:
        genes that are constant or without counts in every batch never are.
    batch
        Column of ``obs`` with the batch of a cell; each batch needs at least two cells.

    Returns
    -------
    Dataset over ``gene``: ``gene_mean`` and ``gene_variance`` over all cells, ``gene_variable``, ``gene_rank`` (for ``seurat_v3`` with
    batches, the median rank), ``gene_variance_normalized`` (``seurat_v3``; mean over batches) or ``gene_dispersion_normalized``
    (``seurat``; mean over batches, not a number for genes that do not vary), and with batches ``gene_variable_batches``.

    Raises
    ------
    CountsError
        If ``seurat_v3`` meets a value that is negative, fractional or not a number.
    InputError
        If ``seurat`` meets values that cannot be logarithms; if a batch has fewer than two cells.
    MissingVariableError
        If the column ``batch`` is absent.
    ParameterError
        If a parameter is outside its range.

    Notes
    -----
    Passes over the counts: 1. With ``seurat_v3`` the pass keeps, per batch and gene, how often each count below 64 occurs (256 bytes
    per gene and batch met by a block) and the different larger counts; clipped sums follow from these. A second pass over the counts
    is made, with the same result to the bit, where the histograms would take more than a quarter of the memory that a pass may use
    (:func:`fits_one_pass`; 24 bytes per gene and batch are kept then), or where there are more than four million different large counts
    of genes, as in full-length data of many cells. All sums of ``seurat_v3`` are integers, so that blocks and workers do
    not change a bit of the result; ``seurat`` agrees to 1e-10 for any blocks, and scores that agree
    to nine digits tie: the gene that comes first ranks first. Memory of ``seurat``: 32 bytes per gene and batch met.

    References
    ----------
    .. [1] Stuart T et al. (2019). Comprehensive integration of single-cell data. Cell 177:1888-1902.
    .. [2] Satija R et al. (2015). Spatial reconstruction of single-cell gene expression data. Nature Biotechnology 33:495-502.
    """
    check_cells(cells, caller="variable_genes")
    check_one_of(method, METHODS, parameter="method", caller="variable_genes")
    check_whole(genes, parameter="genes", caller="variable_genes", minimum=1)
    codes, batches = _batches(cells, batch)
    rows, one_pass = _planned(cells, codes, batches=len(batches), method=method)

    if method == "seurat_v3":
        values, counted = _seurat_v3(rows, codes, genes=int(genes), one_pass=one_pass)
    else:
        values, counted = _seurat(rows, codes, genes=int(genes))

    if batch is not None:
        values["gene_variable_batches"] = counted
    return make_result(
        RESULT,
        values,
        analysis="variable_genes",
        parameters={"method": method, "genes": int(genes), "batch": batch},
        coordinates={"gene": labels_of(cells.var_names)},
    )


def _planned(cells: AnnData, codes: Vector, *, batches: int, method: str) -> tuple[Rows, bool]:
    kernel_bytes = _LOGARITHM_BYTES if method == "seurat" else KERNEL_BYTES
    rows, plan = planned_rows(cells, caller="variable_genes", kernel_bytes=kernel_bytes)
    met = largest_group_count(codes, rows.chunks[0])
    one_pass = method == "seurat_v3" and fits_one_pass(
        batches=batches, met=met, genes=cells.n_vars, cells=cells.n_obs, memory_bytes=plan.memory_bytes
    )
    bytes_per_gene = _SUMS_BYTES if method == "seurat_v3" else _MOMENTS_BYTES
    state_bytes = cells.n_vars * (BYTES_PER_GENE * met if one_pass else bytes_per_gene * batches)
    check_fits(replace(plan, task_bytes=plan.task_bytes + STATES_PER_TASK * state_bytes, state_bytes=state_bytes))
    return rows, one_pass


def _batches(cells: AnnData, batch: str | None) -> tuple[Vector, Vector]:
    if batch is None:
        codes, labels = np.broadcast_to(np.int64(0), cells.n_obs), labels_of(["all cells"])
    else:
        check_columns(cells.obs, [batch], what="obs", caller="variable_genes")
        codes, labels = coded(cells.obs[batch], caller="variable_genes")
    sizes = np.bincount(codes, minlength=len(labels))
    small = [f"{label} ({size})" for label, size in zip(labels, sizes, strict=True) if size < 2]
    if small or not len(labels):
        message = (
            f"Variances need at least two cells in every batch. Too few in: {listed(small)}; merge batches, drop these cells, "
            "or choose genes without 'batch'."
        )
        raise InputError(message)
    return codes, labels


# --- seurat_v3 ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Histograms:
    def wanted(self, columns: Columns) -> Wanted:
        return Wanted(batches=columns["batch"])

    def __call__(self, rows: Block, columns: Columns) -> CountHistograms:
        return self.state(walk_counts(rows, self.wanted(columns)))

    def state(self, walked: Walked) -> CountHistograms:
        return walked_histograms(walked)


@dataclass(frozen=True)
class _PowerSums:
    def __call__(self, rows: Block, columns: Columns) -> GroupSums:
        return count_power_sums(rows, columns["batch"])


@dataclass(frozen=True)
class _ClippedSums:
    limits: Matrix

    def __call__(self, rows: Block, columns: Columns) -> GroupSums:
        return clipped_power_sums(rows, columns["batch"], self.limits)


def fits_one_pass(*, batches: int, met: int, genes: int, cells: int, memory_bytes: int) -> bool:
    """Whether histograms of counts are small enough for one pass.

    Parameters
    ----------
    batches, genes, cells
        Of all cells.
    met
        The most batches that a block meets.
    memory_bytes
        That the pass may use.

    Returns
    -------
    True where the tables of a last merge (two given, one made, all batches each) and of the states that may wait for theirs take up to
    a quarter of the memory.
    """
    tables = (3 * batches + _WAITING_STATES * met) * genes * BYTES_PER_GENE
    return tables <= ONE_PASS_SHARE * memory_bytes and batches * genes < MOST_TABLES and cells <= LARGEST_COUNT


def _batch_sums(rows: Rows, codes: Vector, *, one_pass: bool) -> tuple[GroupSums, CountHistograms | None]:
    columns = {"batch": codes}
    if not one_pass:
        (sums,) = compute(reduce_rows(rows, Reduction(_PowerSums(), merge_group_sums), columns=columns))
        return sums, None
    (histograms,) = compute(reduce_rows(rows, Reduction(_Histograms(), merge_histograms), columns=columns))
    return power_sums(histograms), histograms


def _clipped_sums(rows: Rows, codes: Vector, limits: Matrix, histograms: CountHistograms | None) -> GroupSums:
    if histograms is not None and histograms.complete:
        return clipped_sums(histograms, limits)
    reduction = Reduction(_ClippedSums(limits), merge_group_sums)
    (clipped,) = compute(reduce_rows(rows, reduction, columns={"batch": codes}))
    return clipped


def _seurat_v3(rows: Rows, codes: Vector, *, genes: int, one_pass: bool) -> tuple[dict[str, Vector], Vector]:
    sums, histograms = _batch_sums(rows, codes, one_pass=one_pass)
    sizes = sums.sums["cells"]
    count_sum, count_square_sum = sums.sums["count_sum"], sums.sums["count_square_sum"]
    mean = count_sum / sizes[:, None]
    variance = np.stack(
        [variance_of_counts(n, s, q) for n, s, q in zip(sizes, count_sum, count_square_sum, strict=True)]
    )
    expected = np.stack([expected_variance(m, v) for m, v in zip(mean, variance, strict=True)])

    limits = np.sqrt(expected * sizes[:, None]) + mean
    clipped = _clipped_sums(rows, codes, limits, histograms)
    times = clipped.sums["clipped"]
    total = clipped.sums["unclipped_sum"] + times * limits
    squares = clipped.sums["unclipped_square_sum"] + times * limits**2
    n = sizes[:, None].astype(np.float64)
    normalized = (n * mean**2 + squares - 2 * mean * total) / ((n - 1) * expected)
    normalized[variance == 0] = 0.0

    ranks = variable_ranks(np.where(variance > 0, normalized, np.nan), genes=genes)
    counted = np.isfinite(ranks).sum(axis=0)
    median = _median_rank(ranks)
    # lexsort is stable: genes alike in both stay in their order. NaN sorts last.
    order = np.lexsort((-counted, median))
    values = {
        "gene_mean": count_sum.sum(axis=0) / sizes.sum(),
        "gene_variance": variance_of_counts(sizes.sum(), count_sum.sum(axis=0), count_square_sum.sum(axis=0)),
        "gene_variance_normalized": normalized.mean(axis=0),
        "gene_variable": _first(order, np.isfinite(median), genes),
        "gene_rank": median,
    }
    return values, counted


def expected_variance(mean: Vector, variance: Vector) -> Vector:
    """The variance that genes of this mean have, by a loess trend in log10; 1 for genes that do not vary.

    Parameters
    ----------
    mean, variance
        Per gene.

    Returns
    -------
    Per gene, positive.

    """
    varies = variance > 0
    trend = np.zeros(len(mean))
    trend[varies] = loess_trend(np.log10(mean[varies]), np.log10(variance[varies]), span=SPAN)
    return 10.0**trend


def variable_ranks(scores: Matrix, *, genes: int) -> Matrix:
    """Rank genes from the highest score (0) downwards, in each row.

    Parameters
    ----------
    scores
        Batches by genes; NaN where a gene is not to be ranked.
    genes
        Ranks from this number on are dropped.

    Returns
    -------
    Ranks, NaN where dropped. Ties go to the gene that comes first.
    """
    ranks = np.full(scores.shape, np.nan)
    for row, score in enumerate(scores):
        order = np.argsort(-score, kind="stable")[:genes]
        ranks[row, order] = np.arange(len(order))
    ranks[np.isnan(scores)] = np.nan
    return ranks


def _median_rank(ranks: Matrix) -> Vector:
    median = np.full(ranks.shape[1], np.nan)
    ranked = np.isfinite(ranks).any(axis=0)
    if ranked.any():
        median[ranked] = np.nanmedian(ranks[:, ranked], axis=0)
    return median


def _first(order: Vector, eligible: Vector, genes: int) -> Vector:
    chosen = np.zeros(len(order), dtype=bool)
    chosen[order[eligible[order]][:genes]] = True
    return chosen


# --- seurat ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _ScaledState:
    moments: GroupMoments
    whole_values_only: bool


@dataclass(frozen=True)
class _ScaledMoments:
    def __call__(self, rows: Block, columns: Columns) -> _ScaledState:
        logarithms = rows.data.astype(np.float64)
        _check_logarithms(logarithms)
        moments = block_moments(rows, columns["batch"], np.expm1(logarithms))
        return _ScaledState(moments, bool(first_wrong_count(logarithms) < 0))


def _merge_scaled(first: _ScaledState, second: _ScaledState) -> _ScaledState:
    return _ScaledState(
        merge_moments(first.moments, second.moments), first.whole_values_only and second.whole_values_only
    )


def _check_logarithms(values: Vector) -> None:
    wrong = np.flatnonzero(~((values >= 0) & (values <= LARGEST_LOGARITHM)))
    if len(wrong):
        message = (
            f"The method 'seurat' needs log-normalized cells: values from 0 to {LARGEST_LOGARITHM:g}. Found {values[wrong[0]]}; "
            "pass log_normalize(cells), or use method='seurat_v3' for raw counts."
        )
        raise InputError(message)


def _seurat(rows: Rows, codes: Vector, *, genes: int) -> tuple[dict[str, Vector], Vector]:
    (state,) = compute(reduce_rows(rows, Reduction(_ScaledMoments(), _merge_scaled), columns={"batch": codes}))
    moments = state.moments
    if state.whole_values_only and moments.detected.any():
        message = (
            "The method 'seurat' needs log-normalized cells. Found whole numbers only; pass log_normalize(cells), or use "
            "method='seurat_v3' for raw counts."
        )
        raise InputError(message)
    variance = moments.variance()
    # Within a batch, scanpy leaves out genes that no cell of it expresses; without batches, it keeps them in their bin.
    several = len(moments.codes) > 1
    scores = np.stack(
        [
            normalized_dispersion(moments.mean[b], variance[b], used=moments.detected[b] > 0 if several else None)
            for b in range(len(moments.codes))
        ]
    )
    ranks = variable_ranks(np.round(scores, TIE_DIGITS), genes=genes)
    counted = np.isfinite(ranks).sum(axis=0)
    if several:
        # Not expressed in a batch counts as 0 there; not varying in a batch does not count.
        known = np.where(moments.detected > 0, scores, 0.0)
        score = _mean_over_batches(known)
    else:
        score = scores[0]
    order = np.lexsort((np.nan_to_num(-np.round(score, TIE_DIGITS), nan=np.inf), -counted))
    eligible = np.isfinite(scores).any(axis=0)
    pooled = moments.pooled()
    rank = np.full(len(score), np.nan)
    ranked = order[eligible[order]][:genes]
    rank[ranked] = np.arange(len(ranked))
    values = {
        "gene_mean": pooled.mean[0],
        "gene_variance": pooled.variance()[0],
        "gene_dispersion_normalized": score,
        "gene_variable": np.isfinite(rank),
        "gene_rank": rank,
    }
    return values, counted


def normalized_dispersion(mean: Vector, variance: Vector, *, used: Vector | None) -> Vector:
    """Z scores of the logarithm of variance / mean among genes of similar mean.

    Parameters
    ----------
    mean, variance
        Of scaled counts, per gene.
    used
        Genes to look at; all unless given.

    Returns
    -------
    Z score per gene; NaN for genes that do not vary or are not used, 1 for a gene that is alone in its bin.
    """
    scores = np.full(len(mean), np.nan)
    used = np.ones(len(mean), dtype=bool) if used is None else used
    if not used.any():
        return scores
    log_mean = np.log1p(mean[used])
    varies = variance[used] > 0
    log_dispersion = np.full(len(log_mean), np.nan)
    log_dispersion[varies] = np.log(variance[used][varies] / mean[used][varies])
    bins = pd.cut(pd.Series(log_mean), bins=BINS, labels=False)
    in_bin = pd.Series(log_dispersion).groupby(bins)
    center, spread = in_bin.transform("mean").to_numpy(copy=True), in_bin.transform("std").to_numpy(copy=True)
    alone = np.isnan(spread)
    spread[alone] = center[alone]
    center[alone] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        score = (log_dispersion - center) / spread
    score[~np.isfinite(score)] = np.nan
    scores[used] = score
    return scores


def _mean_over_batches(scores: Matrix) -> Vector:
    number = np.isfinite(scores).sum(axis=0)
    total = np.nansum(scores, axis=0)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)
