"""The same steps in BPCells: the C++ core that its R package calls, driven by the small program in ``bpcells_steps.cpp``.

``python -m benchmarks.build_bpcells`` builds the program where a compiler and the libraries are present. Cells are written in parts, and
each part is read by a thread of its own, as the R package does with ``threads=2``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import anndata
import numpy as np

import chemores_dask as cd
from benchmarks.absent import give_up
from benchmarks.build_bpcells import program
from benchmarks.one_step import Clock, Place
from benchmarks.steps_ours import keep_check, variable

CELLS_PER_PART = 100_000
FEWEST_PARTS = 2


def convert(place: Place, clock: Clock) -> None:
    """Our store into bit-packed parts."""
    work = _work(place)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    cells = cd.open_cells(place.store, columns=["sample"])
    number = max(FEWEST_PARTS, -(-cells.n_obs // CELLS_PER_PART))
    borders = np.linspace(0, cells.n_obs, number + 1).astype(int)
    file = work / "part.h5ad"
    with clock("convert"):
        for part, (first, last) in enumerate(pairwise(borders)):
            matrix = cells.X[first:last].compute().astype(np.float32)
            anndata.AnnData(X=matrix).write_h5ad(file)
            _run("convert", [str(work / f"part{part:04d}"), str(file)])
            file.unlink()
    codes = cells.obs["sample"].cat.codes.to_numpy()
    np.savetxt(work / "groups", codes, fmt="%d")
    _quality_of(place)
    (work / "done").write_text("")


def quality(place: Place, clock: Clock) -> None:
    """Totals and detected genes of cells, totals of genes."""
    _keep(clock, "quality", _quality_of(place))


def group_sums(place: Place, clock: Clock) -> None:
    """Sums of every gene in every sample."""
    _keep(clock, "group sums", _step(place, "group_sums"))


def variable_genes(place: Place, clock: Clock) -> None:
    """Mean and variance of the log expression of every gene."""
    _keep(clock, "variable genes", _step(place, "variable_genes"))


def pca(place: Place, clock: Clock) -> None:
    """Fifty exact components of the variable genes that our chain found, staged first."""
    chosen, work = variable(place), _work(place)
    for staged in work.glob("staged*"):
        shutil.rmtree(staged)
    names = cd.open_cells(place.store, columns=[]).var_names
    np.savetxt(work / "genes", np.sort(names.get_indexer(chosen)), fmt="%d")
    _keep(clock, "pca", _step(place, "pca"))
    keep_check(place, "bpcells", genes=chosen, variance=np.loadtxt(work / "variance").tolist())
    for staged in work.glob("staged*"):
        shutil.rmtree(staged)


def module_score(place: Place, clock: Clock) -> None:
    """A weighted mean of log expression for each simulated signature."""
    names = cd.open_cells(place.store, columns=[]).var_names
    weights = []
    for number, line in enumerate((place.files / "gene_sets.gmt").read_text().splitlines()):
        members = names.isin(line.split("\t")[2:])
        controls = np.random.default_rng(number).choice(
            np.flatnonzero(~members), min(100 * members.sum(), len(names) // 2)
        )
        row = np.zeros(len(names))
        row[controls] = -1 / max(len(controls), 1)
        row[members] = 1 / max(members.sum(), 1)
        weights.append(row)
    np.savetxt(_work(place) / "weights", np.stack(weights).T.ravel(), fmt="%.17g")
    _keep(clock, "module score", _step(place, "module_score"))


def _keep(clock: Clock, part: str, told: dict[str, float]) -> None:
    clock.parts[part] = told["seconds"]
    # Of the program alone: Python, which only starts it, is no part of BPCells.
    clock.facts["program_peak_bytes"] = int(told["memory"] * 1024)


def _quality_of(place: Place) -> dict[str, float]:
    told = _step(place, "quality")
    totals = np.loadtxt(_work(place) / "totals")
    file = place.checks / "bpcells_totals.json"
    place.checks.mkdir(exist_ok=True)
    file.write_text(json.dumps({"sum": float(totals.sum())}))
    return told


def _step(place: Place, step: str) -> dict[str, float]:
    work = _work(place)
    if step != "quality" and not (work / "done").is_file():
        convert(place, Clock())
    parts = sorted(str(part) for part in work.glob("part????"))
    return _run(step, [str(work), *parts])


def _run(step: str, arguments: list[str]) -> dict[str, float]:
    built = program()
    if not built.is_file():
        give_up("BPCells is not built (python -m benchmarks.build_bpcells)")
    finished = subprocess.run(
        [str(built), step, *arguments], capture_output=True, text=True, check=False, env=os.environ
    )
    if finished.returncode:
        message = f"BPCells failed: {finished.stderr.strip()}"
        raise RuntimeError(message)
    return {name: float(value) for name, value in (line.split() for line in finished.stdout.splitlines())}


def _work(place: Place) -> Path:
    return place.folder / "bpcells"
