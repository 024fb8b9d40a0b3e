"""What must be reached, row by row, and what was: the table of the issue, filled from one bench."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measurement import Notebook
from benchmarks.requirement_rows import GB, Row
from benchmarks.requirement_rows import row_of as _row

MILLION = 1e6
STEPS = ("quality", "group_sums", "variable_genes", "pca", "module_score")


def requirements(notebook: Notebook, *, sizes: Sequence[int], tiled: int) -> list[Row]:
    """One row per requirement and size; what was not measured is left out."""
    rows: list[Row] = []
    for cells in sorted(sizes):
        rows += _passes(notebook, cells)
        rows += _chain(notebook, cells)
        rows += _scanpy(notebook, cells)
        rows += _steps(notebook, cells)
        rows += _ingest(notebook, cells)
        rows += _cube(notebook, cells)
        rows += _access(notebook, cells)
        rows += _workers(notebook, cells)
    rows += _growth(notebook, sorted(sizes))
    rows += _tiled(notebook, tiled) if tiled else []
    return rows


def _passes(notebook: Notebook, cells: int) -> list[Row]:
    bare, full = notebook.find("ours.bare_decode", cells), notebook.find("ours.full_pass", cells)
    if bare is None or full is None:
        return []
    speed = full["facts"]["nonzeros"] / full["seconds"] / MILLION
    ratio = full["seconds"] / bare["seconds"]
    decode = bare["facts"]["nonzeros"] / bare["seconds"] / MILLION
    return [
        _row(
            "one full pass", cells, ">= 80 M nnz/s", f"{speed:.0f} M nnz/s (bare decode {decode:.0f})", met=speed >= 80
        ),
        _row("full pass over bare decode", cells, "<= 1.5", f"{ratio:.2f}", met=ratio <= 1.5),
    ]


def _chain(notebook: Notebook, cells: int) -> list[Row]:
    row = notebook.find("ours.chain", cells)
    if row is None:
        return []
    seconds, memory = row["seconds"], row["peak_bytes"] / GB
    limit = 90 * cells / 1_000_000
    large = cells >= 1_000_000
    passes = row["facts"].get("rows_decoded", 0) / cells
    return [
        _row(
            "store to PCA, seconds",
            cells,
            f"<= {limit:.0f} s" if large else "-",
            f"{seconds:.1f} s",
            met=seconds <= limit if large else None,
        ),
        _row("store to PCA, peak memory", cells, "< 3 GB", f"{memory:.2f} GB", met=memory < 3),
        _row("store to PCA, passes over the counts", cells, "<= 2", f"{passes:.2f}", met=passes <= 2.01),
    ]


def _scanpy(notebook: Notebook, cells: int) -> list[Row]:
    ours, theirs = notebook.find("ours.chain", cells), notebook.find("scanpy.chain", cells)
    if ours is None or theirs is None:
        return []
    speed, memory = theirs["seconds"] / ours["seconds"], ours["peak_bytes"] / theirs["peak_bytes"]
    told = f"{speed:.1f} times ({ours['seconds']:.1f} s against {theirs['seconds']:.1f} s)"
    held = f"1/{1 / memory:.1f} ({ours['peak_bytes'] / GB:.2f} GB against {theirs['peak_bytes'] / GB:.2f} GB)"
    return [
        _row("speed against scanpy in memory", cells, ">= 4 times", told, met=speed >= 4),
        _row("memory against scanpy in memory", cells, "<= 1/6", held, met=memory <= 1 / 6),
    ]


def _steps(notebook: Notebook, cells: int) -> list[Row]:
    rivals = {"BPCells": "bpcells", "scanpy on dask": "scanpy_dask"}
    rows = []
    for title, module in rivals.items():
        for step in STEPS:
            rows += _against(
                notebook, cells, title=title, ours=f"ours.{step}", theirs=f"{module}.{step}", memory=title == "BPCells"
            )
    rows += _against(notebook, cells, title="SnapATAC2", ours="ours.group_sums", theirs="snapatac.group_sums")
    rows += _against(notebook, cells, title="SnapATAC2 (embedding)", ours="ours.pca", theirs="snapatac.embedding")
    return rows


def _against(notebook: Notebook, cells: int, *, title: str, ours: str, theirs: str, memory: bool = False) -> list[Row]:
    own, other = notebook.find(ours, cells), notebook.find(theirs, cells)
    if own is None or other is None:
        return []
    name = ours.removeprefix("ours.").replace("_", " ")
    seconds = f"{own['seconds']:.2f} s against {other['seconds']:.2f} s"
    rows = [_row(f"{name} against {title}", cells, "faster", seconds, met=own["seconds"] < other["seconds"])]
    if memory:
        held = f"{own['peak_bytes'] / GB:.2f} GB against {other['peak_bytes'] / GB:.2f} GB"
        rows.append(
            _row(
                f"memory of {name} against {title}",
                cells,
                "at most",
                held,
                met=own["peak_bytes"] <= other["peak_bytes"],
            )
        )
    return rows


def _ingest(notebook: Notebook, cells: int) -> list[Row]:
    rows = []
    for step, title, speed in (
        ("inputs.ingest_tenx", "10x .h5 (gzip)", 8),
        ("inputs.ingest_h5ad", ".h5ad, uncompressed", 25),
    ):
        found = notebook.find(step, cells)
        if found is not None:
            reached = found["facts"]["nonzeros"] / found["seconds"] / MILLION
            memory = found["peak_bytes"] / GB
            rows.append(
                _row(f"ingest of {title}", cells, f">= {speed} M nnz/s", f"{reached:.1f} M nnz/s", met=reached >= speed)
            )
            rows.append(_row(f"memory of ingest of {title}", cells, "< 3 GB", f"{memory:.2f} GB", met=memory < 3))
    return rows


def _cube(notebook: Notebook, cells: int) -> list[Row]:
    cube, bare = notebook.find("ours.cohort_cube", cells), notebook.find("ours.bare_decode", cells)
    if cube is None or bare is None:
        return []
    ratio, memory = cube["seconds"] / bare["seconds"], cube["peak_bytes"] / GB
    told = f"{ratio:.2f} ({cube['seconds']:.1f} s; {cube['facts']['samples']} samples x 20 states)"
    return [
        _row("cohort cube over bare decode", cells, "<= 1.5", told, met=ratio <= 1.5),
        _row("memory of the cohort cube", cells, "< 3 GB", f"{memory:.2f} GB", met=memory < 3),
    ]


def _access(notebook: Notebook, cells: int) -> list[Row]:
    rows = []
    gene, random = notebook.find("ours.one_gene", cells), notebook.find("ours.random_cells", cells)
    copied, bare = notebook.find("ours.gene_copy", cells), notebook.find("ours.bare_decode", cells)
    if gene is not None:
        seconds = gene["facts"]["seconds_per_gene"]
        rows.append(_row("one gene across all cells", cells, "<= 1 s", f"{seconds:.3f} s", met=seconds <= 1))
    if random is not None:
        rows.append(
            _row("10,000 random cells", cells, "<= 2 s", f"{random['seconds']:.2f} s", met=random["seconds"] <= 2)
        )
    if copied is not None and bare is not None:
        ratio, memory = copied["seconds"] / bare["seconds"], copied["peak_bytes"] / GB
        rows.append(
            _row(
                "gene-major copy over bare decode",
                cells,
                "<= 4",
                f"{ratio:.2f} ({copied['seconds']:.1f} s)",
                met=ratio <= 4,
            )
        )
        rows.append(_row("memory of the gene-major copy", cells, "< 3 GB", f"{memory:.2f} GB", met=memory < 3))
    return rows


def _workers(notebook: Notebook, cells: int) -> list[Row]:
    one, two = notebook.find("cluster.one_worker", cells), notebook.find("cluster.two_workers", cells)
    threads = notebook.find("ours.chain", cells)
    rows = []
    if one is not None and two is not None:
        gain = one["seconds"] / two["seconds"]
        rows.append(
            _row("two worker processes against one", cells, ">= 1.7 times", f"{gain:.2f} times", met=gain >= 1.7)
        )
    if two is not None and threads is not None:
        ratio = two["seconds"] / threads["seconds"]
        rows.append(
            _row(
                "local cluster over threads", cells, "<= 1.2", f"{ratio:.2f} ({two['seconds']:.1f} s)", met=ratio <= 1.2
            )
        )
    return rows


def _growth(notebook: Notebook, sizes: Sequence[int]) -> list[Row]:
    small, large = notebook.find("ours.chain", sizes[0]), notebook.find("ours.chain", sizes[-1])
    if small is None or large is None or sizes[0] == sizes[-1]:
        return []
    seconds = (large["seconds"] / sizes[-1]) / (small["seconds"] / sizes[0])
    memory = large["peak_bytes"] / small["peak_bytes"]
    pair = f"{sizes[-1]} over {sizes[0]}"
    rows = [
        _row("growth: seconds per cell", pair, "<= 1.1", f"{seconds:.2f}", met=seconds <= 1.1),
        _row("growth: peak memory", pair, "<= 1.15", f"{memory:.2f}", met=memory <= 1.15),
    ]
    drivers = [notebook.find("cluster.two_workers", cells) for cells in (sizes[0], sizes[-1])]
    if all(driver is not None for driver in drivers):
        first, last = (driver["own_peak_bytes"] for driver in drivers if driver is not None)
        each = (last - first) / (sizes[-1] - sizes[0])
        rows.append(_row("growth: bytes per cell in the driver", pair, "<= 64", f"{each:.0f}", met=each <= 64))
    return rows


def _tiled(notebook: Notebook, tiled: int) -> list[Row]:
    row = notebook.find("ours.chain", tiled)
    if row is None:
        return []
    memory = row["peak_bytes"] / GB
    return [
        _row("store to PCA by tiles, seconds", tiled, "recorded", f"{row['seconds']:.0f} s", met=None),
        _row("store to PCA by tiles, peak memory", tiled, "< 4 GB", f"{memory:.2f} GB", met=memory < 4),
    ]


def check_agreement(folder: Path, sizes: Sequence[int]) -> list[Row]:
    """What the rivals computed, held against ours: a step that computes something else is not the same step."""
    rows = []
    for cells in sorted(sizes):
        checks = folder / str(cells) / "checks"
        found = {file.stem: json.loads(file.read_text()) for file in sorted(checks.glob("*.json"))}
        for name, judge in _JUDGES.items():
            own, other = (found.get(each) for each in name)
            if own and other:
                rows.append(judge(cells, name[1], own, other))
    return rows


def _same_genes(cells: int, other_name: str, own: dict[str, Any], other: dict[str, Any]) -> Row:
    shared = len(set(own["genes"]) & set(other["genes"])) / len(own["genes"])
    return _row(f"same variable genes as {other_name}", cells, ">= 99 %", f"{100 * shared:.1f} %", met=shared >= 0.99)


def _same_variance(cells: int, other_name: str, own: dict[str, Any], other: dict[str, Any]) -> Row:
    first, second = np.array(own["variance"]), np.array(other["variance"])
    apart = float(np.max(np.abs(first - second) / first))
    return _row(
        f"same variance of components as {other_name}", cells, "<= 1e-3 apart", f"{apart:.1e}", met=apart <= 1e-3
    )


_JUDGES: dict[tuple[str, str], Callable[[int, str, dict[str, Any], dict[str, Any]], Row]] = {
    ("ours", "scanpy"): _same_genes,
    ("ours_pca", "scanpy_dask"): _same_variance,
    ("ours_pca", "bpcells"): _same_variance,
    ("ours_pca", "scanpy"): _same_variance,
}
