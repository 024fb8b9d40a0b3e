from __future__ import annotations

import pytest

from chemores_dask.cli.many_values import spread_values


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], []),
        (["a", "b"], ["a", "b"]),
        (["--many", "x"], ["--many", "x"]),
        (["--many", "x", "y", "z"], ["--many", "x", "--many", "y", "--many", "z"]),
        (["--many", "x", "y", "--other", "1", "2"], ["--many", "x", "--many", "y", "--other", "1", "2"]),
        (["--many", "x", "--many", "y"], ["--many", "x", "--many", "y"]),
        (["--many", "x", "--", "y"], ["--many", "x", "--", "y"]),
        (["--many=x", "y"], ["--many=x", "y"]),
    ],
)
def test_spread_values__repeats_the_option_before_each_value(given, expected):
    assert spread_values(given, options=("--many",)) == expected
