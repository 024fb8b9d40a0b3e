"""Counters: they add up, whoever counts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from chemores_dask.metering import ROWS_DECODED, TASKS, bytes_text, count, difference, snapshot


def test_count__adds_to_the_counters():
    before = snapshot()
    count(**{ROWS_DECODED: 5, TASKS: 1})
    count(**{ROWS_DECODED: 7})
    grown = difference(before, snapshot())
    assert (grown[ROWS_DECODED], grown[TASKS]) == (12, 1)


def test_count__loses_nothing_between_threads():
    before = snapshot()
    with ThreadPoolExecutor(8) as pool:
        for _ in range(2000):
            pool.submit(count, test_rows=1)
    assert difference(before, snapshot())["test_rows"] == 2000


def test_snapshot__stands_still():
    first = snapshot()
    kept = dict(first)
    count(**{TASKS: 1})
    assert first == kept
    first[TASKS] = -1
    assert snapshot()[TASKS] != -1


def test_difference__takes_new_counters_as_grown_from_nothing():
    assert difference({"a": 1}, {"a": 4, "b": 2}) == {"a": 3, "b": 2}
    assert difference({"gone": 1}, {}) == {}


@pytest.mark.parametrize(("size", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (2e12, "2.0 TB")])
def test_bytes_text__uses_a_fitting_unit(size, text):
    assert bytes_text(size) == text
