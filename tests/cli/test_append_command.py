from __future__ import annotations

import pandas as pd

from chemores_dask.store.cells import open_cells
from tests.store.sources import file_digests


def test_append__brings_the_rest_of_the_samples(chemores, files, capsys, tmp_path):
    sheet = pd.read_csv(files / "samples.csv")
    sheet["path"] = [str(files / path) for path in sheet["path"]]
    first, rest = tmp_path / "first.csv", tmp_path / "rest.csv"
    sheet[:4].to_csv(first, index=False)
    sheet[4:].to_csv(rest, index=False)
    store = tmp_path / "s.zarr"
    assert chemores("ingest", first, store) == 0
    before = open_cells(store).n_obs
    capsys.readouterr()
    assert chemores("append", store, rest) == 0
    shown = capsys.readouterr().out
    assert f"360 cells in the store, {before} of them before" in shown
    assert "results are out of date" in shown
    assert open_cells(store).n_obs == 360
    assert chemores("append", store, rest) == 0
    assert "nothing was written" in capsys.readouterr().out


def test_append__refuses_samples_that_are_there(chemores, files, store, capsys, tmp_path):
    sheet = pd.read_csv(files / "samples.csv")
    sheet["path"] = [str(files / path) for path in sheet["path"]]
    sheet.assign(center="elsewhere").to_csv(tmp_path / "again.csv", index=False)
    before = file_digests(store)
    assert chemores("append", store, tmp_path / "again.csv") == 1
    assert "must be new" in capsys.readouterr().err.replace("\n", " ")
    assert file_digests(store) == before


def test_append__waits_for_another_writer_where_asked_to(chemores, files, held_store, capsys):
    assert chemores("append", held_store, files / "samples.csv") == 1
    assert "One writer at a time" in capsys.readouterr().err
    assert chemores("append", held_store, files / "samples.csv", "--wait") == 0
    assert "Waiting for the store" in capsys.readouterr().err


def test_append__says_that_the_copy_by_gene_is_gone(chemores, files, store, capsys, tmp_path):
    sheet = pd.read_csv(files / "samples.csv")[:1]
    sheet["path"] = [str(files / path) for path in sheet["path"]]
    sheet.assign(sample="N1", patient="N1").to_csv(tmp_path / "new.csv", index=False)
    assert chemores("by-gene", store) == 0
    capsys.readouterr()
    assert chemores("append", store, tmp_path / "new.csv") == 0
    shown = capsys.readouterr().out
    assert "make it again if needed (chemores by-gene)" in shown
    assert "0 results are out of date\n" in shown
