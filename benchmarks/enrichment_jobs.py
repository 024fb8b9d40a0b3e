"""Enrichment of thousands of gene sets: what is measured, what must be reached, and whether the peer found the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.measurement import Job, Notebook
from benchmarks.requirement_rows import Row, faster_than, memory_below, row_of, seconds_within

PART = "enrichment"
LIMIT = 60.0
WORK = "enrichment, 6,482 gene sets"


def enrichment_jobs(sizes: Sequence[int], *, skip: Sequence[str] = ()) -> list[Job]:
    """The jobs; they do not depend on the number of cells, and stand beside the smallest one."""
    if PART in skip:
        return []
    cells = min(sizes)
    peers = [] if "rivals" in skip else [Job("enrichment.gseapy", cells, seconds=1800)]
    return [Job("enrichment.ours", cells), *peers]


def enrichment_requirements(notebook: Notebook, *, sizes: Sequence[int]) -> list[Row]:
    """What must be reached; what was not measured is left out."""
    cells = min(sizes)
    rows = seconds_within(notebook, "enrichment.ours", cells, work=WORK, limit=LIMIT)
    rows += memory_below(notebook, "enrichment.ours", cells, work=WORK, limit=2)
    return rows + faster_than(
        notebook, cells, ours="enrichment.ours", theirs="enrichment.gseapy", work="enrichment against gseapy"
    )


def check_enrichment(folder: Path, sizes: Sequence[int]) -> list[Row]:
    """Scores of both, held against each other; they hold no chance."""
    cells = min(sizes)
    files = [folder / str(cells) / "checks" / f"enrichment_{name}.json" for name in ("ours", "gseapy")]
    if not all(file.exists() for file in files):
        return []
    own, other = (json.loads(file.read_text()) for file in files)
    theirs = dict(zip(other["sets"], other["score"], strict=True))
    shared = [(score, theirs[name]) for name, score in zip(own["sets"], own["score"], strict=True) if name in theirs]
    first, second = np.array(shared, dtype=float).T
    apart = float(np.abs(first - second).max())
    return [row_of("same enrichment scores as gseapy", cells, "<= 1e-9 apart", f"{apart:.1e}", met=apart <= 1e-9)]
