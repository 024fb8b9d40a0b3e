"""Inputs of one size: simulated files, a store, the same cells for the rivals, and a store of tiles."""

from __future__ import annotations

import shutil

import anndata
import numpy as np

import chemores_dask as cd
from benchmarks.one_step import Clock, Place
from benchmarks.tiling import stored_counts, tile_store

SEED = 7
GENES = 20_000
SAMPLES = 10
TILES = 10


def simulate(place: Place, clock: Clock) -> None:
    """10x HDF5 files (gzip) of ten samples."""
    design = cd.SimulationDesign(
        patients=SAMPLES // 2,
        cells_per_sample=place.cells // SAMPLES,
        genes=GENES,
        formats="h5",
        bulk_patients=50,
        bulk_genes=500,
    )
    with clock("simulate"):
        cd.simulate(place.files, design=design, seed=SEED)


def ingest_tenx(place: Place, clock: Clock) -> None:
    """Those files into a store."""
    shutil.rmtree(place.store, ignore_errors=True)
    with clock("ingest"):
        cd.ingest_samples(place.files / "samples.csv", place.store)
    clock.facts["nonzeros"] = stored_counts(place.store)


def export_h5ad(place: Place, clock: Clock) -> None:
    """The same cells as an uncompressed .h5ad of float32, as the rivals read counts."""
    with clock("export"):
        cells = cd.open_cells(place.store, columns=["sample"]).to_memory()
        matrix = cells.X.astype(np.float32)
        anndata.AnnData(X=matrix, obs=cells.obs, var=cells.var).write_h5ad(place.h5ad)


def ingest_h5ad(place: Place, clock: Clock) -> None:
    """That file into a store, which is erased again."""
    target, sheet = place.folder / "from_h5ad.zarr", place.folder / "h5ad.csv"
    shutil.rmtree(target, ignore_errors=True)
    sheet.write_text(f"sample,patient,stage,path\nall,P1,diagnosis,{place.h5ad.absolute()}\n")
    with clock("ingest"):
        cd.ingest_samples(sheet, target)
    clock.facts["nonzeros"] = stored_counts(target)
    shutil.rmtree(target)


def tile(place: Place, clock: Clock) -> None:
    """A store of ten times the cells, in hard links to the shards of a smaller one."""
    source = place.folder.parent / str(place.cells // TILES) / "cohort.zarr"
    shutil.rmtree(place.store, ignore_errors=True)
    with clock("tile"):
        clock.facts["tiled_cells"] = tile_store(source, place.store, tiles=TILES)
