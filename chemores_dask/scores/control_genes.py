"""Control genes of like expression: which genes a gene set is held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from chemores_dask.aliases import Seed, Vector
from chemores_dask.checks import check_whole, listed
from chemores_dask.errors import GeneMismatchError, InputError, ParameterError
from chemores_dask.randomness import cell_keys, cell_uniforms, spawn

PUBLISHED: Mapping[str, tuple[int, int]] = {"seurat": (24, 100), "scanpy": (25, 50)}
"""Bins and genes as published."""

SCANPY_SEED_LIMIT = 2**32

SMALLEST_EXPONENT = -250

MEAN_DIGITS = 12
"""Digits of a mean that decide its bin: rounding, which depends on the cutting into blocks, must not order equal means."""


@dataclass(frozen=True)
class ControlGenes:
    """How control genes are drawn.

    Attributes
    ----------
    bins
        Bins of expression; 24 for ``"seurat"`` and 25 for ``"scanpy"`` unless given.
    genes
        Genes drawn at a time, or all where a bin has fewer; 100 for ``"seurat"`` and 50 for ``"scanpy"`` unless given.
    """

    bins: int | None = None
    genes: int | None = None

    def published_as(self, choice: str, *, genes: int, caller: str) -> ControlGenes:
        """What is not given as published, held against the data.

        Parameters
        ----------
        choice
            ``"seurat"`` or ``"scanpy"``.
        genes
            Genes of the data.
        caller
            The score, for messages.

        Returns
        -------
        Both numbers.

        Raises
        ------
        ParameterError
            If there are more bins than genes, fewer than two bins, or nothing is drawn.
        """
        bins, drawn = PUBLISHED[choice]
        bins = bins if self.bins is None else self.bins
        drawn = drawn if self.genes is None else self.genes
        check_whole(bins, parameter="controls.bins", caller=caller, minimum=2, maximum=max(genes, 2))
        check_whole(drawn, parameter="controls.genes", caller=caller, minimum=1)
        return ControlGenes(bins, drawn)


AS_PUBLISHED = ControlGenes()


def control_chooser(
    choice: str, names: Vector, means: Vector, *, controls: ControlGenes, seed: Seed, caller: str
) -> SeuratControls | ScanpyControls:
    """Put genes into bins by their mean expression.

    Parameters
    ----------
    choice
        ``"seurat"``: bins of equal size, and genes from the bin of each gene. ``"scanpy"``: bins by rank, and genes from each bin that
        holds a gene of the set.
    names
        Of the genes.
    means
        Of their expression; rounded here, so that blocks do not matter.
    controls
        Bins and genes, both given.
    seed
        Decides the draws.
    caller
        The score, for messages.

    Returns
    -------
    ``chooser(columns of genes) -> columns of their controls``.

    Raises
    ------
    ParameterError
        If the seed is none that numpy's legacy generator takes, for ``"scanpy"``.
    """
    check_whole(seed, parameter="seed", caller=caller)
    assert controls.bins is not None
    assert controls.genes is not None
    rounded = rounded_means(means)
    if choice == "seurat":
        return _seurat_controls(names, rounded, bins=controls.bins, drawn=controls.genes, seed=seed)
    if not 0 <= seed < SCANPY_SEED_LIMIT:
        message = f"The 'seed' parameter of {caller} must lie between 0 and 2**32 - 1 for method 'scanpy'. Got {seed}."
        raise ParameterError(message)
    return _scanpy_controls(names, rounded, bins=controls.bins, drawn=controls.genes, seed=seed)


def given_means(gene_mean: xr.DataArray, names: Vector, *, caller: str) -> Vector:
    """Means of an earlier pass, in the order of the genes.

    Parameters
    ----------
    gene_mean
        Over ``gene``; further genes do not matter.
    names
        Genes of the data.
    caller
        The score, for messages.

    Returns
    -------
    float64.

    Raises
    ------
    InputError
        If it does not run over ``gene``, or holds a gene twice.
    GeneMismatchError
        If genes of the data have no mean.
    """
    if gene_mean.dims != ("gene",) or "gene" not in gene_mean.indexes:
        message = (
            f"The 'gene_mean' parameter of {caller} must run over 'gene', with the names of genes. It runs over "
            f"{listed(gene_mean.dims)}; pass one mean per gene."
        )
        raise InputError(message)
    index = gene_mean.indexes["gene"].astype(str)
    if not index.is_unique:
        message = (
            f"The 'gene_mean' parameter of {caller} must have every gene once. Found more than once: "
            f"{listed(index[index.duplicated()].unique())}; merge or rename them."
        )
        raise InputError(message)
    places = index.get_indexer(names)
    if (places < 0).any():
        message = (
            f"The 'gene_mean' parameter of {caller} must have a mean for every gene of the data. {int((places < 0).sum())} of "
            f"{len(names)} have none: {listed(names[places < 0])}; make it from the same genes."
        )
        raise GeneMismatchError(message)
    return np.asarray(gene_mean.to_numpy()[places], dtype=np.float64)


def check_means(means: Vector) -> None:
    """Refuse means that are not finite.

    Raises
    ------
    InputError
        With the number of genes.
    """
    if not np.isfinite(means).all():
        broken = int((~np.isfinite(means)).sum())
        message = (
            f"Expression must be finite. Found missing or infinite values in {broken} of {len(means)} genes; "
            "pass log-normalized values without them."
        )
        raise InputError(message)


def rounded_means(means: Vector) -> Vector:
    """Means to 12 digits; those below 1e-250 as they are, because the scale would overflow."""
    exponents = np.floor(np.log10(np.abs(means), where=means != 0, out=np.zeros_like(means)))
    scale = 10.0 ** np.where(exponents < SMALLEST_EXPONENT, 0.0, MEAN_DIGITS - 1 - exponents)
    return np.where(exponents < SMALLEST_EXPONENT, means, np.round(means * scale) / scale)


@dataclass(frozen=True)
class SeuratControls:
    """Chooses controls gene by gene; draws are keyed by the names of both genes."""

    bin_of: Vector
    keys: Vector
    controls: int
    seed: Seed

    def __call__(self, genes: Vector) -> Vector:
        """Controls of some genes, by column."""
        chosen: set[int] = set()
        for gene in genes:
            members = np.flatnonzero(self.bin_of == self.bin_of[gene])
            if self.controls < len(members):
                draws = cell_uniforms(self.seed ^ int(self.keys[gene]), self.keys[members])[:, 0]
                members = members[np.argpartition(draws, self.controls)[: self.controls]]
            chosen.update(members.tolist())
        return np.array(sorted(chosen), dtype=np.int64)


@dataclass(frozen=True)
class ScanpyControls:
    """Chooses controls bin by bin, with the draws of numpy's legacy generator that scanpy makes."""

    bin_of: Vector
    controls: int
    seed: Seed

    def __call__(self, genes: Vector) -> Vector:
        """Controls of some genes, by column."""
        generator = np.random.RandomState(self.seed)
        chosen: list[Vector] = []
        for number in np.unique(self.bin_of[genes]):
            members = np.flatnonzero(self.bin_of == number)
            if self.controls < len(members):
                members = members[generator.choice(len(members), size=self.controls, replace=False)]
            chosen.append(members)
        return np.setdiff1d(np.concatenate(chosen), genes)


def _seurat_controls(names: Vector, means: Vector, *, bins: int, drawn: int, seed: Seed) -> SeuratControls:
    tie_seed, draw_seed = spawn(seed, 2)
    keys = cell_keys(names)
    order = np.lexsort((cell_uniforms(tie_seed, keys)[:, 0], means))
    # Quantiles of numbers without ties cut them at these ranks; a gene that is a quantile itself belongs to the bin below.
    numbers = (np.arange(len(order)) * bins - 1) // max(len(order) - 1, 1)
    bin_of = np.empty(len(order), dtype=np.int64)
    bin_of[order] = np.maximum(numbers, 0)
    return SeuratControls(bin_of, keys, drawn, draw_seed)


def _scanpy_controls(names: Vector, means: Vector, *, bins: int, drawn: int, seed: Seed) -> ScanpyControls:
    size = int(np.round(len(names) / (bins - 1)))
    # The rank of the first of equals, counted from 1.
    ranks = np.searchsorted(np.sort(means), means, side="left") + 1
    return ScanpyControls(ranks // size, drawn, seed)
