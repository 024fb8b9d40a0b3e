"""Module scores: mean expression of a gene set, less that of control genes of like expression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
import xarray as xr
from anndata import AnnData

from chemores_dask.aliases import Rows, Seed, Vector
from chemores_dask.checks import check_between, check_one_of, check_whole, listed
from chemores_dask.errors import GeneMismatchError, InputError, ParameterError
from chemores_dask.gene_sets import GeneSet, GeneSets, measured
from chemores_dask.randomness import cell_keys, cell_uniforms, spawn
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.single_cell.cell_rows import check_cells, planned_rows
from chemores_dask.stream import check_fits, compute
from chemores_dask.stream.selection import sum_columns, weigh_columns

ALGORITHM_REVISION = 1

RESULT = declare(
    Variable(
        "cell_score",
        ("cell", "gene_set"),
        "f",
        unit="log expression",
        doc="mean of the set less mean of its controls; lazy",
    ),
    Variable("module_genes", ("gene_set",), "i", unit="genes", doc="genes of the set that were measured"),
    Variable("module_genes_missing", ("gene_set",), "i", unit="genes", doc="genes of the set that were not measured"),
    Variable("module_controls", ("gene_set",), "i", unit="genes", doc="different control genes"),
)

DEFAULTS: Mapping[str, tuple[int, int]] = {"seurat": (24, 100), "scanpy": (25, 50)}
"""Bins and controls as published."""

SCANPY_SEED_LIMIT = 2**32

SMALLEST_EXPONENT = -250

MEAN_DIGITS = 12
"""Digits of a mean that decide its bin: rounding, which depends on the cutting into blocks, must not order equal means."""


def module_score(
    cells: AnnData,
    gene_sets: GeneSets,
    *,
    method: str,
    seed: Seed,
    bins: int | None = None,
    controls: int | None = None,
    minimum_share: float = 0.5,
) -> xr.Dataset:
    """Score cells for gene sets against control genes of like expression [1]_.

    ``score = mean over S of x - mean over C of x`` with the genes ``S`` of the set and controls ``C``. Bins of expression and
    controls are chosen once, from the means over all cells. Genes going down are scored in the same way, with controls of their
    own, and subtracted.

    Parameters
    ----------
    cells
        Log-normalized cells with unique gene names.
    gene_sets
        The sets, without weights.
    method
        How controls are chosen. ``"seurat"`` as in AddModuleScore [2]_: genes in bins of equal size by mean expression, and for
        each gene of the set ``controls`` genes of its bin; ``C`` is their union, which may hold genes of the set. Draws belong
        to the seed and the names of genes, ties of the means are broken likewise, so the order of genes is of no account.
        ``"scanpy"`` as in ``scanpy.tl.score_genes`` [3]_: bins by rank, ``controls`` genes from each bin that holds a gene of
        the set, without the genes of the set. Draws equal those of scanpy for the same seed (its default is 0), and so depend
        on the order of genes; means count as tied when they agree to 12 digits.
    seed
        Decides the controls; below 2**32 for ``"scanpy"``.
    bins
        Bins of expression; 24 for ``"seurat"`` and 25 for ``"scanpy"`` unless given.
    controls
        Genes drawn at a time, or all where a bin has fewer; 100 for ``"seurat"`` and 50 for ``"scanpy"`` unless given.
    minimum_share
        Share of a set that must have been measured.

    Returns
    -------
    Dataset over ``cell`` and ``gene_set``: ``cell_score`` (cell, gene_set; lazy), and over ``gene_set`` ``module_genes``,
    ``module_genes_missing`` and ``module_controls``.

    Raises
    ------
    GeneMismatchError
        If too few genes of a set were measured, or no control gene is left.
    ParameterError
        If ``method`` is unknown, or ``bins``, ``controls`` or ``seed`` lie outside their range.
    InputError
        If there are no cells, names of genes repeat, expression is missing or infinite, or a set has weights.

    Warns
    -----
    MissingGenesWarning
        If some genes of a set were not measured.

    Notes
    -----
    Passes over the counts: 1 computed, 1 lazy, for any number of sets.

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
    >>> result = module_score(cells, GeneSets((GeneSet("set", ("A",)),)), method="scanpy", seed=0, bins=2)
    >>> result["cell_score"].values.ravel().tolist()
    [0.5, -0.5]
    """
    check_cells(cells, caller="module_score")
    check_one_of(method, tuple(DEFAULTS), parameter="method", caller="module_score")
    default_bins, default_controls = DEFAULTS[method]
    bins = default_bins if bins is None else bins
    controls = default_controls if controls is None else controls
    names = cells.var_names.to_numpy().astype(str)
    _check_input(cells, gene_sets, bins=bins, controls=controls)
    _check_seed(seed, method=method)
    check_between(minimum_share, parameter="minimum_share", caller="module_score", minimum=0.0, maximum=1.0)
    known = frozenset(names)
    used = [_measured(gene_set, known, minimum_share=minimum_share) for gene_set in gene_sets]
    rows, plan = planned_rows(cells, caller="module_score")
    state_bytes = 8 * max(max(rows.chunks[0]) * len(used), len(names))
    check_fits(replace(plan, task_bytes=plan.task_bytes + 2 * state_bytes, state_bytes=state_bytes))
    means = _gene_means(rows)
    chooser = _seurat_controls if method == "seurat" else _scanpy_controls
    choose = chooser(names, means, bins=bins, controls=controls, seed=seed)
    weights, control_counts = _weights(used, names, choose)
    scores = weigh_columns(rows, weights)
    measured_genes = np.array([len(gene_set.genes) for gene_set in used])
    all_genes = np.array([len(gene_set.genes) for gene_set in gene_sets])
    return make_result(
        RESULT,
        {
            "cell_score": scores,
            "module_genes": measured_genes,
            "module_genes_missing": all_genes - measured_genes,
            "module_controls": control_counts,
        },
        analysis="module_score",
        parameters={
            "method": method,
            "seed": seed,
            "bins": bins,
            "controls": controls,
            "minimum_share": minimum_share,
            "gene_sets": {gene_set.name: [gene_set.up, gene_set.down] for gene_set in gene_sets},
        },
        coordinates={"cell": cells.obs_names.to_numpy(), "gene_set": np.array(gene_sets.names, dtype=object)},
    )


@dataclass(frozen=True)
class _SeuratControls:
    """Chooses controls gene by gene; draws are keyed by the names of both genes."""

    bin_of: Vector
    keys: Vector
    controls: int
    seed: Seed

    def __call__(self, genes: Vector) -> Vector:
        chosen: set[int] = set()
        for gene in genes:
            members = np.flatnonzero(self.bin_of == self.bin_of[gene])
            draws = cell_uniforms(self.seed ^ int(self.keys[gene]), self.keys[members])[:, 0]
            chosen.update(members[np.argsort(draws, kind="stable")[: self.controls]].tolist())
        return np.array(sorted(chosen), dtype=np.int64)


@dataclass(frozen=True)
class _ScanpyControls:
    """Chooses controls bin by bin, with the draws of numpy's legacy generator that scanpy makes."""

    bin_of: Vector
    controls: int
    seed: Seed

    def __call__(self, genes: Vector) -> Vector:
        generator = np.random.RandomState(self.seed)
        chosen: list[Vector] = []
        for number in np.unique(self.bin_of[genes]):
            members = np.flatnonzero(self.bin_of == number)
            if self.controls < len(members):
                members = members[generator.choice(len(members), size=self.controls, replace=False)]
            chosen.append(members)
        return np.setdiff1d(np.concatenate(chosen), genes)


def _seurat_controls(names: Vector, means: Vector, *, bins: int, controls: int, seed: Seed) -> _SeuratControls:
    tie_seed, draw_seed = spawn(seed, 2)
    keys = cell_keys(names)
    order = np.lexsort((cell_uniforms(tie_seed, keys)[:, 0], means))
    # Quantiles of numbers without ties cut them at these ranks.
    numbers = np.arange(len(order)) * bins // max(len(order) - 1, 1)
    bin_of = np.empty(len(order), dtype=np.int64)
    bin_of[order] = np.minimum(numbers, bins - 1)
    return _SeuratControls(bin_of, keys, controls, draw_seed)


def _scanpy_controls(names: Vector, means: Vector, *, bins: int, controls: int, seed: Seed) -> _ScanpyControls:
    size = int(np.round(len(names) / (bins - 1)))
    # The rank of the first of equals, counted from 1.
    ranks = np.searchsorted(np.sort(means), means, side="left") + 1
    return _ScanpyControls(ranks // size, controls, seed)


def _weights(
    used: list[GeneSet], names: Vector, choose: _SeuratControls | _ScanpyControls
) -> tuple[sp.csr_matrix, Vector]:
    place = {name: position for position, name in enumerate(names)}
    parts: list[tuple[Vector, int, float]] = []
    counts = np.zeros(len(used), dtype=np.int64)
    for column, gene_set in enumerate(used):
        all_controls: set[int] = set()
        for side, sign in ((gene_set.up, 1.0), (gene_set.down, -1.0)):
            if not side:
                continue
            genes = np.array([place[gene] for gene in side])
            controls = choose(genes)
            if not len(controls):
                message = (
                    f"A gene set needs control genes. None is left for {gene_set.name!r}: its genes fill their bins of "
                    "expression; pass fewer bins, or cells with more genes."
                )
                raise GeneMismatchError(message)
            parts += [(genes, column, sign / len(genes)), (controls, column, -sign / len(controls))]
            all_controls.update(controls.tolist())
        counts[column] = len(all_controls)
    shape = (len(names), len(used))
    genes = np.concatenate([part[0] for part in parts]) if parts else np.empty(0, dtype=np.int64)
    columns = np.concatenate([np.full(len(part[0]), part[1]) for part in parts]) if parts else genes
    values = np.concatenate([np.full(len(part[0]), part[2]) for part in parts]) if parts else np.empty(0)
    return sp.csr_matrix((values, (genes, columns)), shape=shape), counts


def _gene_means(rows: Rows) -> Vector:
    (sums,) = compute(sum_columns(rows))
    means = sums[:-1] / sums[-1]
    if not np.isfinite(means).all():
        broken = int((~np.isfinite(means)).sum())
        message = (
            f"Expression must be finite. Found missing or infinite values in {broken} of {len(means)} genes; "
            "pass log-normalized cells without them."
        )
        raise InputError(message)
    exponents = np.floor(np.log10(np.abs(means), where=means != 0, out=np.zeros_like(means)))
    # Means below 1e-250 are left as they are: the scale would overflow.
    scale = 10.0 ** np.where(exponents < SMALLEST_EXPONENT, 0.0, MEAN_DIGITS - 1 - exponents)
    return np.where(exponents < SMALLEST_EXPONENT, means, np.round(means * scale) / scale)


def _measured(gene_set: GeneSet, known: frozenset[str], *, minimum_share: float) -> GeneSet:
    if gene_set.weights:
        message = (
            f"Every gene counts the same in module_score. {gene_set.name!r} has weights; pass the set without them."
        )
        raise InputError(message)
    return measured(gene_set, known, minimum_share=minimum_share)


def _check_input(cells: AnnData, gene_sets: GeneSets, *, bins: int, controls: int) -> None:
    if not cells.n_obs:
        message = "module_score needs cells. Got none; check the filters."
        raise InputError(message)
    if not len(gene_sets):
        message = "module_score needs gene sets. Got none."
        raise InputError(message)
    if not cells.var_names.is_unique:
        twice = cells.var_names[cells.var_names.duplicated()].unique()
        message = (
            f"Names of genes must be unique. Found more than once: {listed(twice)}; call var_names_make_unique() first."
        )
        raise InputError(message)
    check_whole(bins, parameter="bins", caller="module_score", minimum=2, maximum=max(cells.n_vars, 2))
    check_whole(controls, parameter="controls", caller="module_score", minimum=1)


def _check_seed(seed: Seed, *, method: str) -> None:
    check_whole(seed, parameter="seed", caller="module_score")
    if method == "scanpy" and not 0 <= seed < SCANPY_SEED_LIMIT:
        message = (
            f"The 'seed' parameter of module_score must lie between 0 and 2**32 - 1 for method 'scanpy'. Got {seed}."
        )
        raise ParameterError(message)
