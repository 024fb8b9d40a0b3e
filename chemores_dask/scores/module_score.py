"""Module scores: mean expression of a gene set, less that of control genes of like expression."""

from __future__ import annotations

from dataclasses import replace

import dask.array as da
import numpy as np
import scipy.sparse as sp
import xarray as xr
from anndata import AnnData

from chemores_dask.aliases import Block, Columns, Matrix, Seed, Vector
from chemores_dask.checks import check_between, check_one_of
from chemores_dask.errors import GeneMismatchError, InputError
from chemores_dask.gene_sets import GeneSet, GeneSets
from chemores_dask.kernels.row_counts import require_counts
from chemores_dask.results_spec import Variable
from chemores_dask.scores.control_genes import (
    AS_PUBLISHED,
    ControlGenes,
    ScanpyControls,
    SeuratControls,
    check_means,
    control_chooser,
    given_means,
)
from chemores_dask.scores.expression_rows import ExpressionRows, expression_rows
from chemores_dask.scores.score_table import columns_of, declare_scores, make_scores, measured_sets
from chemores_dask.stream import check_fits, compute
from chemores_dask.stream.rows import map_rows
from chemores_dask.stream.selection import sum_columns, weigh_columns

ALGORITHM_REVISION = 3

RESULT = declare_scores(
    Variable("module_controls", ("gene_set",), "i", unit="genes", doc="different control genes"),
    unit="unit of the expression",
)

RAW_COUNTS = "seurat_raw_counts"
"""The published reproduction: controls as in Seurat, on raw counts, brought to 0 to 1."""

CHOICES = {"seurat": "seurat", "scanpy": "scanpy", RAW_COUNTS: "seurat"}
"""How each method chooses controls."""


def module_score(
    cells_or_patients: AnnData | xr.Dataset,
    gene_sets: GeneSets,
    *,
    method: str,
    seed: Seed,
    controls: ControlGenes = AS_PUBLISHED,
    gene_mean: xr.DataArray | None = None,
    expression: str = "expression",
    minimum_share: float = 0.5,
) -> xr.Dataset:
    """Score cells or patients for gene sets against control genes of like expression [1]_.

    ``score = mean over S of x - mean over C of x`` with the genes ``S`` of the set and controls ``C``. Bins of expression and
    controls are chosen once, from the means over all rows. Genes going down are scored in the same way, with controls of their
    own, and subtracted.

    Parameters
    ----------
    cells_or_patients
        Log-normalized cells, or patients with expression on a logarithmic scale; unique gene names.
    gene_sets
        The sets, without weights.
    method
        How controls are chosen. ``"seurat"`` as in AddModuleScore [2]_: genes in bins of equal size by mean expression, and for
        each gene of the set some genes of its bin; ``C`` is their union, which may hold genes of the set. Draws belong
        to the seed and the names of genes, ties of the means are broken likewise, so the order of genes is of no account.
        ``"scanpy"`` as in ``scanpy.tl.score_genes`` [3]_: bins by rank, some genes from each bin that holds a gene of
        the set, without the genes of the set. Draws equal those of scanpy for the same seed (its default is 0), and so depend
        on the order of genes; means count as tied when they agree to 12 digits. ``"seurat_raw_counts"`` is a reproduction for
        patients only, not a recommendation: as ``"seurat"``, on raw counts, each set's scores then brought to 0 to 1 over the cohort.
        The size of the library enters such scores.
    seed
        Decides the controls; below 2**32 for ``"scanpy"``.
    controls
        Bins of expression, and genes drawn at a time; as published unless given.
    gene_mean
        Means of an earlier pass over the same rows, over ``gene``; then no pass is computed for them.
    expression
        For patients, the variable over ``(patient, gene)``.
    minimum_share
        Share of a set that must have been measured.

    Returns
    -------
    Dataset over ``gene_set``, and ``cell`` or ``patient``: ``cell_score`` (lazy), or ``patient_score``, ``patient_score_high`` (above
    the median of the cohort) and ``patient_score_median``; over ``gene_set`` ``score_genes``, ``score_genes_missing`` and
    ``module_controls``.

    Raises
    ------
    GeneMismatchError
        If too few genes of a set were measured, no control gene is left, or ``gene_mean`` lacks genes.
    ParameterError
        If ``method`` is unknown, or ``controls`` or ``seed`` lie outside their range.
    InputError
        If there are no cells, names of genes repeat, expression is missing or infinite, or a set has weights.
    CountsError
        If ``"seurat_raw_counts"`` is given anything but counts.

    Warns
    -----
    MissingGenesWarning
        If some genes of a set were not measured.

    Notes
    -----
    Passes over the counts: 1 computed, 1 lazy, for any number of sets; only the lazy one where ``gene_mean`` is given.

    References
    ----------
    .. [1] Tirosh I, et al. (2016). Dissecting the multicellular ecosystem of metastatic melanoma by single-cell RNA-seq.
       Science 352:189-196.
    .. [2] Hao Y, et al. (2024). Dictionary learning for integrative, multimodal and scalable single-cell analysis. Nature
       Biotechnology 42:293-304.
    .. [3] Wolf FA, Angerer P, Theis FJ (2018). SCANPY: large-scale single-cell gene expression data analysis. Genome Biology
       19:15.

    Examples
    --------
    >>> import anndata, numpy as np, pandas as pd
    >>> genes = pd.DataFrame(index=["A", "B", "C", "D"])
    >>> cells = anndata.AnnData(np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 3.0]]), var=genes)
    >>> sets = GeneSets((GeneSet("set", ("A",)),))
    >>> result = module_score(cells, sets, method="scanpy", seed=0, controls=ControlGenes(bins=2))
    >>> result["cell_score"].values.ravel().tolist()
    [0.5, -0.5]
    """
    check_one_of(method, tuple(CHOICES), parameter="method", caller="module_score")
    check_between(minimum_share, parameter="minimum_share", caller="module_score", minimum=0.0, maximum=1.0)
    found = expression_rows(cells_or_patients, expression=expression, caller="module_score")
    found = _counts_of_patients(found) if method == RAW_COUNTS else found
    controls = controls.published_as(CHOICES[method], genes=len(found.genes), caller="module_score")
    used = measured_sets(gene_sets, found, minimum_share=minimum_share, caller="module_score")
    state_bytes = 8 * max(max(found.rows.chunks[0]) * len(used), len(found.genes))
    plan = found.plan
    check_fits(replace(plan, task_bytes=plan.task_bytes + 2 * state_bytes, state_bytes=state_bytes))
    means = _gene_means(found) if gene_mean is None else given_means(gene_mean, found.genes, caller="module_score")
    check_means(means)
    choose = control_chooser(CHOICES[method], found.genes, means, controls=controls, seed=seed, caller="module_score")
    weights, control_counts = _weights(used, found, choose)
    scores = weigh_columns(found.rows, weights).map_blocks(_finite, dtype=np.float64)
    return make_scores(
        RESULT,
        found,
        gene_sets,
        _stretched(scores) if method == RAW_COUNTS else scores,
        score_genes=np.array([len(gene_set.genes) for gene_set in used]),
        analysis="module_score",
        parameters={
            "method": method,
            "seed": seed,
            "bins": controls.bins,
            "controls": controls.genes,
            "gene_mean": "own pass" if gene_mean is None else "given",
            "expression": expression,
            "minimum_share": minimum_share,
        },
        further={"module_controls": control_counts},
    )


def _counts_of_patients(found: ExpressionRows) -> ExpressionRows:
    if found.of_cells:
        message = (
            f"The method {RAW_COUNTS!r} of module_score is a reproduction for patients. Got cells; log_normalize them and pass "
            "method='seurat'."
        )
        raise InputError(message)
    return replace(found, rows=map_rows(found.rows, _counts, dtype=np.float64))


def _counts(rows: Block, columns: Columns) -> Block:
    del columns
    return require_counts(rows).astype(np.float64)


def _gene_means(found: ExpressionRows) -> Vector:
    (sums,) = compute(sum_columns(found.rows))
    return sums[:-1] / sums[-1]


def _weights(
    used: list[GeneSet], found: ExpressionRows, choose: SeuratControls | ScanpyControls
) -> tuple[sp.csr_matrix, Vector]:
    parts: list[tuple[Vector, int, float]] = []
    counts = np.zeros(len(used), dtype=np.int64)
    for column, gene_set in enumerate(used):
        all_controls: set[int] = set()
        for side, sign in ((gene_set.up, 1.0), (gene_set.down, -1.0)):
            if not side:
                continue
            genes = columns_of(side, found)
            controls = choose(genes)
            if not len(controls):
                message = (
                    f"A gene set needs control genes. None is left for {gene_set.name!r}: its genes fill their bins of "
                    "expression; pass fewer bins, or expression of more genes."
                )
                raise GeneMismatchError(message)
            parts += [(genes, column, sign / len(genes)), (controls, column, -sign / len(controls))]
            all_controls.update(controls.tolist())
        counts[column] = len(all_controls)
    genes = np.concatenate([part[0] for part in parts])
    columns = np.concatenate([np.full(len(part[0]), part[1]) for part in parts])
    values = np.concatenate([np.full(len(part[0]), part[2]) for part in parts])
    return sp.csr_matrix((values, (genes, columns)), shape=(len(found.genes), len(used))), counts


def _finite(scores: Matrix) -> Matrix:
    if not np.isfinite(scores).all():
        message = (
            f"Expression must be finite. Found missing or infinite values in {int((~np.isfinite(scores)).any(axis=1).sum())} rows of a "
            f"block of {len(scores)}; pass log-normalized values without them."
        )
        raise InputError(message)
    return scores


def _stretched(scores: da.Array) -> Matrix:
    (values,) = compute(scores)
    least = values.min(axis=0)
    width = values.max(axis=0) - least
    return (values - least) / np.where(width > 0, width, 1.0)
