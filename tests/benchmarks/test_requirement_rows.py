from __future__ import annotations

import pytest

from benchmarks.measurement import DONE, Notebook
from benchmarks.requirement_rows import (
    fact_at_least,
    faster_than,
    memory_below,
    row_of,
    seconds_within,
    times_faster,
)


@pytest.fixture
def notebook(tmp_path):
    kept = Notebook(tmp_path)
    for step, seconds, recall in (("a.fast", 10.0, 0.97), ("a.slow", 25.0, 0.96)):
        kept.add(
            {
                "step": step,
                "cells": 5,
                "status": DONE,
                "seconds": seconds,
                "peak_bytes": 2e9,
                "facts": {"recall": recall},
            }
        )
    return kept


def test_row_of__says_whether_it_is_met():
    assert [row_of("w", 1, "r", "f", met=met)["met"] for met in (True, False, None)] == ["yes", "no", "-"]


def test_rows__compare_with_what_is_required(notebook):
    (row,) = seconds_within(notebook, "a.slow", 5, work="w", limit=20)
    assert (row["met"], row["required"], row["reached"]) == ("no", "<= 20 s", "25.0 s")
    assert seconds_within(notebook, "a.slow", 5, work="w", limit=None)[0]["met"] == "-"
    assert memory_below(notebook, "a.slow", 5, work="w", limit=3)[0]["met"] == "yes"
    assert fact_at_least(notebook, "a.slow", 5, work="w", fact="recall", least=0.97)[0]["met"] == "no"
    assert fact_at_least(notebook, "a.slow", 5, work="w", fact="other", least=0.97) == []
    (row,) = faster_than(notebook, 5, ours="a.fast", theirs="a.slow", work="w")
    assert row["met"] == "yes"
    assert "recall 0.970 and 0.960" in row["reached"]
    assert times_faster(notebook, 5, slow="a.slow", fast="a.fast", work="w", least=3)[0]["met"] == "no"


def test_rows__leave_out_what_was_not_measured(notebook):
    assert seconds_within(notebook, "a.other", 5, work="w", limit=1) == []
    assert memory_below(notebook, "a.fast", 6, work="w", limit=1) == []
    assert faster_than(notebook, 5, ours="a.fast", theirs="a.other", work="w") == []
    assert times_faster(notebook, 5, slow="a.other", fast="a.fast", work="w", least=1) == []
