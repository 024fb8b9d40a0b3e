"""Fingerprints: the same for the same numbers, different for others."""

from __future__ import annotations

import hashlib
import json
import platform
from importlib import metadata

import numpy as np
import pytest

from chemores_dask import provenance
from chemores_dask.errors import ParameterError
from chemores_dask.provenance import canonical_json, fingerprint, versions


def test_canonical_json__fixed_text():
    value = {"b": [1, 2.5, None], "a": {"é": True}}
    assert canonical_json(value) == '{"a":{"é":true},"b":[1,2.5,null]}'


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ((1, 2), [1, 2]),
        (np.float64(0.1), 0.1),
        (np.int32(3), 3),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array(2.5), 2.5),
        ([np.array([1])], [[1]]),
    ],
)
def test_canonical_json__writes_equal_values_alike(first, second):
    assert canonical_json(first) == canonical_json(second)


def test_canonical_json__keeps_every_digit():
    value = 0.1 + 0.2
    assert json.loads(canonical_json(value)) == value
    assert canonical_json(value) != canonical_json(0.3)


@pytest.mark.parametrize(
    "value", [np.nan, np.inf, -np.inf, {"a": [1.0, np.nan]}, np.array([np.nan]), np.float32(np.inf)]
)
def test_canonical_json__refuses_numbers_that_are_not_finite(value):
    with pytest.raises(ParameterError, match="must be finite"):
        canonical_json(value)


@pytest.mark.parametrize("value", [{1, 2}, object(), b"bytes", 1j, {"a": max}])
def test_canonical_json__refuses_what_is_not_plain(value):
    with pytest.raises(ParameterError, match=r"takes plain values. Got"):
        canonical_json(value)


def test_fingerprint__is_the_start_of_the_hash_of_the_description():
    text = '{"inputs":{"cells":"abc"},"parameters":{"genes":2000},"revision":1,"step":"pca"}'
    found = fingerprint(step="pca", parameters={"genes": 2000}, inputs={"cells": "abc"}, revision=1)
    assert found == hashlib.sha256(text.encode()).hexdigest()[:12]


def test_fingerprint__hangs_on_everything_that_decides_numbers():
    described = {"step": "pca", "parameters": {"genes": 2000}, "inputs": {"cells": "abc"}, "revision": 1}
    changed = [
        {**described, "step": "quality"},
        {**described, "parameters": {"genes": 2001}},
        {**described, "parameters": {}},
        {**described, "inputs": {"cells": "abd"}},
        {**described, "revision": 2},
    ]
    found = {fingerprint(**keywords) for keywords in [described, *changed]}
    assert len(found) == 6
    assert all(len(digits) == 12 and int(digits, 16) >= 0 for digits in found)


def test_versions__are_those_installed(monkeypatch):
    monkeypatch.setattr(provenance, "RECORDED_PACKAGES", ("numpy", "dask"))
    versions.cache_clear()
    try:
        expected = {"python": platform.python_version(), "numpy": np.__version__, "dask": metadata.version("dask")}
        assert versions() == expected
    finally:
        versions.cache_clear()
