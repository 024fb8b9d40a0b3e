"""Panobinostat against vehicle in five glioblastomas: paired differential expression, against limma, edgeR and DESeq2.

``expected/glioblastoma_differential.csv`` was made with R 4.2.2, limma 3.54.1, edgeR 3.40.2 and DESeq2 1.38.3 from the sums of the cells of
each sample (``~ patient + stage``)::

    d <- calcNormFactors(d[filterByExpr(d, design), , keep.lib.sizes = FALSE])
    voom:   eBayes(lmFit(voom(d, design), design))
    quasi:  glmQLFTest(glmQLFit(estimateDisp(d, design, trend.method = "loess", tagwise = FALSE), design), coef = 6)
    deseq2: results(DESeq(dds, minReplicatesForReplace = Inf), cooksCutoff = FALSE, independentFiltering = FALSE)
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chemores_dask.cohort.differential.differential_expression import differential_expression
from chemores_dask.cohort.pseudobulk import pseudobulk
from chemores_dask.single_cell.cohort_cube import cohort_cube
from chemores_dask.store.cells import open_cells

PANOBINOSTAT = "stage[T.panobinostat]"


@pytest.fixture(scope="module")
def sums(glioblastoma):
    return pseudobulk(cohort_cube(open_cells(glioblastoma.store), sample="sample"))


@pytest.fixture(scope="module")
def expected():
    return pd.read_csv(Path(__file__).parent / "expected" / "glioblastoma_differential.csv", index_col="gene")


def _genes(result):
    found = result.drop_dims("sample").to_dataframe()
    return found[found["differential_status"] == 0]


def test_differential_expression__voom_equals_limma(sums, expected):
    found = _genes(differential_expression(sums, contrast=PANOBINOSTAT, method="voom")).loc[expected.index]
    np.testing.assert_allclose(found["differential_log_fold_change"], expected["voom_lfc"], rtol=1e-7)
    np.testing.assert_allclose(found["differential_statistic"], expected["voom_t"], rtol=1e-7)
    np.testing.assert_allclose(found["differential_p_value"], expected["voom_p"], rtol=1e-7)


def test_differential_expression__negative_binomial_equals_edger(sums, expected):
    found = _genes(differential_expression(sums, contrast=PANOBINOSTAT)).loc[expected.index]
    np.testing.assert_allclose(found["differential_log_fold_change"], expected["quasi_lfc"], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found["differential_statistic"] ** 2, expected["quasi_f"], rtol=5e-4, atol=1e-4)
    np.testing.assert_allclose(found["differential_p_value"], expected["quasi_p"], rtol=5e-4)
    # edgeR stops its steps at 1e-6 of the deviance; DESeq2 draws dispersions to their trend in another way.
    assert np.abs(found["differential_log_fold_change"] - expected["deseq2_lfc"]).median() < 0.05
    assert found["differential_p_value"].corr(expected["deseq2_p"], method="spearman") > 0.9


def test_differential_expression__metallothioneins_rise_in_every_patient(sums):
    result = differential_expression(sums, contrast=PANOBINOSTAT)
    assert int(result["differential_patients_compared"]) == 5
    metal = result.sel(gene=["MT2A", "MT1X", "MT1G", "MT1E"])
    assert (metal["differential_log_fold_change"] > 1).all()
    assert (metal["differential_q_value"] < 0.05).all()
    assert (metal["differential_patients_same_direction"] == 5).all()
