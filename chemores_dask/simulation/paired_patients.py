"""Patients with a sample at each of two stages, and what is planted in each sample."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit

from chemores_dask.aliases import Seed, Vector
from chemores_dask.simulation.design import SimulationDesign
from chemores_dask.simulation.expression_profiles import BLASTS, NORMAL
from chemores_dask.simulation.generators import named_generator

_BLAST_SHARES = (0.5, 0.3, 0.2)
_NORMAL_SHARES = (0.4, 0.2, 0.3, 0.1)
_MIXTURE_SPREAD = 0.4
_NODES = 41
_LARGEST_ALTERNATING = 10_000


@dataclass(frozen=True)
class PlannedSample:
    """What is planted in one sample.

    Attributes
    ----------
    name
        Unique: patient and stage.
    patient, stage, batch, subtype
        Columns of the sample sheet.
    path
        Of its counts, relative to the sample sheet.
    malignant_share
        Probability that a cell is malignant.
    stem_share
        Probability that a malignant cell is stem-like.
    axis_mean
        Mean position of malignant cells on the resistance axis.
    blast_shares, normal_shares
        Shares of the other malignant states and of the normal types.
    """

    name: str
    patient: str
    stage: str
    batch: str
    subtype: str
    path: str
    malignant_share: float
    stem_share: float
    axis_mean: float
    blast_shares: tuple[float, ...]
    normal_shares: tuple[float, ...]


@lru_cache(maxsize=256)
def logit_location(mean: float, *, spread: float) -> float:
    """Location of the logit-normal distribution with a given mean.

    Solves ``E[expit(location + spread Z)] = mean`` for standard normal ``Z``, by Gauss-Hermite quadrature.

    Parameters
    ----------
    mean
        Between 0 and 1.
    spread
        Standard deviation of the logit.

    Returns
    -------
    The location.

    Examples
    --------
    >>> round(logit_location(0.5, spread=2.0), 6)
    0.0
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    weights = weights / weights.sum()
    reach = 1 + spread * spread

    def excess(location: float) -> float:
        return float(weights @ expit(location + spread * nodes)) - mean

    return float(brentq(excess, logit(mean) - 10 * reach, logit(mean) + 10 * reach, xtol=1e-12))


def planned_samples(design: SimulationDesign, *, seed: Seed) -> tuple[PlannedSample, ...]:
    """Decide what every sample of the cohort holds.

    Parameters
    ----------
    design
        Sizes and effects.
    seed
        Decides how patients differ.

    Returns
    -------
    Two samples for each patient, patients in order, the earlier stage first.
    """
    digits = max(2, len(str(design.patients)))
    samples: list[PlannedSample] = []
    for number in range(design.patients):
        patient = f"P{number + 1:0{digits}d}"
        generator = named_generator(seed, "patient", patient)
        of_patient = generator.normal()
        blast_shares = _mixture(generator, _BLAST_SHARES)
        normal_shares = _mixture(generator, _NORMAL_SHARES)
        assert len(blast_shares) == len(BLASTS)
        assert len(normal_shares) == len(NORMAL)
        for stage in (design.before, design.after):
            name = f"{patient}_{stage}"
            early = stage == design.before
            of_sample = generator.normal()
            samples.append(
                PlannedSample(
                    name=name,
                    patient=patient,
                    stage=stage,
                    batch=f"batch_{number % design.batches + 1}",
                    subtype=design.subtypes[number % len(design.subtypes)],
                    path=_path(name, len(samples), design=design),
                    malignant_share=_logit_normal(
                        design.malignant_share_before if early else design.malignant_share_after,
                        design.malignant_share_spread,
                        generator.normal(),
                    ),
                    stem_share=_logit_normal(
                        design.stem_share_before if early else design.stem_share_after,
                        design.stem_share_spread,
                        (of_patient + of_sample) / np.sqrt(2),
                    ),
                    axis_mean=design.axis_mean_before if early else design.axis_mean_after,
                    blast_shares=tuple(blast_shares.tolist()),
                    normal_shares=tuple(normal_shares.tolist()),
                )
            )
    return tuple(samples)


def _path(name: str, number: int, *, design: SimulationDesign) -> str:
    """Name of the folder or file of a sample, the number of which decides where forms alternate."""
    alternate = design.formats == "alternate" or (
        design.formats == "auto" and design.cells_per_sample <= _LARGEST_ALTERNATING
    )
    as_folder = design.formats == "mtx" or (alternate and number % 2 == 0)
    return name if as_folder else f"{name}.h5"


def _mixture(generator: np.random.Generator, shares: tuple[float, ...]) -> Vector:
    weights = np.array(shares) * np.exp(_MIXTURE_SPREAD * generator.normal(size=len(shares)))
    return weights / weights.sum()


def _logit_normal(mean: float, spread: float, deviate: float) -> float:
    return float(expit(logit_location(mean, spread=spread) + spread * deviate))
