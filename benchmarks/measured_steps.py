"""One step of the ladder in a process of its own, so that its peak memory is its own.

``python -m benchmarks.measured_steps STEP FOLDER CELLS`` prints one line of JSON: seconds and peak memory of the step.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import chemores_dask as cd

SEED = 7
GENES = 20_000
SAMPLES = 10
COMPONENTS = 50
VARIABLE_GENES = 2_000


def simulate(folder: Path, cells: int) -> None:
    """Write 10x HDF5 files of ten samples."""
    design = cd.SimulationDesign(
        patients=SAMPLES // 2,
        cells_per_sample=cells // SAMPLES,
        genes=GENES,
        formats="h5",
        bulk_patients=50,
        bulk_genes=500,
    )
    cd.simulate(folder / "files", design=design, seed=SEED)


def ingest(folder: Path, cells: int) -> None:
    """Bring the files into a store."""
    cd.ingest_samples(folder / "files" / "samples.csv", folder / "cohort.zarr")


def quality(folder: Path, cells: int) -> None:
    """Totals, detected genes and shares of gene groups."""
    cd.quality(cd.open_cells(folder / "cohort.zarr"))


def variable_genes(folder: Path, cells: int) -> None:
    """Two thousand variable genes by clipped variance of the counts."""
    found = cd.variable_genes(cd.open_cells(folder / "cohort.zarr"), method="seurat_v3", genes=VARIABLE_GENES)
    cd.write_result(found, folder / "cohort.zarr", step="variable_genes", fingerprint="0" * 12)


def pca(folder: Path, cells: int) -> None:
    """Fifty exact components of the variable genes; the projection is written."""
    chosen = cd.open_result(folder / "cohort.zarr", step="variable_genes", fingerprint="0" * 12)
    normalized = cd.log_normalize(cd.open_cells(folder / "cohort.zarr"))
    found = cd.pca(normalized, components=COMPONENTS, genes=chosen["gene_variable"].values)
    cd.write_result(found, folder / "cohort.zarr", step="pca", fingerprint="0" * 12)


def module_score(folder: Path, cells: int) -> None:
    """Scores of the gene sets of the simulation, written."""
    gene_sets = cd.read_gmt(folder / "files" / "gene_sets.gmt")
    normalized = cd.log_normalize(cd.open_cells(folder / "cohort.zarr"))
    found = cd.module_score(normalized, gene_sets, method="seurat", seed=SEED)
    cd.write_result(found, folder / "cohort.zarr", step="module_score", fingerprint="0" * 12)


def cohort_cube(folder: Path, cells: int) -> None:
    """Sums per sample and gene."""
    cd.cohort_cube(cd.open_cells(folder / "cohort.zarr"), sample="sample")


STEPS: dict[str, Callable[[Path, int], None]] = {
    step.__name__: step for step in (simulate, ingest, quality, variable_genes, pca, module_score, cohort_cube)
}


def main(arguments: list[str]) -> None:
    """Run one step and print what it cost."""
    step, folder, cells = arguments
    started = time.perf_counter()
    STEPS[step](Path(folder), int(cells))
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    sys.stdout.write(json.dumps({"seconds": seconds, "peak_memory_bytes": peak}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
