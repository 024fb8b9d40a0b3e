"""A ladder of sizes: seconds and peak memory of every step, as a table with machine and date.

``python -m benchmarks.ladder 10000 100000 300000`` measures and writes ``benchmarks/results/ladder.tsv``. Each step runs once to compile
its kernels on a tiny store, and is then measured in a process of its own. The operating system may hold the files in its cache.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import psutil
import zarr

from benchmarks.measured_steps import STEPS
from chemores_dask import provenance

RESULTS = Path(__file__).parent / "results" / "ladder.tsv"
WARM_UP_CELLS = 500


def measure(step: str, folder: Path, cells: int) -> dict[str, float]:
    """Run one step in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.measured_steps", step, str(folder), str(cells)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    if finished.returncode:
        message = f"The step {step} failed with {cells} cells:\n{finished.stderr}"
        raise RuntimeError(message)
    return json.loads(finished.stdout.splitlines()[-1])


def climb(sizes: list[int], folder: Path, *, warm_up: int = WARM_UP_CELLS) -> pd.DataFrame:
    """Measure every step at every size, smallest first."""
    rows = []
    for number, cells in enumerate([warm_up, *sorted(sizes)]):
        place = folder / str(cells)
        place.mkdir(parents=True, exist_ok=True)
        for step in STEPS:
            load = os.getloadavg()[0]
            cost = measure(step, place, cells)
            if number:
                rows.append({"cells": cells, "step": step, "load": round(load, 2), **_rounded(cost)})
                sys.stderr.write(f"{cells:>9,} cells  {step:<15} {cost['seconds']:8.2f} s\n")
        if number:
            nonzeros = zarr.open_array(place / "cohort.zarr" / "cells" / "X" / "data", mode="r").shape[0]
            for row in rows[-len(STEPS) :]:
                row["nonzeros"] = nonzeros
    return pd.DataFrame(rows).assign(**machine())


def machine() -> dict[str, object]:
    """The machine and the versions behind a measurement."""
    versions = provenance.versions()
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": processor(),
        "cores": psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        **{name: versions[name] for name in ("python", "chemores_dask", "dask", "zarr", "numba", "numpy")},
    }


def processor(facts: Path = Path("/proc/cpuinfo")) -> str:
    """The model of the processor, or its architecture where the system does not tell."""
    lines = facts.read_text().splitlines() if facts.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def _rounded(cost: dict[str, float]) -> dict[str, float]:
    return {"seconds": round(cost["seconds"], 3), "peak_memory_mb": round(cost["peak_memory_bytes"] / 1e6, 1)}


def main() -> None:
    """Measure the sizes given on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="+", type=int, help="numbers of cells")
    parser.add_argument("--results", type=Path, default=RESULTS, help="table to write")
    parser.add_argument(
        "--folder", type=Path, help="where to keep the simulated stores (a temporary folder unless given)"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        table = climb(given.sizes, given.folder or Path(temporary))
    given.results.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(given.results, sep="\t", index=False)
    sys.stdout.write(table.to_string(index=False) + "\n")


if __name__ == "__main__":
    main()
