"""Small results about thresholds and what components hold of covariates."""

from __future__ import annotations

import numpy as np
import xarray as xr

from chemores_dask.graph.covariate_dependence import covariate_dependence
from chemores_dask.scores.jenks_breaks import jenks_breaks
from chemores_dask.scores.score_mixture import score_mixture
from tests.figures.examples_of_results import score_result, with_parameters


def scores_with_patients() -> xr.Dataset:
    scores = score_result()
    patients = np.array([name.split("-")[0] for name in scores["cell"].values], dtype=object)
    return scores.assign(patient=("cell", patients))


def jenks_result(*, patients: bool = True) -> xr.Dataset:
    return jenks_breaks(
        scores_with_patients(), gene_set="stemness", patient="patient" if patients else None, repeats=20, seed=1
    )


def mixture_result(values: np.ndarray | None = None) -> xr.Dataset:
    scores = score_result()
    if values is not None:
        scores = scores.assign(cell_score=(("cell", "gene_set"), values[:, None]))
    return score_mixture(scores, gene_set="stemness", seed=1)


def dependence_result(components: int = 6) -> xr.Dataset:
    draws = np.random.default_rng(4)
    cycle = draws.normal(size=300)
    scores = draws.normal(size=(300, components))
    scores[:, 1] += 2 * cycle
    cells = xr.Dataset(
        {
            "pca_scores": (("cell", "component"), scores),
            "cycle": ("cell", cycle),
            "phase": ("cell", np.where(cycle > 0.5, "S", "G1").astype(object)),
        },
        coords={"component": np.arange(1, components + 1)},
    )
    return covariate_dependence(cells, covariates=["cycle", "phase"])


def regressed_result(after: float = 1e-15) -> xr.Dataset:
    before = np.array([[0.9, -0.4], [0.1, 0.2], [0.0, 0.0]])
    result = xr.Dataset(
        {
            "pca_covariate_correlation": (("component", "covariate"), before),
            "pca_regressed_correlation": (("component", "covariate"), np.full((3, 2), after)),
        },
        coords={"component": [1, 2, 3], "covariate": ["s", "g2m"]},
    )
    return with_parameters(result, analysis="pca", regress=["s", "g2m"])


def long_samples() -> xr.Dataset:
    scores = score_result()
    names = [f"a-very-long-name-of-a-sample-{name}" for name in scores["cell"].values]
    return scores.assign_coords(cell=names)
