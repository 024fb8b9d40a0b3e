"""What chemores_dask does, each step as a user would call it. Everything that is timed is computed; results are written into the store."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

import chemores_dask as cd
from benchmarks.absent import need_doors
from benchmarks.one_step import Clock, Place
from benchmarks.tiling import stored_counts
from chemores_dask.kernels.reduction import Reduction
from chemores_dask.stream import as_rows, compute, reduce_rows

SEED = 7
COMPONENTS = 50
VARIABLE_GENES = 2_000
STATES = 20
CELLS_PER_SAMPLE = 1_000
FINGERPRINT = "0" * 12
RANDOM_CELLS = 10_000


def rows_of_block(rows: object, columns: object) -> int:
    """The state of a pass that does nothing but read."""
    return int(rows.shape[0])  # type: ignore[attr-defined]


def add(first: int, second: int) -> int:
    """Merge two of these."""
    return first + second


def bare_decode(place: Place, clock: Clock) -> None:
    """Every block of the cells is read and decoded, and dropped."""
    with clock("pass"):
        cells = cd.open_cells(place.store, columns=[])
        (read,) = compute(reduce_rows(as_rows(cells.X), Reduction(rows_of_block, add)))
    assert read == cells.n_obs
    clock.facts["nonzeros"] = stored_counts(place.store)


def full_pass(place: Place, clock: Clock) -> None:
    """Decode, totals, log-normalize, moments of every gene in every sample: quality and cohort cube in one pass."""
    with clock("pass"):
        cells = cd.open_cells(place.store, columns=["sample"])
        found = cd.share_passes(
            {"quality": lambda: cd.quality(cells), "cube": lambda: cd.cohort_cube(cells, sample="sample")}
        )
    counted = int(found["cube"]["cube_count_sum"].sum())
    assert counted == int(found["quality"]["cell_total"].sum())
    clock.facts["nonzeros"] = stored_counts(place.store)


def chain(place: Place, clock: Clock) -> None:
    """Store to principal components: quality, variable genes, exact components with their scores written."""
    _chain(place, clock)


def _chain(place: Place, clock: Clock) -> None:
    for step in ("quality", "variable_genes", "pca"):
        _forget(place.store, step)
    with clock("open"):
        cells = cd.open_cells(place.store, columns=["sample"])
    with clock("quality and variable genes"):
        found = cd.share_passes(
            {
                "quality": lambda: cd.quality(cells),
                "variable_genes": lambda: cd.variable_genes(cells, method="seurat_v3", genes=VARIABLE_GENES),
            }
        )
        for step, result in found.items():
            cd.write_result(result, place.store, step=f"bench_{step}", fingerprint=FINGERPRINT)
    with clock("pca"):
        chosen = found["variable_genes"]["gene_variable"].values
        components = cd.pca(cd.log_normalize(cells), components=COMPONENTS, genes=chosen)
        cd.write_result(components, place.store, step="bench_pca", fingerprint=FINGERPRINT)
    names = np.asarray(cells.var_names)[chosen].tolist()
    keep_check(place, "ours", genes=names, variance=components["pca_variance"].values.tolist())
    clock.facts["nonzeros"] = stored_counts(place.store)


def quality(place: Place, clock: Clock) -> None:
    """Totals, detected genes and shares of gene groups."""
    _forget(place.store, "quality")
    with clock("quality"):
        cd.write_result(
            cd.quality(cd.open_cells(place.store)), place.store, step="bench_quality", fingerprint=FINGERPRINT
        )


def group_sums(place: Place, clock: Clock) -> None:
    """Sums of every gene in every sample."""
    with clock("group sums"):
        cd.cohort_cube(cd.open_cells(place.store), sample="sample")


def variable_genes(place: Place, clock: Clock) -> None:
    """Two thousand variable genes."""
    with clock("variable genes"):
        found = cd.variable_genes(cd.open_cells(place.store), method="seurat_v3", genes=VARIABLE_GENES)
    keep_check(place, "ours_genes", genes=np.asarray(found["gene"].values)[found["gene_variable"].values].tolist())


def pca(place: Place, clock: Clock) -> None:
    """Fifty exact components of the variable genes, written."""
    _forget(place.store, "pca")
    chosen = variable(place)
    with clock("pca"):
        normalized = cd.log_normalize(cd.open_cells(place.store))
        found = cd.pca(normalized, components=COMPONENTS, genes=chosen)
        cd.write_result(found, place.store, step="bench_pca", fingerprint=FINGERPRINT)
    keep_check(place, "ours_pca", genes=chosen, variance=found["pca_variance"].values.tolist())


def module_score(place: Place, clock: Clock) -> None:
    """Scores of the simulated signatures, written."""
    _forget(place.store, "module_score")
    gene_sets = cd.read_gmt(place.files / "gene_sets.gmt")
    with clock("module score"):
        normalized = cd.log_normalize(cd.open_cells(place.store))
        found = cd.module_score(normalized, gene_sets, method="seurat", seed=SEED)
        cd.write_result(found, place.store, step="bench_module_score", fingerprint=FINGERPRINT)


def cohort_cube(place: Place, clock: Clock) -> None:
    """A cube of samples of a thousand cells by twenty states, written sample by sample."""
    _forget(place.store, "cohort_cube")
    with clock("cube"):
        cells = cd.open_cells(place.store, columns=["cell_key"])
        numbers = np.arange(cells.n_obs)
        labels = np.char.add("s", (numbers // CELLS_PER_SAMPLE).astype(str))
        cells.obs = cells.obs.assign(
            many_samples=labels.astype(object), states=(cells.obs["cell_key"].to_numpy() % STATES).astype(int)
        )
        cube = cd.cohort_cube(cells, sample="many_samples", state="states")
        cd.write_result(cube, place.store, step="bench_cohort_cube", fingerprint=FINGERPRINT)
    clock.facts["samples"] = cube.sizes["sample"]
    _forget(place.store, "cohort_cube")


def gene_copy(place: Place, clock: Clock) -> None:
    """The same counts once more, gene by gene."""
    need_doors("write_gene_copy")
    shutil.rmtree(place.store / "cells_by_gene", ignore_errors=True)
    with clock("gene copy"):
        cd.write_gene_copy(place.store)


def one_gene(place: Place, clock: Clock) -> None:
    """One gene in all cells, from the copy by gene; the mean over ten genes."""
    need_doors("read_genes", "write_gene_copy")
    if not (place.store / "cells_by_gene").is_dir():
        cd.write_gene_copy(place.store)
    names = [str(name) for name in cd.open_cells(place.store, columns=[]).var_names]
    picked = np.random.default_rng(SEED).choice(names, 10, replace=False).tolist()
    cd.read_genes(place.store, picked[:1])
    with clock("ten genes"):
        for name in picked:
            cd.read_genes(place.store, [name])
    clock.facts["seconds_per_gene"] = clock.parts["ten genes"] / len(picked)


def random_cells(place: Place, clock: Clock) -> None:
    """Ten thousand random cells with all their genes."""
    need_doors("read_cells")
    rows = np.random.default_rng(SEED).choice(place.cells, min(RANDOM_CELLS, place.cells), replace=False)
    with clock("random cells"):
        found = cd.read_cells(place.store, rows)
    clock.facts["cells_read"] = int(found.shape[0])


def variable(place: Place) -> list[str]:
    """The variable genes that the chain found; so every rival gets the same ones."""
    file = place.checks / "ours.json"
    if not file.is_file():
        _chain(place, Clock())
    return list(json.loads(file.read_text())["genes"])


def keep_check(place: Place, name: str, **values: object) -> None:
    """Keep what a step found, to be held against the others."""
    place.checks.mkdir(exist_ok=True)
    (place.checks / f"{name}.json").write_text(json.dumps(values))


def _forget(store: Path, step: str) -> None:
    shutil.rmtree(store / "results" / f"bench_{step}", ignore_errors=True)
