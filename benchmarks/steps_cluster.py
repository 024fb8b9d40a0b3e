"""The chain from store to principal components on a local cluster of ``distributed``: worker processes, one thread each."""

from __future__ import annotations

from importlib import import_module

import psutil
from distributed import Client, LocalCluster

from benchmarks.one_step import WARM, Clock, Place, cells_of
from benchmarks.steps_ours import chain


def one_worker(place: Place, clock: Clock) -> None:
    """One worker process."""
    _on_workers(place, clock, workers=1)


def two_workers(place: Place, clock: Clock) -> None:
    """Two worker processes."""
    _on_workers(place, clock, workers=2)


def _on_workers(place: Place, clock: Clock, *, workers: int) -> None:
    if place.folder.name == WARM:
        return  # the workers of the measured run are warmed below
    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        warm = place.folder.parent / WARM
        client.run(import_module, "chemores_dask.single_cell.pca")
        chain(Place(warm, cells_of(warm)), Clock())
        before = psutil.Process().memory_info().rss
        chain(place, clock)
        clock.facts["driver_bytes_before"] = before
