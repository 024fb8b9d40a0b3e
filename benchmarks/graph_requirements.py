"""What the graph stage must reach, row by row, and what it did; and whether the peers found the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.graph_jobs import EMBEDDED, TILED_EMBEDDING
from benchmarks.measurement import Notebook
from benchmarks.requirement_rows import (
    Row,
    fact_at_least,
    faster_than,
    memory_below,
    row_of,
    seconds_within,
    times_faster,
)

MILLION = 1_000_000
RECALL = 0.95
PEERS = {"pynndescent": "pynndescent", "hnswlib": "hnswlib", "scanpy": "scanpy"}


def graph_requirements(notebook: Notebook, *, sizes: Sequence[int]) -> list[Row]:
    """One row per requirement of the graph stage and size; what was not measured is left out."""
    rows: list[Row] = []
    for cells in sorted({*sizes, EMBEDDED, TILED_EMBEDDING * max(sizes)}):
        rows += _neighbors(notebook, cells, tiled=cells > max(sizes))
    for cells in sorted(sizes):
        rows += _harmony(notebook, cells)
        rows += _leiden(notebook, cells)
        rows += _umap(notebook, cells)
        rows += _diffusion(notebook, cells)
        rows += _markers(notebook, cells)
    return rows


def _limit(cells: int, seconds: float) -> float | None:
    """The limit of a million cells; smaller sizes are recorded."""
    return seconds if cells >= MILLION else None


def _neighbors(notebook: Notebook, cells: int, *, tiled: bool) -> list[Row]:
    step, work = "neighbors.ours", "neighbors"
    rows = seconds_within(notebook, step, cells, work=work, limit=None if tiled else _limit(cells, 120))
    rows += memory_below(notebook, step, cells, work=work, limit=6 if tiled else 3)
    rows += fact_at_least(notebook, step, cells, work="recall of neighbors", fact="recall", least=RECALL)
    for title, name in PEERS.items():
        rows += faster_than(notebook, cells, ours=step, theirs=f"neighbors.{name}", work=f"neighbors against {title}")
    return rows + times_faster(
        notebook,
        cells,
        slow="neighbors.one_worker",
        fast="neighbors.two_workers",
        work="neighbors: two worker processes against one",
        least=1.6,
    )


def _harmony(notebook: Notebook, cells: int) -> list[Row]:
    work = "harmony, 20 batches"
    rows = seconds_within(notebook, "harmony.ours", cells, work=work, limit=_limit(cells, 180))
    rows += memory_below(notebook, "harmony.ours", cells, work=work, limit=3)
    return rows + faster_than(
        notebook, cells, ours="harmony.ours", theirs="harmony.harmonypy", work="harmony against harmonypy"
    )


def _leiden(notebook: Notebook, cells: int) -> list[Row]:
    rows = seconds_within(notebook, "leiden.ours", cells, work="leiden", limit=_limit(cells, 150))
    rows += memory_below(notebook, "leiden.ours", cells, work="leiden", limit=8)
    for name in ("igraph", "leidenalg"):
        rows += faster_than(notebook, cells, ours="leiden.ours", theirs=f"leiden.{name}", work=f"leiden against {name}")
    own, other = notebook.find("leiden.ours", cells), notebook.find("leiden.leidenalg", cells)
    if own is not None and other is not None:
        ratio = own["facts"]["modularity"] / other["facts"]["modularity"]
        told = f"{100 * (ratio - 1):+.2f} % ({own['facts']['modularity']:.4f})"
        rows.append(row_of("modularity of leiden over leidenalg's", cells, ">= -1 %", told, met=ratio >= 0.99))
    return rows


def _umap(notebook: Notebook, cells: int) -> list[Row]:
    rows = seconds_within(notebook, "umap.ours", cells, work="umap", limit=_limit(cells, 600))
    maps = {
        "ours": "trustworthiness of umap",
        "full": "trustworthiness of umap-learn",
        "ours_of_some": "trustworthiness of umap, 50,000 cells",
        "ours_of_some_few_landmarks": "trustworthiness of umap, 50,000 cells, one in fifty a landmark",
        "full_of_some": "trustworthiness of umap-learn, 50,000 cells",
    }
    for step, work in maps.items():
        rows += fact_at_least(notebook, f"umap.{step}", cells, work=work, fact="trustworthiness", least=None)
    return rows + faster_than(notebook, cells, ours="umap.ours", theirs="umap.full", work="umap against umap-learn")


def _diffusion(notebook: Notebook, cells: int) -> list[Row]:
    rows = seconds_within(notebook, "diffusion.ours", cells, work="diffusion map", limit=_limit(cells, 180))
    return rows + faster_than(
        notebook, cells, ours="diffusion.ours", theirs="diffusion.scanpy", work="diffusion map against scanpy"
    )


def _markers(notebook: Notebook, cells: int) -> list[Row]:
    rows: list[Row] = []
    for method in ("exact", "histogram"):
        step, work = f"markers.{method}", f"markers ({method}), 20 clusters"
        rows += seconds_within(notebook, step, cells, work=work, limit=_limit(cells, 300))
        rows += memory_below(notebook, step, cells, work=work, limit=3)
        rows += faster_than(
            notebook, cells, ours=step, theirs="markers.scanpy", work=f"markers ({method}) against scanpy"
        )
    return rows


def check_graphs(folder: Path, sizes: Sequence[int]) -> list[Row]:
    """What the peers computed, held against ours."""
    rows = []
    for cells in sorted(sizes):
        checks = folder / str(cells) / "checks"
        found = {file.stem: json.loads(file.read_text()) for file in sorted(checks.glob("*.json"))}
        for (own, other), judge in _JUDGES.items():
            if own in found and other in found:
                rows.append(judge(cells, found[own], found[other]))
    return rows


def _same_statistics(cells: int, own: dict[str, Any], other: dict[str, Any]) -> Row:
    theirs = dict(zip(other["genes"], other["statistic"], strict=True))
    pairs = [
        (value, theirs[gene]) for gene, value in zip(own["genes"], own["statistic"], strict=True) if gene in theirs
    ]
    first, second = np.array(pairs, dtype=float).T
    apart = float(np.nanmax(np.abs(first - second) / np.maximum(np.abs(second), 1.0)))
    return row_of("same rank statistics as scanpy", cells, "<= 1e-2 apart", f"{apart:.1e}", met=apart <= 1e-2)


def _same_areas(cells: int, own: dict[str, Any], other: dict[str, Any]) -> Row:
    apart = float(np.nanmax(np.abs(np.array(own["auroc"], float) - np.array(other["auroc"], float))))
    return row_of("AUROC, exact over histogram", cells, "<= 1e-2 apart", f"{apart:.1e}", met=apart <= 1e-2)


def _same_scores(cells: int, own: dict[str, Any], other: dict[str, Any]) -> Row:
    first, second = np.array(own["scores"]), np.array(other["scores"])
    least = min(float(np.corrcoef(one, two)[0, 1]) for one, two in zip(first.T, second.T, strict=True))
    return row_of("correlation of scores with harmonypy's", cells, ">= 0.99", f"{least:.4f}", met=least >= 0.99)


def _same_eigenvalues(cells: int, own: dict[str, Any], other: dict[str, Any]) -> Row:
    apart = float(np.max(np.abs(np.array(own["eigenvalue"]) - np.array(other["eigenvalue"]))))
    return row_of("same diffusion eigenvalues as scanpy", cells, "<= 1e-3 apart", f"{apart:.1e}", met=apart <= 1e-3)


_JUDGES: dict[tuple[str, str], Callable[[int, dict[str, Any], dict[str, Any]], Row]] = {
    ("markers_exact", "markers_scanpy"): _same_statistics,
    ("markers_exact", "markers_histogram"): _same_areas,
    ("harmony_ours", "harmony_harmonypy"): _same_scores,
    ("diffusion_ours", "diffusion_scanpy"): _same_eigenvalues,
}
