"""What a pass costs before any count is read: tasks, size of the graph, and seconds of the scheduler, on kernels that do nothing.

``python -m benchmarks.empty_kernels 10000000 100000000`` builds the graphs of the chain from store to principal components for a store
of that many cells and 10,000 patients, in blocks as open_cells makes them, with a reader that returns an empty block of the right
height, and runs them on threads and on a local cluster of two workers. It writes ``benchmarks/results/empty_kernels.tsv``.
"""

from __future__ import annotations

import argparse
import pickle
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pandas as pd
import psutil
import scipy.sparse as sp
from dask.base import collections_to_expr
from distributed import Client, LocalCluster

from benchmarks.machine import load, machine
from chemores_dask.kernels.reduction import Reduction
from chemores_dask.store.layout import NONZEROS_PER_BLOCK
from chemores_dask.stream import map_rows, reduce_rows

RESULTS = Path(__file__).parent / "results" / "empty_kernels.tsv"
GENES = 20_000
NONZEROS_PER_CELL = 1_760
PATIENTS = 10_000
COMPONENTS = 50
WORKERS = 2


class EmptyReader:
    """Blocks of the right height with nothing in them.

    Parameters
    ----------
    rows
        Rows of a block.
    cells
        All rows.
    """

    def __init__(self, rows: int, cells: int) -> None:
        self.rows = rows
        self.cells = cells

    def __call__(self, *, block_id: tuple[int, ...] = (0, 0)) -> sp.csr_matrix:
        """The block of this number."""
        first = min(block_id[0] * self.rows, self.cells)
        return sp.csr_matrix((min(self.rows, self.cells - first), GENES), dtype=np.int32)


def tiny_state(rows: Any, columns: Any) -> int:
    """A state without arrays."""
    return int(rows.shape[0])


def add(first: int, second: int) -> int:
    """Merge two of them."""
    return first + second


def empty_scores(rows: Any, columns: Any) -> np.ndarray:
    """Scores that take no work: memory that is never touched."""
    return np.empty((rows.shape[0], COMPONENTS))


def written(block: np.ndarray) -> np.ndarray:
    """In place of a task that writes."""
    return np.empty((1, 1))


def empty_rows(cells: int) -> da.Array:
    """A lazy matrix as open_cells makes it."""
    size = NONZEROS_PER_BLOCK // NONZEROS_PER_CELL
    whole, rest = divmod(cells, size)
    chunks = (size,) * whole + ((rest,) if rest else ())
    meta = sp.csr_matrix((0, GENES), dtype=np.int32)
    return da.map_blocks(EmptyReader(size, cells), chunks=(chunks, (GENES,)), dtype=np.int32, meta=meta)


def graphs(cells: int) -> dict[str, Any]:
    """The passes by what they do; columns with one number per cell travel with those that need them."""
    rows = empty_rows(cells)
    patient = np.repeat(np.arange(PATIENTS, dtype=np.int64), -(-cells // PATIENTS))[:cells]
    reduction = Reduction(tiny_state, add)
    scores = map_rows(rows, empty_scores, width=COMPONENTS, dtype=np.float64)
    return {
        "reduce": reduce_rows(rows, reduction),
        "reduce with a column (patients)": reduce_rows(rows, reduction, columns={"group": patient}),
        "map and write": da.map_blocks(written, scores, chunks=((1,) * rows.numblocks[0], (1,)), dtype=float),
    }


@contextmanager
def timed(row: dict[str, Any], name: str) -> Iterator[None]:
    """Put the seconds of what is inside into a row."""
    started = time.perf_counter()
    yield
    row[name] = round(time.perf_counter() - started, 3)


def measure(cells: int, client: Client | None) -> list[dict[str, Any]]:
    """One row per pass: building, optimizing, sending, running."""
    found = []
    for name in graphs(1_000):
        row: dict[str, Any] = {
            "cells": cells,
            "counts_per_block": NONZEROS_PER_BLOCK,
            "pass": name,
            "scheduler": "threads" if client is None else f"distributed, {WORKERS} workers",
            "load": load(),
        }
        before = psutil.Process().memory_info().rss
        with timed(row, "build_seconds"):
            lazy = graphs(cells)[name]
        with timed(row, "optimize_seconds"):
            graph = collections_to_expr([lazy]).optimize().__dask_graph__()
        row["tasks"] = len(graph)
        row["graph_mb"] = round(len(pickle.dumps(dict(graph))) / 1e6, 3)
        with timed(row, "run_seconds"):
            dask.compute(lazy, scheduler="threads" if client is None else client)
        row["milliseconds_per_task"] = round(1000 * row["run_seconds"] / row["tasks"], 3)
        row["driver_mb"] = round((psutil.Process().memory_info().rss - before) / 1e6, 1)
        found.append(row)
        sys.stderr.write(f"{row}\n")
    return found


def main() -> None:
    """Measure the sizes given on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "sizes", nargs="*", type=int, default=(1_000_000, 10_000_000, 100_000_000), help="numbers of cells"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="table to write")
    given = parser.parse_args()
    rows = [row for cells in given.sizes for row in measure(cells, None)]
    with (
        LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        measure(100_000, client)
        rows += [row for cells in given.sizes for row in measure(cells, client)]
    given.results.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).assign(**machine()).to_csv(given.results, sep="\t", index=False)


if __name__ == "__main__":
    main()
