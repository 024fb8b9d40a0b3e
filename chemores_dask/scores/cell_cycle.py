"""The phase of the cell cycle that every cell is in, and whether it rests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import dask.array as da
import numpy as np
import xarray as xr
from anndata import AnnData

from chemores_dask.aliases import Matrix, Seed, Vector
from chemores_dask.checks import check_one_of
from chemores_dask.errors import ParameterError
from chemores_dask.gene_sets import GeneSets
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.scores.control_genes import AS_PUBLISHED, ControlGenes
from chemores_dask.scores.cycle_genes import CELL_CYCLE_GENES, G2M_PHASE, S_PHASE
from chemores_dask.scores.module_score import module_score

ALGORITHM_REVISION = 2

_CELL = ("cell",)
RESULT = declare(
    Variable("cell_cycle_s", _CELL, "f", unit="log expression", doc="module score of the genes of S; lazy"),
    Variable("cell_cycle_g2m", _CELL, "f", unit="log expression", doc="module score of the genes of G2 and M; lazy"),
    Variable("cell_cycle_phase", _CELL, "U", unit="label", doc="G1, S or G2M; lazy"),
    Variable(
        "cell_quiescence",
        _CELL,
        "f",
        unit="log expression",
        doc="module score of quiescence less the larger score of the cycle; lazy",
        optional=True,
    ),
    Variable("cell_quiescent", _CELL, "b", doc="in G1, with a positive score of quiescence; lazy", optional=True),
)


def cell_cycle(
    cells: AnnData,
    gene_sets: GeneSets = CELL_CYCLE_GENES,
    *,
    phases: Sequence[str] = (S_PHASE, G2M_PHASE),
    quiescence: str | None = None,
    method: str = "seurat",
    seed: Seed,
    controls: ControlGenes = AS_PUBLISHED,
    minimum_share: float = 0.5,
) -> xr.Dataset:
    """Score cells for the phases of the cell cycle, and tell these apart [1]_.

    Both sets are scored by :func:`module_score`, with as many controls at a time as the smaller set has genes, as published. A cell is
    in ``"G1"`` where neither score is above 0, otherwise in the phase of the larger score (``"S"`` where they are equal). With a set of
    genes of quiescence, its score less the larger of both is ``cell_quiescence``, and a cell is quiescent where it is in G1 and expresses
    the set above its controls.

    Parameters
    ----------
    cells
        Log-normalized cells with unique gene names.
    gene_sets
        Sets that hold both phases, and quiescence where it is asked for; the genes of Tirosh et al. for human cells unless given
        (without quiescence, for which there is no such list).
    phases
        Names of the sets of S, and of G2 and M.
    quiescence
        Name of the set of quiescence; not looked at unless given.
    method
        How controls are chosen: ``"seurat"`` or ``"scanpy"``, as in :func:`module_score`.
    seed
        Decides the controls.
    controls
        How many bins of expression there are, and how many genes are drawn at a time, where these are not the published ones.
    minimum_share
        Share of each set that must have been measured.

    Returns
    -------
    Dataset over ``cell``, lazy: ``cell_cycle_s`` and ``cell_cycle_g2m`` (log expression), ``cell_cycle_phase`` (text), and with
    ``quiescence`` ``cell_quiescence`` (log expression) and ``cell_quiescent`` (boolean).

    Raises
    ------
    GeneMismatchError
        If too few genes of a set were measured.
    ParameterError
        If a set is not there, or a parameter lies outside its range.
    InputError
        If there are no cells, names of genes repeat, or expression is missing or infinite.

    Warns
    -----
    MissingGenesWarning
        If some genes of a set were not measured.

    Notes
    -----
    Passes over the counts: 1 computed, 1 lazy. With ``method="scanpy"`` the scores equal those of ``scanpy.tl.score_genes_cell_cycle``
    [2]_, and so do the phases but for cells whose larger score is exactly 0: these are in G1 here.

    To regress the cycle out, put the scores beside the cells: ``cells.obs = cells.obs.assign(s=result["cell_cycle_s"].values,
    g2m=result["cell_cycle_g2m"].values)``, then ``pca(cells, regress=["s", "g2m"])``; in a pipeline ``join`` does it. States are
    found in the regressed components, phases from scores that are not regressed; ``pca_regressed_correlation`` shows what the
    components had of them.

    References
    ----------
    .. [1] Tirosh I, et al. (2016). Dissecting the multicellular ecosystem of metastatic melanoma by single-cell RNA-seq.
       Science 352:189-196.
    .. [2] Wolf FA, Angerer P, Theis FJ (2018). SCANPY: large-scale single-cell gene expression data analysis. Genome Biology 19:15.

    Examples
    --------
    >>> import anndata, pandas as pd
    >>> genes = pd.DataFrame(index=["A", "B", "C", "D"])
    >>> cells = anndata.AnnData(np.array([[3.0, 1.0, 0.0, 0.0], [0.0, 1.0, 1.0, 3.0], [0.0, 3.0, 3.0, 0.0]]), var=genes)
    >>> sets = GeneSets.from_mapping({"S": ["A"], "G2M": ["D"]})
    >>> cell_cycle(cells, sets, method="scanpy", seed=0, controls=ControlGenes(2, 4))["cell_cycle_phase"].values.tolist()
    ['S', 'G2M', 'G1']
    """
    if isinstance(phases, str) or len(phases) != 2 or len(set(phases)) != 2:
        message = f"The 'phases' parameter of cell_cycle must name two sets: of S, and of G2 and M. Got {phases!r}."
        raise ParameterError(message)
    names = [*phases] if quiescence is None else [*phases, quiescence]
    for name in names:
        check_one_of(
            name, gene_sets.names, parameter="quiescence" if name == quiescence else "phases", caller="cell_cycle"
        )
    if quiescence in phases:
        message = f"The 'quiescence' parameter of cell_cycle must name a set of its own. Got {quiescence!r}, a phase."
        raise ParameterError(message)
    used = GeneSets(tuple(gene_sets[name] for name in names))
    if controls.genes is None:
        controls = replace(controls, genes=min(len(used[phase].genes) for phase in phases))
    scored = module_score(cells, used, method=method, seed=seed, controls=controls, minimum_share=minimum_share)
    scores = scored["cell_score"].data
    values: dict[str, object] = {
        "cell_cycle_s": scores[:, 0],
        "cell_cycle_g2m": scores[:, 1],
        "cell_cycle_phase": _per_cell(scores, _phases, object),
    }
    if quiescence is not None:
        values["cell_quiescence"] = _per_cell(scores, _quiescence, np.float64)
        values["cell_quiescent"] = _per_cell(scores, _quiescent, bool)
    return make_result(
        RESULT,
        values,
        analysis="cell_cycle",
        parameters={
            "phases": list(phases),
            "quiescence": quiescence,
            "method": method,
            "seed": seed,
            "bins": controls.bins,
            "controls": controls.genes,
            "minimum_share": minimum_share,
            "gene_sets": {gene_set.name: list(gene_set.genes) for gene_set in used},
        },
        coordinates={"cell": cells.obs_names.to_numpy()},
    )


def _per_cell(scores: da.Array, function: Callable[[Matrix], Vector], kind: type) -> da.Array:
    return da.map_blocks(function, scores, dtype=kind, drop_axis=1, meta=np.empty(0, dtype=kind))


def _phases(block: Matrix) -> Vector:
    first, second = block[:, 0], block[:, 1]
    larger = np.where(second > first, "G2M", "S").astype(object)
    larger[np.maximum(first, second) <= 0] = "G1"
    return larger


def _quiescence(block: Matrix) -> Vector:
    return block[:, 2] - np.maximum(block[:, 0], block[:, 1])


def _quiescent(block: Matrix) -> Vector:
    return (np.maximum(block[:, 0], block[:, 1]) <= 0) & (block[:, 2] > 0)
