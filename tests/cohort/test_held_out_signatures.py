"""Signatures without some patients: by hand, with R, and on states that are none."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from chemores_dask.cohort.held_out_signatures import SignatureLimits, stemness_signatures
from chemores_dask.errors import InputError, MissingVariableError, ParameterError
from chemores_dask.kernels.moderated_variance import squeeze_variances, total_degrees
from chemores_dask.randomness import deal_folds


def made_cube(seed, *, patients=8, genes=60, planted=6, effect=1.0, cells=40, samples=2):
    """A cube of two states; the first genes are higher in one of them, by patient as in all."""
    generator = np.random.default_rng(seed)
    owner = np.repeat([f"P{number}" for number in range(patients)], samples)
    rates = generator.gamma(2.0, 0.5, size=genes)
    own = rates[None, None, :] * generator.lognormal(0, 0.1, size=(len(owner), 1, genes)) * np.ones((1, 2, 1))
    own[:, 1, :planted] += effect
    means = own + generator.normal(0, 0.05, size=own.shape)
    return xr.Dataset(
        {
            "cube_cells": (("sample", "state"), np.full((len(owner), 2), cells)),
            "cube_log_sum": (("sample", "state", "gene"), np.abs(means) * cells),
            "cube_detected": (("sample", "state", "gene"), np.full((len(owner), 2, genes), cells)),
        },
        coords={
            "sample": [f"{name}-{place}" for place, name in enumerate(owner)],
            "state": ["other", "stem_like"],
            "gene": [f"G{number:03d}" for number in range(genes)],
            "patient": ("sample", owner.astype(object)),
        },
    )


def test_stemness_signatures__find_planted_genes_in_every_fold():
    result = stemness_signatures(made_cube(1), state="stem_like", folds=4, genes=10, seed=3)
    assert result["fold"].values.tolist() == [0, 1, 2, 3, 4]
    for fold in result["fold"].values:
        found = result["gene"].values[result["signature_member"].sel(fold=fold).values]
        assert found.tolist() == [f"G{number:03d}" for number in range(6)]
    assert result["signature_size"].values.tolist() == [6] * 5
    assert result["signature_folds_chosen"].values[:7].tolist() == [4] * 6 + [0]
    assert result["signature_training_patients"].values.tolist() == [8, 6, 6, 6, 6]


def test_stemness_signatures__are_a_moderated_paired_t_of_the_other_patients():
    cube = made_cube(2, samples=1)
    result = stemness_signatures(cube, state="stem_like", folds=2, seed=5)
    means = (cube["cube_log_sum"] / cube["cube_cells"]).values
    difference, middle = (means[:, 1] - means[:, 0]) / np.log(2), means.mean(axis=1)
    folds = deal_folds(np.unique(cube["patient"].values), folds=2, seed=5)
    np.testing.assert_array_equal(result["signature_fold"], folds)
    for fold in (0, 1, 2):
        own, level = difference[folds != fold], middle[folds != fold].mean(axis=0)
        n = len(own)
        squeezed = squeeze_variances(own.var(axis=0, ddof=1), n - 1.0, trend=level)
        t = own.mean(axis=0) / np.sqrt(squeezed.posterior / n)
        found = result.sel(fold=fold)
        np.testing.assert_allclose(found["signature_log_fold_change"], own.mean(axis=0), atol=1e-12)
        np.testing.assert_allclose(found["signature_t_statistic"], t, rtol=1e-9)
        expected = stats.t.sf(t, total_degrees(n - 1.0, squeezed.prior_degrees))
        np.testing.assert_allclose(found["signature_p_value"], expected, rtol=1e-9)


def test_stemness_signatures__say_who_made_which():
    result = stemness_signatures(made_cube(1), state="stem_like", folds=4, seed=3)
    made_by = json.loads(result.attrs["signature_patients"])
    fold_of = dict(zip(result["patient"].values, result["signature_fold"].values, strict=True))
    assert sorted(made_by["0"]) == sorted(fold_of)
    for fold in range(1, 5):
        assert set(made_by[str(fold)]) == {name for name, own in fold_of.items() if own != fold}
    assert result.attrs["signature_test"] == "moderated paired t over patients"
    assert result.attrs["signature_state"] == "stem_like"


def test_stemness_signatures__add_up_the_samples_of_a_patient():
    cube = made_cube(3, samples=2)
    halves = cube.isel(sample=slice(None, None, 2)), cube.isel(sample=slice(1, None, 2))
    merged = halves[0].copy(deep=True)
    for name in ("cube_cells", "cube_log_sum", "cube_detected"):
        merged[name].values[:] = halves[0][name].values + halves[1][name].values
    options = {"state": "stem_like", "folds": 3, "seed": 1}
    first, second = stemness_signatures(cube, **options), stemness_signatures(merged, **options)
    for name in first.data_vars:
        np.testing.assert_allclose(
            first[name].values.astype(float), second[name].values.astype(float), rtol=1e-9, err_msg=str(name)
        )


def test_stemness_signatures__do_not_depend_on_the_order_of_samples_or_on_laziness():
    cube = made_cube(4)
    options = {"state": "stem_like", "folds": 3, "seed": 1}
    straight = stemness_signatures(cube, **options)
    order = np.random.default_rng(0).permutation(cube.sizes["sample"])
    shuffled = stemness_signatures(cube.isel(sample=order), **options)
    lazy = stemness_signatures(cube.chunk({"sample": 3}), **options)
    for name in straight.data_vars:
        np.testing.assert_allclose(
            shuffled[name].values.astype(float), straight[name].values.astype(float), rtol=1e-9, err_msg=str(name)
        )
    np.testing.assert_array_equal(lazy["signature_member"], straight["signature_member"])


def test_stemness_signatures__patients_with_few_cells_have_a_fold_but_do_not_train():
    cube = made_cube(5)
    cube["cube_cells"][:2, 1] = 2
    result = stemness_signatures(cube, state="stem_like", folds=3, seed=1)
    trains = dict(zip(result["patient"].values, result["signature_trains"].values, strict=True))
    assert [name for name, own in trains.items() if not own] == ["P0"]
    assert result["signature_fold"].values[0] in {1, 2, 3}
    assert "P0" not in json.loads(result.attrs["signature_patients"])["0"]
    assert result["signature_training_patients"].values[0] == 7
    kept = stemness_signatures(cube, state="stem_like", folds=3, limits=SignatureLimits(minimum_cells=4), seed=1)
    assert kept["signature_trains"].values.all()


def test_stemness_signatures__hold_limits_of_genes():
    cube = made_cube(6)
    cube["cube_detected"][:, :, 0] = 3
    cube["cube_log_sum"][:, :, 30:33] = 0.0
    result = stemness_signatures(cube, state="stem_like", folds=2, genes=3, seed=1)
    assert result["signature_size"].values.tolist() == [3, 3, 3]
    assert not result["signature_member"].values[:, 0].any()
    assert np.isnan(result["signature_p_value"].values[:, 30:33]).all()
    assert not result["signature_member"].values[:, 30:33].any()
    members, t = result["signature_member"].values[0], result["signature_t_statistic"].values[0]
    assert t[members].min() >= t[1:6][~members[1:6]].max()


def test_stemness_signatures__take_any_state():
    result = stemness_signatures(made_cube(7, effect=-0.4), state="other", folds=2, genes=6, seed=1)
    assert result["signature_member"].values[0, :6].all()


def test_stemness_signatures__refuse_what_they_cannot_learn_from():
    cube = made_cube(1)
    with pytest.raises(InputError, match="Got 'resistant'; present: other, stem_like"):
        stemness_signatures(cube, state="resistant", seed=1)
    with pytest.raises(InputError, match="one of several"):
        stemness_signatures(cube.isel(state=[1]), state="stem_like", seed=1)
    with pytest.raises(MissingVariableError, match="'donor'"):
        stemness_signatures(cube, state="stem_like", patient="donor", seed=1)
    with pytest.raises(MissingVariableError, match="'cube_log_sum'"):
        stemness_signatures(cube.drop_vars("cube_log_sum"), state="stem_like", seed=1)
    with pytest.raises(InputError, match="have no 'patient'"):
        stemness_signatures(cube.assign_coords(patient=("sample", [None] * 16)), state="stem_like", seed=1)
    with pytest.raises(InputError, match=r"Found 1; patients with enough cells: P0, P1"):
        stemness_signatures(made_cube(1, patients=2), state="stem_like", folds=2, seed=1)
    with pytest.raises(InputError, match="none that is higher"):
        stemness_signatures(made_cube(1, effect=0.0), state="stem_like", seed=1)
    broken = cube.copy(deep=True)
    broken["cube_log_sum"][0, 0, 0] = np.nan
    with pytest.raises(InputError, match="must be finite"):
        stemness_signatures(broken, state="stem_like", seed=1)
    for options in ({"folds": 1}, {"genes": 0}):
        with pytest.raises(ParameterError):
            stemness_signatures(cube, state="stem_like", seed=1, **options)


def test_stemness_signatures__leave_each_patient_out_where_they_are_fewer_than_folds():
    cube = made_cube(1, patients=3)
    result = stemness_signatures(cube, state="stem_like", folds=5, seed=1)
    assert sorted(result["signature_fold"].values.tolist()) == [1, 2, 3]
    assert result["signature_training_patients"].values.tolist() == [3, 2, 2, 2]
    exact = stemness_signatures(cube, state="stem_like", folds=3, seed=1)
    np.testing.assert_array_equal(result["signature_member"], exact["signature_member"])


def test_signature_limits__refuse_what_is_no_limit():
    for options in ({"minimum_cells": 0}, {"minimum_log_fold_change": -1.0}, {"minimum_detected": 1.5}):
        with pytest.raises(ParameterError, match="SignatureLimits"):
            SignatureLimits(**options)


def test_stemness_signatures__equal_limma():
    """R 4.2.2, limma 3.54.1: ``eBayes(lmFit(d, matrix(1, 6, 1)), trend = a)`` for the differences ``d`` (log2) and the middles ``a``."""
    patient, gene = np.arange(6)[:, None], np.arange(40)[None, :]
    inside = 1 + gene / 20 + 0.3 * np.sin(3.7 * patient + 1.3 * gene * patient + gene) + np.where(gene < 5, 0.8, 0)
    others = 1 + gene / 20 + 0.2 * np.cos(2.1 * patient + 0.7 * gene)
    cube = xr.Dataset(
        {
            "cube_cells": (("sample", "state"), np.full((6, 2), 100)),
            "cube_log_sum": (("sample", "state", "gene"), 100 * np.stack([others, inside], axis=1)),
            "cube_detected": (("sample", "state", "gene"), np.full((6, 2, 40), 90)),
        },
        coords={
            "state": ["other", "stem_like"],
            "gene": [f"G{number}" for number in range(40)],
            "patient": ("sample", [f"P{number}" for number in range(6)]),
        },
    )
    found = stemness_signatures(cube, state="stem_like", folds=2, seed=1).sel(fold=0)
    t = [
        7.6546839961,
        7.7147676769,
        9.0134040293,
        6.9824794967,
        6.5011146031,
        -0.3413671072,
        0.0181216385,
        2.4267958152,
    ]
    p_value = [4.039275444e-13, 2.811737804e-13, 8.11759399e-17, 2.094727235e-11, 3.114510456e-10, 0.6334071949]
    np.testing.assert_allclose(found["signature_t_statistic"][:8], t, rtol=1e-7)
    np.testing.assert_allclose(found["signature_p_value"][:6], p_value, rtol=1e-5)
