from __future__ import annotations

from chemores_dask.store.cells import open_cells
from chemores_dask.store.patients import open_patients


def test_withdraw__says_what_is_gone(chemores, store, capsys):
    obs = open_cells(store).obs
    patients = obs["patient"].cat.categories.tolist()
    gone = int((obs["patient"] == patients[1]).sum())
    bulk = str(open_patients(store, cohort="bulk")["patient"].values[0])
    assert chemores("withdraw", store, "--patient", patients[1], "--patient", bulk) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"{gone} cells of 2 patients" in shown
    assert f"{len(obs) - gone} cells stay" in shown
    assert "Removed from the cohorts: bulk" in shown
    assert "yours to remove" in shown
    assert patients[1] not in open_cells(store).obs["patient"].cat.categories
    assert chemores("verify", store) == 0


def test_withdraw__names_patients_like_the_one_it_does_not_know(chemores, store, capsys):
    first = open_cells(store).obs["patient"].cat.categories[0]
    assert chemores("withdraw", store, "--patient", f"{first}x") == 1
    shown = " ".join(capsys.readouterr().err.split())
    assert "must be in the store" in shown
    assert first in shown.split("Similar names")[1]


def test_withdraw__needs_a_patient(chemores, store, capsys):
    assert chemores("withdraw", store) == 2
    assert "--patient" in capsys.readouterr().err


def test_withdraw__waits_for_another_writer_where_asked_to(chemores, held_store, capsys):
    patients = open_cells(held_store).obs["patient"].cat.categories
    assert chemores("withdraw", held_store, "--patient", patients[0]) == 1
    assert "One writer at a time" in capsys.readouterr().err
    assert chemores("withdraw", held_store, "--patient", patients[0], "--wait") == 0
    assert "Waiting for the store" in capsys.readouterr().err
    assert patients[0] not in open_cells(held_store).obs["patient"].cat.categories
