"""Bounds held against the published formulas, worked by hand; selection against what was planted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import dask
import numpy as np
import pytest

from chemores_dask.cohort.risk_signature.stability_selection import (
    StabilityOptions,
    divide,
    false_selection_bounds,
    stability_selection,
)
from chemores_dask.errors import ParameterError, TooFewEventsError
from tests.cohort.risk_signature.risk_cohorts import risk_cohort

QUICK = StabilityOptions(resamples=40, genes=3)


def select(patients=None, *, options=QUICK, seed=5):
    dataset = risk_cohort() if patients is None else patients
    return stability_selection(dataset, duration="months", event="event", options=options, seed=seed)


def test_stability_selection__finds_what_was_planted_and_its_direction():
    found = select()
    assert found["gene"].values[found["stability_selected"].values].tolist() == ["G00", "G01"]
    assert found["stability_sign"].values[:2].tolist() == [1.0, -1.0]
    assert float(found["stability_genes_per_half"]) == pytest.approx(3)
    assert found["stability_probability"].values.sum() == pytest.approx(3)
    assert (found["stability_both_probability"] <= found["stability_probability"]).all()


def test_stability_selection__does_not_depend_on_order_or_workers():
    first = select()
    with dask.config.set(pool=ThreadPoolExecutor(3)):
        second = select(risk_cohort().isel(patient=np.arange(80)[::-1]).chunk({"gene": 4}))
    assert first.identical(second)


def test_stability_selection__keeps_its_promise_without_any_effect():
    found = [
        select(risk_cohort(seed, genes=30, effect=0.0), options=StabilityOptions(resamples=40, genes=3, cutoff=0.8))
        for seed in range(4)
    ]
    assert np.mean([int(each["stability_selected_genes"]) for each in found]) <= float(
        found[0]["stability_false_bound"]
    )


def test_divide__gives_disjoint_halves_that_belong_to_names():
    names = np.array([f"P{number}" for number in range(21)], dtype=object)
    first, second = divide(names, 7)
    assert (first.size, second.size) == (10, 10)
    assert not set(first) & set(second)
    turned = divide(names[::-1], 7)
    assert set(names[::-1][turned[0]]) == set(names[first])


@pytest.mark.parametrize(
    ("cutoff", "general", "unimodal"),
    [(0.6, 0.5, 0.1 / (2 * (0.2 - 0.01))), (0.75, 0.2, 0.1 / (2 * (0.5 - 0.01))), (0.9, 0.125, 0.1 * 4 * 0.11 / 1.02)],
)
def test_false_selection_bounds__follow_the_formulas(cutoff, general, unimodal):
    found = false_selection_bounds(chosen=10, candidates=1000, cutoff=cutoff, pairs=50)
    assert found == pytest.approx((general, unimodal))


@pytest.mark.parametrize("changed", [{"resamples": 3}, {"genes": 0}, {"cutoff": 0.5}, {"alpha": 0.0}])
def test_stability_selection__refuses_options(changed):
    with pytest.raises(ParameterError, match=next(iter(changed))):
        select(options=StabilityOptions(**changed))


def test_stability_selection__refuses_few_events():
    patients = risk_cohort()
    patients["event"] = ("patient", np.arange(80) < 12)
    with pytest.raises(TooFewEventsError, match="at least 20 events"):
        select(patients)
