"""Cells of a sample: what each is, and its counts, a function of the seed, the sample and the number of the cell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.special import betaincinv, ndtri

from chemores_dask.aliases import Block, Matrix, Seed, Vector
from chemores_dask.kernels.sampled_counts import CountProfiles, sample_counts
from chemores_dask.randomness import cell_uniforms, mix
from chemores_dask.simulation.design import SimulationDesign
from chemores_dask.simulation.expression_profiles import MALIGNANT_STATES, STATES, STEM_CODE
from chemores_dask.simulation.gene_panel import (
    G2M_GROUP,
    GROUPS,
    MITOCHONDRIAL_GROUP,
    RESISTANCE_GROUP,
    RIBOSOMAL_GROUP,
    S_GROUP,
    STEMNESS_GROUP,
)
from chemores_dask.simulation.generators import numbered_keys
from chemores_dask.simulation.paired_patients import PlannedSample

PHASES = ("G1", "S", "G2M")
CELLS_PER_BLOCK = 1024
_DRAWS = 11
_COUNTS_SALT = np.uint64(0x5851F42D4C957F2D)
_NORMAL_CYCLING_RATIO = 0.15
_MITOCHONDRIAL_SPREAD = 0.35
_RIBOSOMAL_SPREAD = 0.2
_STEMNESS_SPREAD = 0.1
_DAMAGED_DEPTH = 1 / 3
_DAMAGED_MITOCHONDRIAL = 12.0
_LETTERS = np.frombuffer(b"ACGT", dtype=np.uint8)
_BARCODE_LENGTH = 16


@dataclass(frozen=True)
class SimulatedCells:
    """What some cells of a sample are.

    Attributes
    ----------
    keys
        Key of each cell.
    states
        Code of the state, a place in ``STATES``.
    axis
        Position on the resistance axis, not a number for normal cells.
    phases
        Code of the phase, a place in :data:`PHASES`.
    damaged
        True for damaged cells.
    depths
        Expected number of counts.
    factors
        Factor on each group of genes, cells by groups.
    """

    keys: Vector
    states: Vector
    axis: Vector
    phases: Vector
    damaged: Vector
    depths: Vector
    factors: Matrix

    @property
    def malignant(self) -> Vector:
        """True for malignant cells."""
        return self.states < MALIGNANT_STATES

    @property
    def stem_like(self) -> Vector:
        """True for stem-like cells."""
        return self.states == STEM_CODE


def simulated_cells(
    sample: PlannedSample, *, design: SimulationDesign, seed: Seed, start: int, stop: int
) -> SimulatedCells:
    """Decide what the cells ``start`` to ``stop`` of a sample are.

    Parameters
    ----------
    sample
        What is planted.
    design
        Sizes and effects.
    seed
        Any integer.
    start, stop
        Numbers of cells within the sample.
    """
    keys = numbered_keys(seed, sample.name, start=start, stop=stop)
    uniforms = cell_uniforms(seed, keys, _DRAWS)
    malignant = uniforms[:, 0] < sample.malignant_share
    stem_like = malignant & (uniforms[:, 1] < sample.stem_share)
    blasts = np.searchsorted(np.cumsum(sample.blast_shares)[:-1], uniforms[:, 2], side="right")
    normal = np.searchsorted(np.cumsum(sample.normal_shares)[:-1], uniforms[:, 2], side="right")
    states = np.where(stem_like, STEM_CODE, np.where(malignant, blasts, MALIGNANT_STATES + normal))
    first = sample.axis_mean * design.axis_concentration
    axis = np.where(malignant, betaincinv(first, design.axis_concentration - first, uniforms[:, 3]), np.nan)
    cycling = np.where(stem_like, design.stem_cycling_share, design.cycling_share)
    cycling = np.where(malignant, cycling, _NORMAL_CYCLING_RATIO * design.cycling_share)
    phases = np.where(uniforms[:, 4] < cycling, 1 + (uniforms[:, 5] < 0.5), 0)
    damaged = uniforms[:, 6] < design.damaged_share
    deviates = ndtri(np.maximum(uniforms[:, 7:], 2.0**-54))
    depths = design.depth_median * np.exp(design.depth_spread * deviates[:, 0])
    factors = np.ones((len(keys), len(GROUPS)))
    factors[:, MITOCHONDRIAL_GROUP] = np.exp(_MITOCHONDRIAL_SPREAD * deviates[:, 1])
    factors[damaged, MITOCHONDRIAL_GROUP] *= _DAMAGED_MITOCHONDRIAL
    factors[:, RIBOSOMAL_GROUP] = np.exp(_RIBOSOMAL_SPREAD * deviates[:, 2])
    factors[phases == 1, S_GROUP] = np.exp(design.cycle_effect)
    factors[phases == 2, G2M_GROUP] = np.exp(design.cycle_effect)
    activity = _STEMNESS_SPREAD * design.stemness_effect * deviates[:, 3]
    factors[:, STEMNESS_GROUP] = np.where(malignant, np.exp(activity), 1.0)
    factors[:, RESISTANCE_GROUP] = np.exp(design.resistance_effect * np.where(malignant, axis, 0.0))
    depths = np.where(damaged, _DAMAGED_DEPTH * depths, depths)
    return SimulatedCells(keys, states.astype(np.int64), axis, phases, damaged, depths, factors)


def cell_barcodes(start: int, stop: int) -> Vector:
    """Barcodes of the cells ``start`` to ``stop`` of a sample: 16 letters and ``-1``, unique up to 2**32 cells.

    Returns
    -------
    Bytes of length 18, one per cell.
    """
    bits = np.arange(start, stop, dtype=np.uint32)
    bits = (bits ^ np.uint32(0x2545F491)) * np.uint32(0x9E3779B1)  # an odd factor: no two cells share a number
    bits = (bits ^ (bits >> np.uint32(15))) * np.uint32(0x85EBCA6B)
    bits ^= bits >> np.uint32(13)
    shifts = np.arange(0, 2 * _BARCODE_LENGTH, 2, dtype=np.uint32)
    letters = _LETTERS[((bits[:, None] >> shifts) & np.uint32(3)).astype(np.int64)]
    ending = np.tile(np.frombuffer(b"-1", dtype=np.uint8), (len(bits), 1))
    return np.ascontiguousarray(np.hstack([letters, ending])).view(f"S{_BARCODE_LENGTH + 2}").ravel()


def simulated_counts(cells: SimulatedCells, profiles: CountProfiles) -> Block:
    """Draw the counts of some cells.

    Parameters
    ----------
    cells
        What they are.
    profiles
        Proportions of genes in the states of their sample.

    Returns
    -------
    Counts, cells by genes.
    """
    keys = mix(cells.keys ^ _COUNTS_SALT)
    indptr, indices, data = sample_counts(keys, cells.depths, cells.states, cells.factors, profiles)
    counts = sp.csr_matrix((len(keys), profiles.genes), dtype=np.int32)
    counts.indptr, counts.indices, counts.data = indptr, indices, data
    return counts


def cell_ranges(cells: int, *, rows_per_block: int = CELLS_PER_BLOCK) -> Iterator[tuple[int, int]]:
    """Cut the cells of a sample into blocks.

    Returns
    -------
    First cell and first cell behind, of each block.
    """
    for start in range(0, cells, rows_per_block):
        yield start, min(start + rows_per_block, cells)


def cell_table(cells: SimulatedCells, *, sample: str, start: int) -> pd.DataFrame:
    """The truth about some cells, one row each.

    Parameters
    ----------
    cells
        What they are.
    sample
        Name of their sample.
    start
        Number of the first cell within the sample.

    Returns
    -------
    Table with ``sample``, ``barcode``, ``state``, ``malignant``, ``axis``, ``phase`` and ``damaged``.
    """
    return pd.DataFrame(
        {
            "sample": sample,
            "barcode": cell_barcodes(start, start + len(cells.keys)).astype(str),
            "state": np.array(STATES)[cells.states],
            "malignant": cells.malignant.astype(np.int8),
            "axis": np.round(cells.axis, 4),
            "phase": np.array(PHASES)[cells.phases],
            "damaged": cells.damaged.astype(np.int8),
        }
    )
