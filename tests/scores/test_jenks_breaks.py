"""Natural breaks that can be frozen: against R, planted groups, and resampling done by hand."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.errors import InputError, MissingVariableError, ParameterError, SmallSampleWarning
from chemores_dask.scores.break_choice import natural_classes
from chemores_dask.scores.jenks_breaks import jenks_breaks
from chemores_dask.scores.score_bins import score_bins
from chemores_dask.scores.score_states import score_states
from tests.scores.score_tables import scores_of, two_groups

R_BREAKS = {
    2: [1.5110955],
    3: [0.192333, 3.677305],
    4: [-0.5431585, 1.5110955, 4.535124],
    5: [-1.364217, 0.2682245, 1.910531, 4.535124],
    6: [-1.760765, -0.64773, 0.606578, 2.037211, 4.535124],
}
R_FIT = {2: 0.62459940156, 3: 0.855544934431, 4: 0.916853260727, 5: 0.948495106037, 6: 0.961767915545}


def bits_of(result):
    return {name: result[name].values for name in result.data_vars}


def assert_same(first, second):
    for name, values in bits_of(first).items():
        np.testing.assert_array_equal(values, second[name].values, err_msg=name)


def test_jenks_breaks__equal_those_of_r():
    """R 4.2.2, classInt 0.4-9: ``classIntervals(x, n = k, style = "fisher")`` and ``jenks.tests`` of it."""
    place = np.arange(200)
    values = np.round(np.sin(place * 12.9898) * 2 + np.where(place % 7 == 0, 5, 0) + np.cos(place * 78.233), 6)
    result = jenks_breaks(scores_of(values), gene_set="set", classes=6, seed=1)
    for classes, breaks in R_BREAKS.items():
        found = result["jenks_breaks"].sel(class_number=classes).values
        np.testing.assert_allclose(found[: classes - 1], breaks, rtol=1e-9)
        assert np.isnan(found[classes - 1 :]).all()
        assert float(result["jenks_goodness_of_fit"].sel(class_number=classes)) == pytest.approx(
            R_FIT[classes], rel=1e-6
        )
    np.testing.assert_allclose(result["jenks_within_share"] + result["jenks_goodness_of_fit"], 1.0)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5])
def test_jenks_breaks__part_planted_groups(share):
    values, patients, upper = two_groups(3, cells=5000, share=share)
    result = jenks_breaks(scores_of(values, patients=patients), gene_set="set", patient="patient", repeats=40, seed=1)
    threshold = float(result["jenks_threshold"])
    assert np.mean((values >= threshold) != upper) < 0.005
    assert float(result["jenks_chosen_break_depth"].max()) > 0.4
    lower, higher = float(result["jenks_threshold_lower"]), float(result["jenks_threshold_upper"])
    assert lower <= threshold <= higher
    assert higher - lower < 1.5
    assert int(result["jenks_patients"]) == 10
    assert float(result["jenks_same_classes_share"]) > 0.8


def test_jenks_breaks__choose_classes_at_the_elbow():
    values = np.concatenate([np.random.default_rng(1).normal(center, 0.1, size=200) for center in (0, 5, 10)])
    result = jenks_breaks(scores_of(values), gene_set="set", seed=1)
    assert int(result["jenks_classes"]) == 3
    assert int(result["jenks_elbow_distance"].idxmax()) == 3
    chosen = result["jenks_chosen_breaks"].values
    np.testing.assert_array_equal(chosen, result["jenks_breaks"].sel(class_number=3).values)
    assert result.attrs["elbow_rule"] == "largest distance to the chord"


@pytest.mark.parametrize("lazy", [1, 13, 500])
def test_jenks_breaks__have_the_same_bits_for_any_blocks_and_order(lazy):
    values, patients, _ = two_groups(4, cells=500)
    options = {"gene_set": "set", "patient": "patient", "repeats": 5, "seed": 2}
    whole = jenks_breaks(scores_of(values, patients=patients), **options)
    assert_same(whole, jenks_breaks(scores_of(values, patients=patients, lazy=lazy), **options))
    order = np.random.default_rng(0).permutation(500)
    assert_same(whole, jenks_breaks(scores_of(values[order], patients=patients[order]), **options))
    other = jenks_breaks(scores_of(values, patients=patients), **{**options, "seed": 3})
    assert not np.array_equal(other["jenks_resampled_threshold"], whole["jenks_resampled_threshold"])


def test_jenks_breaks__resamples_are_fits_to_the_cells_of_drawn_patients():
    values, patients, _ = two_groups(5, cells=400, patients=4)
    scores = scores_of(values, patients=patients)
    result = jenks_breaks(scores, gene_set="set", patient="patient", repeats=3, seed=6)
    names = sorted(set(patients))
    for repeat in range(3):
        drawn = np.random.default_rng((6, repeat)).integers(4, size=4)
        cells = np.concatenate([values[patients == names[place]] for place in drawn])
        again = jenks_breaks(scores_of(cells), gene_set="set", seed=1)
        assert int(result["jenks_resampled_classes"][repeat]) == int(again["jenks_classes"])
        assert float(result["jenks_resampled_threshold"][repeat]) == pytest.approx(
            float(again["jenks_threshold"]), abs=0.01
        )
    limits = np.quantile(result["jenks_resampled_threshold"], [0.025, 0.975])
    np.testing.assert_allclose([result["jenks_threshold_lower"], result["jenks_threshold_upper"]], limits)


def test_jenks_breaks__interval_is_one_of_patients_not_of_cells():
    # Patients that differ as wholes: ten times the cells of the same patients tell nothing more.
    generator = np.random.default_rng(8)
    shift = generator.normal(0, 1.0, size=6)

    def width(cells):
        patient = np.arange(cells) % 6
        values = shift[patient] + np.where(generator.random(cells) < 0.3, 8.0, 0.0) + 0.3 * generator.normal(size=cells)
        result = jenks_breaks(
            scores_of(values, patients=[f"P{number}" for number in patient]),
            gene_set="set",
            patient="patient",
            repeats=60,
            seed=1,
        )
        return float(result["jenks_threshold_upper"] - result["jenks_threshold_lower"])

    assert width(20_000) > 0.4 * width(2_000)


def test_jenks_breaks__freeze_for_another_cohort():
    values, _, _ = two_groups(1, cells=3000)
    later, _, upper = two_groups(2, cells=500, share=0.6)
    jenks = jenks_breaks(scores_of(values), gene_set="set", seed=1)
    frozen = score_states(scores_of(later), gene_set="set", threshold=jenks["jenks_threshold"])
    assert float(frozen["state_threshold"]) == float(jenks["jenks_threshold"])
    assert np.mean((frozen["cell_state"].values == "stem_like") != upper) < 0.01
    assert frozen.attrs["threshold_source"] == "frozen"
    own = float(jenks["jenks_threshold_quantile"]), float(jenks["jenks_threshold_zscore"])
    assert own[0] == pytest.approx((values < float(jenks["jenks_threshold"])).mean(), abs=1e-3)
    assert own[1] == pytest.approx((float(jenks["jenks_threshold"]) - values.mean()) / values.std(ddof=1), rel=1e-4)


def test_jenks_breaks__histogram_holds_every_cell():
    values, _, _ = two_groups(1, cells=3000)
    result = jenks_breaks(scores_of(values), gene_set="set", seed=1)
    assert int(result["jenks_bin_cells"].sum()) == int(result["jenks_cells"]) == 3000
    assert result.sizes["bin"] <= 128
    edges = np.append(result["jenks_bin_start"], result["jenks_bin_start"][-1] + result["jenks_bin_width"])
    np.testing.assert_array_equal(result["jenks_bin_cells"], np.histogram(values, bins=edges)[0])
    assert "jenks_patients" not in result


def test_jenks_breaks__memory_is_that_of_bins():
    values = np.random.default_rng(1).normal(size=50_000)
    counted = score_bins(scores_of(values, lazy=10_000), gene_set="set", patient=None, caller="test")
    assert len(counted.found.bins) <= 4096
    assert natural_classes(counted.pooled, classes=2).goodness[1] == pytest.approx(2 / np.pi, abs=0.01)


def test_jenks_breaks__of_one_patient_have_no_interval():
    values, _, _ = two_groups(1, cells=100)
    with pytest.warns(SmallSampleWarning, match="at least two"):
        result = jenks_breaks(
            scores_of(values, patients=["P1"] * 100), gene_set="set", patient="patient", repeats=5, seed=1
        )
    assert np.isnan(result["jenks_threshold_lower"])
    assert np.isnan(result["jenks_same_classes_share"])
    assert int(result["jenks_patients"]) == 1


def test_jenks_breaks__stands_a_resample_with_few_scores():
    # A patient whose cells are all alike may be drawn alone.
    values = np.concatenate([np.zeros(20), np.arange(20.0)])
    patients = ["P1"] * 20 + ["P2"] * 20
    result = jenks_breaks(scores_of(values, patients=patients), gene_set="set", patient="patient", repeats=30, seed=1)
    thresholds = result["jenks_resampled_threshold"].values
    assert np.isnan(thresholds).any()
    assert np.isfinite(thresholds).any()
    assert (result["jenks_resampled_classes"].values[np.isnan(thresholds)] == 0).all()


def test_jenks_breaks__refuse_what_they_cannot_cut():
    with pytest.raises(InputError, match="Found 1 that differ"):
        jenks_breaks(scores_of([2.0] * 10), gene_set="set", seed=1)
    with pytest.raises(InputError, match="missing or infinite"):
        jenks_breaks(scores_of([2.0, np.nan]), gene_set="set", seed=1)
    with pytest.raises(InputError, match="needs cells"):
        jenks_breaks(scores_of([]), gene_set="set", seed=1)
    with pytest.raises(MissingVariableError, match="'donor'"):
        jenks_breaks(scores_of([1.0, 2.0]), gene_set="set", classes=2, patient="donor", seed=1)
    for options in (
        {"classes": 1},
        {"classes": 101},
        {"repeats": 0},
        {"seed": -1},
        {"seed": 1.5},
        {"gene_set": "none"},
    ):
        with pytest.raises(ParameterError):
            jenks_breaks(scores_of([1.0, 2.0]), **{"gene_set": "set", "seed": 1, **options})
