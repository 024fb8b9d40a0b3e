"""A tiny comparison of genes, and one call of every analysis of enrichment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from scipy.special import ndtr

from chemores_dask.cohort.enrichment.camera import camera_enrichment
from chemores_dask.cohort.enrichment.enrichment_replication import enrichment_replication
from chemores_dask.cohort.enrichment.gene_ranking import ranking_of
from chemores_dask.cohort.enrichment.gene_selection import gene_selection
from chemores_dask.cohort.enrichment.over_representation import over_representation
from chemores_dask.cohort.enrichment.prerank import prerank_enrichment
from chemores_dask.cohort.enrichment.regulon_direction import regulon_direction
from chemores_dask.gene_sets import GeneSets
from chemores_dask.kernels.multiple_testing import benjamini_hochberg

GENES = 200
PATIENTS = 12
RAISED, LOWERED = slice(0, 20), slice(20, 40)


def tiny_differential(seed: int = 21) -> xr.Dataset:
    """Two hundred genes of which the first twenty go up and the next twenty down; the last one was not tested."""
    statistic = np.random.default_rng(seed).normal(size=GENES)
    statistic[RAISED] += 2.5
    statistic[LOWERED] -= 2.5
    statistic[-1] = np.nan
    p_value = 2 * ndtr(-np.abs(statistic))
    return xr.Dataset(
        {
            "tiny_statistic": ("gene", statistic),
            "tiny_log_fold_change": ("gene", statistic / 4),
            "tiny_p_value": ("gene", p_value),
            "tiny_q_value": ("gene", benjamini_hochberg(p_value)),
            "tiny_patients": ((), PATIENTS),
        },
        coords={"gene": [f"GENE{number:03d}" for number in range(GENES)]},
    )


def tiny_sets() -> GeneSets:
    """Sets that go up, down, neither way, and one that was hardly measured."""
    names = [f"GENE{number:03d}" for number in range(GENES)]
    return GeneSets.from_mapping(
        {
            "raised": [*names[0:15], "UNKNOWN1"],
            "lowered": names[20:35],
            "mixed": names[10:30],
            "other": names[100:125],
            "unmeasured": ["UNKNOWN1", "UNKNOWN2", names[50]],
        }
    )


def tiny_enrichment(seed: int = 21) -> xr.Dataset:
    """Where in the tiny comparison the tiny sets gather."""
    return prerank_enrichment(
        tiny_differential(seed), tiny_sets(), statistic="tiny_statistic", permutations=200, seed=3
    )


def tiny_choice() -> xr.Dataset:
    """The genes of the tiny comparison that change."""
    return gene_selection(tiny_differential(), effect="tiny_log_fold_change", q_value="tiny_q_value", below=0.2)


Noun = Callable[[], xr.Dataset]
Call = Callable[[Any], xr.Dataset]
ENRICHMENT: dict[str, tuple[Callable[..., xr.Dataset], Noun, Call]] = {
    "ranking_of": (ranking_of, tiny_differential, lambda genes: ranking_of(genes, by="signed_log_p")),
    "gene_selection": (
        gene_selection,
        tiny_differential,
        lambda genes: gene_selection(genes, effect="tiny_log_fold_change", q_value="tiny_q_value"),
    ),
    "prerank_enrichment": (
        prerank_enrichment,
        tiny_differential,
        lambda genes: prerank_enrichment(genes, tiny_sets(), statistic="tiny_statistic", permutations=200, seed=3),
    ),
    "camera_enrichment": (
        camera_enrichment,
        tiny_differential,
        lambda genes: camera_enrichment(genes, tiny_sets(), statistic="tiny_statistic"),
    ),
    "over_representation": (
        over_representation,
        tiny_choice,
        lambda genes: over_representation(
            genes, tiny_sets(), chosen="selection_changed", background="selection_tested"
        ),
    ),
    "regulon_direction": (
        regulon_direction,
        tiny_choice,
        lambda genes: regulon_direction(genes, tiny_sets()),
    ),
    "enrichment_replication": (
        enrichment_replication,
        tiny_enrichment,
        lambda enrichment: enrichment_replication(enrichment, tiny_enrichment(22)),
    ),
}
"""Function, input and call of each, by its name in the catalogue."""
