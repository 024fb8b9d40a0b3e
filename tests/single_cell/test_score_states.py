"""States from a score: planted groups are found, rare or large, and bad scores refused."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from chemores_dask.errors import InputError, MissingVariableError, ParameterError
from chemores_dask.single_cell.score_states import score_states


def scores_from(values, *, lazy=False):
    column = np.asarray(values, dtype=float)[:, None]
    matrix = np.column_stack([np.zeros(len(column)), column])
    data = da.from_array(matrix, chunks=(max(len(matrix) // 3, 1), 2)) if lazy else matrix
    names = [f"cell{i}" for i in range(len(matrix))]
    return xr.Dataset(
        {"cell_score": (("cell", "gene_set"), data)}, coords={"cell": names, "gene_set": ["other", "set"]}
    )


def planted(seed, *, cells, share, gap):
    generator = np.random.default_rng(seed)
    inside = np.zeros(cells, dtype=bool)
    inside[: round(share * cells)] = True
    inside = generator.permutation(inside)
    return generator.normal(size=cells) * 0.2 + gap * 0.2 * inside, inside


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("share", [0.014, 0.05, 0.26, 0.5])
def test_score_states__finds_a_planted_group_of_any_size(seed, share):
    values, inside = planted(seed, cells=4000, share=share, gap=6)
    result = score_states(scores_from(values), gene_set="set")
    called = result["cell_state"].to_numpy() == "stem_like"
    assert np.mean(called != inside) < 0.005
    assert called.mean() == pytest.approx(share, rel=0.05)


def test_score_states__the_last_of_four_breaks_alone_would_cut_a_large_group():
    values, inside = planted(1, cells=4000, share=0.26, gap=6)
    result = score_states(scores_from(values), gene_set="set")
    last = result["state_breaks"].to_numpy()[-1]
    assert (values >= last).mean() < 0.6 * inside.mean()
    assert result["state_threshold"].item() < last
    depth = result["state_break_depth"].to_numpy()
    assert depth[-1] < 0.2
    assert depth[1] > 0.8


@pytest.mark.parametrize("draw", ["normal", "exponential", "random"])
def test_score_states__uses_the_last_break_of_a_continuum(draw):
    for seed in range(5):
        values = getattr(np.random.default_rng(seed), draw)(size=2000)
        result = score_states(scores_from(values), gene_set="set")
        assert result["state_threshold"].item() == result["state_breaks"].to_numpy()[-1]
        assert result["state_break_depth"].max() < 0.25


def test_score_states__hand_worked():
    result = score_states(scores_from([4, 5, 9, 10, 15, 16]), gene_set="set", labels=("low", "high"), classes=3)
    np.testing.assert_allclose(result["state_breaks"], [7.0, 12.5])
    assert result["state_threshold"].item() == 12.5
    assert result["cell_state"].to_numpy().tolist() == ["low"] * 4 + ["high"] * 2
    assert result["state_goodness_of_fit"].item() == pytest.approx(1 - 1.5 / (703 - 59**2 / 6))


def test_score_states__follows_scale_and_shift():
    values, _ = planted(2, cells=1000, share=0.1, gap=8)
    expected = score_states(scores_from(values), gene_set="set")
    for factor, shift in ((1e300, 0.0), (1e-300, 0.0), (2.0, 64.0)):
        found = score_states(scores_from(values * factor + shift), gene_set="set")
        np.testing.assert_array_equal(found["cell_state"], expected["cell_state"])
        assert found["state_threshold"].item() == pytest.approx(expected["state_threshold"].item() * factor + shift)
        assert found["state_goodness_of_fit"].item() == pytest.approx(expected["state_goodness_of_fit"].item())


def test_score_states__stands_the_widest_range():
    limit = np.finfo(float).max
    result = score_states(scores_from([-limit, -limit / 2, 0, limit]), gene_set="set", classes=2)
    assert result["state_threshold"].item() == pytest.approx(limit / 2)
    assert result["cell_state"].to_numpy().tolist() == ["other", "other", "other", "stem_like"]


def test_score_states__labels_agree_with_the_threshold_and_not_with_the_order():
    values, _ = planted(3, cells=500, share=0.3, gap=3)
    result = score_states(scores_from(values), gene_set="set")
    order = np.random.default_rng(0).permutation(500)
    shuffled = score_states(scores_from(values[order]), gene_set="set")
    assert shuffled["state_threshold"].item() == result["state_threshold"].item()
    np.testing.assert_array_equal(shuffled["cell_state"], result["cell_state"].to_numpy()[order])
    called = result["cell_state"].to_numpy() == "stem_like"
    np.testing.assert_array_equal(called, values >= result["state_threshold"].item())


def test_score_states__takes_lazy_scores():
    values, _ = planted(4, cells=300, share=0.2, gap=6)
    lazy, ready = (score_states(scores_from(values, lazy=lazy), gene_set="set") for lazy in (True, False))
    assert lazy.identical(ready)


def test_score_states__separates_neighboring_numbers():
    upper = np.nextafter(1.0, 2.0)
    result = score_states(scores_from([1.0, 1.0, upper]), gene_set="set", classes=2)
    assert result["cell_state"].to_numpy().tolist() == ["other", "other", "stem_like"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_score_states__refuses_scores_that_are_not_finite(value):
    with pytest.raises(InputError, match="missing or infinite scores in 1 of 4 cells"):
        score_states(scores_from([1, 2, value, 4]), gene_set="set")


@pytest.mark.parametrize("values", [[], [1.0], [2.0] * 50, [1.0, 2.0, 3.0] * 5])
def test_score_states__refuses_too_few_different_scores(values):
    with pytest.raises(InputError, match="Natural breaks into 4 classes need"):
        score_states(scores_from(values), gene_set="set")


def test_score_states__refuses_parameters_it_cannot_use():
    scores = scores_from([1, 2, 3, 4])
    with pytest.raises(ParameterError, match=r"must be one of: other, set. Got 'stemness'"):
        score_states(scores, gene_set="stemness")
    with pytest.raises(ParameterError, match="'classes' parameter of score_states must be at least 2"):
        score_states(scores, gene_set="set", classes=1)
    for labels in (("same", "same"), ("one",), "ab"):
        with pytest.raises(ParameterError, match="two different names"):
            score_states(scores, gene_set="set", labels=labels)
    with pytest.raises(MissingVariableError, match="'cell_score'"):
        score_states(scores.rename(cell_score="score"), gene_set="set")
