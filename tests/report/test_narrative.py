"""Sentences about a run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from chemores_dask.report.narrative import (
    ANALYSES,
    claim_texts,
    claims_sentence,
    descriptive_sentences,
    seconds_text,
    sizes_sentence,
    step_sentence,
    time_text,
)
from chemores_dask.workflow.catalogue import CATALOGUE
from chemores_dask.workflow.record import ClaimOutcome
from tests.report.example_run import example_record


def test_narrative__knows_every_analysis():
    # Survival commands read tables as a step of their own; no pipeline has it.
    assert set(ANALYSES) == {*CATALOGUE, "read_tables"}


def test_descriptive_sentences__say_where_cells_are_n():
    record = example_record()
    assert "no P value in this report takes cells as its n" in descriptive_sentences(record)
    tested = replace(record, steps=(*record.steps, replace(record.steps[0], analysis="markers")))
    assert "P values of markers and of pooled cells take cells as their n; they order" in descriptive_sentences(tested)


def test_sizes_sentence__counts():
    assert "1,800 cells of 6 samples" in sizes_sentence(example_record())


def test_step_sentence__says_what_was_reused():
    steps = example_record().steps
    assert step_sentence(steps[0]).endswith("(result reused from an earlier run)")
    assert step_sentence(replace(steps[1], analysis="own_thing")) == "ran the analysis own_thing"


def test_claims_sentence__covers_none_some_and_all():
    record = example_record()
    good = record.claims[0]
    assert claims_sentence(record).startswith("1 of 2 claims hold")
    assert claims_sentence(replace(record, claims=(good,))) == "The one claim holds."
    assert claims_sentence(replace(record, claims=(good, good))).startswith("All 2 claims hold")
    assert "makes no claims" in claims_sentence(replace(record, claims=()))


@pytest.mark.parametrize(
    ("variable", "numbers", "texts"),
    [
        ("x_share", (0.26, 0.2, 0.32, 0.25), ("0.26", "0.2 to 0.32", "0.25")),
        ("x_share", (0.26, -np.inf, 0.32, np.nan), ("0.26", "at most 0.32", "not available")),
        ("x_share", (0.26, 0.2, np.inf, 0.25), ("0.26", "at least 0.2", "0.25")),
        ("x_p_value", (0.0, 0.0, 0.05, 2.97e-9), ("–", "P at most 0.05", "3.0e-09")),
        ("x_p_value", (0.5, 0.01, 1.0, 0.3), ("0.50", "P at least 0.01", "0.30")),
        ("x_p_value", (0.1, 0.01, 0.2, 0.3), ("0.10", "P 0.01 to 0.2", "0.30")),
    ],
)
def test_claim_texts__write_numbers_and_p_values(variable, numbers, texts):
    assert claim_texts(ClaimOutcome("name", "source", *numbers, "step", variable)) == texts


def test_time_text__takes_any_text():
    assert time_text("2025-01-02T03:04:05+00:00") == "2025-01-02 03:04 UTC"
    assert time_text("yesterday") == "yesterday"


def test_seconds_text__crosses_its_units():
    assert [seconds_text(value) for value in (0.5, 99.94, 100, 3599, 3600)] == [
        "0.50 s",
        "99.9 s",
        "1 min 40 s",
        "59 min 59 s",
        "1 h 0 min",
    ]
