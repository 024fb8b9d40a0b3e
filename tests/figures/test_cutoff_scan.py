"""The picture of a scanned cut-off."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from chemores_dask.cohort.survival.survival_cutoff import CutoffOptions, survival_cutoff
from chemores_dask.errors import MissingVariableError
from chemores_dask.figures.cutoff_scan import cutoff_scan
from chemores_dask.figures.number_text import number_text, p_sentence
from tests.figures.drawn import by_name, outside, overlaps, said


def result(*, effect: float = 1.0, scale: str = "quantile", patients: int = 90) -> xr.Dataset:
    generator = np.random.default_rng(6)
    score = generator.normal(size=patients)
    died, seen = generator.exponential(np.exp(-effect * score)), generator.uniform(0.2, 3, size=patients)
    table = xr.Dataset(
        {
            "months": ("patient", np.minimum(died, seen)),
            "died": ("patient", died <= seen),
            "stemness": ("patient", score),
        }
    )
    options = CutoffOptions(scale=scale, draws=499)
    return survival_cutoff(table, duration="months", event="died", score="stemness", options=options, seed=1)


def test_cutoff_scan__draws_every_cut_the_limits_and_the_best() -> None:
    cutoff = result()
    figure = cutoff_scan(cutoff)
    (curve,) = by_name(figure, "scan")
    np.testing.assert_array_equal(curve.get_xdata(), cutoff["cutoff_scan_threshold"])
    np.testing.assert_array_equal(curve.get_ydata(), cutoff["cutoff_scan_statistic"])
    limit = float(cutoff["cutoff_statistic_limit"])
    assert sorted(line.get_ydata()[0] for line in by_name(figure, "limit")) == [-limit, limit]
    assert limit > max(line.get_ydata()[0] for line in by_name(figure, "single limit"))
    (best,) = by_name(figure, "largest")
    assert abs(best.get_ydata()[0]) == float(cutoff["cutoff_statistic"])
    assert best.get_xdata()[0] == float(cutoff["cutoff_threshold"])
    (line,) = by_name(figure, "median")
    assert line.get_xdata()[0] == float(cutoff["cutoff_median"])


def test_cutoff_scan__counts_every_patient_below() -> None:
    cutoff = result()
    figure = cutoff_scan(cutoff)
    (scores,), (high,) = by_name(figure, "scores"), by_name(figure, "high")
    assert scores.get_data().values.sum() == 90
    assert high.get_data().values.sum() == int(cutoff["cutoff_patients_high"])
    assert f"{int(cutoff['cutoff_patients_high'])} high" in said(figure)


@pytest.mark.parametrize("scale", ["quantile", "zscore", "score"])
def test_cutoff_scan__says_patients_events_tests_and_the_scale(scale: str) -> None:
    cutoff = result(scale=scale)
    text = " ".join(said(cutoff_scan(cutoff)).split())
    assert f"n = 90 patients, {int(cutoff['cutoff_events'])} events" in text
    assert p_sentence(float(cutoff["cutoff_p_value"])) + f", corrected for {cutoff.sizes['cut']} cuts" in text
    assert f"hazard ratio {number_text(float(cutoff['cutoff_continuous_hazard_ratio']))}" in text
    assert "log-rank P" in text
    assert "maximally selected log-rank statistic" in text
    assert {"quantile": "Frozen as a quantile", "zscore": "Frozen as a z score", "score": "Frozen as a score"}[
        scale
    ] in text


@pytest.mark.parametrize("effect", [0.0, 1.0, 4.0])
def test_cutoff_scan__is_readable(effect: float) -> None:
    figure = cutoff_scan(result(effect=effect), title="A title of its own")
    assert not overlaps(figure)
    assert not outside(figure)
    assert "A title of its own" in said(figure)


def test_cutoff_scan__says_what_is_not_available() -> None:
    assert "not available" in said(cutoff_scan(result().assign(cutoff_median_hazard_ratio=np.nan)))
    with pytest.raises(MissingVariableError, match="cutoff_scan_threshold"):
        cutoff_scan(xr.Dataset())
