"""Five glioblastomas, slices of each under vehicle and under panobinostat: what the cube says, against pandas and scipy."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import scanpy
import scipy.sparse as sp
import scipy.stats

from chemores_dask.cohort.composition.paired_shares import paired_composition
from chemores_dask.cohort.pseudobulk import pseudobulk
from chemores_dask.errors import SmallSampleWarning
from chemores_dask.gene_sets import GeneSets
from chemores_dask.scores.module_score import module_score
from chemores_dask.scores.score_states import score_states
from chemores_dask.single_cell.cohort_cube import cohort_cube
from chemores_dask.single_cell.normalize import log_normalize
from chemores_dask.single_cell.quality import QualityLimits, quality
from chemores_dask.store.attach import attach
from chemores_dask.store.cells import open_cells

METALLOTHIONEINS = ["MT2A", "MT1X", "MT1G", "MT1E"]
SEED = 1


@pytest.fixture(scope="module")
def cells(glioblastoma):
    return open_cells(glioblastoma.store, rows_per_block=700)


@pytest.fixture(scope="module")
def table(glioblastoma):
    """Counts as a data frame with symbols, cells named as in the store."""
    source = glioblastoma.source
    names = [f"{sample}:{barcode}" for sample, barcode in zip(source.obs["sample_id"], source.obs_names, strict=True)]
    counts = pd.DataFrame(source.X.toarray().astype(np.int64), index=names, columns=source.var["symbol"])
    return counts, source.obs.set_axis(names)


@pytest.fixture(scope="module")
def states(cells):
    """Cells under metal stress, by a natural break of the score of metallothioneins."""
    sets = GeneSets.from_mapping({"metal": METALLOTHIONEINS})
    scores = module_score(log_normalize(cells), sets, method="seurat", seed=SEED)
    return score_states(scores, gene_set="metal", labels=["other", "metal_stress"])


@pytest.fixture(scope="module")
def cube(cells, states):
    return cohort_cube(attach(cells, states), sample="sample", state="cell_state")


def test_ingest__splits_the_file_into_the_samples_of_five_patients(glioblastoma, assert_same_counts):
    stored = anndata.read_zarr(glioblastoma.store / "cells")
    source = glioblastoma.source
    (report,) = glioblastoma.report.sources
    assert report.cells == dict.fromkeys(source.obs["sample_id"].unique(), 500)
    assert (stored.n_obs, stored.n_vars) == (5000, 300)
    for sample in report.cells:
        own = source[source.obs["sample_id"] == sample]
        assert_same_counts(stored, sample, own, genes="gene_id")
        kept = stored.obs[stored.obs["sample"] == sample]
        for old, new in {"patient_id": "patient", "condition": "stage", "gender": "gender", "age": "age"}.items():
            assert kept[new].tolist() == own.obs[old].tolist()
    assert stored.var_names.tolist() == source.var["symbol"].tolist()
    assert stored.obs.groupby(["patient", "stage"], observed=True).size().tolist() == [500] * 10


def test_quality__equals_pandas_and_scanpy(cells, glioblastoma, table):
    counts, _ = table
    found = quality(cells, limits=QualityLimits(minimum_detected_genes=100, maximum_mitochondrial_share=0.2))
    order = found["cell"].to_numpy()
    totals = counts.sum(axis=1)
    mitochondrial = [name for name in counts.columns if name.startswith("MT-")]
    ribosomal = [name for name in counts.columns if name.startswith(("RPS", "RPL"))]
    share = counts[mitochondrial].sum(axis=1) / totals
    np.testing.assert_array_equal(found["cell_total"], totals[order])
    np.testing.assert_array_equal(found["cell_detected_genes"], (counts > 0).sum(axis=1)[order])
    np.testing.assert_allclose(found["cell_mitochondrial_share"], share[order], rtol=1e-12)
    np.testing.assert_allclose(
        found["cell_ribosomal_share"], (counts[ribosomal].sum(axis=1) / totals)[order], rtol=1e-12
    )
    # Metallothioneins (MT2A, MT1X) are not mitochondrial.
    assert found.attrs["mitochondrial_genes"] == len(mitochondrial) == 9
    keep = ((counts > 0).sum(axis=1) >= 100) & (share <= 0.2)
    np.testing.assert_array_equal(found["cell_keep"], keep[order])
    assert 0.5 < keep.mean() < 1
    var = pd.DataFrame({"mt": counts.columns.isin(mitochondrial)}, index=glioblastoma.source.var_names)
    source = anndata.AnnData(glioblastoma.source.X, var=var)
    theirs, _ = scanpy.pp.calculate_qc_metrics(source, qc_vars=["mt"], percent_top=None, log1p=False)
    theirs.index = table[0].index
    # Scanpy's percentages are float32 for counts of float32.
    np.testing.assert_allclose(
        found["cell_mitochondrial_share"], theirs.loc[order, "pct_counts_mt"] / 100, rtol=1e-5, atol=1e-8
    )


def test_cohort_cube__equals_pandas_by_patient_and_condition(cells, table):
    counts, obs = table
    cube = cohort_cube(cells, sample="sample")
    assert dict(cube.sizes) == {"sample": 10, "state": 1, "gene": 300}
    grouped = counts.groupby(obs["sample_id"].astype(str))
    samples, genes = cube["sample"].to_numpy(), cube["gene"].to_numpy()
    np.testing.assert_array_equal(cube["cube_count_sum"][:, 0], grouped.sum().loc[samples, genes])
    detected = (counts > 0).groupby(obs["sample_id"].astype(str)).sum()
    np.testing.assert_array_equal(cube["cube_detected"][:, 0], detected.loc[samples, genes])
    logs = np.log1p(counts.div(counts.sum(axis=1), axis=0) * 1e4).groupby(obs["sample_id"].astype(str)).sum()
    np.testing.assert_allclose(cube["cube_log_sum"][:, 0], logs.loc[samples, genes], rtol=1e-10)
    known = obs.drop_duplicates("sample_id").set_index("sample_id").loc[samples]
    for name, column in {"patient": "patient_id", "stage": "condition", "age": "age", "gender": "gender"}.items():
        assert cube[name].to_numpy().tolist() == known[column].tolist()


def test_pseudobulk__equals_pandas_and_shows_the_response_to_the_drug(cells, table):
    counts, obs = table
    found = pseudobulk(cohort_cube(cells, sample="sample"))
    sums = counts.groupby(obs["sample_id"].astype(str)).sum().loc[found["sample"].to_numpy()]
    np.testing.assert_array_equal(found["pseudobulk_count"], sums)
    expected = np.log2((sums + 0.5).div(sums.sum(axis=1) + 1, axis=0) * 1e6)
    np.testing.assert_allclose(found["pseudobulk_log_cpm"], expected, rtol=1e-12)
    # Metallothioneins rise under panobinostat in all five patients: by 1.1 to 2.6 (MT2A) and 2.5 to 4.2 (MT1X) doublings.
    by_stage = found["pseudobulk_log_cpm"].sel(gene=["MT2A", "MT1X"])
    treated = by_stage[(found["stage"] == "panobinostat").to_numpy()]
    control = by_stage[(found["stage"] == "ctrl").to_numpy()]
    assert treated["patient"].to_numpy().tolist() == control["patient"].to_numpy().tolist()
    assert (treated.to_numpy() - control.to_numpy()).min() > 1


def test_score_states__agree_with_scores_of_scanpy(cells, states, table):
    # Seurat's controls and scanpy's are different draws; both scores tell the same cells.
    counts, _ = table
    theirs = anndata.AnnData(sp.csr_matrix(counts, dtype=np.float64), var=pd.DataFrame(index=counts.columns.tolist()))
    theirs.obs_names = counts.index
    scanpy.pp.normalize_total(theirs, target_sum=1e4)
    scanpy.pp.log1p(theirs)
    scanpy.tl.score_genes(theirs, METALLOTHIONEINS, use_raw=False, random_state=SEED)
    score = theirs.obs.loc[states["cell"].to_numpy(), "score"]
    under_stress = states["cell_state"].to_numpy() == "metal_stress"
    assert 0.05 < under_stress.mean() < 0.2
    assert scipy.stats.mannwhitneyu(score[under_stress], score[~under_stress]).statistic > 0.99 * (
        under_stress.sum() * (~under_stress).sum()
    )
    scanpy_sets = GeneSets.from_mapping({"metal": METALLOTHIONEINS})
    same = module_score(log_normalize(cells), scanpy_sets, method="scanpy", seed=SEED)
    np.testing.assert_allclose(same["cell_score"][:, 0], score, atol=1e-6)


def test_paired_composition__equals_pandas_and_scipy(cube, states, table):
    _, obs = table
    stressed = pd.Series(states["cell_state"].to_numpy() == "metal_stress", index=states["cell"].to_numpy())
    counted = stressed.groupby([obs["patient_id"].astype(str), obs["condition"].astype(str)]).agg(["sum", "count"])
    with pytest.warns(SmallSampleWarning, match="5 patients"):
        found = paired_composition(cube, state="metal_stress", before="ctrl", after="panobinostat")
    patients = found["patient"].to_numpy()
    assert patients.tolist() == ["PW030", "PW032", "PW034", "PW036", "PW040"]
    before, after = (counted.xs(stage, level=1).loc[patients] for stage in ("ctrl", "panobinostat"))
    np.testing.assert_array_equal(found["composition_cells_before"], before["sum"])
    np.testing.assert_array_equal(found["composition_cells_after"], after["sum"])
    np.testing.assert_allclose(found["composition_share_after"], after["sum"] / after["count"])

    def logit(side):
        return np.log((side["sum"] + 0.5) / (side["count"] - side["sum"] + 0.5))

    difference = (logit(after) - logit(before)).to_numpy()
    np.testing.assert_allclose(found["composition_logit_difference"], difference, rtol=1e-12)
    t_test = scipy.stats.ttest_1samp(difference, 0.0)
    assert float(found["composition_t_p_value"]) == pytest.approx(t_test.pvalue, rel=1e-9)
    ranks = scipy.stats.wilcoxon(difference, method="exact")
    assert float(found["composition_signed_rank_p_value"]) == pytest.approx(ranks.pvalue, rel=1e-12)
    # From 2.6 % to 19.7 % of the cells, more in all five patients; five patients allow no test of signs below 1/16.
    assert int(found["composition_patients_rising"]) == 5
    assert float(found["composition_mean_share_before"]) < 0.05
    assert float(found["composition_mean_share_after"]) > 0.15
    assert float(found["composition_t_p_value"]) < 0.05
    assert float(found["composition_sign_flip_p_value"]) == float(found["composition_minimum_p_value"]) == 1 / 16
