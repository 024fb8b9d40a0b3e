"""Differential expression between thousands of samples: what is measured, what must be reached, and whether the peer found the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.measurement import Job, Notebook
from benchmarks.requirement_rows import Row, faster_than, memory_below, row_of, seconds_within

PART = "differential"
LIMIT = 120.0
APART = 0.05
"""log2; pydeseq2 adds no prior count, and draws dispersions to their trend in another way."""

METHODS = ("negative_binomial", "voom")


def differential_jobs(sizes: Sequence[int], *, skip: Sequence[str] = ()) -> list[Job]:
    """The jobs; they do not depend on the number of cells, and stand beside the smallest one."""
    if PART in skip:
        return []
    cells = min(sizes)
    jobs = [Job(f"{PART}.{method}", cells) for method in METHODS]
    peers = (
        [] if "rivals" in skip else [Job(f"{PART}.beside_peer", cells), Job(f"{PART}.pydeseq2", cells, seconds=1800)]
    )
    return jobs + peers


def differential_requirements(notebook: Notebook, *, sizes: Sequence[int]) -> list[Row]:
    """What must be reached; what was not measured is left out."""
    cells = min(sizes)
    rows: list[Row] = []
    for method in METHODS:
        work = f"differential expression ({method.replace('_', ' ')}), 3,000 samples x 20,000 genes"
        rows += seconds_within(notebook, f"{PART}.{method}", cells, work=work, limit=LIMIT)
        rows += memory_below(notebook, f"{PART}.{method}", cells, work=work, limit=4)
    return rows + faster_than(
        notebook,
        cells,
        ours=f"{PART}.beside_peer",
        theirs=f"{PART}.pydeseq2",
        work="differential expression, 40 samples x 4,000 genes, against pydeseq2",
    )


def check_differential(folder: Path, sizes: Sequence[int]) -> list[Row]:
    """Effects of expressed genes, held against those of the peer."""
    cells = min(sizes)
    files = [folder / str(cells) / "checks" / f"differential_{name}.json" for name in ("ours", "pydeseq2")]
    if not all(file.exists() for file in files):
        return []
    own, other = (json.loads(file.read_text()) for file in files)
    theirs = dict(zip(other["genes"], other["change"], strict=True))
    pairs = [(change, theirs[name]) for name, change in zip(own["genes"], own["change"], strict=True) if name in theirs]
    first, second = np.array(pairs, dtype=float).T
    apart = float(np.quantile(np.abs(first - second), 0.99))
    wanted = f"99 % of genes <= {APART} apart (log2)"
    return [row_of("same effects as pydeseq2", cells, wanted, f"{apart:.3f}", met=apart <= APART)]
