"""Tables drawn straight from the simulator's generators: no files, no store, hundreds of cohorts in seconds."""

from __future__ import annotations

import xarray as xr

from chemores_dask.simulation.bulk_cohort import simulated_bulk
from chemores_dask.simulation.paired_patients import planned_samples
from chemores_dask.simulation.simulated_cells import simulated_cells


def bulk_patients(panel, gene_sets, *, design, seed):
    """The bulk cohort as the analyses take it."""
    bulk = simulated_bulk(panel, gene_sets, design=design, seed=seed)
    return xr.Dataset(
        {
            "expression": (("patient", "gene"), bulk.expression.to_numpy().T),
            "time": ("patient", bulk.clinical["time"].to_numpy()),
            "event": ("patient", bulk.clinical["event"].to_numpy() == 1),
            "response": ("patient", bulk.clinical["response"].to_numpy(dtype=object)),
        },
        coords={
            "patient": bulk.clinical["patient"].to_numpy(dtype=object),
            "gene": bulk.expression.index.to_numpy(dtype=object),
        },
    )


def cell_counts(design, *, seed, cells_after=None):
    """Cells that are and are not stem-like in each sample, as the cohort cube would count them by the true states."""
    rows, patients, stages = [], [], []
    for sample in planned_samples(design, seed=seed):
        number = cells_after if cells_after and sample.stage == design.after else design.cells_per_sample
        cells = simulated_cells(sample, design=design, seed=seed, start=0, stop=number)
        kept = ~cells.damaged
        rows.append([int((kept & cells.stem_like).sum()), int((kept & ~cells.stem_like).sum())])
        patients.append(sample.patient)
        stages.append(sample.stage)
    return xr.Dataset(
        {"cube_cells": (("sample", "state"), rows)},
        coords={"state": ["stem_like", "other"], "patient": ("sample", patients), "stage": ("sample", stages)},
    )
