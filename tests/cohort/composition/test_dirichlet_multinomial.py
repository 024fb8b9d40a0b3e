"""Spike-and-slab composition: planted effects, silence without, references, hostile tables."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from chemores_dask.cohort.composition import dirichlet_multinomial
from chemores_dask.cohort.composition.dirichlet_multinomial import (
    RESULT,
    credible_effects,
    dirichlet_multinomial_composition,
)
from chemores_dask.errors import DroppedPatientsWarning, InputError, ParameterError, SmallSampleWarning
from chemores_dask.results_spec import check_result

STAGES = {"before": "diagnosis", "after": "relapse"}
STATES = ["stem_like", "cycling", "blast", "T"]
SHARES = np.array([0.08, 0.3, 0.37, 0.25])


@pytest.fixture(autouse=True)
def _short_chains(monkeypatch):
    monkeypatch.setattr(dirichlet_multinomial, "SWEEPS", 2000)
    monkeypatch.setattr(dirichlet_multinomial, "WARM_UP", 600)


def cube_of(*, effect, patients=8, scatter=100.0, total=500, seed=1):
    draws = np.random.default_rng(seed)
    cells, names, stages = [], [], []
    for number in range(patients):
        own = SHARES * np.exp(0.4 * draws.standard_normal(4))
        for stage, side in (("diagnosis", -0.5), ("relapse", 0.5)):
            moved = own * np.exp(np.array([effect, 0, 0, 0]) * side)
            cells.append(draws.multinomial(total, draws.dirichlet(scatter * moved / own.sum())))
            names.append(f"P{number}")
            stages.append(stage)
    return xr.Dataset(
        {"cube_cells": (("sample", "state"), np.array(cells))},
        coords={"state": STATES, "patient": ("sample", names), "stage": ("sample", stages)},
    )


def test_dirichlet_multinomial__finds_a_planted_effect_against_every_reference():
    found = dirichlet_multinomial_composition(cube_of(effect=2.0), **STAGES, references=STATES[1:], seed=1)
    check_result(RESULT, found)
    stem = found.sel(state="stem_like")
    assert stem["dirichlet_credible"].all()
    assert int(stem["dirichlet_credible_references"]) == 3
    assert ((stem["dirichlet_effect_lower"] > 0.5) & (stem["dirichlet_effect_upper"] < 3.5)).all()
    assert found["dirichlet_credible_references"].values[1:].tolist() == [0, 0, 0]
    assert int(found["dirichlet_patients"]) == 8
    assert float(found["dirichlet_minimum_p_value"]) == 2 / 256


def test_dirichlet_multinomial__is_silent_without_an_effect():
    found = dirichlet_multinomial_composition(cube_of(effect=0.0, seed=2), **STAGES, references=["blast"], seed=1)
    assert not found["dirichlet_credible"].any()


def test_dirichlet_multinomial__says_that_all_others_fall_where_the_reference_rises():
    # Shares are relative: against the state that grows, the others shrink, and several of them are credible.
    found = dirichlet_multinomial_composition(cube_of(effect=2.5), **STAGES, references=["stem_like"], seed=1)
    others = found.sel(reference="stem_like", state=STATES[1:])
    assert others["dirichlet_credible"].all()
    assert (others["dirichlet_effect"] < 0).all()
    own = found.sel(reference="stem_like", state="stem_like")
    assert np.isnan(own["dirichlet_inclusion"])
    assert not own["dirichlet_credible"]


def test_dirichlet_multinomial__chooses_steady_references():
    found = dirichlet_multinomial_composition(cube_of(effect=3.0), **STAGES, seed=1)
    assert found["reference"].values.tolist() == ["cycling", "blast", "T"]
    rare = cube_of(effect=0.0)
    rare["cube_cells"][:, 3] = 0
    rare["cube_cells"][0, 3] = 2
    chosen = dirichlet_multinomial_composition(rare, **STAGES, seed=1)
    assert chosen["reference"].values.tolist() == ["stem_like", "cycling", "blast"]


def test_dirichlet_multinomial__depends_on_the_seed_and_the_reference_only():
    cube = cube_of(effect=1.0)
    both = dirichlet_multinomial_composition(cube, **STAGES, references=["blast", "T"], seed=5)
    alone = dirichlet_multinomial_composition(cube, **STAGES, references=["T"], seed=5)
    np.testing.assert_array_equal(
        both["dirichlet_inclusion"].sel(reference="T"), alone["dirichlet_inclusion"].sel(reference="T")
    )
    other = dirichlet_multinomial_composition(cube, **STAGES, references=["T"], seed=6)
    difference = np.abs(other["dirichlet_inclusion"] - alone["dirichlet_inclusion"]).values
    assert np.nanmax(difference) < 0.15
    error = np.nanmax(alone["dirichlet_inclusion_error"].values)
    assert error < 0.06


def test_dirichlet_multinomial__leaves_states_without_cells_out():
    cube = cube_of(effect=2.0)
    empty = (cube.isel(state=[0]) * 0).assign_coords(state=["nowhere"]).astype(int)
    wider = xr.concat([empty, cube], dim="state")
    found = dirichlet_multinomial_composition(wider, **STAGES, references=["blast"], seed=1)
    without = dirichlet_multinomial_composition(cube, **STAGES, references=["blast"], seed=1)
    assert np.isnan(found["dirichlet_inclusion"].sel(state="nowhere")).all()
    np.testing.assert_array_equal(found["dirichlet_inclusion"][:, 1:], without["dirichlet_inclusion"])
    with pytest.raises(InputError, match="without cells: nowhere"):
        dirichlet_multinomial_composition(wider, **STAGES, references=["nowhere"], seed=1)


def test_dirichlet_multinomial__warns_and_refuses():
    cube = cube_of(effect=1.0)
    with pytest.warns(SmallSampleWarning, match="With 3 patients"):
        dirichlet_multinomial_composition(cube.isel(sample=slice(6)), **STAGES, references=["T"], seed=1)
    with pytest.warns(DroppedPatientsWarning, match="P0"):
        dirichlet_multinomial_composition(cube.isel(sample=slice(1, 16)), **STAGES, references=["T"], seed=1)
    with pytest.raises(ParameterError, match="at most 1"):
        dirichlet_multinomial_composition(cube, **STAGES, fdr=5, seed=1)
    with pytest.raises(InputError, match="Got 'B'"):
        dirichlet_multinomial_composition(cube, **STAGES, references=["B"], seed=1)
    with pytest.raises(InputError, match="References of dirichlet_multinomial_composition must be"):
        dirichlet_multinomial_composition(cube, **STAGES, references=[], seed=1)


def test_credible_effects__by_hand():
    assert credible_effects(np.array([0.99, 0.93, 0.5]), 0.05).tolist() == [True, True, False]
    assert credible_effects(np.array([0.9, 0.5]), 0.05).tolist() == [False, False]
    assert credible_effects(np.array([1.0, 0.9]), 0.05).tolist() == [True, True]


@pytest.mark.once
@pytest.mark.slow
def test_dirichlet_multinomial__makes_few_false_discoveries():
    false, true, cohorts = 0, 0, 12
    for seed in range(cohorts):
        nothing = dirichlet_multinomial_composition(
            cube_of(effect=0, seed=100 + seed), **STAGES, references=["blast"], seed=1
        )
        false += bool(nothing["dirichlet_credible"].any())
        planted = dirichlet_multinomial_composition(
            cube_of(effect=2, seed=200 + seed), **STAGES, references=["blast"], seed=1
        )
        true += bool(planted["dirichlet_credible"].sel(state="stem_like").all())
    assert false <= 2
    assert true >= cohorts - 2


def test_dirichlet_multinomial__does_not_depend_on_the_order_of_samples_or_states():
    cube = cube_of(effect=1.0)
    options = {"before": "diagnosis", "after": "relapse", "references": [STATES[3]], "seed": 1}
    found = dirichlet_multinomial_composition(cube, **options)
    turned = dirichlet_multinomial_composition(cube.isel(sample=slice(None, None, -1), state=[2, 0, 3, 1]), **options)
    xr.testing.assert_identical(turned.sel(state=found["state"]), found)
