"""Patients with a state in groups of patients: the published counts, R's values, hostile tables."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from chemores_dask.cohort.composition.group_association import RESULT, group_association
from chemores_dask.errors import (
    DroppedPatientsWarning,
    InputError,
    MissingVariableError,
    ParameterError,
    SmallSampleWarning,
)
from chemores_dask.results_spec import check_result
from tests.published_counts import POSITIVE, RELAPSE_TYPE, SUBTYPE


def cube_of(groups, positive, *, cells=400):
    """One sample per patient: 10 % of the cells of positive patients are stem-like, 1 % of those of others."""
    names = list(groups)
    found = np.array([cells // 10 if name in positive else cells // 100 for name in names])
    return xr.Dataset(
        {"cube_cells": (("sample", "state"), np.stack([found, cells - found], axis=1))},
        coords={
            "state": ["stem_like", "other"],
            "patient": ("sample", np.array(names, dtype=object)),
            "group": ("sample", np.array(list(groups.values()), dtype=object)),
            "stage": ("sample", np.array(["diagnosis"] * len(names), dtype=object)),
        },
    )


def associated(groups, positive, **options):
    return group_association(cube_of(groups, positive), state="stem_like", group="group", **options)


def test_group_association__reproduces_the_published_relapse_types():
    result = associated(RELAPSE_TYPE, POSITIVE)
    check_result(RESULT, result)
    found = result.sel(pair="type-2 vs type-1")
    assert float(found["association_fisher_p_value"]) == pytest.approx(0.031857, abs=1e-6)
    assert float(found["association_odds_ratio"]) == pytest.approx(18.534315, rel=1e-3)
    assert int(found["association_patients"]) == 13
    assert result["association_group_positive"].values.tolist() == [1, 7]
    assert result["association_group_patients"].values.tolist() == [5, 8]
    assert float(found["association_minimum_p_value"]) == pytest.approx(1 / 1287)


def test_group_association__reproduces_the_published_subtypes():
    of_all = {name: "TAL1" if subtype == "TAL1" else "other" for name, subtype in SUBTYPE.items()}
    found = associated(of_all, POSITIVE)
    assert float(found["association_fisher_p_value"][0]) == pytest.approx(0.332202, abs=1e-6)
    assert found["association_group_positive"].values.tolist() == [8, 3]
    assert found["association_group_patients"].values.tolist() == [11, 7]


def test_group_association__compares_all_pairs():
    found = associated(SUBTYPE, POSITIVE)
    assert found["pair"].values.tolist() == [
        "NKX2 vs HOXA", "TAL1 vs HOXA", "TLX1 vs HOXA", "TAL1 vs NKX2", "TLX1 vs NKX2", "TLX1 vs TAL1",
    ]  # fmt: skip
    assert (found["association_fisher_q_value"] >= found["association_fisher_p_value"]).all()
    assert (found["association_fisher_p_value"] >= found["association_minimum_p_value"] * (1 - 1e-12)).all()


def test_group_association__knows_patients_whose_cells_cannot_tell():
    few = cube_of(RELAPSE_TYPE, POSITIVE, cells=100)
    found = group_association(few, state="stem_like", group="group", threshold=0.05)
    # 10 of 100 cells: 4.9 % to 17.6 %; 1 of 100: 0.03 % to 5.4 %.
    assert found["association_uncertain"].all()
    many = associated(RELAPSE_TYPE, POSITIVE)
    assert not many["association_uncertain"].any()


def test_group_association__counts_a_share_at_the_threshold():
    cube = cube_of({"P1": "a", "P2": "b", "P3": "b"}, {"P1", "P2"})
    cube["cube_cells"][0] = [20, 380]
    with pytest.warns(SmallSampleWarning, match="No pair of groups can reach"):
        found = group_association(cube, state="stem_like", group="group", threshold=0.05)
    assert found["association_positive"].values.tolist() == [True, True, False]


def test_group_association__adds_up_samples_and_picks_a_stage():
    cube = cube_of(RELAPSE_TYPE, POSITIVE)
    later = cube.copy(deep=True)
    later["cube_cells"][:] = [400, 0]
    later = later.assign_coords(stage=("sample", np.array(["relapse"] * 13, dtype=object)))
    both = xr.concat([cube, later], dim="sample")
    picked = group_association(both, state="stem_like", group="group", at="diagnosis")
    np.testing.assert_array_equal(picked["association_share"], associated(RELAPSE_TYPE, POSITIVE)["association_share"])
    with pytest.warns(SmallSampleWarning):
        together = group_association(both, state="stem_like", group="group")
    assert together["association_positive"].all()
    assert float(together["association_fisher_p_value"][0]) == 1
    assert np.isnan(together["association_odds_ratio"][0])


def test_group_association__leaves_out_patients_without_a_group_or_cells():
    cube = cube_of({**RELAPSE_TYPE, "P98": "", "P99": "type-2"}, POSITIVE)
    cube["cube_cells"][-1] = 0
    with pytest.warns(DroppedPatientsWarning, match=r"2 of 15 patients have no 'group' or no cells.*P98, P99"):
        found = group_association(cube, state="stem_like", group="group")
    assert int(found["association_patients"][0]) == 13


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"state": "T"}, InputError, "must be in the cube. Got 'T'"),
        ({"group": "subtype"}, MissingVariableError, "'subtype'"),
        ({"at": "relapse"}, InputError, "Got 'relapse'; present: diagnosis"),
        ({"threshold": 5}, ParameterError, "at most 1"),
    ],
)
def test_group_association__refuses(options, error, words):
    with pytest.raises(error, match=words):
        group_association(cube_of(RELAPSE_TYPE, POSITIVE), **{"state": "stem_like", "group": "group", **options})


def test_group_association__refuses_patients_in_two_groups_and_one_group():
    cube = cube_of(RELAPSE_TYPE, POSITIVE)
    torn = cube.assign_coords(patient=("sample", np.array(["P1"] * 13, dtype=object)))
    with pytest.raises(InputError, match=r"must be in one group.*P1 are in several"):
        group_association(torn, state="stem_like", group="group")
    alone = cube.isel(sample=slice(0, 8))
    with pytest.raises(InputError, match="in type-2 only"):
        group_association(alone, state="stem_like", group="group")
