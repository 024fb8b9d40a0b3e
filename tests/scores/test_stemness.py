"""Scores by signatures of other patients: nothing is found where nothing is."""

from __future__ import annotations

import json

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from chemores_dask.cohort.held_out_signatures import SignatureLimits, stemness_signatures
from chemores_dask.errors import GeneMismatchError, InputError, MissingVariableError
from chemores_dask.gene_sets import GeneSets
from chemores_dask.scores.control_genes import ControlGenes
from chemores_dask.scores.jenks_breaks import jenks_breaks
from chemores_dask.scores.module_score import module_score
from chemores_dask.scores.stemness import stemness
from chemores_dask.single_cell.cohort_cube import cohort_cube
from chemores_dask.single_cell.normalize import log_normalize
from chemores_dask.stream.rows import as_rows

PATIENTS, CELLS, GENES = 8, 60, 300
CONTROLS = ControlGenes(10, 20)
LIMITS = SignatureLimits(minimum_log_fold_change=0.0, minimum_detected=0.0)


def cohort(seed, *, effect, genes=20):
    """Counts of patients' cells; half of them are called a state, whose genes are higher by a factor."""
    generator = np.random.default_rng(seed)
    patient = np.repeat([f"P{number}" for number in range(PATIENTS)], CELLS)
    inside = generator.random(len(patient)) < 0.5
    expected = np.repeat(generator.gamma(1.0, 1.5, size=GENES)[None, :] + 0.2, len(patient), axis=0)
    expected[np.ix_(inside, range(genes))] *= effect
    obs = pd.DataFrame(
        {"patient": patient, "sample": patient, "state": np.where(inside, "stem_like", "other")},
        index=[f"cell{place}" for place in range(len(patient))],
    )
    var = pd.DataFrame(index=[f"G{number:03d}" for number in range(GENES)])
    return anndata.AnnData(sp.csr_matrix(generator.poisson(expected).astype(np.int32)), obs=obs, var=var)


def signatures_of(cells, **options):
    cube = cohort_cube(cells, sample="sample", state="state")
    return stemness_signatures(cube, state="stem_like", genes=20, seed=2, **{"folds": 4, "limits": LIMITS, **options})


def separation(scores, cells):
    """Difference of the mean score of the state and the others within patients: mean, and t over patients."""
    table = pd.DataFrame({"score": scores, "patient": cells.obs["patient"], "state": cells.obs["state"]})
    means = table.pivot_table(index="patient", columns="state", values="score")
    difference = (means["stem_like"] - means["other"]).to_numpy()
    return difference.mean(), difference.mean() / (difference.std(ddof=1) / np.sqrt(len(difference)))


def test_stemness__finds_nothing_without_a_state_where_the_naive_score_does():
    held_out, naive = [], []
    for seed in range(12):
        cells = cohort(seed, effect=1.0)
        normalized = log_normalize(cells)
        signatures = signatures_of(cells)
        honest = stemness(normalized, signatures=signatures, seed=1, controls=CONTROLS)["cell_score"].values[:, 0]
        everyone = signatures["gene"].values[signatures["signature_member"].sel(fold=0).values]
        sets = GeneSets.from_mapping({"naive": everyone})
        circular = module_score(normalized, sets, method="seurat", seed=1, controls=CONTROLS)["cell_score"].values[:, 0]
        held_out.append(separation(honest, cells)[1])
        naive.append(separation(circular, cells)[1])
    # Without a state t would lie beyond 2.36 in 5 % of the cohorts, if held-out patients were independent. They share what they have in
    # common by chance with each other's signatures: the variance of t is doubled, and some 20 % lie there. Naive scores always do.
    assert min(naive) > 4
    assert np.mean(np.abs(held_out) > 2.36) < 0.4
    assert abs(np.mean(held_out)) < 1


def test_stemness__finds_a_state_that_is_there():
    cells = cohort(3, effect=1.6)
    scores = stemness(log_normalize(cells), signatures=signatures_of(cells), seed=1, controls=CONTROLS)
    mean, t = separation(scores["cell_score"].values[:, 0], cells)
    assert mean > 0.1
    assert t > 8


def test_stemness__takes_for_each_cell_the_score_that_leaves_its_patient_out():
    cells = cohort(4, effect=1.5)
    signatures = signatures_of(cells)
    normalized = log_normalize(cells)
    result = stemness(normalized, signatures=signatures, name="stem", seed=5, controls=CONTROLS).compute()
    made_by = json.loads(result.attrs["signature_patients"])
    assert made_by == json.loads(signatures.attrs["signature_patients"])
    genes = signatures["gene"].values
    for fold in range(1, 5):
        own = result["stemness_fold"].values == fold
        assert own.any()
        assert not set(cells.obs["patient"][own]) & set(made_by[str(fold)])
        sets = GeneSets.from_mapping({"fold": genes[signatures["signature_member"].sel(fold=fold).values]})
        alone = module_score(normalized, sets, method="seurat", seed=5, controls=CONTROLS)["cell_score"].values[:, 0]
        np.testing.assert_allclose(result["cell_score"].values[own, 0], alone[own], atol=1e-12)
    assert result["gene_set"].values.tolist() == ["stem"]
    assert int(result["stemness_patients"][0]) == int(result["stemness_held_out_patients"][0]) == PATIENTS


def test_stemness__scores_other_patients_by_the_signature_of_all():
    cells = cohort(4, effect=1.5)
    later = cohort(9, effect=1.5)
    later.obs["patient"] = [f"Q{name[1:]}" for name in later.obs["patient"]]
    later.obs.loc[later.obs.index[:CELLS], "patient"] = "P3"
    result = stemness(log_normalize(later), signatures=signatures_of(cells), seed=5, controls=CONTROLS).compute()
    assert (result["stemness_fold"].values[:CELLS] > 0).all()
    assert (result["stemness_fold"].values[CELLS:] == 0).all()
    assert int(result["stemness_held_out_patients"][0]) == 1


def test_stemness__does_not_depend_on_blocks():
    cells = cohort(6, effect=1.5)
    signatures = signatures_of(cells)
    options = {"signatures": signatures, "seed": 1, "controls": CONTROLS}
    cut = anndata.AnnData(as_rows(cells.X, rows_per_block=77), obs=cells.obs, var=cells.var)
    whole, blocks = (stemness(log_normalize(part), **options) for part in (cells, cut))
    np.testing.assert_allclose(whole["cell_score"], blocks["cell_score"], atol=1e-12)


def test_stemness__is_a_score_like_others():
    cells = cohort(7, effect=2.5)
    scores = stemness(log_normalize(cells), signatures=signatures_of(cells), seed=1, controls=CONTROLS)
    scores = scores.assign(patient=("cell", cells.obs["patient"].to_numpy().astype(object)))
    jenks = jenks_breaks(scores, gene_set="stemness", patient="patient", repeats=10, seed=1)
    called = scores["cell_score"].values[:, 0] >= float(jenks["jenks_threshold"])
    assert (called == (cells.obs["state"] == "stem_like")).mean() > 0.9


def test_stemness__refuses_what_it_cannot_score():
    cells = cohort(1, effect=1.5)
    signatures = signatures_of(cells)
    normalized = log_normalize(cells)
    with pytest.raises(MissingVariableError, match="donor"):
        stemness(normalized, signatures=signatures, patient="donor", seed=1)
    with pytest.raises(MissingVariableError, match="'signature_fold'"):
        stemness(normalized, signatures=signatures.drop_vars("signature_fold"), seed=1)
    with pytest.raises(InputError, match="Signatures of stemness must have a gene in every fold"):
        stemness(normalized, signatures=signatures.isel(fold=slice(1, None)), seed=1)
    with pytest.raises(GeneMismatchError, match="50% of the genes of 'all patients'"):
        stemness(normalized[:, 200:].copy(), signatures=signatures, seed=1)
    unknown = normalized.copy()
    unknown.obs["patient"] = [None, *normalized.obs["patient"][1:]]
    with pytest.raises(InputError, match="missing in 1 of 480 cells"):
        stemness(unknown, signatures=signatures, seed=1)
    with pytest.raises(InputError, match="needs cells"):
        stemness(normalized[:0].copy(), signatures=signatures, seed=1)
