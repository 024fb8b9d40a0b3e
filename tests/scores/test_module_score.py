"""Module scores: against scanpy, against the definition, and on input that cannot work."""

from __future__ import annotations

from unittest import mock

import anndata
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import scanpy
import scipy.sparse as sp
import xarray as xr

from chemores_dask.errors import CountsError, GeneMismatchError, InputError, MissingGenesWarning, ParameterError
from chemores_dask.gene_sets import GeneSet, GeneSets
from chemores_dask.scores.control_genes import ControlGenes
from chemores_dask.scores.module_score import module_score
from chemores_dask.single_cell.normalize import log_normalize
from chemores_dask.stream import as_rows

CELLS, GENES = 120, 600


@pytest.fixture
def cells():
    generator = np.random.default_rng(21)
    counts = generator.poisson(generator.gamma(0.5, 2.0, GENES), (CELLS, GENES))
    var = pd.DataFrame(index=[f"gene{i}" for i in range(GENES)])
    obs = pd.DataFrame(index=[f"cell{i}" for i in range(CELLS)])
    return anndata.AnnData(sp.csr_matrix(np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e3)), obs=obs, var=var)


@pytest.fixture
def gene_sets():
    return GeneSets.from_mapping(
        {"first": ["gene3", "gene50", "gene7"], "second": [f"gene{i}" for i in range(100, 130)]}
    )


def scores_of(*arguments, **options):
    return module_score(*arguments, **options)["cell_score"].to_numpy()


def scanpy_score(cells, genes, **options):
    scored = cells.copy()
    scanpy.tl.score_genes(scored, list(genes), use_raw=False, **options)
    return scored.obs["score"].to_numpy()


@pytest.mark.parametrize("seed", [0, 1, 12345])
@pytest.mark.parametrize(("bins", "controls"), [(None, None), (25, 10), (8, 30), (2, 5)])
def test_module_score__makes_the_draws_of_scanpy(cells, gene_sets, seed, bins, controls):
    result = module_score(cells, gene_sets, method="scanpy", seed=seed, controls=ControlGenes(bins, controls))
    for gene_set in gene_sets:
        theirs = scanpy_score(cells, gene_set.up, random_state=seed, n_bins=bins or 25, ctrl_size=controls or 50)
        np.testing.assert_allclose(result["cell_score"].sel(gene_set=gene_set.name), theirs, atol=1e-10)


@pytest.mark.parametrize("name", ["sc_mixology_sc_celseq2", "lemur_gbm_panobinostat"])
def test_module_score__equals_scanpy_on_real_cells(reference_folder, name):
    real = anndata.read_h5ad(reference_folder / "data" / "singlecell" / "converted" / f"{name}.h5ad")
    counts = sp.csr_matrix(real.X, dtype=np.float64)
    scaled = sp.csr_matrix(sp.diags(1e4 / np.asarray(counts.sum(axis=1)).ravel()) @ counts)
    cells = anndata.AnnData(scaled.log1p(), var=pd.DataFrame(index=real.var_names))
    genes = list(np.random.default_rng(1).choice(cells.var_names, 17, replace=False))
    ours = scores_of(cells, GeneSets.from_mapping({"set": genes}), method="scanpy", seed=3)[:, 0]
    np.testing.assert_allclose(ours, scanpy_score(cells, genes, random_state=3), atol=1e-9)


def test_module_score__seurat_follows_the_definition_when_all_genes_of_a_bin_are_controls(cells, gene_sets):
    dense = cells.X.toarray()
    means = dense.mean(axis=0)
    # Four bins at the quartiles, closed on the right.
    edges = np.quantile(means, [0.25, 0.5, 0.75])
    bin_of = np.searchsorted(edges, means, side="left")
    found = scores_of(cells, gene_sets, method="seurat", seed=0, controls=ControlGenes(4, GENES))
    for column, gene_set in enumerate(gene_sets):
        genes = [int(gene.removeprefix("gene")) for gene in gene_set.up]
        controls = np.isin(bin_of, bin_of[genes])
        expected = dense[:, genes].mean(axis=1) - dense[:, controls].mean(axis=1)
        np.testing.assert_allclose(found[:, column], expected, atol=1e-12)


def test_module_score__seurat_draws_controls_of_like_expression(cells):
    bright = str(cells.var_names[np.argmax(np.asarray(cells.X.mean(axis=0)))])
    gene_sets = GeneSets.from_mapping({"bright": [bright]})
    result = module_score(cells, gene_sets, method="seurat", seed=1, controls=ControlGenes(24, 10))
    assert result["module_controls"].item() == 10
    # The brightest gene stands out among all genes, far less among those of its bin.
    plain = cells.X.toarray()[:, cells.var_names.get_loc(bright)] - cells.X.toarray().mean(axis=1)
    assert result["cell_score"].mean() < 0.6 * plain.mean()


def test_module_score__is_centered_on_zero_for_random_sets(cells):
    generator = np.random.default_rng(2)
    gene_sets = GeneSets.from_mapping(
        {f"set{i}": generator.choice(cells.var_names, 20, replace=False) for i in range(50)}
    )
    for method in ("seurat", "scanpy"):
        means = scores_of(cells, gene_sets, method=method, seed=4).mean(axis=0)
        assert abs(means.mean()) < 3 * means.std() / np.sqrt(50) + 0.01


def test_module_score__seurat_does_not_depend_on_the_order_of_genes_or_of_sets(cells, gene_sets):
    order = np.random.default_rng(3).permutation(GENES)
    expected = scores_of(cells, gene_sets, method="seurat", seed=5, controls=ControlGenes(genes=7))
    shuffled = scores_of(cells[:, order].copy(), gene_sets, method="seurat", seed=5, controls=ControlGenes(genes=7))
    alone = scores_of(cells, GeneSets((gene_sets["second"],)), method="seurat", seed=5, controls=ControlGenes(genes=7))
    np.testing.assert_allclose(shuffled, expected, atol=1e-12)
    np.testing.assert_allclose(alone[:, 0], expected[:, 1], atol=1e-12)


@pytest.mark.parametrize("method", ["seurat", "scanpy"])
def test_module_score__controls_hang_on_the_seed(cells, gene_sets, method):
    found = [
        scores_of(cells, gene_sets, method=method, seed=seed, controls=ControlGenes(genes=5)) for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(found[0], found[1])
    assert np.abs(found[0] - found[2]).max() > 1e-3


@pytest.mark.parametrize("method", ["seurat", "scanpy"])
@pytest.mark.parametrize("size", [1, 13, 119])
def test_module_score__does_not_depend_on_blocks(cells, gene_sets, method, size):
    expected = scores_of(cells, gene_sets, method=method, seed=6, controls=ControlGenes(genes=9))
    rows, empty = as_rows(cells.X, rows_per_block=size), as_rows(cells.X[:0])
    cells.X = da.concatenate([empty, rows, empty])
    result = module_score(cells, gene_sets, method=method, seed=6, controls=ControlGenes(genes=9))
    assert isinstance(result["cell_score"].data, da.Array)
    np.testing.assert_array_equal(result["cell_score"], expected)


@pytest.mark.parametrize("method", ["seurat", "scanpy"])
def test_module_score__subtracts_genes_that_go_down(cells, gene_sets, method):
    up, down = gene_sets["first"].up, gene_sets["second"].up
    options = {"method": method, "seed": 7, "controls": ControlGenes(genes=9)}
    apart = scores_of(cells, gene_sets, **options)
    both = scores_of(cells, GeneSets((GeneSet("both", up, down), GeneSet("down", (), down))), **options)
    np.testing.assert_allclose(both[:, 0], apart[:, 0] - apart[:, 1], atol=1e-12)
    np.testing.assert_allclose(both[:, 1], -apart[:, 1], atol=1e-12)


def test_module_score__reports_coverage(cells):
    gene_sets = GeneSets.from_mapping({"set": ["gene1", "gene2", "absent"]})
    with pytest.warns(MissingGenesWarning, match="1 of 3 genes"):
        result = module_score(cells, gene_sets, method="seurat", seed=0)
    assert (result["score_genes"].item(), result["score_genes_missing"].item()) == (2, 1)
    whole = scores_of(cells, GeneSets.from_mapping({"set": ["gene1", "gene2"]}), method="seurat", seed=0)
    np.testing.assert_array_equal(result["cell_score"], whole)


def test_module_score__refuses_sets_that_were_not_measured(cells):
    with pytest.raises(GeneMismatchError, match="Found 0 of 2"):
        module_score(cells, GeneSets.from_mapping({"set": ["TP53", "MYC"]}), method="seurat", seed=0, minimum_share=0.0)
    with pytest.raises(GeneMismatchError, match="Found 1 of 3"):
        module_score(cells, GeneSets.from_mapping({"set": ["gene1", "TP53", "MYC"]}), method="seurat", seed=0)


def test_module_score__breaks_ties_of_silent_genes(cells):
    silent = anndata.AnnData(sp.csr_matrix((10, 48)), var=pd.DataFrame(index=[f"gene{i}" for i in range(48)]))
    result = module_score(silent, GeneSets.from_mapping({"set": ["gene0"]}), method="seurat", seed=0)
    assert not result["cell_score"].to_numpy().any()
    assert result["module_controls"].item() in {2, 3}


def test_module_score__takes_huge_values(cells, gene_sets):
    expected = scores_of(cells, gene_sets, method="scanpy", seed=0)
    cells.X = cells.X * 2.0**600
    np.testing.assert_allclose(
        scores_of(cells, gene_sets, method="scanpy", seed=0) / 2.0**600, expected, rtol=1e-9, atol=1e-12
    )


def test_module_score__works_on_one_cell(cells, gene_sets):
    assert scores_of(cells[:1].copy(), gene_sets, method="seurat", seed=0).shape == (1, 2)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_module_score__refuses_expression_that_is_not_finite(cells, gene_sets, value):
    cells.X.data[3] = value
    with pytest.raises(InputError, match="in 1 of 600 genes"):
        module_score(cells, gene_sets, method="seurat", seed=0)


def test_module_score__refuses_input_it_cannot_use(cells, gene_sets):
    with pytest.raises(InputError, match="needs cells"):
        module_score(cells[:0].copy(), gene_sets, method="seurat", seed=0)
    with pytest.raises(InputError, match="needs gene sets"):
        module_score(cells, GeneSets(()), method="seurat", seed=0)
    with pytest.raises(InputError, match="has weights"):
        module_score(cells, GeneSets((GeneSet("set", ("gene1",), weights={"gene1": 2.0}),)), method="seurat", seed=0)
    cells.var_names = ["gene1", *cells.var_names[1:]]
    with pytest.raises(InputError, match="Found more than once: gene1"):
        module_score(cells, gene_sets, method="seurat", seed=0)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"method": "aucell"}, "must be one of: seurat, scanpy, seurat_raw_counts. Got 'aucell'"),
        (
            {"controls": ControlGenes(bins=1)},
            "'controls.bins' parameter of module_score must be at least 2 and at most 600",
        ),
        ({"controls": ControlGenes(bins=601)}, "'controls.bins' parameter"),
        ({"controls": ControlGenes(genes=0)}, "'controls.genes' parameter of module_score must be at least 1"),
        ({"method": "scanpy", "seed": -1}, "'seed' parameter of module_score must lie between"),
    ],
)
def test_module_score__refuses_parameters_outside_their_range(cells, gene_sets, options, text):
    with pytest.raises(ParameterError, match=text):
        module_score(cells, gene_sets, **{"method": "seurat", "seed": 0, **options})


def test_module_score__needs_more_than_one_gene():
    one = anndata.AnnData(np.ones((3, 1)), var=pd.DataFrame(index=["A"]))
    with pytest.raises(ParameterError, match=r"'controls\.bins' parameter"):
        module_score(one, GeneSets.from_mapping({"set": ["A"]}), method="seurat", seed=0)
    two = anndata.AnnData(np.ones((3, 2)), var=pd.DataFrame(index=["A", "B"]))
    with pytest.raises(GeneMismatchError, match="None is left for 'set'"):
        module_score(
            two, GeneSets.from_mapping({"set": ["A", "B"]}), method="scanpy", seed=0, controls=ControlGenes(bins=2)
        )


def patients_like(cells):
    coordinates = {"patient": cells.obs_names.to_numpy(), "gene": cells.var_names.to_numpy()}
    return xr.Dataset({"expression": (("patient", "gene"), cells.X.toarray())}, coordinates)


@pytest.mark.parametrize("method", ["seurat", "scanpy"])
def test_module_score__of_means_that_are_given_takes_no_pass_for_them(cells, gene_sets, method):
    expected = scores_of(cells, gene_sets, method=method, seed=5)
    means = xr.DataArray(np.asarray(cells.X.mean(axis=0)).ravel(), dims="gene", coords={"gene": cells.var_names})
    with mock.patch("chemores_dask.scores.module_score.compute", side_effect=AssertionError):
        result = module_score(cells, gene_sets, method=method, seed=5, gene_mean=means[::-1])
    np.testing.assert_allclose(result["cell_score"], expected, atol=1e-13)
    with pytest.raises(GeneMismatchError, match="1 of 600 have none: gene0"):
        module_score(cells, gene_sets, method=method, seed=5, gene_mean=means[1:])
    cells.X.data[3] = np.nan
    broken = module_score(
        cells, GeneSets.from_mapping({"all": cells.var_names[:400]}), method="scanpy", seed=5, gene_mean=means
    )
    with pytest.raises(InputError, match="must be finite"):
        broken.compute()


def test_module_score__of_many_sets_is_that_of_each(cells):
    # Controls that many genes share are counted, not multiplied one by one; the numbers must not notice.
    counts = cells.copy()
    counts.X = sp.csr_matrix(np.random.default_rng(5).poisson(1.0, cells.shape).astype(np.int32))
    normalized = log_normalize(counts)
    kept = anndata.AnnData(normalized.X.compute(), obs=cells.obs, var=cells.var)
    generator = np.random.default_rng(6)
    many = GeneSets.from_mapping({f"set{i}": generator.choice(cells.var_names, 40, replace=False) for i in range(40)})
    found = scores_of(normalized, many, method="seurat", seed=5)
    np.testing.assert_allclose(found, scores_of(kept, many, method="seurat", seed=5), atol=1e-12)
    alone = scores_of(normalized, GeneSets((many["set7"],)), method="seurat", seed=5)
    np.testing.assert_allclose(found[:, 7], alone[:, 0], atol=1e-12)


def test_module_score__reproduces_scores_of_raw_counts(gene_sets):
    generator = np.random.default_rng(9)
    counts = generator.poisson(generator.gamma(0.5, 200.0, GENES), (30, GENES)).astype(float)
    names = {"patient": [f"P{i}" for i in range(30)], "gene": [f"gene{i}" for i in range(GENES)]}
    patients = xr.Dataset({"counts": (("patient", "gene"), counts)}, names)
    options = {"expression": "counts", "seed": 123}
    result = module_score(patients, gene_sets, method="seurat_raw_counts", **options)
    plain = module_score(patients, gene_sets, method="seurat", **options)["patient_score"].values
    expected = (plain - plain.min(axis=0)) / (plain.max(axis=0) - plain.min(axis=0))
    np.testing.assert_allclose(result["patient_score"], expected, atol=1e-12)
    assert '"method":"seurat_raw_counts"' in result.attrs["parameters"]
    with pytest.raises(CountsError, match="Counts must be whole numbers"):
        module_score(np.log1p(patients), gene_sets, method="seurat_raw_counts", **options)
    silent = patients * 0
    assert not module_score(silent, gene_sets, method="seurat_raw_counts", **options)["patient_score"].any()


def test_module_score__of_raw_counts_is_for_patients(cells, gene_sets):
    with pytest.raises(InputError, match=r"is a reproduction for patients\. Got cells"):
        module_score(cells, gene_sets, method="seurat_raw_counts", seed=0)


@pytest.mark.parametrize("method", ["seurat", "scanpy"])
def test_module_score__of_patients_is_that_of_the_same_cells(cells, gene_sets, method):
    result = module_score(patients_like(cells), gene_sets, method=method, seed=2)
    np.testing.assert_allclose(result["patient_score"], scores_of(cells, gene_sets, method=method, seed=2), atol=1e-12)
