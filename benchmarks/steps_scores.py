"""Fifty sets of fifty genes scored in every cell, and the bare pass over the same shards in the same process."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import xarray as xr

import chemores_dask as cd
from benchmarks.absent import need_doors
from benchmarks.one_step import Clock, Place
from benchmarks.steps_ours import SEED, add, rows_of_block
from chemores_dask.kernels.reduction import Reduction
from chemores_dask.stream import as_rows, compute, reduce_rows

SETS = 50
GENES_PER_SET = 50
TURNS = 2
"""Bare pass and scores take turns this often; the fastest of each counts."""


def module_score(place: Place, clock: Clock) -> None:
    """One lazy pass, with means of genes from an earlier one."""
    cells = cd.open_cells(place.store, columns=[])
    normalized = cd.log_normalize(cells)
    cube = cd.cohort_cube(cd.open_cells(place.store, columns=["sample"]), sample="sample")
    means = (cube["cube_log_sum"].sum(["sample", "state"]) / cube["cube_cells"].sum()).compute()
    _against_bare(
        place,
        clock,
        lambda sets: cd.module_score(normalized, sets, method="seurat", seed=SEED, gene_mean=means),
    )


def module_score_alone(place: Place, clock: Clock) -> None:
    """Two passes: means of genes, then scores."""
    normalized = cd.log_normalize(cd.open_cells(place.store, columns=[]))
    _against_bare(place, clock, lambda sets: cd.module_score(normalized, sets, method="seurat", seed=SEED))


def ucell(place: Place, clock: Clock) -> None:
    """Ranks of all genes of a cell, up to 1,500."""
    need_doors("ucell")
    cells = cd.open_cells(place.store, columns=[])
    _against_bare(place, clock, lambda sets: cd.ucell(cells, sets))


def aucell(place: Place, clock: Clock) -> None:
    """The first 5 % of the genes of a cell, ties in random order."""
    need_doors("aucell")
    cells = cd.open_cells(place.store, columns=["cell_key"])
    _against_bare(place, clock, lambda sets: cd.aucell(cells, sets, seed=SEED))


def gene_sets(names: np.ndarray) -> cd.GeneSets:
    """Sets drawn from the genes of the store."""
    generator = np.random.default_rng(SEED)
    size = min(GENES_PER_SET, len(names) // 4)
    return cd.GeneSets.from_mapping(
        {f"set{number}": generator.choice(names, size, replace=False).tolist() for number in range(SETS)}
    )


def _against_bare(place: Place, clock: Clock, score: Callable[[cd.GeneSets], xr.Dataset]) -> None:
    sets = gene_sets(np.asarray(cd.open_cells(place.store, columns=[]).var_names))
    bare, scored = [], []
    for _ in range(TURNS):
        started = time.perf_counter()
        cells = cd.open_cells(place.store, columns=[])
        (read,) = compute(reduce_rows(as_rows(cells.X), Reduction(rows_of_block, add)))
        bare.append(time.perf_counter() - started)
        started = time.perf_counter()
        (scores,) = compute(score(sets)["cell_score"].data)
        scored.append(time.perf_counter() - started)
    assert scores.shape == (read, SETS)
    clock.parts["scores"] = min(scored)
    clock.facts.update(bare_seconds=min(bare), over_bare=min(scored) / min(bare))
