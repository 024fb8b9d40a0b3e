"""ssGSEA: against GSVA (R), gseapy, the definition by running sums, and all orders of ties."""

from __future__ import annotations

import itertools
from pathlib import Path

import anndata
import dask.array as da
import gseapy
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import xarray as xr

from chemores_dask.errors import (
    GeneMismatchError,
    InputError,
    MissingGenesWarning,
    MissingVariableError,
    ParameterError,
)
from chemores_dask.gene_sets import GeneSet, GeneSets
from chemores_dask.results_spec import check_result
from chemores_dask.scores.ssgsea import RESULT, ssgsea
from chemores_dask.stream import as_rows

GENES, PATIENTS = 150, 8
NAMES = [f"G{gene}" for gene in range(GENES)]
SETS = GeneSets.from_mapping({"ten": NAMES[:10], "spread": NAMES[3::7], "one": ["G77"], "many": NAMES[40:140]})


def smooth():
    """Expression without ties, genes by patients."""
    gene, patient = np.arange(GENES)[:, None], np.arange(PATIENTS)[None, :]
    return 3 * np.sin(1.7 * gene + 0.31 * gene * patient + 0.9 * patient) + np.cos(0.05 * gene * gene)


def tied():
    """The same with 57 % zeros and many ties."""
    return np.maximum(np.floor(2 * smooth()), 0)


def cohort(matrix):
    patients = [f"P{patient}" for patient in range(matrix.shape[1])]
    coords = {"gene": NAMES[: len(matrix)], "patient": patients}
    return xr.Dataset({"expression": (("gene", "patient"), matrix)}, coords=coords)


def cells_of(matrix):
    names = [f"cell{cell}" for cell in range(matrix.shape[1])]
    var = pd.DataFrame(index=NAMES[: len(matrix)])
    return anndata.AnnData(sp.csr_matrix(matrix.T), obs=pd.DataFrame(index=names), var=var)


@pytest.fixture
def expected():
    """Made with GSVA 1.46.0 in R 4.2: ``gsva(x, sets, method="ssgsea", ssgsea.norm=..., tau=0.25 or 1, min.sz=1)`` of :func:`smooth`.

    ``ties_mean`` and its standard error: 1,000 such calls on :func:`tied`, each with the genes in another random order.
    """
    table = pd.read_csv(Path(__file__).parent / "expected" / "ssgsea.csv")
    return {
        column: table.pivot_table(index="patient", columns="gene_set", values=column)[list(SETS.names)].to_numpy()
        for column in table.columns[2:]
    }


def by_running_sum(values, inside, *, exponent=0.25):
    """Sum of the differences of the two running sums, walking down one order of the genes (which breaks ties)."""
    order = sorted(range(len(values)), key=lambda gene: -values[gene])
    ranks = pd.Series(values).rank(method="average").to_numpy()
    weights = np.array([ranks[gene] ** exponent if inside[gene] else 0.0 for gene in order])
    outside = np.array([0.0 if inside[gene] else 1.0 for gene in order])
    return (np.cumsum(weights) / weights.sum() - np.cumsum(outside) / outside.sum()).sum()


def test_ssgsea__equals_gsva(expected):
    patients = cohort(smooth())
    found = ssgsea(patients, SETS)
    check_result(RESULT, found)
    np.testing.assert_allclose(found["patient_score"], expected["score"], rtol=0, atol=1e-11)
    normalized = ssgsea(patients, SETS, normalized=True)
    np.testing.assert_allclose(normalized["patient_score"], expected["normalized"], rtol=0, atol=1e-13)
    assert normalized["ssgsea_range"].item() == pytest.approx(np.ptp(expected["score"]), rel=1e-13)
    assert found["ssgsea_range"].item() == 1.0
    exponent_one = ssgsea(patients, SETS, exponent=1.0)
    np.testing.assert_allclose(exponent_one["patient_score"], expected["exponent_one"], rtol=0, atol=1e-11)


def test_ssgsea__is_the_mean_of_gsva_over_orders_of_ties(expected):
    found = ssgsea(cohort(tied()), SETS)["patient_score"].to_numpy()
    # GSVA takes the whole part of mean ranks, which moves its weights by less than 1 % here.
    allowed = 4.5 * expected["ties_error"] + 0.02
    assert (np.abs(found - expected["ties_mean"]) < allowed).all()
    # A single order is far away: its spread is that of one call.
    assert expected["ties_error"].max() * np.sqrt(1000) > 5


def test_ssgsea__is_the_mean_over_all_orders_of_ties():
    values, inside = np.array([0.0, 0.0, 0.0, 2.0, 2.0, 5.0]), np.array([True, False, False, True, False, False])
    scores = [
        by_running_sum(values[list(order)], inside[list(order)]) for order in itertools.permutations(range(len(values)))
    ]
    found = ssgsea(cohort(values[:, None]), GeneSets.from_mapping({"set": ["G0", "G3"]}))
    assert np.std(scores) > 0.1
    assert found["patient_score"].item() == pytest.approx(np.mean(scores), rel=1e-12)


def test_ssgsea__equals_gseapy():
    theirs = gseapy.ssgsea(
        data=pd.DataFrame(smooth(), index=NAMES, columns=[f"P{patient}" for patient in range(PATIENTS)]),
        gene_sets={gene_set.name: list(gene_set.up) for gene_set in SETS},
        outdir=None,
        sample_norm_method="rank",
        weight=0.25,
        min_size=1,
        max_size=1000,
        permutation_num=0,
        no_plot=True,
        threads=1,
    ).res2d.pivot_table(index="Name", columns="Term", values="ES", aggfunc="first")
    found = ssgsea(cohort(smooth()), SETS)["patient_score"]
    np.testing.assert_allclose(found, theirs[list(SETS.names)].to_numpy(dtype=float), rtol=0, atol=1e-10)


def test_ssgsea__hand_worked():
    # Ranks 1 2 3 4; the set has 3 and 4: (3 * 3 + 4 * 4) / 7 - (1 + 2) / 2.
    found = ssgsea(
        cohort(np.array([[1.0], [2.0], [3.0], [9.0]])), GeneSets.from_mapping({"set": ["G2", "G3"]}), exponent=1
    )
    assert found["patient_score"].item() == pytest.approx(25 / 7 - 1.5)
    # Ranks 1.5 1.5 3 4; the set has one of the tied genes.
    tie = ssgsea(cohort(np.array([[0.0], [0.0], [3.0], [9.0]])), GeneSets.from_mapping({"set": ["G0"]}))
    assert tie["patient_score"].item() == pytest.approx(1.5 - 8.5 / 3)


def test_ssgsea__subtracts_genes_that_go_down():
    sets = GeneSets((GeneSet("both", SETS["ten"].up, SETS["many"].up), GeneSet("down", (), SETS["many"].up)))
    apart = ssgsea(cohort(smooth()), SETS)["patient_score"]
    both = ssgsea(cohort(smooth()), sets)["patient_score"]
    ten, many = apart.sel(gene_set="ten"), apart.sel(gene_set="many")
    np.testing.assert_allclose(both.sel(gene_set="both"), ten - many, atol=1e-12)
    np.testing.assert_allclose(both.sel(gene_set="down"), -many, atol=1e-12)


@pytest.mark.parametrize("normalized", [False, True])
def test_ssgsea__scores_cells_and_patients_alike(normalized):
    patients = ssgsea(cohort(tied()), SETS, normalized=normalized)
    cells = ssgsea(cells_of(tied()), SETS, normalized=normalized)
    assert isinstance(cells["cell_score"].data, da.Array)
    np.testing.assert_allclose(cells["cell_score"], patients["patient_score"], rtol=1e-13)
    assert cells["score_genes"].values.tolist() == [10, 21, 1, 100]


def test_ssgsea__has_the_same_bits_in_any_blocks_order_of_genes_and_scale():
    whole = ssgsea(cells_of(tied()), SETS)["cell_score"].to_numpy()
    cells = cells_of(tied())
    cells.X = as_rows(cells.X, rows_per_block=3)
    np.testing.assert_array_equal(ssgsea(cells, SETS)["cell_score"], whole)
    logarithms = ssgsea(cells_of(np.log1p(tied())), SETS)["cell_score"]
    np.testing.assert_array_equal(logarithms, whole)
    order = np.random.default_rng(1).permutation(GENES)
    np.testing.assert_allclose(ssgsea(cells_of(tied())[:, order].copy(), SETS)["cell_score"], whole, rtol=1e-12)


def test_ssgsea__names_patients_and_genes_that_are_not_known():
    patients = cohort(smooth())
    patients["expression"][77, 2] = np.nan
    patients["expression"][3, 5] = np.inf
    with pytest.raises(InputError, match=r"2 of 8 patients \(P2, P5\) and 2 of 150 genes \(G3, G77\)"):
        ssgsea(patients, SETS)
    with pytest.raises(InputError, match=r"2 of 8 patients"):
        ssgsea(patients.chunk({"gene": 7, "patient": 3}), SETS)
    cells = cells_of(tied())
    cells.X.data[5] = np.nan
    with pytest.raises(InputError, match="known and finite"):
        ssgsea(cells, SETS)["cell_score"].compute()


def test_ssgsea__reports_and_refuses_genes_that_were_not_measured():
    with pytest.warns(MissingGenesWarning, match="2 of 4 genes of 'set'"):
        found = ssgsea(cohort(smooth()), GeneSets.from_mapping({"set": ["G1", "G2", "PHEX", "ADIRF"]}))
    assert (found["score_genes"].item(), found["score_genes_missing"].item()) == (2, 2)
    np.testing.assert_array_equal(
        found["patient_score"], ssgsea(cohort(smooth()), GeneSets.from_mapping({"set": ["G1", "G2"]}))["patient_score"]
    )
    with pytest.raises(GeneMismatchError, match=r"At least 50%.*Found 1 of 3"):
        ssgsea(cohort(smooth()), GeneSets.from_mapping({"set": ["G1", "PHEX", "ADIRF"]}))
    with pytest.raises(GeneMismatchError, match="holds all 150 genes in one direction"):
        ssgsea(cohort(smooth()), GeneSets.from_mapping({"all": NAMES}))


def test_ssgsea__refuses_what_it_cannot_use():
    with pytest.raises(InputError, match="All are equal to 0"):
        ssgsea(cohort(np.zeros((6, 3))), GeneSets.from_mapping({"set": ["G1", "G2"]}), normalized=True)
    with pytest.raises(MissingVariableError, match="'tpm'"):
        ssgsea(cohort(smooth()), SETS, expression="tpm")
    with pytest.raises(InputError, match="needs gene sets"):
        ssgsea(cohort(smooth()), GeneSets(()))
    with pytest.raises(InputError, match="has weights"):
        ssgsea(cohort(smooth()), GeneSets((GeneSet.from_weights("set", {"G1": 2.0}),)))
    with pytest.raises(InputError, match="needs cells"):
        ssgsea(cells_of(tied())[:0].copy(), SETS)
    with pytest.raises(ParameterError, match="'exponent'"):
        ssgsea(cohort(smooth()), SETS, exponent=-1)


def test_ssgsea__of_rows_without_expression_is_zero():
    found = ssgsea(cells_of(np.zeros((GENES, 2))), SETS)["cell_score"]
    np.testing.assert_allclose(found, 0.0, atol=1e-12)
    one = ssgsea(cohort(smooth()[:, :1]), SETS)
    assert one.sizes["patient"] == 1
    assert not one["patient_score_high"].any()
