"""Views by gene: the same cells, read from the copy of the counts by gene. They give no other numbers, so they change no fingerprint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import anndata as ad
import dask.array as da
import numpy as np
import scipy.sparse as sp

from chemores_dask.aliases import Vector
from chemores_dask.errors import IncompleteStoreError, InputError, PipelineFileError
from chemores_dask.store.gene_blocks import open_genes
from chemores_dask.store.gene_choice import no_copy
from chemores_dask.store.gene_copy import gene_copy_plan
from chemores_dask.workflow.catalogue import CatalogueEntry
from chemores_dask.workflow.steps import Step, View


def genes_of_cells(cells: ad.AnnData) -> ad.AnnData:
    """The same cells in blocks of whole genes, lazily.

    Parameters
    ----------
    cells
        Cells of a store, or some of them in their order; raw counts.

    Returns
    -------
    New cells with the same tables; ``X`` as :func:`~chemores_dask.open_genes` gives it, without the cells that are left out.

    Raises
    ------
    InputError
        If the counts are not those of a store.
    IncompleteStoreError
        If there is no copy of its counts by gene.
    """
    if "log1p" in cells.uns or "store" not in cells.uns:
        message = "A view by gene reads raw counts of a store. Got cells that are normalized, or come from elsewhere; make it of 'cells'."
        raise InputError(message)
    opened = open_genes(cells.uns["store"], columns=[])
    matrix = opened.X
    if cells.n_obs < opened.n_obs:
        places = opened.obs_names.get_indexer(cells.obs_names)
        kept = np.full(opened.n_obs, -1, dtype=np.int32)
        kept[places] = np.arange(cells.n_obs, dtype=np.int32)
        numbers = da.from_array(kept[:, None], chunks=-1)
        matrix = da.map_blocks(
            keep_rows, matrix, numbers, dtype=matrix.dtype, meta=matrix._meta, chunks=((cells.n_obs,), matrix.chunks[1])
        )
    uns = dict(cells.uns) | {"nonzeros_per_gene": opened.uns["nonzeros_per_gene"]}
    return ad.AnnData(X=matrix, obs=cells.obs.copy(), var=cells.var.copy(), uns=uns)


def keep_rows(genes: sp.csc_matrix, numbers: Vector) -> sp.csc_matrix:
    """Some cells of a block of genes.

    Parameters
    ----------
    genes
        All cells and some genes.
    numbers
        New number of each cell, rising; -1 for those left out.

    Returns
    -------
    The block without them.
    """
    rows = numbers[:, 0][genes.indices]
    stays = rows >= 0
    before = np.concatenate([[0], np.cumsum(stays, dtype=np.int64)])
    starts = before[genes.indptr].astype(genes.indptr.dtype)
    kept = sp.csc_matrix((genes.data[stays], rows[stays], starts), shape=(int((numbers >= 0).sum()), genes.shape[1]))
    kept.has_canonical_format = True
    return kept


def check_gene_view(
    step: Step, entry: CatalogueEntry, arguments: Mapping[str, object], views: Mapping[str, View]
) -> None:
    """Hold what a step reads against what its analysis can read: blocks of whole genes or of cells.

    Parameters
    ----------
    step
        The step.
    entry
        Its analysis.
    arguments
        Of the analysis.
    views
        Of the pipeline, by name.

    Raises
    ------
    PipelineFileError
        If an analysis that needs whole genes reads blocks of cells, or the other way round.
    """
    given = step.of in views and views[step.of].by_gene
    name, value = entry.by_gene or ("", None)
    wanted = entry.by_gene is not None and arguments.get(name) == value
    if given == wanted:
        return
    if wanted:
        needed = f"a view by gene, because of {name} = {value!r}. {step.of!r} lies in blocks of cells"
        mend = f'add a [[view]] with by = "gene", or give {name!r} another value.'
    else:
        needed = f"blocks of cells, as {step.analysis} does here. {step.of!r} is a view by gene"
        mend = f"read {views[step.of].of!r}."
    message = f"[[step]] {step.name!r} must read {needed}; {mend}"
    raise PipelineFileError(message)


def check_view_by_gene(view: View, views: Mapping[str, View]) -> None:
    """Refuse a view of a view by gene, and one by gene of normalized cells.

    Raises
    ------
    PipelineFileError
        Saying how to put them.
    """
    if view.of in views and views[view.of].by_gene:
        message = f"A view by gene is read by steps, not by views. [[view]] {view.name!r} is made of {view.of!r}; turn them round."
        raise PipelineFileError(message)
    if view.by_gene and _is_normalized(view, views):
        message = (
            f"A view by gene reads raw counts. [[view]] {view.name!r} is made of normalized cells; make it of 'cells', or of a view that "
            "keeps some."
        )
        raise PipelineFileError(message)


def need_gene_copy(steps: Iterable[Step], views: Iterable[View], root: Path) -> None:
    """Refuse a run whose steps read genes that are not there, before anything is computed.

    Parameters
    ----------
    steps
        Those that must run.
    views
        Of the pipeline.
    root
        Of the store.

    Raises
    ------
    IncompleteStoreError
        If a step reads a view by gene, and there is no copy by gene.
    """
    by_gene = {view.name for view in views if view.by_gene}
    readers = [step.name for step in steps if step.of in by_gene]
    if readers and gene_copy_plan(root) is None:
        raise IncompleteStoreError(no_copy(root, reader=f"The step {readers[0]!r}"))


def _is_normalized(view: View, views: Mapping[str, View]) -> bool:
    while view.of in views:
        view = views[view.of]
        if view.normalize is not None:
            return True
    return False
