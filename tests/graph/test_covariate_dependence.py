"""What components hold of covariates: lines, curves, levels, and nothing."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from sklearn.linear_model import LinearRegression

from chemores_dask.errors import InputError, MissingVariableError, ParameterError
from chemores_dask.graph.covariate_dependence import covariate_dependence


def cells_of(seed=1, *, cells=600):
    generator = np.random.default_rng(seed)
    cycle = generator.normal(size=cells)
    phase = np.where(cycle > 1, "S", np.where(cycle < -1, "G2M", "G1"))
    scores = generator.normal(size=(cells, 4)) * [3, 2, 1, 1] + 5
    scores[:, 0] += 4 * cycle
    scores[:, 1] += 3 * cycle**2
    return xr.Dataset(
        {
            "pca_scores": (("cell", "component"), scores),
            "cycle": ("cell", cycle),
            "phase": ("cell", phase.astype(object)),
            "batch": ("cell", generator.choice(["A", "B", "C"], size=cells).astype(object)),
            "constant": ("cell", np.ones(cells)),
        },
        coords={"component": [1, 2, 3, 4]},
    )


def test_covariate_dependence__equals_correlation_and_analysis_of_variance():
    cells = cells_of()
    result = covariate_dependence(cells, covariates=["cycle", "phase", "batch"])
    scores = cells["pca_scores"].values
    expected = [np.corrcoef(scores[:, place], cells["cycle"])[0, 1] for place in range(4)]
    np.testing.assert_allclose(result["dependence_correlation"].sel(covariate="cycle"), expected, atol=1e-12)
    assert np.isnan(result["dependence_correlation"].sel(covariate="phase")).all()
    for name in ("phase", "batch"):
        levels = np.unique(cells[name].values)
        design = (cells[name].values[:, None] == levels[None, :]).astype(float)
        fit = LinearRegression().fit(design, scores)
        residual = ((scores - fit.predict(design)) ** 2).sum(axis=0)
        share = 1 - residual / ((scores - scores.mean(axis=0)) ** 2).sum(axis=0)
        np.testing.assert_allclose(result["dependence_share"].sel(covariate=name), share, atol=1e-10)
    assert result["dependence_levels"].values.tolist() == [10, 3, 3]
    np.testing.assert_allclose(result["dependence_chance_share"], np.array([9, 2, 2]) / 599)


def test_covariate_dependence__sees_a_curve_that_correlation_does_not():
    cells = cells_of()
    cycle, scores = cells["cycle"].values, cells["pca_scores"].values
    design = np.column_stack([np.ones(600), cycle])
    cells["pca_scores"].values[:] = scores - design @ np.linalg.lstsq(design, scores, rcond=None)[0]
    result = covariate_dependence(cells, covariates=["cycle"])
    assert np.abs(result["dependence_correlation"]).max() < 1e-10
    share = result["dependence_share"].values[:, 0]
    assert share[1] > 0.5
    assert share[[0, 2, 3]].max() < 0.06


@pytest.mark.parametrize("size", [1, 7, 600])
def test_covariate_dependence__does_not_depend_on_blocks(size):
    cells = cells_of()
    whole = covariate_dependence(cells, covariates=["cycle", "phase"])
    cut = covariate_dependence(cells.chunk({"cell": size, "component": 2}), covariates=["cycle", "phase"])
    for name in whole.data_vars:
        np.testing.assert_allclose(whole[name].values, cut[name].values, atol=1e-10, err_msg=str(name))


def test_covariate_dependence__of_what_never_varies_is_nothing():
    cells = cells_of()
    cells["pca_scores"].values[:, 2] = 4.0
    result = covariate_dependence(cells, covariates=["constant", "cycle"])
    assert (result["dependence_share"].sel(covariate="constant") == 0).all()
    assert (result["dependence_correlation"].sel(covariate="constant") == 0).all()
    assert (result["dependence_share"].sel(component=3) == 0).all()
    assert result["dependence_levels"].values.tolist() == [1, 10]


def test_covariate_dependence__refuses_what_it_cannot_measure():
    cells = cells_of()
    for covariates in ("cycle", []):
        with pytest.raises(ParameterError, match="must be a list"):
            covariate_dependence(cells, covariates=covariates)
    with pytest.raises(MissingVariableError, match="'depth'"):
        covariate_dependence(cells, covariates=["depth"])
    with pytest.raises(InputError, match="missing or infinite in 1 of 600"):
        covariate_dependence(cells.assign(cycle=("cell", [np.nan, *cells["cycle"].values[1:]])), covariates=["cycle"])
    with pytest.raises(InputError, match="at least 2 cells"):
        covariate_dependence(cells.isel(cell=[0]), covariates=["cycle"])
    broken = cells.copy(deep=True)
    broken["pca_scores"].values[3, 1] = np.nan
    with pytest.raises(InputError, match="finite numbers"):
        covariate_dependence(broken, covariates=["cycle"])
    with pytest.raises(ParameterError, match="'bins'"):
        covariate_dependence(cells, covariates=["cycle"], bins=1)
