"""Squares of correlations between scores."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from chemores_dask.errors import MissingVariableError, ParameterError
from chemores_dask.figures.agreement_matrix import agreement_matrix
from chemores_dask.scores.score_agreement import score_agreement
from tests.figures.drawn import by_name, outside, overlaps, said


def agreement(methods=3, sets=2):
    draws = np.random.default_rng(2)
    shared = draws.normal(size=(30, sets))
    coords = {"patient": [f"P{i}" for i in range(30)], "gene_set": [f"set {i}" for i in range(sets)]}
    return score_agreement(
        {
            f"score_{number}": xr.Dataset(
                {"patient_score": (("patient", "gene_set"), shared + number * draws.normal(size=shared.shape))},
                coords=coords,
            )
            for number in range(methods)
        },
        seed=1,
    )


def test_agreement_matrix__writes_every_pair_once():
    result = agreement()
    figure = agreement_matrix(result, gene_set="set 1")
    values = result["agreement_correlation"].values[1]
    written = [float(text.get_text().replace("−", "-")) for text in by_name(figure, "correlation")]
    np.testing.assert_allclose(written, [values[0, 1], values[0, 2], values[1, 2]], atol=0.0051)
    shares = [float(text.get_text().removesuffix(" %")) for text in by_name(figure, "same side")]
    same = 100 * result["agreement_same_side"].values[1]
    np.testing.assert_allclose(shares, [same[1, 0], same[2, 0], same[2, 1]], atol=0.51)
    assert "n = 30 patients" in said(figure)
    assert "Spearman" in said(figure)


@pytest.mark.parametrize(("methods", "sets"), [(2, 1), (3, 2), (7, 4), (2, 9)])
def test_agreement_matrix__stays_readable(methods, sets):
    figure = agreement_matrix(agreement(methods, sets))
    assert not overlaps(figure)
    assert not outside(figure)
    assert ("6 of 9 gene sets" in said(figure)) == (sets > 6)


def test_agreement_matrix__marks_what_is_missing():
    result = agreement()
    result["agreement_correlation"][0, 0, 1] = np.nan
    assert "–" in [text.get_text() for text in by_name(agreement_matrix(result), "correlation")]


def test_agreement_matrix__refuses_other_results():
    with pytest.raises(ParameterError, match="must be one of: set 0, set 1"):
        agreement_matrix(agreement(), gene_set="none")
    with pytest.raises(MissingVariableError, match="agreement_correlation"):
        agreement_matrix(xr.Dataset())
