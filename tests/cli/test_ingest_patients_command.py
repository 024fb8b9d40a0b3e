from __future__ import annotations

from chemores_dask.store.patients import open_patients


def test_ingest_patients__says_what_the_cohort_holds(chemores, files, capsys, tmp_path):
    store = tmp_path / "s.zarr"
    arguments = ["--cohort", "trial", "--duration", "time", "--event", "event"]
    assert chemores("ingest-patients", files / "clinical.tsv", store, *arguments) == 0
    assert "Cohort trial: 80 patients\n" in capsys.readouterr().out
    assert open_patients(store, cohort="trial")["event"].dtype == bool


def test_ingest_patients__names_the_columns_there_are(chemores, files, capsys, tmp_path):
    arguments = ["--cohort", "trial", "--duration", "months"]
    assert chemores("ingest-patients", files / "clinical.tsv", tmp_path / "s.zarr", *arguments) == 1
    said = capsys.readouterr().err
    assert "months" in said
    assert "response" in said
