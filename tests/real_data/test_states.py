"""Thresholds, phases and held-out signatures on real cells: five glioblastomas, lung-cancer lines, worm embryos."""

from __future__ import annotations

import json

import anndata
import numpy as np
import pandas as pd
import pytest
import scanpy
import scipy.sparse as sp
from sklearn.mixture import GaussianMixture

from chemores_dask.cohort.held_out_signatures import stemness_signatures
from chemores_dask.gene_sets import GeneSets
from chemores_dask.graph.covariate_dependence import covariate_dependence
from chemores_dask.scores.cell_cycle import cell_cycle
from chemores_dask.scores.control_genes import ControlGenes
from chemores_dask.scores.cycle_genes import CELL_CYCLE_GENES
from chemores_dask.scores.jenks_breaks import jenks_breaks
from chemores_dask.scores.module_score import module_score
from chemores_dask.scores.score_mixture import score_mixture
from chemores_dask.scores.score_states import score_states
from chemores_dask.scores.stemness import stemness
from chemores_dask.single_cell.cohort_cube import cohort_cube
from chemores_dask.single_cell.normalize import log_normalize
from chemores_dask.single_cell.pca import pca
from chemores_dask.single_cell.variable_genes import variable_genes
from chemores_dask.store.attach import attach
from chemores_dask.store.cells import open_cells

METAL = GeneSets.from_mapping({"metal": ["MT2A", "MT1X", "MT1G", "MT1E"]})
FEW = ControlGenes(bins=12, genes=10)


@pytest.fixture(scope="module")
def tumors(glioblastoma):
    return open_cells(glioblastoma.store, rows_per_block=700)


@pytest.fixture(scope="module")
def scores(tumors):
    found = module_score(log_normalize(tumors), METAL, method="seurat", seed=1)
    return found.assign(patient=("cell", tumors.obs["patient"].astype(str).to_numpy().astype(object)))


@pytest.fixture(scope="module")
def lines(mixology, reference_folder):
    """The cells of three lines by one protocol, with symbols."""
    cells = open_cells(mixology.store, rows_per_block=50)
    kept = cells[(cells.obs["sample"] == "celseq2").to_numpy()]
    known = pd.read_csv(reference_folder / "data" / "genesets" / "debian" / "org_hs_entrez_symbol_ensembl.csv.gz")
    known = known.dropna(subset=["SYMBOL", "ENSEMBL"]).drop_duplicates("ENSEMBL").drop_duplicates("SYMBOL")
    symbols = known.set_index("ENSEMBL")["SYMBOL"]
    names = [symbols.get(gene, gene) for gene in cells.var["gene_id"].astype(str)]
    return anndata.AnnData(kept.X, obs=kept.obs.copy(), var=pd.DataFrame(index=names), uns=dict(cells.uns))


def test_jenks_breaks__of_metal_stress_hold_over_patients(scores):
    result = jenks_breaks(scores, gene_set="metal", patient="patient", repeats=100, seed=1)
    values = np.sort(scores["cell_score"].values[:, 0])
    assert int(result["jenks_patients"]) == 5
    assert int(result["jenks_cells"]) == 5000
    threshold = float(result["jenks_threshold"])
    assert float(result["jenks_threshold_lower"]) <= threshold <= float(result["jenks_threshold_upper"])
    # The best two classes of all 5,000 scores themselves, by trying every cut.
    sums, squares = np.cumsum(values), np.cumsum(values**2)
    number = np.arange(1, 5000)
    below = squares[:-1] - sums[:-1] ** 2 / number
    above = (squares[-1] - squares[:-1]) - (sums[-1] - sums[:-1]) ** 2 / (5000 - number)
    best = int(np.argmin(below + above))
    found = float(result["jenks_breaks"].sel(class_number=2).values[0])
    width = (values[-1] - values[0]) / 2048
    assert abs(found - (values[best] + values[best + 1]) / 2) <= 2 * width
    whole = 1 - (below + above)[best] / (squares[-1] - sums[-1] ** 2 / 5000)
    assert float(result["jenks_goodness_of_fit"].sel(class_number=2)) == pytest.approx(whole, abs=1e-5)


def test_jenks_breaks__frozen_on_three_patients_serve_the_others(scores):
    first = scores["patient"].isin(["PW030", "PW032", "PW034"]).values
    if not 0 < first.sum() < 5000:
        names = sorted(set(scores["patient"].values))
        first = scores["patient"].isin(names[:3]).values
    jenks = jenks_breaks(scores.isel(cell=first), gene_set="metal", patient="patient", repeats=20, seed=1)
    later = scores.isel(cell=~first)
    frozen = score_states(later, gene_set="metal", threshold=jenks["jenks_threshold"], labels=("other", "stressed"))
    own = score_states(later, gene_set="metal", labels=("other", "stressed"))
    assert float(frozen["state_threshold"]) == float(jenks["jenks_threshold"])
    assert frozen.attrs["threshold_source"] != own.attrs["threshold_source"]
    assert 0 < (frozen["cell_state"] == "stressed").mean() < 0.9


def test_score_mixture__equals_scikit_learn(scores):
    result = score_mixture(scores, gene_set="metal", patient="patient", repeats=20, seed=1)
    values = scores["cell_score"].values
    best = max(
        (
            GaussianMixture(2, tol=1e-10, max_iter=20000, reg_covar=1e-9, means_init=[[low], [high]]).fit(values)
            for low, high in ((values.min(), values.mean()), (values.mean(), values.max()), (0.0, values.max()))
        ),
        key=lambda fit: fit.score(values),
    )
    order = np.argsort(best.means_[:, 0])
    np.testing.assert_allclose(result["mixture_weight"], best.weights_[order], atol=2e-3)
    np.testing.assert_allclose(result["mixture_mean"], best.means_[order, 0], atol=2e-3 * values.std())
    assert float(result["mixture_bic_two"]) == pytest.approx(best.bic(values), rel=1e-4)


def test_stemness__scores_glioblastomas_by_the_others(tumors, scores):
    states = score_states(scores, gene_set="metal", labels=("other", "stressed"))
    cube = cohort_cube(attach(tumors, states), sample="sample", state="cell_state")
    signatures = stemness_signatures(cube, state="stressed", folds=5, genes=8, seed=1)
    genes = signatures["gene"].values
    # Metallothioneins define the state, so every four patients find them again.
    assert set(METAL["metal"].up) <= set(genes[signatures["signature_folds_chosen"].values == 5])
    result = stemness(log_normalize(tumors), signatures=signatures, seed=1, controls=FEW).compute()
    made_by = json.loads(result.attrs["signature_patients"])
    patients = tumors.obs["patient"].astype(str).to_numpy()
    for fold in range(1, 6):
        (own,) = set(patients[result["stemness_fold"].values == fold])
        assert own not in made_by[str(fold)]
    table = pd.DataFrame(
        {"score": result["cell_score"].values[:, 0], "state": states["cell_state"].values, "patient": patients}
    )
    means = table.pivot_table(index="patient", columns="state", values="score")
    assert (means["stressed"] > means["other"]).all()


def test_cell_cycle__of_cell_lines_equals_scanpy(lines):
    normalized = log_normalize(lines)
    ours = cell_cycle(normalized, method="scanpy", seed=3).compute()
    theirs = anndata.AnnData(
        sp.csr_matrix(lines.X.compute(), dtype=np.float64),
        obs=pd.DataFrame(index=lines.obs_names),
        var=pd.DataFrame(index=lines.var_names),
    )
    scanpy.pp.normalize_total(theirs, target_sum=1e4)
    scanpy.pp.log1p(theirs)
    genes = [list(CELL_CYCLE_GENES[name].up) for name in ("S", "G2M")]
    scanpy.tl.score_genes_cell_cycle(theirs, s_genes=genes[0], g2m_genes=genes[1], random_state=3)
    np.testing.assert_allclose(ours["cell_cycle_s"], theirs.obs["S_score"], atol=2e-6)
    np.testing.assert_allclose(ours["cell_cycle_g2m"], theirs.obs["G2M_score"], atol=2e-6)
    assert (ours["cell_cycle_phase"].values == theirs.obs["phase"].to_numpy()).mean() == 1.0
    phases = pd.Series(ours["cell_cycle_phase"].values).value_counts()
    assert set(phases.index) == {"G1", "S", "G2M"}
    assert phases.min() > 20


def test_pca__of_cell_lines_loses_the_cycle_but_for_curves(lines):
    normalized = log_normalize(lines)
    cycle = cell_cycle(normalized, seed=3).compute()
    chosen = variable_genes(lines, method="seurat_v3", genes=1000)["gene_variable"].values
    columns = {"s": cycle["cell_cycle_s"].values, "g2m": cycle["cell_cycle_g2m"].values}
    table = anndata.AnnData(normalized.X, obs=normalized.obs.assign(**columns), var=normalized.var)
    regressed = pca(table, components=10, genes=chosen, regress=["s", "g2m"]).compute()
    plain = pca(table, components=10, genes=chosen).compute()
    assert float(np.abs(regressed["pca_regressed_correlation"]).max()) < 1e-8
    measured = [
        abs(np.corrcoef(regressed["pca_scores"].values[:, place], column)[0, 1])
        for place in range(10)
        for column in columns.values()
    ]
    assert max(measured) < 1e-8
    shares = {}
    for name, result in (("plain", plain), ("regressed", regressed)):
        cells = result.assign({key: ("cell", column) for key, column in columns.items()})
        cells = cells.assign(phase=("cell", cycle["cell_cycle_phase"].values))
        shares[name] = covariate_dependence(cells, covariates=["s", "g2m", "phase"])
    before, after = (shares[name]["dependence_share"].sel(covariate="g2m").max() for name in ("plain", "regressed"))
    assert float(before) > 0.3
    assert float(after) < 0.5 * float(before)


def test_covariate_dependence__sees_time_in_worm_embryos(singlecell):
    cells = anndata.read_h5ad(singlecell / "converted" / "worm_embryo.h5ad")
    normalized = log_normalize(cells)
    time = pd.to_numeric(cells.obs["embryo.time"]).to_numpy(dtype=float)
    chosen = variable_genes(cells, method="seurat_v3", genes=500)["gene_variable"].values
    result = pca(normalized, components=10, genes=chosen).compute().assign(time=("cell", time))
    found = covariate_dependence(result, covariates=["time"])
    assert float(found["dependence_share"].max()) > 0.5
    table = anndata.AnnData(normalized.X, obs=normalized.obs.assign(time=time), var=normalized.var)
    regressed = pca(table, components=10, genes=chosen, regress=["time"]).compute().assign(time=("cell", time))
    left = covariate_dependence(regressed, covariates=["time"])
    assert float(np.abs(left["dependence_correlation"]).max()) < 1e-8
    # Development is no line: a curve of time is left, which correlation does not show.
    assert float(left["dependence_share"].max()) > 0.1
