"""The picture of claims."""

from __future__ import annotations

import numpy as np
import xarray as xr

from chemores_dask.figures.claims_plot import claims_plot
from tests.figures.drawn import by_name, said
from tests.figures.examples_of_results import claims_result


def test_claims_plot__places_values_within_their_interval():
    found = [line.get_xdata()[0] for line in by_name(claims_plot(claims_result()), "found")]
    # (value - middle) / half the width; the fourth interval is open below and 0.05 above.
    expected = [(0.0151 - 0.014) / 0.006, (0.245 - 0.26) / 0.06, (0.31 - 0.7) / 0.3, 1 + (0.002 - 0.05) / 0.05]
    assert np.allclose(found, expected)


def test_claims_plot__says_what_holds():
    words = said(claims_plot(claims_result()))
    assert "3 of 5 claims hold" in words
    assert "not found" in words
    assert words.count("✗ does not hold") == 2


def test_claims_plot__draws_exact_and_distant_values():
    values = {"expected": [2.0, 2.0], "lower": [2.0, 1.0], "upper": [2.0, 3.0], "found": [2.0, 1e6]}
    claims = xr.Dataset(
        {f"claim_{name}": ("claim", value) for name, value in values.items()}, coords={"claim": ["a", "b"]}
    )
    drawn = by_name(claims_plot(claims), "found")
    assert drawn[0].get_xdata()[0] == 0
    assert drawn[1].get_marker() == ">"


def test_claims_plot__says_that_none_were_made():
    assert "No claims" in said(claims_plot(claims_result().isel(claim=[])))
