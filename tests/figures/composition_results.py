"""Results of the analyses of composition for pictures: a rare state that grows in eight patients."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr

from chemores_dask.cohort.composition.composition_changes import composition_changes
from chemores_dask.cohort.composition.pooled_composition import pooled_composition
from chemores_dask.cohort.composition.propeller import propeller_composition

STATES = ("stem_like", "cycling", "blast", "T", "NK")
SHARES = (0.012, 0.3, 0.45, 0.2, 0.038)
STAGES = {"before": "diagnosis", "after": "relapse"}


def cube(patients: int = 8, states: tuple[str, ...] = STATES) -> xr.Dataset:
    draws = np.random.default_rng(3)
    cells, names, stages = [], [], []
    for number in range(patients):
        own = draws.dirichlet(80 * np.resize(SHARES, len(states)) / np.resize(SHARES, len(states)).sum())
        for stage, factor, total in (("diagnosis", 1.0, 110), ("relapse", 20.0, 650)):
            moved = own * np.where(np.arange(len(states)) == 0, factor, 1.0)
            cells.append(draws.multinomial(total, moved / moved.sum()))
            names.append(f"P{number + 1}")
            stages.append(stage)
    return xr.Dataset(
        {"cube_cells": (("sample", "state"), np.array(cells))},
        coords={
            "sample": [f"{name}-{stage}" for name, stage in zip(names, stages, strict=True)],
            "state": list(states),
            "patient": ("sample", names),
            "stage": ("sample", stages),
        },
    )


def changes_result(patients: int = 8, states: tuple[str, ...] = STATES) -> xr.Dataset:
    return composition_changes(cube(patients, states), **STAGES)


def propeller_result() -> xr.Dataset:
    return propeller_composition(cube())


def pooled_result(states: tuple[str, ...] = STATES) -> xr.Dataset:
    return pooled_composition(cube(states=states), group="stage", draws=200, seed=1)


def beta_binomial_result(states: tuple[str, ...] = STATES) -> xr.Dataset:
    """By hand: what the model would say, one limit without end."""
    effect = np.resize([3.0, -0.35, -0.25, -0.2, 0.1], len(states))
    upper = effect + 0.8
    upper[0] = np.inf
    return xr.Dataset(
        {
            "beta_binomial_effect": ("state", effect),
            "beta_binomial_effect_lower": ("state", effect - 0.7),
            "beta_binomial_effect_upper": ("state", upper),
            "beta_binomial_p_value": ("state", np.linspace(1e-5, 0.7, len(states))),
        },
        coords={"state": list(states)},
        attrs={"analysis": "beta_binomial_composition", "parameters": json.dumps(STAGES)},
    )


def dirichlet_result(states: tuple[str, ...] = STATES) -> xr.Dataset:
    return xr.Dataset(
        {"dirichlet_credible_references": ("state", [3, *[0] * (len(states) - 1)])},
        coords={"state": list(states), "reference": list(states[1:4])},
        attrs={"analysis": "dirichlet_multinomial_composition", "parameters": json.dumps(STAGES)},
    )
