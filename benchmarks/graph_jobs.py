"""Which steps of the graph stage are measured at which sizes: neighbors, harmony, clusters, maps, diffusion, markers."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.measurement import Job

GRAPH_PARTS = ("graph", "neighbors", "harmony", "leiden", "umap", "diffusion", "markers")
"""What can be left out; ``graph`` is all of them."""

EMBEDDED = 300_000
"""Drawn from the components of a larger store: the second size at which peers build neighbors, and the last."""

TILED_EMBEDDING = 5
"""Times the largest size, for the memory of neighbors."""

MANY = 1_000_000
"""From this size on the tiled embedding is measured."""


def graph_jobs(sizes: Sequence[int], *, skip: Sequence[str] = ()) -> list[Job]:
    """The jobs of the graph stage.

    Parameters
    ----------
    sizes
        Numbers of cells, simulated; the chain has been measured at all of them.
    skip
        Parts to leave out; ``rivals`` leaves out the peers.

    Returns
    -------
    Jobs in order.
    """
    if "graph" in skip:
        return []
    smallest, largest = min(sizes), max(sizes)
    ends = sorted({smallest, largest})
    peers = "rivals" not in skip
    stages = {
        "neighbors": _neighbors(smallest, largest, peers=peers, cluster="cluster" not in skip),
        "harmony": _each(ends, ["harmony.ours"])
        + _each([smallest] if peers else [], ["harmony.harmonypy"], seconds=1800),
        "leiden": _graphs(ends)
        + _each(ends, ["leiden.ours"])
        + _each([smallest], ["leiden.whole", "leiden.micro"])
        + _each(ends if peers else [], ["leiden.igraph", "leiden.leidenalg"], seconds=3600),
        "umap": _graphs(ends)
        + _each(ends, ["umap.ours"], seconds=1800)
        + _each([smallest], ["umap.ours_of_some", "umap.ours_of_some_few_landmarks"], seconds=1800)
        + _each([smallest] if peers else [], ["umap.full_of_some", "umap.full"], seconds=3600),
        "diffusion": _graphs(ends)
        + _each(ends, ["diffusion.ours"])
        + _each([smallest] if peers else [], ["diffusion.scanpy"]),
        "markers": _each(ends, ["markers.exact", "markers.histogram"])
        + _each([smallest] if peers else [], ["inputs.export_h5ad", "markers.scanpy"], seconds=3600),
    }
    return [job for stage, jobs in stages.items() if stage not in skip for job in jobs]


def _neighbors(smallest: int, largest: int, *, peers: bool, cluster: bool) -> list[Job]:
    rivals = ["neighbors.pynndescent", "neighbors.hnswlib", "neighbors.scanpy"]
    jobs: list[Job] = []
    between = [EMBEDDED] if smallest < EMBEDDED < largest else []
    for cells in sorted({smallest, *between, largest}):
        jobs += [Job("embeddings.part", cells)] if cells in between else []
        jobs += [Job("neighbors.ours", cells)]
        jobs += _each([cells], rivals, seconds=3600) if peers and cells <= EMBEDDED else []
    jobs += _each([largest], ["neighbors.one_worker", "neighbors.two_workers"]) if cluster else []
    if largest >= MANY:
        tiled = TILED_EMBEDDING * largest
        jobs += [Job("embeddings.tile", tiled), Job("neighbors.ours", tiled, seconds=3600)]
    return jobs


def _graphs(sizes: Sequence[int]) -> list[Job]:
    return _each(sizes, ["embeddings.graph"])


def _each(sizes: Sequence[int], steps: Sequence[str], *, seconds: float = 900) -> list[Job]:
    return [Job(step, cells, seconds=seconds) for cells in sizes for step in steps]
