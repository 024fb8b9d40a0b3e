"""Control genes: bins, draws, and means that come from elsewhere. Against scanpy they are held in the tests of module scores."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from chemores_dask.errors import GeneMismatchError, InputError, ParameterError
from chemores_dask.scores.control_genes import (
    AS_PUBLISHED,
    ControlGenes,
    check_means,
    control_chooser,
    given_means,
    rounded_means,
)

NAMES = np.array([f"gene{i}" for i in range(240)])
MEANS = np.random.default_rng(2).gamma(0.5, 1.0, 240)


def chooser(choice="seurat", *, names=NAMES, means=MEANS, controls=ControlGenes(24, 3), seed=1):  # noqa: B008 - frozen
    return control_chooser(choice, names, means, controls=controls, seed=seed, caller="test")


def test_controls__have_the_expression_of_the_gene():
    rank_of = np.argsort(np.argsort(MEANS))
    for gene in (0, 17, 239):
        controls = chooser()(np.array([gene]))
        assert len(controls) == 3
        assert set(rank_of[controls] // 10) == {min(rank_of[gene] // 10, 23)}


def test_controls__come_from_the_bins_of_cut_number_where_breaks_are_genes():
    # R 4.2.2: x <- 0:12; as.integer(cut(x, quantile(x, seq(0, 1, length.out = 5)), include.lowest = TRUE))
    bin_of = np.array([1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4])
    every = chooser(names=NAMES[:13], means=np.arange(13.0), controls=ControlGenes(4, 13))
    for gene in range(13):
        np.testing.assert_array_equal(every(np.array([gene])), np.flatnonzero(bin_of == bin_of[gene]))


def test_controls__of_seurat_belong_to_the_names_of_genes():
    genes = np.array([4, 90, 200])
    expected = set(NAMES[chooser()(genes)])
    order = np.random.default_rng(3).permutation(240)
    moved = chooser(names=NAMES[order], means=MEANS[order])
    assert set(NAMES[order][moved(np.argsort(order)[genes])]) == expected
    assert set(NAMES[chooser(seed=2)(genes)]) != expected


def test_controls__are_those_of_equal_means_when_rounding_differs():
    genes = np.array([4, 90, 200])
    shaken = MEANS * (1 + 1e-15 * np.random.default_rng(4).normal(size=240))
    for choice in ("seurat", "scanpy"):
        np.testing.assert_array_equal(chooser(choice)(genes), chooser(choice, means=shaken)(genes))


def test_controls__of_scanpy_leave_out_the_set():
    genes = np.arange(0, 60)
    assert not set(chooser("scanpy", controls=ControlGenes(4, 200))(genes)) & set(genes)


def test_rounded_means__keep_twelve_digits_and_the_smallest():
    means = np.array([0.0, 1.23456789012345, -1.23456789012345e-200, 1e-300])
    np.testing.assert_allclose(rounded_means(means), [0.0, 1.23456789012, -1.23456789012e-200, 1e-300], rtol=1e-15)


def test_control_genes__are_as_published_unless_given():
    assert AS_PUBLISHED.published_as("seurat", genes=500, caller="test") == ControlGenes(24, 100)
    assert AS_PUBLISHED.published_as("scanpy", genes=500, caller="test") == ControlGenes(25, 50)
    assert ControlGenes(genes=7).published_as("seurat", genes=500, caller="test") == ControlGenes(24, 7)
    with pytest.raises(ParameterError, match="at least 2 and at most 20"):
        AS_PUBLISHED.published_as("seurat", genes=20, caller="test")
    with pytest.raises(ParameterError, match=r"'controls\.genes' parameter of test"):
        ControlGenes(4, 0).published_as("seurat", genes=20, caller="test")


def test_given_means__follow_the_names():
    given = xr.DataArray([3.0, 1.0, 2.0, 9.0], dims="gene", coords={"gene": ["C", "A", "B", "other"]})
    assert given_means(given, np.array(["A", "B", "C"]), caller="test").tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(GeneMismatchError, match="1 of 2 have none: D"):
        given_means(given, np.array(["A", "D"]), caller="test")
    with pytest.raises(InputError, match="must run over 'gene'"):
        given_means(given.rename(gene="cell"), np.array(["A"]), caller="test")
    with pytest.raises(InputError, match="must run over 'gene'"):
        given_means(given.drop_vars("gene"), np.array(["A"]), caller="test")
    twice = given.assign_coords(gene=["A", "A", "B", "C"])
    with pytest.raises(InputError, match="Found more than once: A"):
        given_means(twice, np.array(["A"]), caller="test")


def test_check_means__refuses_what_is_not_finite():
    check_means(np.array([0.0, -1.0]))
    with pytest.raises(InputError, match="in 2 of 3 genes"):
        check_means(np.array([np.nan, np.inf, 0.0]))


def test_control_chooser__refuses_seeds_that_scanpy_would_not_take():
    with pytest.raises(ParameterError, match="'seed' parameter of test must lie between"):
        chooser("scanpy", seed=-1)
    with pytest.raises(ParameterError, match="must be a whole number"):
        chooser(seed=1.0)
