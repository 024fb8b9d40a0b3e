"""Runs every streaming analysis in a process that may not hold more than its plan promised.

Called as ``python limited_analyses.py STORE OUTCOME``; a program of its own, so that it starts from one known, small process. That
process imports everything and runs every analysis once on a few cells, so that kernels are compiled; then it forks a child for
each analysis, which therefore starts in no time. When the plan of the child makes its promise, the child limits itself to it.

The limit is ``RLIMIT_DATA``: all writable private memory, whether touched or not (since Linux 4.7), so it is stricter than a limit
on resident memory. ``RLIMIT_AS`` would also count what is reserved and never used (hundreds of megabytes for every pool of
threads), ``RLIMIT_RSS`` is ignored by Linux, and control groups need rights that tests do not have. What the process holds when
the promise is made is part of the promise, so the limit allows to grow by the rest.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

import anndata
import dask
import numpy as np
import pandas as pd
import scipy.sparse as sp
import xarray as xr

from chemores_dask import memory
from chemores_dask.gene_sets import GeneSet, GeneSets
from chemores_dask.memory import memory_budget, resident_bytes
from chemores_dask.scores.aucell import aucell
from chemores_dask.scores.module_score import module_score
from chemores_dask.scores.score_states import score_states
from chemores_dask.scores.ucell import ucell
from chemores_dask.single_cell.cohort_cube import cohort_cube
from chemores_dask.single_cell.markers.analysis import markers
from chemores_dask.single_cell.normalize import log_normalize
from chemores_dask.single_cell.pca import pca
from chemores_dask.single_cell.quality import quality
from chemores_dask.single_cell.variable_genes import variable_genes
from chemores_dask.store.cells import open_cells
from chemores_dask.store.cells_parallel import write_cells
from chemores_dask.store.results import open_result, write_result
from chemores_dask.stream.shared_pass import share_passes

BUDGET = "560MB"
THREADS = 2
CELLS, GENES, NONZEROS = 16_000, 2_500, 24_000_000

Analysis = Callable[[anndata.AnnData, Path], xr.Dataset]


def example_cells(cells: int = CELLS, *, nonzeros: int = NONZEROS) -> anndata.AnnData:
    """Counts of eight samples, the same number of genes detected in every cell."""
    per_cell = nonzeros // cells
    generator = np.random.default_rng(7)
    starts = generator.integers(0, GENES, cells)
    indices = np.sort((starts[:, None] + np.arange(per_cell) * 1) % GENES, axis=1).astype(np.int32).ravel()
    counts = (1 + generator.poisson(0.7, len(indices))).astype(np.int32)
    pointers = np.arange(cells + 1, dtype=np.int64) * per_cell
    obs = pd.DataFrame(
        {
            "sample": pd.Categorical([f"S{8 * cell // cells}" for cell in range(cells)]),
            "state": pd.Categorical([f"state {cell % 5}" for cell in range(cells)]),
        },
        index=[f"S{8 * cell // cells}:{cell}" for cell in range(cells)],
    )
    var = pd.DataFrame(index=[f"GENE{gene:04d}" for gene in range(GENES)])
    return anndata.AnnData(sp.csr_matrix((counts, indices, pointers), shape=(cells, GENES)), obs=obs, var=var)


def gene_sets(cells: anndata.AnnData) -> GeneSets:
    """Two sets of genes that are there."""
    names = list(cells.var_names)
    return GeneSets((GeneSet("first", tuple(names[:20])), GeneSet("second", tuple(names[500:530]))))


def stored(result: xr.Dataset, folder: Path) -> xr.Dataset:
    """The result, once it is on disk."""
    write_result(result, folder, step="step", fingerprint="0123456789ab")
    return open_result(folder, step="step", fingerprint="0123456789ab")


def scored(cells: anndata.AnnData) -> xr.Dataset:
    """Scores of two gene sets, lazy."""
    return module_score(log_normalize(cells), gene_sets(cells), method="seurat", seed=1)


def in_one_pass(cells: anndata.AnnData, folder: Path) -> xr.Dataset:
    """Three analyses that share their pass."""
    found = share_passes(
        {
            "quality": lambda: quality(cells),
            "genes": lambda: variable_genes(cells, method="seurat_v3", genes=300),
            "cube": lambda: cohort_cube(cells, sample="sample", state="state"),
        }
    )
    return found["cube"]


ANALYSES: dict[str, Analysis] = {
    "quality": lambda cells, folder: stored(quality(cells), folder),
    "variable_genes seurat_v3": lambda cells, folder: variable_genes(cells, method="seurat_v3", genes=300),
    "variable_genes seurat_v3 by sample": lambda cells, folder: variable_genes(
        cells, method="seurat_v3", genes=300, batch="sample"
    ),
    "variable_genes seurat": lambda cells, folder: variable_genes(log_normalize(cells), method="seurat", genes=300),
    "pca": lambda cells, folder: stored(
        pca(log_normalize(cells), components=20, genes=np.arange(GENES) % 5 == 0), folder
    ),
    "module_score": lambda cells, folder: stored(scored(cells), folder),
    "ucell": lambda cells, folder: stored(ucell(cells, gene_sets(cells)), folder),
    "aucell": lambda cells, folder: stored(aucell(cells, gene_sets(cells), seed=1), folder),
    "score_states": lambda cells, folder: score_states(scored(cells), gene_set="first"),
    "cohort_cube": lambda cells, folder: cohort_cube(cells, sample="sample", state="state"),
    "markers": lambda cells, folder: markers(cells, group="state", method="histogram", patient="sample"),
    "in one pass": in_one_pass,
}


def checksum(result: xr.Dataset) -> str:
    """Names the numbers of a result."""
    digest = hashlib.sha256()
    for name in sorted(result.data_vars):
        values = np.asarray(result[name].values)
        digest.update(values.astype(str).tobytes() if values.dtype.kind == "O" else values.tobytes())
    return digest.hexdigest()


def status(field: str) -> int:
    """A size that Linux tells about this process, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return 1024 * int(line.split()[1])
    raise LookupError(field)


def limit_growth(size: int) -> None:
    """Let this process grow by some bytes, and no more."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (status("VmData") + size, hard))


def in_child(work: Callable[[], dict[str, object]]) -> dict[str, object]:
    """What work returns in a process of its own, or how it ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            outcome = work()
        except BaseException:  # noqa: BLE001 - whatever happens is the outcome
            outcome = {"error": traceback.format_exc(limit=3)[-600:]}
        with os.fdopen(writing, "w") as pipe:
            json.dump(outcome, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    _, code = os.waitpid(child, 0)
    return json.loads(text) if text else {"error": f"ended with status {code}"}


def measured(analysis: Analysis, store: Path, *, limited: bool) -> dict[str, object]:
    """Run an analysis within the budget; with the limit set to every promise when it is made."""
    promises: list[int] = []
    grows: list[int] = []

    class LimitedBudget(memory.Budget):
        def promise(self, size: int) -> None:
            super().promise(size)
            promises.append(size)
            grows.append(size - resident_bytes())
            if limited:
                limit_growth(max(grows))

    memory.Budget = LimitedBudget  # type: ignore[misc]
    folder = Path(tempfile.mkdtemp(dir=store.parent))
    try:
        with dask.config.set(num_workers=THREADS), memory_budget(BUDGET) as budget:
            cells = open_cells(store)
            blocks = cells.X.numblocks[0]
            before = resident_bytes()
            numbers = checksum(analysis(cells, folder))
    finally:
        shutil.rmtree(folder)
    return {
        "numbers": numbers,
        "blocks": blocks,
        "before": before,
        "promised": budget.promised_bytes,
        "grow": max(grows, default=0),
        "peak": status("VmHWM"),
        "budget": budget.limit,
    }


def careless(analysis: Analysis, store: Path, *, grow: int) -> dict[str, object]:
    """Run an analysis under the same limit with all cells in one block, as if there were no plan."""
    folder = Path(tempfile.mkdtemp(dir=store.parent))
    try:
        with dask.config.set(num_workers=THREADS):
            cells = open_cells(store, rows_per_block=10**9)
            limit_growth(grow)
            return {"numbers": checksum(analysis(cells, folder))}
    finally:
        shutil.rmtree(folder)


def main(store: Path, outcome: Path) -> None:
    """Run everything, and write down how it went."""
    few = example_cells(300, nonzeros=300 * 400)
    with dask.config.set(scheduler="synchronous"), tempfile.TemporaryDirectory() as place:
        write_cells(few, Path(place) / "few.zarr")
        for number, analysis in enumerate(ANALYSES.values()):
            checksum(analysis(open_cells(Path(place) / "few.zarr"), Path(place) / str(number)))
    found: dict[str, dict[str, object]] = {}
    for name, analysis in ANALYSES.items():
        free = in_child(lambda analysis=analysis: measured(analysis, store, limited=False))
        limited = in_child(lambda analysis=analysis: measured(analysis, store, limited=True))
        found[name] = {"free": free, "limited": limited}
        if "grow" in limited:
            grow = int(limited["grow"])
            found[name]["careless"] = in_child(
                lambda analysis=analysis, grow=grow: careless(analysis, store, grow=grow)
            )
    outcome.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
