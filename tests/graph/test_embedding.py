"""What the analyses of the graph take for an embedding."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from chemores_dask.errors import InputError, MissingVariableError
from chemores_dask.graph.embedding import embedding_blocks, embedding_of


def scores(values):
    return xr.DataArray(values, dims=("cell", "component"), name="pca_scores")


def test_embedding_of__finds_the_only_one():
    dataset = xr.Dataset({"pca_scores": scores(np.ones((4, 2))), "total": ("cell", np.ones(4))})
    assert embedding_of(dataset, caller="umap").name == "pca_scores"
    assert embedding_of(dataset["pca_scores"], caller="umap").shape == (4, 2)


def test_embedding_of__asks_for_a_name_where_several_could_be_meant():
    both = xr.Dataset({"pca_scores": scores(np.ones((4, 2))), "harmony_scores": scores(np.zeros((4, 2)))})
    with pytest.raises(MissingVariableError, match="pca_scores, harmony_scores"):
        embedding_of(both, caller="umap")
    assert not embedding_of(both, embedding="harmony_scores", caller="umap").values.any()
    with pytest.raises(MissingVariableError, match="absent"):
        embedding_of(both, embedding="scores", caller="umap")


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (np.ones((4, 2)), "ndarray"),
        (xr.DataArray(np.ones((4, 2)), dims=("cell", "gene"), name="x"), "gene"),
        (scores(np.ones((4, 2), dtype=complex)), "complex"),
        (scores(np.ones((4, 0))), "must have a component"),
    ],
)
def test_embedding_of__refuses_what_is_none(given, what):
    with pytest.raises(InputError, match=what):
        embedding_of(given, caller="umap")


def test_embedding_blocks__are_cut_along_their_own_grid():
    values = np.random.default_rng(1).normal(size=(10, 3))
    for given in (values, da.from_array(values, chunks=(4, 2))):
        blocks = embedding_blocks(scores(given), rows_per_block=6)
        assert blocks.chunks == ((6, 4), (3,))
        assert blocks.dtype == np.float32
        assert np.array_equal(blocks.compute(), values.astype(np.float32))


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_embedding_blocks__refuse_numbers_that_are_not_finite(bad):
    values = np.ones((10, 3))
    values[7, 1] = bad
    with np.errstate(over="ignore"), pytest.raises(InputError, match="row 1 of the block"):
        embedding_blocks(scores(values), rows_per_block=6).compute(scheduler="synchronous")
