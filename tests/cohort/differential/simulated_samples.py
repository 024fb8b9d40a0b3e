"""Pseudobulk of simulated samples, and the table that the expected values were made from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

FOLDER = Path(__file__).parent / "expected"


def pseudobulk_of(counts, **columns):
    """A pseudobulk result with these columns over its samples."""
    counts = np.asarray(counts)
    samples = [f"S{number:02d}" for number in range(1, len(counts) + 1)]
    return xr.Dataset(
        {
            "pseudobulk_count": (("sample", "gene"), counts),
            "pseudobulk_cells": ("sample", np.full(len(counts), 50)),
            "pseudobulk_used": ("sample", np.ones(len(counts), dtype=bool)),
        },
        coords={
            "sample": samples,
            "gene": [f"G{number:03d}" for number in range(1, counts.shape[1] + 1)],
            **{name: ("sample", np.asarray(values)) for name, values in columns.items()},
        },
    )


def published():
    """The table of ``expected/counts.csv``: six patients at two stages."""
    counts = pd.read_csv(FOLDER / "counts.csv", index_col=0)
    samples = pd.read_csv(FOLDER / "samples.csv", index_col=0)
    return pseudobulk_of(counts.to_numpy().T, **{name: samples[name].to_numpy() for name in samples})


def paired(patients=6, genes=200, *, effect=0.0, seed=1, mean=80.0, dispersion=0.1):
    """Pairs of samples; the first tenth of the genes change by ``effect`` (log2)."""
    rng = np.random.default_rng(seed)
    patient, stage = np.repeat(np.arange(patients), 2), np.tile([0, 1], patients)
    level = mean * rng.lognormal(0, 1, genes) * rng.lognormal(0, 0.5, (patients, genes))[patient]
    change = np.zeros(genes)
    change[: genes // 10] = effect * rng.choice([-1, 1], genes // 10)
    expected = level * 2.0 ** (stage[:, None] * change) * rng.lognormal(0, 0.3, (2 * patients, 1))
    spread = dispersion * rng.lognormal(0, 0.3, genes)
    counts = rng.poisson(expected * rng.gamma(1 / spread, spread, expected.shape))
    return pseudobulk_of(
        counts,
        patient=[f"P{number}" for number in patient],
        stage=np.where(stage == 1, "relapse", "diagnosis"),
    )


def cube_of(*tables, cells=50):
    """A cohort cube with one state for each pseudobulk result."""
    first = tables[0]
    names = [f"state{number}" for number in range(len(tables))]
    counts = np.stack([table["pseudobulk_count"].values for table in tables], axis=1)
    return xr.Dataset(
        {
            "cube_count_sum": (("sample", "state", "gene"), counts),
            "cube_cells": (("sample", "state"), np.full(counts.shape[:2], cells)),
        },
        coords={**{name: first[name] for name in first.coords}, "state": names},
    )
