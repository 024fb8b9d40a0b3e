"""Every cell scored by a signature that its own patient had no part in."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from anndata import AnnData

from chemores_dask.aliases import Block, Columns, Matrix, Seed, Vector
from chemores_dask.checks import check_columns, check_variables
from chemores_dask.errors import InputError
from chemores_dask.gene_sets import GeneSet, GeneSets
from chemores_dask.provenance import canonical_json
from chemores_dask.results_spec import Variable, make_result
from chemores_dask.scores.control_genes import AS_PUBLISHED, ControlGenes
from chemores_dask.scores.module_score import module_score
from chemores_dask.scores.score_table import GENE_SET, declare_scores
from chemores_dask.single_cell.cell_rows import check_cells
from chemores_dask.stream.rows import map_rows

ALGORITHM_REVISION = 2

RESULT = declare_scores(
    Variable("stemness_fold", ("cell",), "i", doc="whose signature scores the cell; 0: that of all patients"),
    Variable("stemness_patients", (GENE_SET,), "i", unit="patients", doc="of the cells"),
    Variable("stemness_held_out_patients", (GENE_SET,), "i", unit="patients", doc="scored by a signature without them"),
    unit="log expression",
)

FOLD = "fold"


def stemness(
    cells: AnnData,
    *,
    signatures: xr.Dataset,
    patient: str = "patient",
    name: str = "stemness",
    method: str = "seurat",
    seed: Seed,
    controls: ControlGenes = AS_PUBLISHED,
    minimum_share: float = 0.5,
) -> xr.Dataset:
    """Score cells by the signature of a state that their patient did not help to make.

    The signatures of all folds are scored together by :func:`module_score`, in one pass; every cell takes the score of the signature that
    leaves its patient out. Patients that are not among those of the signatures had no part in any: they get the signature of all
    patients, so that the same call serves the cohort that made the signatures and those that come later.

    Parameters
    ----------
    cells
        Log-normalized cells with unique gene names.
    signatures
        Result of :func:`stemness_signatures`.
    patient
        Column of ``obs`` with the patient of each cell, named as in the signatures.
    name
        Of the score, as its gene set.
    method
        How controls are chosen: ``"seurat"`` or ``"scanpy"``, as in :func:`module_score`.
    seed
        Decides the controls.
    controls
        How many bins of expression there are, and how many genes are drawn at a time, where these are not the published ones.
    minimum_share
        Share of each signature that must have been measured.

    Returns
    -------
    Dataset over ``cell`` and ``gene_set`` (one, called ``name``), as any score: ``cell_score`` (lazy), ``score_genes`` and
    ``score_genes_missing`` (of the signature of all patients); ``stemness_fold`` (cell), ``stemness_patients``,
    ``stemness_held_out_patients``. The attribute ``signature_patients`` lists, as JSON, the patients that made each signature.

    Raises
    ------
    MissingVariableError
        If ``obs`` lacks the column, or the signatures a variable.
    GeneMismatchError
        If too few genes of a signature were measured.
    InputError
        If there are no cells, the patient of a cell is not known, or expression is missing or infinite.

    Warns
    -----
    MissingGenesWarning
        If some genes of a signature were not measured.

    Notes
    -----
    Passes over the counts: 1 computed, 1 lazy, for any number of folds. Signatures of different folds share most of their genes, but not
    all: compare within patients, and let a threshold be one of each patient's own scores or of many folds together.

    Held-out scores have no bias: without a state the mean difference between labels is zero, where that of a signature of all patients is
    not. They are not independent, though: what two patients happen to have in common raises the scores of both. A t test over patients
    of how far held-out scores separate the very labels has twice the variance it takes for granted (with 8 patients 20 % of null
    simulations reach P < 0.05). Test such a claim in other patients, by the signature of all.

    References
    ----------
    Tirosh I, et al. (2016). Dissecting the multicellular ecosystem of metastatic melanoma by single-cell RNA-seq. Science 352:189-196.
    """
    check_cells(cells, caller="stemness")
    check_columns(cells.obs, [patient], what="obs", caller="stemness")
    check_variables(signatures, ["signature_member"], dims=("fold", "gene"), what="signatures", caller="stemness")
    check_variables(signatures, ["signature_fold"], dims=("patient",), what="signatures", caller="stemness")
    folds, held_out, patients = _folds(cells.obs[patient], signatures)
    sets = _sets(signatures)
    found = module_score(cells, sets, method=method, seed=seed, controls=controls, minimum_share=minimum_share)
    places = np.searchsorted(signatures["fold"].to_numpy(), folds)
    scores = map_rows(found["cell_score"].data, OwnColumn(), columns={FOLD: places}, width=1, dtype=np.float64)
    made_by = json.loads(signatures.attrs.get("signature_patients", "{}"))
    return make_result(
        RESULT,
        {
            "cell_score": scores,
            "score_genes": found["score_genes"].to_numpy()[:1],
            "score_genes_missing": found["score_genes_missing"].to_numpy()[:1],
            "stemness_fold": folds,
            "stemness_patients": np.array([patients]),
            "stemness_held_out_patients": np.array([held_out]),
        },
        analysis="stemness",
        parameters={
            "patient": patient,
            "name": name,
            "method": method,
            "seed": seed,
            "bins": controls.bins,
            "controls": controls.genes,
            "minimum_share": minimum_share,
            "gene_sets": {gene_set.name: list(gene_set.up) for gene_set in sets},
        },
        coordinates={"cell": cells.obs_names.to_numpy(), GENE_SET: np.array([name], dtype=object)},
        attributes={
            "signature_patients": canonical_json(made_by),
            "signature_state": str(signatures.attrs.get("signature_state", "")),
        },
    )


@dataclass(frozen=True)
class OwnColumn:
    """Takes from each row the column that its fold names."""

    def __call__(self, scores: Block, columns: Columns) -> Matrix:
        """One score per row of a block."""
        rows = np.arange(scores.shape[0])
        return scores.toarray()[rows, columns[FOLD].astype(np.int64)][:, None]


def _folds(column: pd.Series, signatures: xr.Dataset) -> tuple[Vector, int, int]:
    """The fold of every cell, 0 for those of other patients; how many patients are held out, and how many there are."""
    known = column.notna() & (column.astype(str) != "")
    if not known.all():
        message = (
            f"Every cell must have a patient in stemness. {column.name!r} is missing in {int((~known).sum())} of {len(column)} cells; "
            "leave those cells out."
        )
        raise InputError(message)
    names = [str(name) for name in signatures["patient"].to_numpy()]
    fold_of = dict(zip(names, signatures["signature_fold"].to_numpy().astype(np.int64).tolist(), strict=True))
    codes, labels = pd.factorize(column.astype(str))
    folds = np.array([fold_of.get(str(label), 0) for label in labels], dtype=np.int64)
    return folds[codes] if len(codes) else np.empty(0, dtype=np.int64), int((folds > 0).sum()), len(labels)


def _sets(signatures: xr.Dataset) -> GeneSets:
    """One set per fold, that of all patients first."""
    genes = signatures["gene"].to_numpy().astype(str)
    members = signatures["signature_member"].to_numpy()
    numbers = signatures["fold"].to_numpy().tolist()
    if not numbers or numbers != list(range(len(numbers))) or not members.any(axis=1).all():
        message = (
            f"Signatures of stemness must have a gene in every fold 0, 1, 2, …. Found folds {numbers} with "
            f"{members.sum(axis=1).tolist()} genes; pass the result of stemness_signatures as it is."
        )
        raise InputError(message)
    return GeneSets(
        tuple(
            GeneSet(f"without fold {number}" if number else "all patients", tuple(genes[chosen]))
            for number, chosen in zip(numbers, members, strict=True)
        )
    )
