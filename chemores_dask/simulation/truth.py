"""What was planted and what came of it: ``truth.json``, and the claims that a pipeline should bear out."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt

import numpy as np
from scipy.special import expit, logit
from scipy.stats import t as student

from chemores_dask.aliases import Seed
from chemores_dask.simulation.bulk_cohort import NECROSIS_SHIFT, RESPONSE_CUTS, SCALE, BulkCohort
from chemores_dask.simulation.design import SimulationDesign
from chemores_dask.simulation.paired_patients import PlannedSample
from chemores_dask.simulation.simulated_cells import SimulatedCells

TRUTH_FORMAT = 1
_SIGNIFICANT = 0.05
_EXTREME = 0.001
_SHARE_MARGIN = 0.005
_SHARE_TOLERANCE = 0.2
_STUDIED_FIRST = "stemness"
_GOOD_NECROSIS = 0.9
_ERRORS = 3.0
_SAFETY = 2.0
_MEDIAN_SPLIT = 1.6  # distance of the means of both halves of a normal distribution, in standard deviations
_SOURCE = "planted in this simulated cohort"


@dataclass
class SampleTally:
    """Cells of one sample, counted while they are drawn.

    Attributes
    ----------
    cells, damaged
        All cells, and damaged ones.
    kept, malignant, stem_like
        Undamaged cells: all, malignant, and stem-like.
    axis_sum
        Sum of the axis positions of the undamaged malignant cells.
    """

    cells: int = 0
    damaged: int = 0
    kept: int = 0
    malignant: int = 0
    stem_like: int = 0
    axis_sum: float = 0.0

    def add(self, cells: SimulatedCells) -> None:
        """Count some more cells."""
        kept = ~cells.damaged
        self.cells += len(kept)
        self.damaged += int(cells.damaged.sum())
        self.kept += int(kept.sum())
        self.malignant += int((kept & cells.malignant).sum())
        self.stem_like += int((kept & cells.stem_like).sum())
        self.axis_sum += float(cells.axis[kept & cells.malignant].sum())


@dataclass(frozen=True)
class PlantedClaim:
    """A figure that a pipeline should find.

    Attributes
    ----------
    name
        What is claimed.
    step, variable, select
        Where the pipeline keeps it.
    value, lower, upper
        What was planted, and the interval in which the pipeline's figure should lie.
    """

    name: str
    step: str
    variable: str
    value: float
    lower: float
    upper: float
    select: Mapping[str, str] = field(default_factory=dict)


def sample_record(sample: PlannedSample, tally: SampleTally) -> dict[str, object]:
    """Planted and realized values of one sample; shares are of undamaged cells.

    Parameters
    ----------
    sample
        What was planted.
    tally
        What came of it.
    """
    return {
        **{name: getattr(sample, name) for name in ("name", "patient", "stage", "batch", "subtype", "path")},
        "cells": tally.cells,
        "damaged_cells": tally.damaged,
        "malignant_share_planted": sample.malignant_share,
        "malignant_share_realized": _ratio(tally.malignant, tally.kept),
        "stem_share_of_malignant_planted": sample.stem_share,
        "stem_share_of_malignant_realized": _ratio(tally.stem_like, tally.malignant),
        "stem_share_of_all_planted": sample.stem_share * sample.malignant_share,
        "stem_share_of_all_realized": _ratio(tally.stem_like, tally.kept),
        "axis_mean_planted": sample.axis_mean,
        "axis_mean_realized": _ratio(tally.axis_sum, tally.malignant),
    }


def truth_record(
    samples: Sequence[Mapping[str, object]], bulk: BulkCohort, *, design: SimulationDesign, seed: Seed
) -> dict[str, object]:
    """Everything planted and realized, ready for JSON.

    Parameters
    ----------
    samples
        One :func:`sample_record` each.
    bulk
        The bulk cohort.
    design, seed
        What the cohort was made from.
    """
    stages = {}
    for stage in (design.before, design.after):
        of_stage = [sample for sample in samples if sample["stage"] == stage]
        names = [name for name in samples[0] if name.endswith(("_planted", "_realized"))]
        stages[stage] = {f"mean_{name}": _mean([sample[name] for sample in of_stage]) for name in names}
    return {
        "simulation": TRUTH_FORMAT,
        "seed": seed,
        "design": dataclasses.asdict(design),
        "null": design.is_null,
        "stages": stages,
        "samples": list(samples),
        "bulk": {
            "scale": SCALE,
            "patients": len(bulk.clinical),
            "genes": len(bulk.expression),
            "events": int(bulk.clinical["event"].sum()),
            "responses": {
                str(name): int(n) for name, n in bulk.clinical["response"].value_counts().sort_index().items()
            },
            "stemness_log_hazard_ratio_per_sd": design.stemness_hazard,
            "resistance_log_hazard_ratio_per_sd": design.resistance_hazard,
            "stemness_log_odds_ratio_per_sd": design.stemness_response,
            "resistance_log_odds_ratio_per_sd": design.resistance_response,
        },
    }


def planted_claims(truth: Mapping[str, object], *, design: SimulationDesign) -> tuple[PlantedClaim, ...]:
    """The figures that the pipeline on stem-like cells should find in this cohort.

    They are about the module with the larger effect on survival. Shares are those realized, over all undamaged cells, within 0.005
    and a fifth of themselves. The log hazard ratio is the planted one within three standard errors, ``1 / sqrt(events)``; so is the
    log odds ratio of the response. Tests are claimed to be significant only where the planted effect leaves twice the distance that
    this takes, and in a null cohort to give no extreme P value.

    Parameters
    ----------
    truth
        Made by :func:`truth_record`.
    design
        Sizes and effects.
    """
    claims = []
    module = _studied_module(design)
    if design.stemness_effect and module == _STUDIED_FIRST:
        for side, stage in (("before", design.before), ("after", design.after)):
            share = truth["stages"][stage]["mean_stem_share_of_all_realized"]
            margin = _SHARE_MARGIN + _SHARE_TOLERANCE * share
            claims.append(
                PlantedClaim(
                    f"mean share of stem-like cells among all cells at {stage}",
                    "expansion",
                    f"composition_mean_share_{side}",
                    share,
                    max(share - margin, 0.0),
                    min(share + margin, 1.0),
                )
            )
    if _expansion_is_clear(design) and module == _STUDIED_FIRST:
        name = f"stem-like cells change from {design.before} to {design.after}: paired t test"
        claims.append(PlantedClaim(name, "expansion", "composition_t_p_value", 0.0, 0.0, _SIGNIFICANT))
    elif design.is_null and design.patients > 1:
        name = f"stem-like cells do not change from {design.before} to {design.after}: paired t test"
        claims.append(PlantedClaim(name, "expansion", "composition_t_p_value", 1.0, _EXTREME, 1.0))
    return (*claims, *_survival_claims(truth, design, module=module), *_response_claims(design, module=module))


def _studied_module(design: SimulationDesign) -> str:
    """The module whose pipeline should find something: that with the larger effect on survival."""
    return "resistance" if abs(design.resistance_hazard) > abs(design.stemness_hazard) else _STUDIED_FIRST


def _survival_claims(truth: Mapping[str, object], design: SimulationDesign, *, module: str) -> list[PlantedClaim]:
    events = truth["bulk"]["events"]
    if events == 0:
        return []
    hazard, error = getattr(design, f"{module}_hazard"), 1 / sqrt(events)
    claims = [
        PlantedClaim(
            f"log hazard ratio per standard deviation of the bulk {module} score",
            "survival_model",
            "cox_model_coefficient",
            hazard,
            hazard - _ERRORS * error,
            hazard + _ERRORS * error,
            {"term": "score"},
        )
    ]
    if abs(hazard) * _MEDIAN_SPLIT / (2 * error) > _SAFETY * 1.96:
        name = f"bulk patients with high and low {module} score differ in survival: log-rank test"
        claims.append(PlantedClaim(name, "survival_test", "log_rank_p_value", 0.0, 0.0, _SIGNIFICANT))
    elif design.is_null:
        name = f"bulk patients with high and low {module} score do not differ in survival: log-rank test"
        claims.append(PlantedClaim(name, "survival_test", "log_rank_p_value", 1.0, _EXTREME, 1.0))
    return claims


def _response_claims(design: SimulationDesign, *, module: str) -> list[PlantedClaim]:
    odds = getattr(design, f"{module}_response")
    if not odds:
        return []
    if module == _STUDIED_FIRST:
        what, step, variable = "a worse response", "response_model", "ordinal_coefficient"
        shares = np.diff([0.0, *RESPONSE_CUTS, 1.0])
        # Information on a log odds ratio in a proportional odds model near no effect.
        error = sqrt(3 / (design.bulk_patients * (1 - np.sum(shares**3))))
    else:
        what, step, variable, odds = "a good response (90 % necrosis)", "necrosis", "necrosis_coefficient", -odds
        good = expit(NECROSIS_SHIFT - logit(_GOOD_NECROSIS))
        error = 1 / sqrt(design.bulk_patients * good * (1 - good))
    return [
        PlantedClaim(
            f"log odds ratio of {what} per standard deviation of the bulk {module} score",
            step,
            variable,
            odds,
            odds - _ERRORS * error,
            odds + _ERRORS * error,
            {"term": "score"},
        )
    ]


def _expansion_is_clear(design: SimulationDesign) -> bool:
    if design.patients < 3 or not design.stemness_effect:
        return False
    shift = abs(float(logit(design.stem_share_after) - logit(design.stem_share_before)))
    expected = [
        design.cells_per_sample * share * malignant
        for share, malignant in (
            (design.stem_share_before, design.malignant_share_before),
            (design.stem_share_after, design.malignant_share_after),
        )
    ]
    spread = sqrt(design.stem_share_spread**2 + sum(1 / number for number in expected))
    needed = float(student.ppf(1 - _SIGNIFICANT / 2, design.patients - 1))
    return shift / spread * sqrt(design.patients) > _SAFETY * needed


def claims_toml(claims: Sequence[PlantedClaim]) -> str:
    """Write claims as the TOML that a pipeline reads.

    Parameters
    ----------
    claims
        The claims.
    """
    return "\n".join(_claim_table(claim) for claim in claims)


def _claim_table(claim: PlantedClaim) -> str:
    lines = ["[[claim]]", *(f"{name} = {json.dumps(getattr(claim, name))}" for name in ("name", "step", "variable"))]
    if claim.select:
        chosen = ", ".join(f"{dimension} = {json.dumps(label)}" for dimension, label in claim.select.items())
        lines.append(f"select = {{ {chosen} }}")
    lines.extend(f"{name} = {float(getattr(claim, name))!r}" for name in ("value", "lower", "upper"))
    lines.append(f"source = {json.dumps(_SOURCE)}")
    return "\n".join([*lines, ""])


def _ratio(part: float, whole: int) -> float | None:
    return part / whole if whole else None


def _mean(values: Sequence[object]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return float(np.mean(known)) if known else None
