from __future__ import annotations

from chemores_dask.figures.signature_words import honest_line, training_line
from chemores_dask.testing.nouns import tiny_patients
from chemores_dask.testing.signature_nouns import tiny_risk_signature


def test_training_line__counts_patients_events_and_genes():
    assert training_line(tiny_risk_signature(tiny_patients())).startswith(
        "40 patients, 30 events; chosen among 12 genes"
    )


def test_honest_line__says_what_was_not_estimated():
    found = tiny_risk_signature(tiny_patients())
    assert "patients left out of all choices 0." in honest_line(found)
    assert "not estimated" in honest_line(found.drop_vars("risk_signature_concordance"))
