"""Proportions of genes in every state of cells, and how patients, batches and samples shift them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from scipy.stats import gamma

from chemores_dask.aliases import Matrix, Seed, Vector
from chemores_dask.kernels.sampled_counts import NOISE_LEVELS, CountProfiles, split_profiles
from chemores_dask.simulation.design import SimulationDesign
from chemores_dask.simulation.gene_panel import (
    G2M_GROUP,
    MARKERS,
    MITOCHONDRIAL_GROUP,
    OTHER,
    RESISTANCE_GROUP,
    RIBOSOMAL_GROUP,
    S_GROUP,
    STEMNESS_GROUP,
    GenePanel,
)
from chemores_dask.simulation.generators import named_generator

BLASTS = ("blast_1", "blast_2", "blast_3")
STEM_LIKE = "stem_like"
NORMAL = ("t_cell", "b_cell", "monocyte", "stroma")
STATES = (*BLASTS, STEM_LIKE, *NORMAL)
STEM_CODE = len(BLASTS)
MALIGNANT_STATES = STEM_CODE + 1

_STATE_GENES = 0.05
_MARKER_ABSENT, _MARKER_PRESENT = 5e-6, 6e-4
_LEVELS = {S_GROUP: 4e-5, G2M_GROUP: 4e-5, STEMNESS_GROUP: 1.2e-4, RESISTANCE_GROUP: 1e-4}
_RPS27_LEVEL = 3e-3
_PANEL_SPREAD = 0.4
_SLOPES = (0.7, 1.3)
_COMMON_MEAN = 0.2


@dataclass(frozen=True)
class Profiles:
    """Proportions before the shifts of patients, batches and samples.

    Attributes
    ----------
    log_shares
        Logarithm of the proportions, states by genes.
    panel
        The genes.
    noise
        Equally probable values of the gamma noise.
    """

    log_shares: Matrix
    panel: GenePanel
    noise: Vector


def state_profiles(panel: GenePanel, *, design: SimulationDesign, seed: Seed) -> Profiles:
    """Proportions of genes in every state.

    Parameters
    ----------
    panel
        The genes.
    design
        Shares of gene groups, spreads, and the effect of stem-like cells.
    seed
        Decides which genes are high and which differ between states.
    """
    shares = np.tile(_shares_of_genes(panel, design=design, seed=seed), (len(STATES), 1))
    log_shares = np.log(shares)
    for code, state in enumerate(STATES):
        generator = named_generator(seed, "state", state)
        numbered = panel.numbered
        differing = generator.choice(numbered, size=max(1, round(_STATE_GENES * len(numbered))), replace=False)
        log_shares[code, differing] += design.state_spread * generator.normal(size=len(differing))
        markers = MARKERS["malignant" if code < MALIGNANT_STATES else state]
        log_shares[code, panel.positions(markers)] += np.log(_MARKER_PRESENT / _MARKER_ABSENT)
    stemness = np.flatnonzero(panel.groups == STEMNESS_GROUP)
    slopes = named_generator(seed, "slopes").uniform(*_SLOPES, size=len(stemness))
    log_shares[STEM_CODE, stemness] += design.stemness_effect * slopes / slopes.mean()
    return Profiles(log_shares, panel, _gamma_levels(design.dispersion))


def sample_profiles(
    profiles: Profiles, *, design: SimulationDesign, seed: Seed, patient: str, batch: str, sample: str
) -> CountProfiles:
    """Proportions of genes in the states of one sample.

    Parameters
    ----------
    profiles
        Proportions before the shifts.
    design
        Spreads of the shifts, and the depth that decides which genes count as common.
    seed
        Decides the shifts.
    patient, batch, sample
        Whose shifts are added.
    """
    shift = np.zeros(profiles.log_shares.shape[1])
    for kind, name, spread in (
        ("patient shift", patient, design.patient_spread),
        ("batch shift", batch, design.batch_spread),
        ("sample shift", sample, design.sample_spread),
    ):
        shift += spread * named_generator(seed, kind, name).normal(size=len(shift))
    shares = np.exp(profiles.log_shares + shift)
    shares /= shares.sum(axis=1, keepdims=True)
    common = (shares.max(axis=0) * design.depth_median >= _COMMON_MEAN) | (profiles.panel.groups != OTHER)
    return split_profiles(shares, profiles.panel.groups, common=common, noise=profiles.noise)


def _shares_of_genes(panel: GenePanel, *, design: SimulationDesign, seed: Seed) -> Vector:
    generator = named_generator(seed, "shares")
    shares = np.empty(len(panel.symbols))
    around = np.exp(_PANEL_SPREAD * generator.normal(size=len(shares)))
    for group, level in _LEVELS.items():
        members = panel.groups == group
        shares[members] = level * around[members]
    shares[panel.positions(("RPS27",))] = _RPS27_LEVEL
    for group, share in (
        (MITOCHONDRIAL_GROUP, design.mitochondrial_share),
        (RIBOSOMAL_GROUP, design.ribosomal_share),
    ):
        members = panel.groups == group
        shares[members] = share * around[members] / around[members].sum()
    markers = [symbol for symbols in MARKERS.values() for symbol in symbols]
    shares[panel.positions(tuple(markers))] = _MARKER_ABSENT
    numbered = panel.numbered
    taken = np.delete(shares, numbered).sum()
    # Quantiles in random order rather than normal numbers: depth and detection then hardly vary with the seed.
    levels = np.exp(design.gene_spread * ndtri((np.arange(len(numbered)) + 0.5) / len(numbered)))
    shares[numbered] = generator.permutation(levels) / levels.sum() * (1 - taken)
    return shares


def _gamma_levels(dispersion: float) -> Vector:
    """Equally probable values of a gamma variable with mean 1 and a given variance."""
    if dispersion == 0:
        return np.ones(NOISE_LEVELS)
    middles = (np.arange(NOISE_LEVELS) + 0.5) / NOISE_LEVELS
    levels = gamma.ppf(middles, 1 / dispersion, scale=dispersion)
    return levels / levels.mean()
