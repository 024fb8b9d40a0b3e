"""The picture of all states: what is drawn, said, and left open."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.errors import MissingVariableError
from chemores_dask.figures.composition_effects import composition_effects
from tests.figures import composition_results as results
from tests.figures.drawn import by_name, outside, overlaps, said

EVERYTHING = {
    "beta_binomial": results.beta_binomial_result(),
    "propeller": results.propeller_result(),
    "dirichlet": results.dirichlet_result(),
}


def test_composition_effects__draws_means_with_limits_from_largest_to_smallest():
    changes = results.changes_result()
    figure = composition_effects(changes)
    points = by_name(figure, "change open") + by_name(figure, "change full")
    drawn = sorted((line.get_ydata()[0], line.get_xdata()[0]) for line in points)
    expected = np.sort(changes["change_mean_logit_difference"].values)[::-1]
    np.testing.assert_allclose([x for _, x in drawn], expected)
    assert len(by_name(figure, "change limits")) == len(expected)


def test_composition_effects__leaves_symbols_open_where_a_state_was_not_detected():
    changes = results.changes_result()
    missed = int((changes["change_patients_without"] > 0).sum())
    assert 0 < missed < changes.sizes["state"]
    figure = composition_effects(changes)
    assert len(by_name(figure, "change open")) == missed
    assert all(line.get_markerfacecolor() == "white" for line in by_name(figure, "change open"))
    assert "not detected, not 0" in said(figure)


def test_composition_effects__says_n_tests_and_the_least_p():
    words = " ".join(said(composition_effects(results.changes_result(), **EVERYTHING)).split())
    for expected in (
        "(n = 8 patients)",
        "Within patients, stem_like changes most: 1.5 % → 15 %",
        "P, paired t",
        "P, sign flip",
        "P, beta-binomial",
        "P, moderated t",
        "credible against",
        "3 of 3",
        "Smallest P that 8 patients can reach in tests of signs: 0.0078",
        "diagnosis → relapse",
        "† Few cells and unequal samples",
    ):
        assert expected in words
    assert "*" not in words


def test_composition_effects__draws_models_beside_means():
    figure = composition_effects(results.changes_result(), **EVERYTHING)
    drawn = by_name(figure, "model open") + by_name(figure, "model full")
    assert sorted(line.get_xdata()[0] for line in drawn) == sorted(
        EVERYTHING["beta_binomial"]["beta_binomial_effect"].values
    )


@pytest.mark.parametrize("patients", [1, 2])
def test_composition_effects__draws_few_patients(patients):
    with pytest.warns(UserWarning, match="no test of signs"):
        changes = results.changes_result(patients)
    figure = composition_effects(changes)
    words = said(figure)
    assert f"n = {patients} patient" in words
    assert not overlaps(figure)
    assert not outside(figure)
    assert ("not available" in words) == (patients == 1)


def test_composition_effects__stays_readable_with_many_long_states():
    states = tuple(f"a state with a rather long name, number {number}" for number in range(24))
    figure = composition_effects(
        results.changes_result(states=states),
        beta_binomial=results.beta_binomial_result(states),
        dirichlet=results.dirichlet_result(states),
    )
    assert not overlaps(figure)
    assert not outside(figure)


def test_composition_effects__says_that_there_is_nothing_and_refuses_others():
    changes = results.changes_result()
    nothing = changes.assign(change_mean_logit_difference=changes["change_mean_logit_difference"] * np.nan)
    assert "No state has cells" in said(composition_effects(nothing))
    with pytest.raises(MissingVariableError, match="change_mean_logit_difference"):
        composition_effects(results.propeller_result())
