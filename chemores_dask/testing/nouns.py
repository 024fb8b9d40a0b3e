"""Tiny cells and patients, with every column that analyses ask for."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp
import xarray as xr

from chemores_dask.aliases import Block, Rows
from chemores_dask.gene_sets import GeneSets
from chemores_dask.metering import BLOCKS_DECODED, ROWS_DECODED, count
from chemores_dask.randomness import cell_keys
from chemores_dask.stream.rows import as_rows

CELLS = 96
GENES = 60
PATIENTS = 40
GENE_NAMES = [f"MT-{number}" for number in range(3)] + [f"GENE{number:03d}" for number in range(3, GENES)]
SIGNATURE = GeneSets.from_mapping({"signature": GENE_NAMES[10:16], "decoy": GENE_NAMES[30:36]})


def stem_like() -> np.ndarray:
    """Which of the cells are stem-like: about a third, unevenly over patients and stages."""
    return (np.arange(CELLS) * 7 // 5) % 3 == 0


def tiny_counts() -> sp.csr_matrix:
    """Counts of 96 cells and 60 genes; the stem-like ones express genes 10 to 15 six times as strongly."""
    generator = np.random.default_rng(11)
    rate = generator.gamma(1.0, 1.0, size=GENES) + 0.05
    depth = generator.lognormal(0.0, 0.3, size=CELLS)
    expected = depth[:, None] * rate[None, :]
    expected[stem_like(), 10:16] *= 6
    return sp.csr_matrix(generator.poisson(expected).astype(np.int32))


def tiny_cells(*, rows_per_block: int | None = None, order: np.ndarray | None = None) -> ad.AnnData:
    """Cells of six patients at two stages, whose reads are counted by ``metering``.

    Parameters
    ----------
    rows_per_block
        Rows in each block; one block unless given.
    order
        Order of the cells; as made unless given.

    Returns
    -------
    AnnData with lazy ``X``.
    """
    number = np.arange(CELLS)
    patient = np.array([f"P{index % 6}" for index in number])
    stage = np.where(number % 12 < 6, "diagnosis", "relapse")
    names = [f"{p}-{s}:CELL{n:04d}" for p, s, n in zip(patient, stage, number, strict=True)]
    obs = pd.DataFrame(
        {
            "sample": [f"{p}-{s}" for p, s in zip(patient, stage, strict=True)],
            "patient": patient,
            "stage": stage,
            "batch": np.where(number % 2 == 0, "A", "B"),
            "state": np.where(stem_like(), "stem_like", "other"),
            "cycle_score": np.sin(number),
            "cell_key": cell_keys(names),
        },
        index=names,
    )
    counts = tiny_counts()
    if order is not None:
        obs, counts = obs.iloc[order], counts[order]
    rows = counted_rows(as_rows(counts, rows_per_block=rows_per_block))
    return ad.AnnData(X=rows, obs=obs, var=pd.DataFrame(index=GENE_NAMES))


def counted_rows(rows: Rows) -> Rows:
    """The same rows; every block that is read counts into ``metering``, as the reader of a store does."""
    return rows.map_blocks(_count, dtype=rows.dtype, meta=rows._meta)


def tiny_patients(*, genes_per_chunk: int | None = None) -> xr.Dataset:
    """Forty patients with expression, follow-up and covariates; gene 1 shortens survival.

    Parameters
    ----------
    genes_per_chunk
        Chunk ``gene``; in memory unless given.

    Returns
    -------
    Dataset over ``patient`` and ``gene``.
    """
    generator = np.random.default_rng(12)
    expression = generator.normal(5.0, 1.0, size=(PATIENTS, 12))
    hazard = np.exp(0.9 * (expression[:, 1] - 5.0))
    event_time = generator.exponential(20.0 / hazard)
    censoring = generator.uniform(5.0, 40.0, size=PATIENTS)
    dataset = xr.Dataset(
        {
            "expression": (("patient", "gene"), expression),
            "months": ("patient", np.ceil(np.minimum(event_time, censoring))),
            "event": ("patient", event_time <= censoring),
            "age": ("patient", generator.normal(10.0, 3.0, size=PATIENTS)),
            "arm": ("patient", np.where(np.arange(PATIENTS) % 2 == 0, "standard", "intensified").astype(object)),
        },
        coords={
            "patient": [f"P{number:02d}" for number in range(PATIENTS)],
            "gene": [f"GENE{number:03d}" for number in range(12)],
        },
    )
    return dataset if genes_per_chunk is None else dataset.chunk({"gene": genes_per_chunk})


def _count(block: Block) -> Block:
    count(**{ROWS_DECODED: block.shape[0], BLOCKS_DECODED: 1})
    return block
