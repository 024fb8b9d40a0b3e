"""The reader that all analyses of composition share."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from chemores_dask.cohort.composition.state_table import (
    log_odds,
    paired_states,
    read_states,
    state_position,
    warn_of_few,
)
from chemores_dask.errors import DroppedPatientsWarning, InputError, MissingVariableError, SmallSampleWarning

CELLS = np.array([[3, 97], [10, 190], [5, 45], [1, 99]])


def cube_of(cells=CELLS, **columns):
    described = {"patient": ["P1", "P1", "P2", "P2"], "stage": ["before", "after"] * 2, **columns}
    return xr.Dataset(
        {"cube_cells": (("sample", "state"), cells)},
        coords={
            "sample": ["a", "b", "c", "d"],
            "state": ["stem_like", "other"],
            **{name: ("sample", np.array(values, dtype=object)) for name, values in described.items()},
        },
    )


def read(cube):
    return read_states(cube, labels=("patient",), caller="the test")


def paired(cube, **options):
    return paired_states(cube, columns=("patient", "stage"), stages=("before", "after"), caller="the test", **options)


def test_read_states__takes_lazy_and_float_counts():
    lazy = cube_of(da.from_array(CELLS, chunks=(1, 2)))
    for cube in (cube_of(), lazy, cube_of(CELLS.astype(float)), cube_of(CELLS.astype(np.uint16))):
        table = read(cube)
        assert table.cells.dtype == np.int64
        np.testing.assert_array_equal(table.cells, CELLS)
        assert table.states == ("stem_like", "other")
        assert table.samples["patient"].tolist() == ["P1", "P1", "P2", "P2"]


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (CELLS / CELLS.sum(axis=1, keepdims=True), "must be whole and known.*not shares or percentages"),
        (np.full((4, 2), np.nan), "must be whole and known"),
        (np.array([[3.0, 97], [5, 95], [10, 90], [1, 99]]), "All 4 samples add up to 100.*as percentages do"),
        (np.array([[3.0, 98], [5, 95], [10, 89], [1, 99]]), "add up to 100 or nearly so"),
        (-CELLS, "must not be negative"),
        (np.array([[np.inf, 1.0]] * 4), "must be whole and known"),
    ],
)
def test_read_states__refuses_what_was_not_counted(cells, words):
    with pytest.raises(InputError, match=words):
        read(cube_of(cells))


def test_read_states__takes_integers_of_which_there_are_100():
    assert read(cube_of(np.array([[3, 97], [5, 95], [10, 90], [1, 99]]))).cells.sum() == 400


def test_read_states__refuses_unnamed_patients_and_doubled_states():
    for nobody in ("", None, np.nan):
        with pytest.raises(InputError, match=r"Every sample of the test must have a patient. 1 of 4"):
            read(cube_of(patient=["P1", nobody, "P2", "P2"]))
    with pytest.raises(InputError, match="different names"):
        read(cube_of().assign_coords(state=["x", "x"]))
    with pytest.raises(MissingVariableError, match="cube_cells"):
        read(cube_of().drop_vars("cube_cells"))


def test_paired_states__adds_up_samples_and_extras():
    cube = cube_of(stage=["before", "after", "before", "before"], patient=["P1", "P1", "P1", "P1"])
    cube = cube.assign_coords(total=("sample", [1.0, 2, 3, 4]))
    pairs = paired(cube, extra="total")
    np.testing.assert_array_equal(pairs.before, [[9, 241]])
    np.testing.assert_array_equal(pairs.after, [[10, 190]])
    np.testing.assert_array_equal(pairs.extra, [[8, 2]])


def test_paired_states__drops_patients_with_one_stage():
    with pytest.warns(DroppedPatientsWarning, match=r"1 of 2 patients.*P2"):
        pairs = paired(cube_of(stage=["before", "after", "before", "before"]))
    assert pairs.patients.tolist() == ["P1"]
    assert pairs.dropped == ("P2",)
    with pytest.raises(InputError, match="Found none; patients with one of them: P1, P2"):
        paired(cube_of(stage=["before", "before", "after", "after"]))


def test_state_position__names_what_is_there():
    assert state_position(("a", "b"), "b", caller="the test") == 1
    with pytest.raises(InputError, match="Got 'c'; present: a, b"):
        state_position(("a", "b"), "c", caller="the test")


def test_warn_of_few__is_silent_where_stars_may_be_given():
    warn_of_few(6, 2 / 64, tests="test of signs")
    with pytest.warns(SmallSampleWarning, match="With 5 patients no test of signs can give a P value below 0.0625"):
        warn_of_few(5, 2 / 32, tests="test of signs")


def test_log_odds__are_finite_for_none_and_all():
    np.testing.assert_allclose(log_odds(np.array([0, 4]), np.array([4, 4])), [np.log(0.5 / 4.5), np.log(4.5 / 0.5)])
