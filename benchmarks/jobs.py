"""Which steps are measured at which sizes, and in which order."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.differential_jobs import PART as DIFFERENTIAL_PART
from benchmarks.differential_jobs import differential_jobs
from benchmarks.enrichment_jobs import PART as ENRICHMENT_PART
from benchmarks.enrichment_jobs import enrichment_jobs
from benchmarks.graph_jobs import GRAPH_PARTS, graph_jobs
from benchmarks.measurement import Job
from benchmarks.score_requirements import SCORE_PART, score_jobs
from benchmarks.survival_jobs import PART as SURVIVAL_PART
from benchmarks.survival_jobs import survival_jobs

WARM_CELLS = 1_000
IN_MEMORY = 200_000
"""Up to this many cells, packages that hold all cells in memory are measured."""

OWN_PARTS = (SCORE_PART, ENRICHMENT_PART, DIFFERENTIAL_PART, SURVIVAL_PART, *GRAPH_PARTS)
PARTS = ("rivals", "cluster", "access", "cube", "ingest", *OWN_PARTS)
"""What can be left out."""

SINGLE = ("quality", "group_sums", "variable_genes", "pca", "module_score")


def jobs_of(sizes: Sequence[int], *, tiled: int, skip: Sequence[str] = ()) -> list[Job]:
    """The jobs of a bench.

    Parameters
    ----------
    sizes
        Numbers of cells, simulated.
    tiled
        Number of cells of a tiled store; ten times one of the sizes, or 0 for none.
    skip
        Parts to leave out.

    Returns
    -------
    Jobs in order: smallest first, what makes inputs before what needs them.
    """
    smallest, largest = min(sizes), max(sizes)
    jobs: list[Job] = []
    for cells in sorted(sizes):
        jobs += [Job("inputs.simulate", cells), Job("inputs.ingest_tenx", cells)]
        jobs += [Job("ours.bare_decode", cells), Job("ours.full_pass", cells), Job("ours.chain", cells)]
        if "rivals" not in skip:
            jobs += _rivals(cells, smallest=smallest, largest=largest)
        if "ingest" not in skip and cells == smallest:
            jobs += [Job("inputs.export_h5ad", cells), Job("inputs.ingest_h5ad", cells)]
        if "cluster" not in skip and cells in {smallest, largest}:
            jobs += [Job("cluster.one_worker", cells), Job("cluster.two_workers", cells)]
        if cells == largest:
            jobs += [] if "cube" in skip else [Job("ours.cohort_cube", cells)]
            access = [Job(f"ours.{step}", cells) for step in ("gene_copy", "one_gene", "random_cells")]
            jobs += [] if "access" in skip else access
    jobs += score_jobs(sizes, skip=skip)
    jobs += graph_jobs(sizes, skip=skip)
    jobs += enrichment_jobs(sizes, skip=skip)
    jobs += differential_jobs(sizes, skip=skip)
    jobs += survival_jobs(sizes, skip=skip)
    if tiled:
        jobs += [Job("inputs.tile", tiled), Job("ours.chain", tiled, seconds=1800)]
    return _once(jobs)


def warm_jobs() -> list[Job]:
    """The tiny inputs on which every step runs first."""
    return [Job(f"inputs.{step}", f"warm-{WARM_CELLS}") for step in ("simulate", "ingest_tenx", "export_h5ad")]


def _rivals(cells: int, *, smallest: int, largest: int) -> list[Job]:
    jobs: list[Job] = []
    if cells <= IN_MEMORY:
        jobs += [Job("inputs.export_h5ad", cells), Job("scanpy.chain", cells)]
    if cells == smallest:
        jobs += [Job(f"scanpy_dask.{step}", cells) for step in SINGLE]
        jobs += [Job("snapatac.group_sums", cells), Job("snapatac.embedding", cells)]
    if cells in {smallest, largest}:
        jobs += [Job(f"ours.{step}", cells) for step in SINGLE]
        jobs += [Job("bpcells.convert", cells)]
        jobs += [Job(f"bpcells.{step}", cells) for step in SINGLE]
    return jobs


def _once(jobs: Sequence[Job]) -> list[Job]:
    return list({job.key: job for job in jobs}.values())
