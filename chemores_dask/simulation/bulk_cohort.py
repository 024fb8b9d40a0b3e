"""An independent cohort of bulk expression with survival and response tied to the scores of modules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from chemores_dask.aliases import Matrix, Seed, Vector
from chemores_dask.errors import ParameterError
from chemores_dask.gene_sets import GeneSets
from chemores_dask.simulation.design import SimulationDesign
from chemores_dask.simulation.gene_panel import RESISTANCE, STEMNESS, GenePanel, special_genes
from chemores_dask.simulation.generators import named_generator

RESPONSES = ("M1", "M2", "M3")
SCALE = "log2(TPM + 1)"
RESPONSE_CUTS = (0.6, 0.85)
"""Shares of the patients up to M1, and up to M2."""

NECROSIS_SHIFT = 1.0
"""Log odds of necrosis at an average latent response."""

_LEVELS = (1.5, 9.0)
_MODULE_LEVELS = (4.0, 7.0)
_DECIMALS = 4
_TIME_STEPS = 400
_SHORTEST = 0.01


@dataclass(frozen=True)
class BulkCohort:
    """Expression, clinical table and truth of the bulk cohort.

    Attributes
    ----------
    expression
        log2(TPM + 1), genes by patients.
    clinical
        One row per patient: ``patient``, ``time`` (months), ``event`` (0 or 1), ``response`` (M1 to M3), ``necrosis`` (%), ``age``,
        ``sex``, ``subtype``.
    truth
        One row per patient: the standardized ``stemness`` and ``resistance`` scores, and the ``log_hazard``.
    """

    expression: pd.DataFrame
    clinical: pd.DataFrame
    truth: pd.DataFrame


def bulk_genes(panel: GenePanel, gene_sets: GeneSets, *, genes: int) -> Vector:
    """Choose the genes of the bulk cohort: every gene with a part to play or in a gene set, then others.

    Parameters
    ----------
    panel
        Genes of the cells.
    gene_sets
        Sets that must be measured.
    genes
        How many genes.

    Returns
    -------
    Places in the panel, ascending.

    Raises
    ------
    ParameterError
        If there are too few genes for the sets, or more than in the panel.
    """
    needed = set(special_genes()) | {gene for gene_set in gene_sets for gene in gene_set.genes}
    if not len(needed) <= genes <= len(panel.symbols):
        message = (
            f"The bulk cohort must measure at least {len(needed)} genes (those with a part to play or in a gene set) and at most "
            f"the {len(panel.symbols)} of the cells. Got {genes}; change bulk_genes."
        )
        raise ParameterError(message)
    wanted = np.array([symbol in needed for symbol in panel.symbols])
    others = np.flatnonzero(~wanted)[: genes - len(needed)]
    return np.sort(np.concatenate([np.flatnonzero(wanted), others]))


def simulated_bulk(panel: GenePanel, gene_sets: GeneSets, *, design: SimulationDesign, seed: Seed) -> BulkCohort:
    """Make the bulk cohort.

    The score of a module is the mean over its genes of the z scores of log2(TPM + 1), brought to mean 0 and standard deviation 1.
    Survival is Weibull with log hazard ``stemness_hazard s + resistance_hazard r``, censored uniformly; the response follows a
    proportional odds model of both scores, and necrosis falls as the same latent response gets worse.

    Parameters
    ----------
    panel
        Genes of the cells.
    gene_sets
        Sets whose genes must be measured.
    design
        Sizes and effects.
    seed
        Any integer.
    """
    symbols = panel.symbols[bulk_genes(panel, gene_sets, genes=design.bulk_genes)]
    digits = len(str(design.bulk_patients))
    patients = [f"B{number:0{digits}d}" for number in range(1, design.bulk_patients + 1)]
    expression = pd.DataFrame(_expression(symbols, design=design, seed=seed), index=symbols, columns=patients)
    scores = {name: module_zscore(expression, genes) for name, genes in _MODULES.items()}
    log_hazard = design.stemness_hazard * scores["stemness"] + design.resistance_hazard * scores["resistance"]
    time, event = _survival(log_hazard, design=design, seed=seed)
    worse = design.stemness_response * scores["stemness"] + design.resistance_response * scores["resistance"]
    latent = worse + named_generator(seed, "response").logistic(size=len(worse))
    generator = named_generator(seed, "clinical")
    clinical = pd.DataFrame(
        {
            "patient": patients,
            "time": time,
            "event": event.astype(np.int8),
            "response": np.array(RESPONSES)[np.searchsorted(np.quantile(latent, RESPONSE_CUTS), latent)],
            "necrosis": np.round(100 / (1 + np.exp(latent - NECROSIS_SHIFT)), 1),
            "age": np.round(generator.uniform(1, 18, size=len(patients)), 1),
            "sex": generator.choice(["female", "male"], size=len(patients)),
            "subtype": generator.choice(design.subtypes, size=len(patients)),
        }
    )
    truth = pd.DataFrame({"patient": patients, **scores, "log_hazard": log_hazard})
    return BulkCohort(expression, clinical, truth)


_MODULES = {"stemness": STEMNESS, "resistance": RESISTANCE}


def module_zscore(expression: pd.DataFrame, genes: tuple[str, ...]) -> Vector:
    """Mean z score of some genes, brought to mean 0 and standard deviation 1 over patients.

    Parameters
    ----------
    expression
        Genes by patients.
    genes
        The module.
    """
    values = expression.loc[list(genes)].to_numpy()
    scores = ((values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, ddof=1, keepdims=True)).mean(axis=0)
    return (scores - scores.mean()) / scores.std(ddof=1)


def _expression(symbols: Vector, *, design: SimulationDesign, seed: Seed) -> Matrix:
    generator = named_generator(seed, "bulk expression")
    patients = design.bulk_patients
    levels = generator.uniform(*_LEVELS, size=(len(symbols), 1))
    values = levels + design.bulk_noise * generator.normal(size=(len(symbols), patients))
    place = {symbol: position for position, symbol in enumerate(symbols)}
    for genes in _MODULES.values():
        places = [place[gene] for gene in genes]
        values[places] += generator.uniform(*_MODULE_LEVELS, size=(len(genes), 1)) - levels[places]
        values[places] += design.bulk_module_spread * generator.normal(size=patients)
    return np.round(np.maximum(values, 0.0), _DECIMALS)


def _survival(log_hazard: Vector, *, design: SimulationDesign, seed: Seed) -> tuple[Vector, Vector]:
    generator = named_generator(seed, "survival")
    scale = design.follow_up_median / np.log(2) ** (1 / design.hazard_shape)
    until_event = scale * (generator.exponential(size=len(log_hazard)) / np.exp(log_hazard)) ** (
        1 / design.hazard_shape
    )
    longest = scale * longest_follow_up(log_hazard, event_share=design.event_share, shape=design.hazard_shape)
    until_end = longest * generator.uniform(size=len(log_hazard))
    time = np.maximum(np.round(np.minimum(until_event, until_end), 2), _SHORTEST)
    return time, until_event <= until_end


def longest_follow_up(log_hazard: Vector, *, event_share: float, shape: float) -> float:
    """End of uniform censoring at which a share of patients is expected to have the event.

    Parameters
    ----------
    log_hazard
        Of each patient.
    event_share
        Expected share.
    shape
        Of the Weibull distribution.

    Returns
    -------
    Upper end of the censoring times, in units of the Weibull scale.
    """
    steps = (np.arange(_TIME_STEPS) + 0.5) / _TIME_STEPS

    def excess(log_end: float) -> float:
        elapsed = (np.exp(log_end) * steps) ** shape
        return float(1 - np.exp(-np.exp(log_hazard)[:, None] * elapsed).mean()) - event_share

    reach = 60 / shape + np.ptp(log_hazard)
    return float(np.exp(brentq(excess, -reach, reach)))
