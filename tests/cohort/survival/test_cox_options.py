"""Settings of the Cox scan and of Cox models: what is refused."""

from __future__ import annotations

import pytest

from chemores_dask.cohort.survival.cox_options import ModelOptions, ScanOptions
from chemores_dask.errors import ParameterError


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ties": "exact"}, "'ties' parameter of ScanOptions must be one of: efron, breslow. Got 'exact'"),
        ({"max_iterations": 0}, "'max_iterations' parameter of ScanOptions must be at least 1"),
        ({"max_iterations": 2.5}, "'max_iterations' parameter of ScanOptions must be a whole number"),
    ],
)
def test_scan_options__refuse_what_cannot_be(options, words):
    with pytest.raises(ParameterError, match=words):
        ScanOptions(**options)


def test_scan_options__are_plain_values():
    assert ScanOptions(cluster="site").plain() == {
        "ties": "efron",
        "weights": None,
        "cluster": "site",
        "interaction": None,
        "max_iterations": 50,
    }


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ties": "exact"}, "'ties'.*efron, breslow"),
        ({"level": 1.0}, "'level'"),
        ({"splines": {"age": 2}}, r"splines\['age'\].*at least 3"),
        ({"splines": {"age": 8}}, r"splines\['age'\].*at most 7"),
        ({"splines": {"age": 3.5}}, "whole number"),
        ({"cluster": "site", "robust": False}, "robust"),
    ],
)
def test_model_options__refuse_what_cannot_be(options, words):
    with pytest.raises(ParameterError, match=words):
        ModelOptions(**options)


def test_model_options__are_plain_values():
    plain = ModelOptions(splines={"age": 4}).plain()
    assert plain["splines"] == {"age": 4}
    assert plain["robust"] is None
