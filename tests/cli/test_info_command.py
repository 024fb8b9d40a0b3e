from __future__ import annotations


def test_info__tells_sizes_samples_and_cohorts(chemores, finished_store, capsys):
    assert chemores("info", finished_store) == 0
    shown = capsys.readouterr().out
    assert "360 cells of 600 genes in 6 samples of 3 patients" in shown
    assert "counts above zero" in shown
    assert "on disk" in shown
    assert "P03_relapse" in shown
    assert "cohort bulk: 80 patients" in shown
    assert "0 results" in shown


def test_info__takes_a_store_without_cells(chemores, files, capsys, tmp_path):
    assert chemores("ingest-patients", files / "clinical.tsv", tmp_path / "s.zarr", "--cohort", "a") == 0
    assert chemores("info", tmp_path / "s.zarr") == 0
    assert "no cells" in capsys.readouterr().out
