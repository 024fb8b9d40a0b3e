"""Which cells are compared."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from chemores_dask.errors import InputError, MissingVariableError
from chemores_dask.single_cell.markers.labeled_cells import cell_totals, label_cells
from tests.single_cell.markers.labeled_examples import example, two_groups


def test_label_cells__numbers_groups_and_patients():
    cells = example()
    labeled = label_cells(cells, group="label", patient="patient")
    assert labeled.labels.tolist() == ["blast", "other", "stem"]
    table = pd.crosstab(cells.obs["label"], cells.obs["patient"])
    assert np.array_equal(labeled.met, table.to_numpy())
    assert labeled.grouped.group_cells.tolist() == table.sum(axis=1).tolist()
    assert labeled.patients.tolist() == (table > 0).sum(axis=1).tolist()
    codes = labeled.grouped.codes
    assert [labeled.labels[code] for code in codes // 4] == cells.obs["label"].tolist()
    assert [["p1", "p2", "p3", "p4"][code] for code in codes % 4] == cells.obs["patient"].tolist()


def test_label_cells__compares_patients_with_cells_on_both_sides():
    # Only the first patient has cells in both groups.
    compared = two_groups(np.array([[3, 0, 4], [2, 5, 0]])).compared
    assert compared.tolist() == [[True, False, False], [True, False, False]]


@pytest.mark.parametrize("missing", [None, np.nan])
def test_label_cells__leaves_out_cells_without_a_label(missing):
    cells = example()
    cells.obs["label"] = cells.obs["label"].astype(object).where(np.arange(cells.n_obs) % 5 > 0, missing)
    labeled = label_cells(cells, group="label", patient=None)
    assert labeled.unlabeled == 48
    assert np.array_equal(labeled.grouped.codes < 0, np.arange(240) % 5 == 0)
    assert labeled.grouped.cells == 192


def test_label_cells__takes_numbers_of_clusters_also_with_gaps():
    cells = example()
    numbers = np.arange(cells.n_obs) % 12
    for column in (numbers, numbers.astype(np.int8), pd.Categorical(numbers), numbers.astype(float)):
        cells.obs["cell_cluster"] = column
        labeled = label_cells(cells, group="cell_cluster", patient=None)
        assert labeled.labels.tolist() == [str(number) for number in range(12)]
    cells.obs["cell_cluster"] = np.where(numbers > 2, numbers, np.nan)
    assert label_cells(cells, group="cell_cluster", patient=None).labels[0] == "3"


def test_label_cells__leaves_out_categories_without_cells():
    cells = example()
    cells.obs["label"] = pd.Categorical(cells.obs["label"], categories=["stem", "empty", "other", "blast"])
    assert label_cells(cells, group="label", patient=None).labels.tolist() == ["stem", "other", "blast"]


def test_label_cells__needs_two_groups():
    cells = example()
    cells.obs["one"] = "same"
    cells.obs["none"] = np.nan
    for column, found in (("one", r"one \('same'\) in 240 cells"), ("none", "none in 240 cells")):
        with pytest.raises(InputError, match=f"at least two groups in the column '{column}'. Found {found}"):
            label_cells(cells, group=column, patient=None)
    with pytest.raises(InputError, match="Found none in 0 cells"):
        label_cells(cells[:0].copy(), group="label", patient="patient")


def test_label_cells__needs_its_columns_and_the_patient_of_every_labeled_cell():
    cells = example()
    with pytest.raises(MissingVariableError, match="needs the columns nothing"):
        label_cells(cells, group="nothing", patient=None)
    with pytest.raises(MissingVariableError, match="needs the columns donor"):
        label_cells(cells, group="label", patient="donor")
    cells.obs["patient"] = cells.obs["patient"].astype(object)
    cells.obs.iloc[7, 1] = None
    with pytest.raises(InputError, match=r"'patient' for markers. Missing in 1 of 240"):
        label_cells(cells, group="label", patient="patient")
    cells.obs.iloc[7, 0] = None
    assert label_cells(cells, group="label", patient="patient").unlabeled == 1


def test_cell_totals__are_numbers_from_zero():
    cells = example()
    assert cell_totals(cells, None) is None
    cells.obs["total"] = np.arange(cells.n_obs)
    assert np.array_equal(cell_totals(cells, "total"), np.arange(240.0))
    with pytest.raises(MissingVariableError, match="needs the columns sum"):
        cell_totals(cells, "sum")
    for wrong in (np.nan, np.inf, -1.0):
        cells.obs["total"] = np.where(np.arange(cells.n_obs) == 3, wrong, 5.0)
        with pytest.raises(InputError, match="'total' holds others in 1 of 240"):
            cell_totals(cells, "total")
    cells.obs["total"] = "many"
    with pytest.raises(InputError, match="others in 240 of 240"):
        cell_totals(cells, "total")
