from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sklearn.neighbors import KNeighborsClassifier

from chemores_dask.errors import BlockTooLargeError, InputError, ParameterError
from chemores_dask.graph.label_transfer import METHODS, Assignment, TransferOptions, label_transfer
from chemores_dask.memory import memory_budget
from tests.held_memory import budget_with_room

KINDS = np.array(["beta", "delta", "gamma", "alpha"])
CENTERS = np.random.default_rng(3).normal(size=(4, 8)) * 4
ALL_METHODS = pytest.mark.parametrize("method", METHODS)


def embedding(codes, *, prefix, seed, shift=0.0):
    random = np.random.default_rng(seed)
    values = CENTERS[codes] + random.normal(size=(len(codes), 8)) + shift
    coordinates = {"cell": [f"{prefix}{row}" for row in range(len(codes))], "component": np.arange(1, 9)}
    return xr.DataArray(values.astype(np.float32), dims=("cell", "component"), coords=coordinates, name="scores")


@pytest.fixture
def reference():
    """500 cells of three kinds."""
    return embedding(np.arange(500) % 3, prefix="r", seed=1)


@pytest.fixture
def labels(reference):
    """Their names."""
    return xr.DataArray(KINDS[np.arange(500) % 3], dims="cell", coords={"cell": reference["cell"]})


@pytest.fixture
def query():
    """300 cells of the same kinds, and of one that the reference does not know."""
    return embedding(np.arange(300) % 4, prefix="q", seed=2)


def transfer(query, reference, labels, **options):
    return label_transfer(query, reference=reference, labels=labels, seed=4, **options)


@ALL_METHODS
def test_label_transfer__finds_what_it_knows_and_leaves_what_it_does_not(query, reference, labels, method):
    result = transfer(query, reference, labels, method=method)
    kinds = np.arange(300) % 4
    found = result["transferred_label"].values
    assert (found[kinds < 3] == KINDS[kinds[kinds < 3]]).mean() > 0.98
    assert (found[kinds == 3] == "unassigned").mean() > 0.9
    assert result["label"].values.tolist() == ["beta", "delta", "gamma"]
    counts = [int((found == name).sum()) for name in ("beta", "delta", "gamma", "unassigned")]
    assert [*result["transferred_cells"].values, int(result["transferred_unassigned_cells"])] == counts
    assert result["transferred_reference_cells"].values.tolist() == [167, 167, 166]
    assert (result["transferred_distance"].values[kinds == 3] > 1.5).mean() > 0.9


def test_label_transfer__neighbors_equal_those_of_scikit_learn(query, reference, labels):
    near = embedding(np.arange(300) % 3, prefix="q", seed=2) * np.float32(0.2)
    options = TransferOptions(neighbors=40, maximum_distance=None, shares=True)
    result = transfer(near, reference, labels, options=options, minimum_confidence=0.0)
    theirs = KNeighborsClassifier(n_neighbors=40, weights=lambda d: 1 - np.exp(-(1 - d / d[:, -1:]) / 4))
    theirs.fit(reference.values, labels.values)
    assert result["transferred_label"].values.tolist() == theirs.predict(near.values).tolist()
    np.testing.assert_allclose(result["transferred_share"].values, theirs.predict_proba(near.values), atol=1e-4)
    assert 0.4 < float(result["transferred_confidence"].min()) < 0.9


@ALL_METHODS
def test_label_transfer__has_the_same_bits_on_any_threads_and_from_any_blocks(query, reference, labels, method):
    blocks = query.chunk({"cell": 37})
    options = TransferOptions(shares=True)
    with dask.config.set(scheduler="synchronous"):
        first = transfer(query, reference, labels, method=method, options=options).compute()
    with dask.config.set(scheduler="threads", num_workers=4):
        second = transfer(blocks, reference.chunk({"cell": 90}), labels, method=method, options=options)
        assert isinstance(second["transferred_share"].data, da.Array)
        xr.testing.assert_identical(second.compute(), first)


def test_label_transfer__finds_labels_by_the_names_of_cells(query, reference, labels):
    straight = transfer(query, reference, labels)
    more = xr.concat([labels, xr.DataArray(["x"], dims="cell", coords={"cell": ["other"]})], "cell")
    xr.testing.assert_identical(transfer(query, reference, more.isel(cell=slice(None, None, -1))), straight)
    xr.testing.assert_identical(transfer(query, reference, labels.drop_vars("cell")), straight)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, "", "unassigned"])
def test_label_transfer__leaves_out_reference_cells_without_label(query, reference, labels, missing):
    values = labels.values.astype(object)
    values[::2] = missing
    result = transfer(query, reference, labels.copy(data=values))
    expected = transfer(query, reference[1::2], labels[1::2])
    assert int(result["transferred_reference_cells"].sum()) == 250
    np.testing.assert_array_equal(result["transferred_confidence"], expected["transferred_confidence"])
    assert result["transferred_label"].values.tolist() == expected["transferred_label"].values.tolist()


def test_label_transfer__takes_numbers_for_labels(query, reference):
    codes = xr.DataArray(np.arange(500) % 3 + 10, dims="cell", coords={"cell": reference["cell"]})
    assert set(transfer(query, reference, codes)["transferred_label"].values) == {"10", "11", "12", "unassigned"}


def test_label_transfer__a_cell_between_two_labels_is_unsure(reference, labels):
    between = xr.DataArray(CENTERS[:3].mean(axis=0)[None], dims=("cell", "component"))
    options = TransferOptions(maximum_distance=None, neighbors=400)
    sure = transfer(between, reference, labels, minimum_confidence=0.0, options=options)
    assert float(sure["transferred_confidence"][0]) < 0.9
    unsure = transfer(between, reference, labels, minimum_confidence=0.9, options=options)
    assert unsure["transferred_label"].values.tolist() == ["unassigned"]
    assert "cell" not in unsure.coords


def test_label_transfer__far_cells_are_unassigned_however_sure(reference, labels):
    far = embedding(np.zeros(20, dtype=int), prefix="q", seed=1, shift=40.0)
    for method in METHODS:
        result = transfer(far, reference, labels, method=method)
        assert set(result["transferred_label"].values) == {"unassigned"}
    given = transfer(far, reference, labels, options=TransferOptions(maximum_distance=None))
    assert "unassigned" not in given["transferred_label"].values


def test_label_transfer__survives_copies_of_cells(query, reference, labels):
    copies = reference.isel(cell=np.repeat([0, 1, 2], 30))
    result = transfer(query, copies.drop_vars("cell"), labels.drop_vars("cell")[np.repeat([0, 1, 2], 30)])
    # Distances among the reference are 0: whatever is not in the same place is far.
    assert set(result["transferred_label"].values) == {"unassigned"}
    own = transfer(reference[:3], copies.drop_vars("cell"), labels.drop_vars("cell")[np.repeat([0, 1, 2], 30)])
    assert own["transferred_label"].values.tolist() == KINDS[:3].tolist()


@pytest.mark.parametrize(
    ("change", "error", "expected"),
    [
        (lambda q, r, x: (q[:0], r, x), InputError, r"label_transfer needs cells. The query has none"),
        (lambda q, r, x: (q[:, :5], r, x), InputError, r"same components. The query has 5 \(1, 2, 3, 4, 5\), the reference 8"),
        (lambda q, r, x: (q.assign_coords(component=np.arange(8)), r, x), InputError, r"must have the same components"),
        (lambda q, r, x: (q, r, x.copy(data=["beta"] * 500)), InputError, r"at least two labels. 500 of its 500 cells .*: beta;"),
        (lambda q, r, x: (q, r, x.copy(data=[None] * 500)), InputError, r"at least two labels. 0 of its 500 cells"),
        (lambda q, r, x: (q, r[:0], x[:0]), InputError, r"at least two labels. 0 of its 0 cells"),
        (lambda q, r, x: (q, r, x.values), ParameterError, r"must be a DataArray over cell. Got ndarray"),
        (lambda q, r, x: (q, r, x[:-2]), InputError, r"Every reference cell must be among the labels.* 2 of 500 are not: r498, r499"),
        (lambda q, r, x: (q, r, x.drop_vars("cell")[:-2]), InputError, r"one label for each reference cell. Got 498 labels for 500"),
        (lambda q, r, x: (q, r, xr.concat([x, x], "cell")), InputError, r"Names of cells must be unique .* 500 are not"),
        (lambda q, r, x: (q.where(q["component"] > 1), r, x), InputError, r"must hold finite numbers"),
        (lambda q, r, x: (q, r.where(r["component"] > 1), x), InputError, r"must hold finite numbers"),
        (lambda q, r, x: (q, r.values, x), InputError, r"needs a Dataset over cells"),
    ],
)  # fmt: skip
def test_label_transfer__refuses_what_cannot_be_used(query, reference, labels, change, error, expected):
    asked, known, names = change(query, reference, labels)
    with pytest.raises(error, match=expected):
        transfer(asked, known, names)


@pytest.mark.parametrize(
    "options",
    [{"method": "nearest"}, {"minimum_confidence": 1.5}, {"seed": 1.5}],
)
def test_label_transfer__refuses_parameters_out_of_range(query, reference, labels, options):
    with pytest.raises(ParameterError, match=r"parameter of label_transfer must be"):
        label_transfer(query, reference=reference, labels=labels, **{"seed": 1, **options})


def test_label_transfer__refuses_what_does_not_fit_into_the_budget(query, reference, labels):
    with memory_budget("50MB"), pytest.raises(BlockTooLargeError, match=r"label_transfer must fit into the budget"):
        transfer(query, reference, labels)
    with memory_budget(budget_with_room("6GB")) as budget:
        transfer(query, reference, labels)
    assert budget.promised_bytes > 0


@pytest.mark.parametrize("options", [{"neighbors": 0}, {"neighbors": 2.5}, {"maximum_distance": -1.0}])
def test_transfer_options__refuse_what_is_out_of_range(options):
    with pytest.raises(ParameterError, match=r"of TransferOptions must be"):
        TransferOptions(**options)


def test_assignment__needs_confidence_and_nearness():
    shares = np.array([[0.2, 0.8], [0.6, 0.4], [0.9, 0.1], [0.5, 0.5]])
    found = Assignment(0.6, 1.5)(shares, np.array([1.0, 1.5, 1.6, 0.0]))
    assert found[:, 0].tolist() == [1, 0, -1, -1]
    assert found[:, 1].tolist() == [0.8, 0.6, 0.9, 0.5]
