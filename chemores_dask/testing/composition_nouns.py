"""One call of each analysis of composition on the cohort cube of the tiny cells."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from chemores_dask.cohort.composition.beta_binomial_composition import beta_binomial_composition
from chemores_dask.cohort.composition.composition_changes import composition_changes
from chemores_dask.cohort.composition.detection_limits import detection_limits
from chemores_dask.cohort.composition.dirichlet_multinomial import dirichlet_multinomial_composition
from chemores_dask.cohort.composition.group_association import group_association
from chemores_dask.cohort.composition.paired_shares import paired_composition
from chemores_dask.cohort.composition.pooled_composition import pooled_composition
from chemores_dask.cohort.composition.propeller import propeller_composition

STAGES = {"before": "diagnosis", "after": "relapse"}


def in_parts(cube: xr.Dataset) -> xr.Dataset:
    """The cube as if every sample were of another patient, and a third of the patients in a group of their own."""
    names = np.array([str(name) for name in cube["sample"].to_numpy()], dtype=object)
    part = np.where(np.arange(names.size) % 3 == 0, "third", "others").astype(object)
    return cube.assign_coords(patient=("sample", names), part=("sample", part))


Call = Callable[[xr.Dataset], xr.Dataset]
COMPOSITION: dict[str, tuple[Callable[..., xr.Dataset], Call]] = {
    "paired_composition": (
        paired_composition,
        lambda cube: paired_composition(cube, state="stem_like", **STAGES),
    ),
    "composition_changes": (composition_changes, lambda cube: composition_changes(cube, **STAGES)),
    "propeller_composition": (propeller_composition, propeller_composition),
    "beta_binomial_composition": (
        beta_binomial_composition,
        lambda cube: beta_binomial_composition(cube, **STAGES, draws=5, seed=3),
    ),
    "dirichlet_multinomial_composition": (
        dirichlet_multinomial_composition,
        lambda cube: dirichlet_multinomial_composition(cube, **STAGES, references=["other"], seed=3),
    ),
    "pooled_composition": (
        pooled_composition,
        lambda cube: pooled_composition(cube, group="stage", draws=50, seed=3),
    ),
    "detection_limits": (detection_limits, lambda cube: detection_limits(cube, at="diagnosis")),
    "group_association": (
        group_association,
        lambda cube: group_association(in_parts(cube), state="stem_like", group="part", threshold=0.3),
    ),
}
"""Function and call of each, by its name in the catalogue."""
