"""The same steps in scanpy on lazy blocks of rows, from the same zarr arrays, as its tutorial on Dask shows it.

Scores of gene sets do not take Dask arrays in scanpy; they are made with the operations of arrays that do.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import zarr

from benchmarks.absent import need_package
from benchmarks.one_step import Clock, Place
from benchmarks.steps_ours import COMPONENTS, VARIABLE_GENES, keep_check, variable

TARGET_SUM = 1e4
ROWS = 10_000
CONTROLS = 50


def _open(place: Place, *, normalized: bool) -> tuple[Any, Any]:
    sc, ad = need_package("scanpy"), need_package("anndata")
    group = zarr.open_group(place.store / "cells", mode="r")
    genes = group["var"].attrs["_index"]
    rows = min(ROWS, place.cells)
    matrix = ad.experimental.read_elem_lazy(group["X"], chunks=(rows, group["X"].attrs["shape"][1]))
    cells = ad.AnnData(
        X=matrix.astype(np.float32), obs=ad.io.read_elem(group["obs"]), var=ad.io.read_elem(group["var"])
    )
    assert genes
    if normalized:
        sc.pp.normalize_total(cells, target_sum=TARGET_SUM)
        sc.pp.log1p(cells)
    return sc, cells


def quality(place: Place, clock: Clock) -> None:
    """Totals and detected genes."""
    with clock("quality"):
        sc, cells = _open(place, normalized=False)
        cells.var["mt"] = cells.var_names.str.startswith("MT-")
        sc.pp.calculate_qc_metrics(cells, qc_vars=["mt"], percent_top=None, log1p=False, inplace=True)
        _settle(cells)


def group_sums(place: Place, clock: Clock) -> None:
    """Sums of every gene in every sample."""
    with clock("group sums"):
        sc, cells = _open(place, normalized=False)
        found = sc.get.aggregate(cells, by="sample", func="sum")
        _computed(found.layers["sum"])


def variable_genes(place: Place, clock: Clock) -> None:
    """Two thousand variable genes, by the dispersion of log expression (the default of scanpy)."""
    with clock("variable genes"):
        sc, cells = _open(place, normalized=True)
        sc.pp.highly_variable_genes(cells, flavor="seurat", n_top_genes=VARIABLE_GENES)


def pca(place: Place, clock: Clock) -> None:
    """Fifty components of the variable genes that our chain found, with the scores computed."""
    chosen = variable(place)
    with clock("pca"):
        sc, cells = _open(place, normalized=True)
        cells.var["chosen"] = cells.var_names.isin(chosen)
        sc.pp.pca(cells, n_comps=COMPONENTS, mask_var="chosen", svd_solver="covariance_eigh")
        _computed(cells.obsm["X_pca"])
    variance = np.asarray(_computed(cells.uns["pca"]["variance"]))
    keep_check(place, "scanpy_dask", genes=chosen, variance=variance.tolist())


def module_score(place: Place, clock: Clock) -> None:
    """Mean of the genes of each set less the mean of control genes."""
    lines = (place.files / "gene_sets.gmt").read_text().splitlines()
    with clock("module score"):
        _, cells = _open(place, normalized=True)
        names = cells.var_names
        columns = []
        for number, line in enumerate(lines):
            members = names.isin(line.split("\t")[2:])
            others = np.random.default_rng(number).choice(
                np.flatnonzero(~members), CONTROLS * max(int(members.sum()), 1) % 3000
            )
            weights = np.zeros(len(names), dtype=np.float32)
            weights[others] = -1 / max(len(others), 1)
            weights[members] = 1 / max(int(members.sum()), 1)
            columns.append(weights)
        scores = cells.X.map_blocks(
            _weighted, np.stack(columns, axis=1), dtype=np.float32, chunks=(cells.X.chunks[0], (len(lines),))
        )
        _computed(scores)


def _weighted(block: Any, weights: np.ndarray) -> np.ndarray:
    return np.asarray(block @ weights)


def _computed(values: Any) -> Any:
    return values.compute() if hasattr(values, "compute") else values


def _settle(cells: Any) -> None:
    for table in (cells.obs, cells.var):
        json.dumps(float(np.asarray(table["total_counts"]).sum()))
