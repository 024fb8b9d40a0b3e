from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from chemores_dask.auditor.associations import find_associations
from chemores_dask.auditor.study_design import StudyDesign
from chemores_dask.kernels.association import cramers_v
from tests.auditor.designs import clean_samples

SAMPLES = clean_samples(rounds=4)


def test_find_associations__counts_patients_where_both_belong_to_them():
    found = find_associations(StudyDesign(SAMPLES))
    pairs = {frozenset((first, second)): pair for first, second, pair in found.pairs()}
    assert set(found.variables) == {"stage", "batch", "subtype", "sex"}
    assert (pairs[frozenset(("batch", "sex"))].units, pairs[frozenset(("batch", "sex"))].unit) == (16, "patient")
    assert (pairs[frozenset(("batch", "stage"))].units, pairs[frozenset(("batch", "stage"))].unit) == (32, "sample")


def test_find_associations__equals_the_kernel_on_the_table_of_patients():
    table = SAMPLES.assign(subtype=SAMPLES["patient"].map(lambda name: "TAL1" if name < "P06" else "TLX1"))
    table["risk"] = table["patient"].map(lambda name: "high" if name < "P09" else "low")
    found = find_associations(StudyDesign(table))
    patients = table.drop_duplicates("patient")
    expected = cramers_v(pd.crosstab(patients["subtype"], patients["risk"]).to_numpy())
    place = [found.variables.index(name) for name in ("subtype", "risk")]
    assert found.cramers_v()[tuple(place)] == pytest.approx(expected)
    assert (found.cramers_v() == found.cramers_v().T).all()
    # Subtype TAL1 tells risk high, but risk does not tell the subtype.
    risk_by_subtype, subtype_by_risk = found.tau()[place[0], place[1]], found.tau()[place[1], place[0]]
    assert risk_by_subtype != pytest.approx(1.0)
    assert 0 < subtype_by_risk < 1


def test_find_associations__leaves_out_what_cannot_be_counted():
    table = SAMPLES.assign(
        age=np.linspace(1, 2, len(SAMPLES)),
        barcode=[f"B{n}" for n in range(len(SAMPLES))],
        center="one",
        day=pd.Timestamp(2024, 1, 1),
    )
    assert set(find_associations(StudyDesign(table)).variables) == {"stage", "batch", "subtype", "sex"}


def test_find_associations__counts_where_both_are_known():
    known = SAMPLES["patient"] < "P10"
    table = SAMPLES.assign(type=np.where(SAMPLES["subtype"] == "TAL1", "two", "one")).assign(
        type=lambda t: t["type"].where(known)
    )
    found = find_associations(StudyDesign(table))
    pair = next(pair for first, second, pair in found.pairs() if {first, second} == {"type", "subtype"})
    assert (pair.cramers_v, pair.units) == (pytest.approx(1.0), 10)


def test_find_associations__of_a_table_without_variables_are_none():
    found = find_associations(StudyDesign(SAMPLES[["sample"]]))
    assert found.variables == ()
    assert found.cramers_v().shape == (0, 0)
