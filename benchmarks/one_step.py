"""One step in a process of its own, so that its seconds and its memory are its own.

``python -m benchmarks.one_step STEP FOLDER CELLS`` prints one line of JSON. A step is a function in one of the modules
``benchmarks/steps_*.py``; it is called ``MODULE.FUNCTION``, as in ``ours.chain``. It first runs on a tiny store, so that kernels are
compiled and modules are imported, and then on the store to be measured.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from chemores_dask import metering

WARM = "warm"
"""Folder of the tiny store, beside those of the sizes."""

COLD = {"inputs", "embeddings"}
"""Modules whose steps need no tiny run: they make the inputs."""


@dataclass(frozen=True)
class Place:
    """Where the inputs of one size lie.

    Attributes
    ----------
    folder
        Of this size.
    cells
        Number of cells.
    """

    folder: Path
    cells: int

    @property
    def files(self) -> Path:
        """Simulated files of a laboratory."""
        return self.folder / "files"

    @property
    def store(self) -> Path:
        """The store made from them."""
        return self.folder / "cohort.zarr"

    @property
    def h5ad(self) -> Path:
        """The same cells for the rivals, uncompressed."""
        return self.folder / "counts.h5ad"

    @property
    def checks(self) -> Path:
        """What the steps found, to be held against each other."""
        return self.folder / "checks"


@dataclass
class Clock:
    """Seconds of the named parts of a step; what stands outside them is not timed.

    Attributes
    ----------
    parts
        Seconds by name.
    facts
        Whatever else the step has to say.
    """

    parts: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.parts[name] = self.parts.get(name, 0.0) + time.perf_counter() - started


Step = Callable[[Place, Clock], None]


def find_step(name: str) -> Step:
    """The function behind a name such as ``ours.chain``."""
    module, _, function = name.partition(".")
    found: Step = getattr(import_module(f"benchmarks.steps_{module}"), function)
    return found


def run_step(name: str, folder: Path, place: Place) -> dict[str, Any]:
    """Run a step on the tiny store, then on the one to be measured."""
    step = find_step(name)
    if name.partition(".")[0] not in COLD:
        step(Place(folder / WARM, cells_of(folder / WARM)), Clock())
    clock = Clock()
    before = metering.snapshot()
    step(place, clock)
    counted = metering.difference(before, metering.snapshot())
    return {
        "seconds": sum(clock.parts.values()),
        "parts": clock.parts,
        "own_peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "facts": {**counted, **clock.facts},
    }


def cells_of(folder: Path) -> int:
    """Cells of the store in a folder."""
    described = json.loads((folder / "cohort.zarr" / "cells" / "zarr.json").read_text())
    return int(described["attributes"]["cells"])


def main(arguments: list[str]) -> None:
    """Run one step and print what it cost."""
    name, folder, cells = arguments
    root = Path(folder)
    cost = run_step(name, root, Place(root / cells, int(cells.rpartition("-")[2])))
    sys.stdout.write("\n" + json.dumps(cost) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
