"""Principal components: against dense algebra and scanpy, and on input that cannot work."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import anndata
import dask
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import scanpy
import scipy.sparse as sp

from chemores_dask.errors import (
    BlockTooLargeError,
    GeneMismatchError,
    InputError,
    MissingVariableError,
    ParameterError,
    StagingSpaceError,
)
from chemores_dask.single_cell.pca import pca
from chemores_dask.stream import as_rows
from chemores_dask.stream.staging import staging_folder

CELLS, GENES = 200, 40


def log_normalized(counts):
    counts = sp.csr_matrix(counts, dtype=np.float64)
    totals = np.asarray(counts.sum(axis=1)).ravel()
    scaled = sp.diags(1e4 / np.maximum(totals, 1)) @ counts
    scaled.data = np.log1p(scaled.data)
    return sp.csr_matrix(scaled)


@pytest.fixture
def cells():
    generator = np.random.default_rng(11)
    group = generator.integers(0, 3, CELLS)
    means = generator.gamma(1.0, 1.0, (3, GENES))
    counts = generator.poisson(means[group])
    obs = pd.DataFrame(
        {
            "cycle": generator.normal(5, 2, CELLS),
            "batch": pd.Categorical(generator.choice(["a", "b", "c"], CELLS)),
            "group": group,
        },
        index=[f"cell{i}" for i in range(CELLS)],
    )
    obs["twice"] = 2 * obs["cycle"] + 1
    obs["constant"] = 3.0
    var = pd.DataFrame(index=[f"gene{i}" for i in range(GENES)])
    return anndata.AnnData(log_normalized(counts), obs=obs, var=var)


def unstaged(rows, *, store):
    return SimpleNamespace(passing=rows, complete=lambda: rows)


def in_blocks(cells, size):
    lazy = cells.copy()
    lazy.X = as_rows(cells.X, rows_per_block=size)
    return lazy


def dense_pca(matrix, covariates, components, *, scale):
    """Residuals by least squares, then a singular value decomposition."""
    design = np.column_stack([np.ones(len(matrix)), *covariates])
    residuals = matrix - design @ np.linalg.lstsq(design, matrix, rcond=None)[0]
    if scale:
        residuals = residuals / np.sqrt((residuals**2).sum(axis=0) / (len(matrix) - 1))
    left, singular, right = np.linalg.svd(residuals, full_matrices=False)
    largest = np.abs(right).argmax(axis=1)
    signs = np.sign(right[np.arange(len(right)), largest])
    scores = left * singular * signs
    variance = singular**2 / (len(matrix) - 1)
    return scores[:, :components], (right.T * signs)[:, :components], variance[:components], variance / variance.sum()


def indicators(column):
    return [(column == level).to_numpy(dtype=float) for level in column.unique()]


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("regress", [(), ("cycle",), ("cycle", "batch")])
def test_pca__equals_dense_algebra(cells, regress, scale):
    covariates = {"cycle": [cells.obs["cycle"]], "batch": indicators(cells.obs["batch"])}
    scores, loadings, variance, ratio = dense_pca(
        cells.X.toarray(), [column for name in regress for column in covariates[name]], 6, scale=scale
    )
    result = pca(in_blocks(cells, 33), components=6, regress=regress, scale=scale)
    np.testing.assert_allclose(result["pca_scores"], scores, atol=1e-9)
    np.testing.assert_allclose(result["pca_loadings"], loadings, atol=1e-9)
    np.testing.assert_allclose(result["pca_variance"], variance, rtol=1e-10)
    np.testing.assert_allclose(result["pca_variance_ratio"], ratio[:6], rtol=1e-10)
    np.testing.assert_allclose(result["pca_gene_mean"], cells.X.toarray().mean(axis=0), rtol=1e-12)


def test_pca__leaves_nothing_of_the_covariates(cells):
    scores = pca(cells, components=5, regress=["cycle", "batch"])["pca_scores"].to_numpy()
    for column in [cells.obs["cycle"], *indicators(cells.obs["batch"])]:
        centered = np.asarray(column) - np.mean(column)
        assert np.abs(centered @ scores).max() < 1e-9 * np.linalg.norm(centered) * np.linalg.norm(scores)


@pytest.mark.parametrize("extra", ["twice", "constant"])
def test_pca__ignores_covariates_that_say_nothing_new(cells, extra):
    plain = pca(cells, components=4, regress=["cycle"])
    more = pca(cells, components=4, regress=["cycle", extra])
    np.testing.assert_allclose(more["pca_scores"], plain["pca_scores"], atol=1e-9)


def test_pca__takes_huge_and_tiny_covariates(cells):
    expected = pca(cells, components=3, regress=["cycle"])["pca_scores"].to_numpy()
    for factor in (1e300, 1e-300):
        cells.obs["cycle"] *= factor
        np.testing.assert_allclose(pca(cells, components=3, regress=["cycle"])["pca_scores"], expected, atol=1e-9)
        cells.obs["cycle"] /= factor


def test_pca__takes_text_and_booleans_as_categories(cells):
    expected = pca(cells, components=3, regress=["batch"])["pca_scores"].to_numpy()
    cells.obs["batch"] = cells.obs["batch"].astype(str)
    np.testing.assert_allclose(pca(cells, components=3, regress=["batch"])["pca_scores"], expected, atol=1e-10)
    cells.obs["first"] = cells.obs["batch"] == "a"
    cells.obs["number"] = cells.obs["first"].astype(int)
    found = [pca(cells, components=3, regress=[name])["pca_scores"].to_numpy() for name in ("first", "number")]
    np.testing.assert_allclose(*found, atol=1e-10)


@pytest.mark.parametrize("size", [1, 7, 64, 199])
def test_pca__does_not_depend_on_blocks(cells, size):
    whole = pca(cells, components=5, regress=["cycle"])
    cut = pca(in_blocks(cells, size), components=5, regress=["cycle"])
    np.testing.assert_allclose(cut["pca_scores"], whole["pca_scores"], atol=1e-10)
    np.testing.assert_allclose(cut["pca_loadings"], whole["pca_loadings"], atol=1e-10)


@pytest.mark.parametrize("settings", [{"regress": ["cycle", "batch"]}, {"scale": True}, {"genes": ["gene3"]}])
def test_pca__reads_staged_genes_with_the_same_bits(cells, settings, monkeypatch):
    components = 1 if "genes" in settings else 5
    staged = pca(in_blocks(cells, 33), components=components, **settings)
    monkeypatch.setattr("chemores_dask.single_cell.pca.stage_rows", unstaged)
    again = pca(in_blocks(cells, 33), components=components, **settings)
    assert staged.compute().identical(again.compute())


def test_pca__stages_only_what_is_not_in_memory(cells, tmp_path):
    with staging_folder(tmp_path):
        pca(cells, components=2).compute()
        assert list(tmp_path.iterdir()) == []
        pca(in_blocks(cells, 50), components=2).compute()
        assert len(list(tmp_path.iterdir())) == 4


def test_pca__has_the_same_bits_in_processes(cells):
    found = pca(in_blocks(cells, 33), components=4).compute()
    with dask.config.set(scheduler="processes", num_workers=2):
        other = pca(in_blocks(cells, 33), components=4).compute()
    assert found.identical(other)


def test_pca__says_where_the_disk_is_full(cells, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    with staging_folder(tmp_path), pytest.raises(StagingSpaceError, match="Free some space, or name another folder"):
        pca(in_blocks(cells, 33), components=2)


def test_pca__takes_empty_blocks(cells):
    whole = pca(cells, components=5, regress=["cycle"])["pca_scores"].to_numpy()
    rows = as_rows(cells.X)
    empty = as_rows(cells.X[:0])
    cells.X = da.concatenate([empty, rows[:50], empty, rows[50:]])
    np.testing.assert_allclose(pca(cells, components=5, regress=["cycle"])["pca_scores"], whole, atol=1e-10)


def test_pca__has_the_same_bits_for_any_number_of_workers(cells):
    found = []
    for workers in (1, 4):
        with dask.config.set(scheduler="threads", num_workers=workers):
            found.append(pca(in_blocks(cells, 11), components=5, regress=["batch"], scale=True).compute())
    assert found[0].identical(found[1])


def test_pca__is_lazy_in_cells_and_changes_nothing(cells):
    before = cells.copy()
    result = pca(in_blocks(cells, 50), components=2, regress=["cycle"])
    assert isinstance(result["pca_scores"].data, da.Array)
    assert (cells.X != before.X).nnz == 0
    pd.testing.assert_frame_equal(cells.obs, before.obs)


def test_pca__chooses_genes_by_name_or_boolean(cells):
    chosen = np.arange(GENES) % 2 == 0
    by_boolean = pca(cells, components=3, genes=chosen)
    names = cells.var_names[chosen]
    by_name = pca(cells, components=3, genes=list(names[::-1]))
    alone = pca(cells[:, chosen].copy(), components=3)
    assert by_boolean["gene"].to_numpy().tolist() == names.tolist()
    for other in (by_name, alone):
        np.testing.assert_allclose(other["pca_scores"], by_boolean["pca_scores"], atol=1e-10)


@pytest.mark.parametrize("scale", [False, True])
def test_pca__takes_genes_without_variance(cells, scale):
    expected = pca(cells, components=4, scale=scale)
    dense = np.column_stack([np.zeros(CELLS), cells.X.toarray(), np.full(CELLS, 1234.567)])
    result = pca(anndata.AnnData(sp.csr_matrix(dense)), components=4, scale=scale)
    np.testing.assert_allclose(result["pca_scores"], expected["pca_scores"], atol=1e-9)
    assert not result["pca_loadings"].to_numpy()[[0, -1]].any()
    assert result["pca_gene_scale"].to_numpy()[[0, -1]].tolist() == [1.0, 1.0]


def test_pca__of_equal_cells_has_no_variance():
    result = pca(anndata.AnnData(np.ones((5, 3))), components=2, scale=True)
    assert not result["pca_scores"].to_numpy().any()
    assert result["pca_variance_ratio"].to_numpy().tolist() == [0.0, 0.0]


def test_pca__fixes_the_sign_by_the_first_of_the_largest_loadings():
    result = pca(anndata.AnnData(np.array([[0.0, 4.0], [1.0, 3.0], [2.0, 2.0]])), components=1)
    np.testing.assert_allclose(result["pca_loadings"].to_numpy().ravel(), [0.5**0.5, -(0.5**0.5)], rtol=1e-12)


def test_pca__of_two_cells_and_one_gene_is_their_difference():
    result = pca(anndata.AnnData(np.array([[1.0], [4.0]])), components=1)
    np.testing.assert_allclose(result["pca_scores"].to_numpy().ravel(), [-1.5, 1.5], atol=1e-12)
    assert result["pca_variance"].item() == pytest.approx(4.5)


@pytest.mark.parametrize("name", ["sc_mixology_sc_celseq2", "lemur_gbm_panobinostat"])
def test_pca__equals_scanpy_on_real_cells(reference_folder, name):
    cells = anndata.read_h5ad(reference_folder / "data" / "singlecell" / "converted" / f"{name}.h5ad")
    matrix = log_normalized(cells.X)
    fullest = np.argsort(-np.asarray(matrix.sum(axis=0)).ravel(), kind="stable")[:600]
    cells = anndata.AnnData(matrix[:, np.sort(fullest)])
    result = pca(in_blocks(cells, 100), components=20)
    scanpy.pp.pca(cells, n_comps=20, svd_solver="arpack", dtype="float64")
    theirs = cells.obsm["X_pca"]
    ours = result["pca_scores"].to_numpy()
    np.testing.assert_allclose(ours, theirs * np.sign((ours * theirs).sum(axis=0)), atol=1e-6)
    np.testing.assert_allclose(result["pca_variance"], cells.uns["pca"]["variance"], rtol=1e-9)
    np.testing.assert_allclose(result["pca_variance_ratio"], cells.uns["pca"]["variance_ratio"], rtol=1e-9)


def test_pca__separates_known_cell_lines(reference_folder):
    folder = reference_folder / "data" / "singlecell" / "converted"
    cells = anndata.read_h5ad(folder / "sc_mixology_sc_celseq2.h5ad")
    matrix = log_normalized(cells.X)
    variance = np.asarray(matrix.power(2).mean(axis=0) - np.square(matrix.mean(axis=0))).ravel()
    scores = pca(anndata.AnnData(matrix[:, np.argsort(-variance)[:1000]]), components=2)["pca_scores"].to_numpy()
    line = cells.obs["cell_line_demuxlet"].to_numpy()
    centers = {name: scores[line == name].mean(axis=0) for name in np.unique(line)}
    nearest = [min(centers, key=lambda name: np.linalg.norm(row - centers[name])) for row in scores]
    assert len(centers) == 3
    assert np.mean(np.array(nearest) == line) > 0.98


@pytest.mark.parametrize("components", [0, 41, 200])
def test_pca__refuses_more_components_than_directions(cells, components):
    with pytest.raises(ParameterError, match="'components' parameter of pca must be at least 1 and at most 40"):
        pca(cells, components=components)


def test_pca__counts_covariates_when_it_refuses_components(cells):
    few = cells[:8].copy()
    few.obs["batch"] = list("aabbccdd")
    assert pca(few, components=4, regress=["batch"]).sizes["component"] == 4
    with pytest.raises(ParameterError, match="must be at most 4: 8 cells less 4"):
        pca(few, components=5, regress=["batch"])


@pytest.mark.parametrize("number", [0, 1])
def test_pca__refuses_fewer_than_two_cells(cells, number):
    with pytest.raises(InputError, match=f"at least 2 cells. Got {number}"):
        pca(cells[:number].copy(), components=1)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e200])
def test_pca__refuses_expression_that_is_not_finite(cells, value):
    cells.X.data[17] = value
    with np.errstate(over="ignore"), pytest.raises(InputError, match="Expression must be finite"):
        pca(cells, components=2)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pca__refuses_covariates_that_are_not_known(cells, value):
    cells.obs.loc["cell3", "cycle"] = value
    with pytest.raises(InputError, match="'cycle' is missing or infinite in 1 of 200 cells"):
        pca(cells, components=2, regress=["cycle"])
    cells.obs.loc["cell3", "batch"] = None
    with pytest.raises(InputError, match="'batch' is missing"):
        pca(cells, components=2, regress=["batch"])


def test_pca__refuses_columns_and_genes_it_cannot_find(cells):
    with pytest.raises(MissingVariableError, match="needs the columns phase in obs"):
        pca(cells, components=2, regress=["phase"])
    with pytest.raises(ParameterError, match="list of columns"):
        pca(cells, components=2, regress="cycle")
    with pytest.raises(GeneMismatchError, match="Not found: TP53"):
        pca(cells, components=1, genes=["gene1", "TP53"])
    with pytest.raises(ParameterError, match="at least one gene"):
        pca(cells, components=1, genes=[])
    with pytest.raises(ParameterError, match="one entry for each of the 40 genes"):
        pca(cells, components=1, genes=np.ones(3, dtype=bool))


def test_pca__refuses_what_cannot_fit_into_memory():
    wide = anndata.AnnData(sp.csr_matrix((10, 2_000_000)))
    with pytest.raises(BlockTooLargeError, match="fewer genes"):
        pca(wide, components=2)
