"""What scores of gene sets must reach, held against a bare pass of the same run."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.measurement import Job, Notebook
from benchmarks.requirement_rows import Row, memory_below, row_of

SCORE_PART = "scores"
"""What can be left out."""

MOST: dict[str, float | None] = {"module_score": 1.5, "module_score_alone": None, "ucell": 4.0, "aucell": 4.0}
"""Times a bare pass that each score may take; None is recorded only."""


def score_jobs(sizes: Sequence[int], *, skip: Sequence[str] = ()) -> list[Job]:
    """The jobs of the scores: at the smallest and at the largest size."""
    ends = [] if SCORE_PART in skip else sorted({min(sizes), max(sizes)})
    return [Job(f"scores.{step}", cells) for cells in ends for step in MOST]


def score_requirements(notebook: Notebook, *, sizes: Sequence[int]) -> list[Row]:
    """Two rows per score and size; what was not measured is left out."""
    rows: list[Row] = []
    for cells in sorted(sizes):
        for step, most in MOST.items():
            found = notebook.find(f"scores.{step}", cells)
            if found is None:
                continue
            ratio, bare = found["facts"]["over_bare"], found["facts"]["bare_seconds"]
            told = f"{ratio:.2f} ({found['seconds']:.1f} s and {bare:.1f} s)"
            required, met = ("recorded", None) if most is None else (f"<= {most:g}", ratio <= most)
            rows.append(row_of(f"{step}, 50 sets of 50 genes, over a bare pass", cells, required, told, met=met))
            rows += memory_below(notebook, f"scores.{step}", cells, work=f"{step}, 50 sets", limit=3)
    return rows
