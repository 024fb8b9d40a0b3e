"""Words about a validated risk."""

from __future__ import annotations

from chemores_dask.figures.validation_words import band_line, cohort_line, duration_label, limited_text, risk_name
from tests.figures.examples_of_validation import validation_result


def test_cohort_line__says_who_was_left_out():
    result = validation_result()
    assert cohort_line(result) == "n = 159 patients, 93 events. Left out: 1 without a known outcome."
    result["validation_flow_patients"][1:-1] = 0
    assert cohort_line(result) == "n = 159 patients, 93 events."


def test_words__come_from_the_record():
    result = validation_result()
    assert (risk_name(result), duration_label(result)) == ("Signature", "months")
    assert "95%" in band_line(result)
    values = [float(result[f"validation_auc{end}"].sel(horizon=12)) for end in ("", "_lower", "_upper")]
    expected = "{:.3g} ({:.3g} to {:.3g})".format(*values)
    assert limited_text(result, "validation_auc", place={"horizon": 12}) == expected
