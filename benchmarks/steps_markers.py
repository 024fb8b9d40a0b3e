"""Markers of twenty groups of cells: exactly from the copy by gene, from histograms of the stream, and in scanpy."""

from __future__ import annotations

import shutil

import numpy as np

import chemores_dask as cd
from benchmarks.absent import need_doors, need_package
from benchmarks.one_step import Clock, Place
from benchmarks.steps_ours import FINGERPRINT, STATES, keep_check

GROUP = "bench_group"
CHECKED = 200
"""Genes of which statistics are kept, to be held against the others."""


def exact(place: Place, clock: Clock) -> None:
    """Every gene sorted, from the copy by gene; totals of the cells from quality, as in a pipeline."""
    need_doors("markers", "open_genes")
    if not (place.store / "cells_by_gene").is_dir():
        with clock("gene copy"):
            cd.write_gene_copy(place.store)
    totals = cd.quality(cd.open_cells(place.store, columns=[]))["cell_total"].values
    with clock("markers"):
        cells = cd.open_genes(place.store, columns=["patient", "cell_key"])
        cells.obs = cells.obs.assign(**{GROUP: groups_of(cells.obs["cell_key"].to_numpy()), "cell_total": totals})
        found = cd.markers(cells, group=GROUP, total="cell_total")
        _write(place, found, "markers_exact")
    _keep(place, "markers_exact", found)


def histogram(place: Place, clock: Clock) -> None:
    """Two passes over the cells."""
    need_doors("markers")
    with clock("markers"):
        cells = cd.open_cells(place.store, columns=["patient", "cell_key"])
        cells.obs = cells.obs.assign(**{GROUP: groups_of(cells.obs["cell_key"].to_numpy())})
        found = cd.markers(cells, group=GROUP, method="histogram")
        _write(place, found, "markers_histogram")
    _keep(place, "markers_histogram", found)
    clock.facts["largest_auroc_error"] = float(found["marker_auroc_error"].max())


def scanpy(place: Place, clock: Clock) -> None:
    """The same test in scanpy, in memory: normalized, logarithms, tie correction."""
    sc = need_package("scanpy")
    cells = sc.read_h5ad(place.h5ad)
    keys = cd.open_cells(place.store, columns=["cell_key"]).obs["cell_key"]
    cells.obs[GROUP] = groups_of(keys.loc[cells.obs_names].to_numpy()).astype(str)
    cells.obs[GROUP] = cells.obs[GROUP].astype("category")
    with clock("normalize"):
        sc.pp.normalize_total(cells, target_sum=1e4)
        sc.pp.log1p(cells)
    with clock("markers"):
        sc.tl.rank_genes_groups(cells, GROUP, method="wilcoxon", tie_correct=True)
    table = sc.get.rank_genes_groups_df(cells, "0").set_index("names")
    names = [str(name) for name in cells.var_names[:CHECKED]]
    keep_check(place, "markers_scanpy", genes=names, statistic=table["scores"].loc[names].astype(float).tolist())


def groups_of(keys: np.ndarray) -> np.ndarray:
    """Twenty groups that do not depend on the order of the cells."""
    return (keys % STATES).astype(np.int64)


def _write(place: Place, found: object, step: str) -> None:
    shutil.rmtree(place.store / "results" / f"bench_{step}", ignore_errors=True)
    cd.write_result(found, place.store, step=f"bench_{step}", fingerprint=FINGERPRINT)


def _keep(place: Place, name: str, found: object) -> None:
    one = found.sel(group="0").isel(gene=slice(0, CHECKED))  # type: ignore[attr-defined]
    keep_check(
        place,
        name,
        genes=[str(gene) for gene in one["gene"].values],
        statistic=one["marker_statistic"].values.tolist(),
        auroc=one["marker_auroc"].values.tolist(),
    )
