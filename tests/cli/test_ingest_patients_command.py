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


def test_ingest_patients__takes_columns_that_tell_who_patients_are_only_by_name(chemores, capsys, tmp_path):
    (tmp_path / "c.csv").write_text("patient,MRN,time,event\nP1,771,1,1\nP2,772,2,0\n")
    arguments = [tmp_path / "c.csv", tmp_path / "s.zarr", "--cohort", "trial", "--duration", "time", "--event", "event"]
    assert chemores("ingest-patients", *arguments) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "'MRN' looks like record numbers" in said
    assert "--allow-column MRN" in said
    assert "771" not in said
    assert chemores("ingest-patients", *arguments, "--allow-column", "MRN") == 0
    assert open_patients(tmp_path / "s.zarr", cohort="trial")["MRN"].values.tolist() == [771.0, 772.0]
