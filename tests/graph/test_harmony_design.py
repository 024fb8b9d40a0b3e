"""Batches as numbers, and when they stand for the stage."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from chemores_dask.errors import AliasedBatchWarning, InputError, MissingVariableError, ParameterError
from chemores_dask.graph.harmony_design import (
    Labels,
    batch_design,
    fewest_batches,
    read_labels,
    stage_share,
    warn_of_aliases,
)


def labels_of(name, values):
    codes, found = pd.factorize(np.asarray(values, dtype=object), sort=True)
    return Labels(name, codes.astype(np.int32), tuple(str(value) for value in found))


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (np.array(["b", "a", "b"], dtype=object), ("a", "b")),
        (np.array([10, 9, 10]), ("10", "9")),
        (np.array([True, False, True]), ("False", "True")),
        (pd.Categorical(["y", "x", "y"], categories=["y", "x", "unused"]), ("x", "y")),
    ],
)
def test_read_labels__numbers_values_of_any_kind(values, wanted):
    cells = xr.Dataset({"batch": ("cell", values)})
    found = read_labels(cells, "batch", caller="harmony")
    assert found.values == wanted
    assert [found.values[code] for code in found.codes] == [str(value) for value in np.asarray(values)]


@pytest.mark.parametrize(
    "values",
    [
        np.array(["a", None, "b"], dtype=object),
        np.array([1.0, np.nan, 2.0]),
        np.array(["a", np.nan, "b"], dtype=object),
    ],
)
def test_read_labels__refuses_cells_without_a_value(values):
    cells = xr.Dataset({"batch": ("cell", values)})
    with pytest.raises(InputError, match=r"'batch'.*1 of 3 have none, the first in row 1"):
        read_labels(cells, "batch", caller="harmony")


def test_read_labels__names_what_is_there():
    cells = xr.Dataset({"library": ("cell", [1, 2])})
    with pytest.raises(MissingVariableError, match=r"'batch'.*library"):
        read_labels(cells, "batch", caller="harmony")


def test_batch_design__numbers_combinations_that_occur():
    first, second = labels_of("library", list("aabbc")), labels_of("chemistry", list("xyxxy"))
    design = batch_design([first, second], theta=[2.0, 1.0], caller="harmony")
    assert design.columns == ("library", "chemistry")
    assert design.levels[design.groups].tolist() == [[0, 3], [0, 4], [1, 3], [1, 3], [2, 4]]
    assert len(design.levels) == 4
    assert design.theta.tolist() == [2.0, 2.0, 2.0, 1.0, 1.0]
    np.testing.assert_allclose(design.shares, [0.4, 0.4, 0.2, 0.6, 0.4])


def test_batch_design__leaves_constant_variables_out():
    constant, other = labels_of("site", list("aaa")), labels_of("plate", list("xyx"))
    design = batch_design([constant, other], theta=2.0, caller="harmony")
    assert design.columns == ("plate",)
    assert design.levels.tolist() == [[0], [1]]
    nothing = batch_design([constant], theta=2.0, caller="harmony")
    assert nothing.columns == ()
    assert nothing.batches == 0
    assert nothing.groups.tolist() == [0, 0, 0]


@pytest.mark.parametrize("theta", [[1.0, 2.0], -1.0, float("nan"), "strong"])
def test_batch_design__refuses_strengths_that_cannot_be(theta):
    with pytest.raises(ParameterError, match="'theta' parameter of harmony"):
        batch_design([labels_of("plate", list("xy"))], theta=theta, caller="harmony")


def test_stage_share__is_what_equal_batch_means_take_of_a_shift():
    generator = np.random.default_rng(2)
    batches = generator.integers(0, 5, 500)
    stages = (generator.random(500) < np.array([0.1, 0.5, 0.9, 1.0, 0.3])[batches]).astype(int)
    shift = stages.astype(float)
    left = shift - np.array([shift[batches == batch].mean() for batch in range(5)])[batches]
    assert stage_share(batches, stages) == pytest.approx(1.0 - left.var() / shift.var(), rel=1e-12)


def test_stage_share__is_one_where_no_batch_has_two_stages():
    assert stage_share(np.array([0, 0, 1, 2]), np.array([0, 0, 1, 1])) == 1.0
    assert stage_share(np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])) == 0.0
    assert stage_share(np.array([0, 1]), np.array([0, 0])) == 0.0


def test_fewest_batches__counts_batches_of_the_poorest_stage():
    assert fewest_batches(np.array([0, 1, 2, 2]), np.array([0, 0, 1, 1])) == 1.0
    assert fewest_batches(np.array([0, 1, 2, 3]), np.array([0, 0, 1, 1])) == 2.0


def mixed(share, cells=1000):
    """A batch of two values that agrees with the stage in this share of the cells."""
    stage = np.arange(cells) % 2
    agree = np.arange(cells) // 2 < share * cells / 2
    return np.where(agree, stage, 1 - stage), stage


ALIASED = {
    "the stage in other words": ([0, 0, 1, 1] * 50, [0, 0, 1, 1] * 50),
    "one library against five": ([0, 0, 0, 0, 0, 1, 2, 3, 4, 5] * 30, [0, 0, 0, 0, 0, 1, 1, 1, 1, 1] * 30),
    "nearly the stage": mixed(0.95),
    "three stages, one each": ([0, 1, 2] * 50, [0, 1, 2] * 50),
}
NOT_ALIASED = {
    "libraries nested in stages": ([0, 1, 2, 3] * 50, [0, 0, 1, 1] * 50),
    "every batch with both stages": ([0, 0, 1, 1] * 50, [0, 1, 0, 1] * 50),
    "a batch that leans to a stage": mixed(0.75),
    "one batch": ([0, 0, 0, 0] * 50, [0, 1, 0, 1] * 50),
    "one stage": ([0, 1, 0, 1] * 50, [0, 0, 0, 0] * 50),
}


@pytest.mark.parametrize("name", ALIASED)
def test_warn_of_aliases__warns_where_a_batch_stands_for_the_stage(name):
    batches, stages = ALIASED[name]
    labels = [labels_of("site", batches)]
    design = batch_design(labels, theta=2.0, caller="harmony")
    with pytest.warns(AliasedBatchWarning, match=r"site holds \d+ % of 'stage'"):
        warn_of_aliases(labels, design, labels_of("stage", stages), caller="harmony")


@pytest.mark.parametrize("name", NOT_ALIASED)
def test_warn_of_aliases__is_silent_else(name):
    batches, stages = NOT_ALIASED[name]
    labels = [labels_of("library", batches)]
    design = batch_design(labels, theta=2.0, caller="harmony")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_aliases(labels, design, labels_of("stage", stages), caller="harmony")


def test_warn_of_aliases__sees_a_platform_behind_its_libraries():
    library, platform, stage = [0, 1, 2, 3] * 20, [0, 0, 1, 1] * 20, [0, 0, 1, 1] * 20
    labels = [labels_of("library", library), labels_of("platform", platform)]
    design = batch_design(labels, theta=2.0, caller="harmony")
    with pytest.warns(AliasedBatchWarning, match="platform holds 100 %"):
        warn_of_aliases(labels, design, labels_of("stage", stage), caller="harmony")
