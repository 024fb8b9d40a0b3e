"""States from a score: planted groups are found, rare or large, and bad scores refused."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from chemores_dask.errors import InputError, MissingVariableError, ParameterError
from chemores_dask.scores.score_states import score_states


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


def test_score_states__frozen_threshold_is_used_as_it_is():
    result = score_states(scores_from([1, 2, 3, 4]), gene_set="set", threshold=3.0, labels=("low", "high"))
    assert result["cell_state"].to_numpy().tolist() == ["low", "low", "high", "high"]
    assert result["state_threshold"].item() == 3.0
    assert result["state_breaks"].to_numpy().tolist() == [3.0]
    assert result["state_goodness_of_fit"].item() == pytest.approx(1 - 1.0 / 5.0)
    assert (result.attrs["threshold_source"], result.attrs["threshold_scale"]) == ("frozen", "score")
    assert result.attrs["threshold_given"] == [3.0]
    natural = score_states(scores_from([1, 2, 3, 9]), gene_set="set", classes=2)
    assert natural.attrs["threshold_source"] == "natural breaks of these scores"
    assert "threshold_given" not in natural.attrs


def test_score_states__frozen_breaks_make_several_states():
    breaks = xr.DataArray([2.0, 4.0, np.nan], dims="break")
    result = score_states(scores_from([1, 2, 3, 4]), gene_set="set", breaks=breaks, labels=("a", "b", "c"))
    assert result["cell_state"].to_numpy().tolist() == ["a", "b", "b", "c"]
    assert result["state_threshold"].item() == 4.0
    with pytest.raises(ParameterError, match="3 different names"):
        score_states(scores_from([1, 2, 3, 4]), gene_set="set", breaks=breaks)


def test_score_states__frozen_threshold_may_lie_anywhere():
    low, high = (score_states(scores_from([1.0, 1.0]), gene_set="set", threshold=cut) for cut in (-5.0, 5.0))
    assert set(low["cell_state"].to_numpy()) == {"stem_like"}
    assert set(high["cell_state"].to_numpy()) == {"other"}
    assert np.isnan(high["state_goodness_of_fit"])
    assert np.isnan(high["state_break_depth"]).all()
    none = score_states(scores_from([]), gene_set="set", threshold=5.0)
    assert none.sizes["cell"] == 0


@pytest.mark.parametrize("cells", [100, 97])
@pytest.mark.parametrize("share", [0.0, 0.07, 0.29, 0.57, 0.95, 1.0])
def test_score_states__quantile_calls_the_same_share_everywhere(cells, share):
    values = np.random.default_rng(1).normal(size=cells)
    result = score_states(scores_from(values), gene_set="set", threshold=share, scale="quantile")
    called = (result["cell_state"].to_numpy() == "other").sum()
    assert called == np.ceil(np.round(share * cells, 9))
    assert result.attrs["threshold_scale"] == "quantile"


def test_score_states__zscore_follows_the_cohort():
    values = np.random.default_rng(1).normal(3.0, 2.0, size=500)
    result = score_states(scores_from(values), gene_set="set", threshold=1.5, scale="zscore")
    assert result["state_threshold"].item() == pytest.approx(values.mean() + 1.5 * values.std(ddof=1))


def test_score_states__refuses_frozen_thresholds_it_cannot_use():
    scores = scores_from([1, 2, 3, 4])
    for given in ({"threshold": np.nan}, {"breaks": []}, {"breaks": [2.0, 1.0]}, {"breaks": [1.0, np.inf]}):
        labels = [str(number) for number in range(len(given.get("breaks", [0])) + 1)]
        with pytest.raises(ParameterError, match="ascending order"):
            score_states(scores, gene_set="set", labels=labels, **given)
    for given, match in (
        ({"threshold": 1.0, "breaks": [1.0]}, "not both"),
        ({"threshold": [1.0]}, "must be one number"),
        ({"breaks": 1.0}, "must be a list"),
        ({"threshold": "high"}, "must hold numbers"),
        ({"scale": "zscore"}, "says what a frozen threshold means"),
        ({"threshold": 1.0, "scale": "rank"}, "must be one of"),
        ({"threshold": 1.5, "scale": "quantile"}, "between 0 and 1"),
    ):
        with pytest.raises(ParameterError, match=match):
            score_states(scores, gene_set="set", **given)
    with pytest.raises(InputError, match="at least 2 cells"):
        score_states(scores_from([1.0]), gene_set="set", threshold=1.0, scale="zscore")
