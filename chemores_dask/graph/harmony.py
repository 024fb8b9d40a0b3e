"""Harmony: batches drawn together in an embedding, cluster by cluster, without holding the cells."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import asdict

import dask.array as da
import numpy as np
import xarray as xr
from dask import delayed
from dask.base import tokenize

from chemores_dask.aliases import Matrix, Seed, Vector
from chemores_dask.checks import check_whole
from chemores_dask.errors import ConvergenceWarning, InputError, ParameterError
from chemores_dask.graph.embedding import embedding_blocks, embedding_of
from chemores_dask.graph.harmony_blocks import (
    ORIGINAL,
    BlockFiles,
    Place,
    ScoreReader,
    StagedBlock,
    block_files,
    read_places,
    stage_block,
)
from chemores_dask.graph.harmony_design import (
    BatchDesign,
    Labels,
    batch_design,
    read_labels,
    stage_share,
    warn_of_aliases,
)
from chemores_dask.graph.harmony_rounds import Integration, Rounds, first_turns
from chemores_dask.graph.harmony_settings import HarmonySettings
from chemores_dask.kernels.blas_threads import single_blas_thread
from chemores_dask.kernels.local_mixing import local_inverse_simpson
from chemores_dask.kernels.sphere_means import sphere_means
from chemores_dask.memory import plan_tasks, threads
from chemores_dask.randomness import random_order, spawn
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.stream import compute

ALGORITHM_REVISION = 1

RESULT = declare(
    Variable("harmony_scores", ("cell", "component"), "f", unit="unit of the embedding", doc="lazy; corrected"),
    Variable("harmony_objective", ("iteration",), "f", doc="per cell; the first is before any correction"),
    Variable("harmony_rounds", ("iteration",), "i", unit="rounds", doc="before the correction of each iteration"),
    Variable("harmony_converged", (), "b", doc="the objective came to rest before the last iteration allowed"),
    Variable("harmony_clusters", (), "i", unit="clusters"),
    Variable("harmony_batches", ("column",), "i", unit="batches", doc="different values of the column"),
    Variable(
        "harmony_mixing_before",
        ("column",),
        "f",
        unit="batches",
        doc="mean effective number of values around a cell, in the embedding",
    ),
    Variable("harmony_mixing_after", ("column",), "f", unit="batches", doc="the same in the corrected scores"),
    Variable(
        "harmony_mixing_expected",
        ("column",),
        "f",
        unit="batches",
        doc="the same in corrected scores, where values lie in random order",
    ),
    Variable("harmony_mixing_cells", (), "i", unit="cells", doc="sample in which mixing was measured"),
    Variable(
        "harmony_stage_share",
        ("column",),
        "f",
        doc="share of the stage that the batches hold: what correcting takes of a shift between stages",
        optional=True,
    ),
)

FEWEST_ROWS, MOST_ROWS = 2**15, 2**17
BLOCKS = 8
"""Cells in a block: as many as make this number of blocks, within the limits; the number of cells alone decides."""

CELLS_PER_CLUSTER = 30
MOST_CLUSTERS = 100
SAMPLED_CELLS = 20_000
"""Cells from which the first clusters are made."""

SPARE = 1.2
"""The sample is drawn cell by cell, a little larger than what is taken of it."""

MIXING_CELLS = 3_000
FLOAT32, FLOAT64 = 4, 8


def harmony(
    cells: xr.Dataset,
    *,
    batch: str | Sequence[str],
    stage: str | None = None,
    embedding: str | None = None,
    theta: float | Sequence[float] = 2.0,
    clusters: int | None = None,
    settings: HarmonySettings = HarmonySettings(),  # noqa: B008 - frozen
    seed: Seed,
) -> xr.Dataset:
    """Draw the batches of cells together in an embedding, by Harmony [1]_.

    Cells, scaled to length 1, belong softly to clusters: to cluster ``k`` with center ``y`` in proportion to
    ``exp(2 z'y / sigma) (e / (o + e))^theta``, where ``o`` cells of the batch are in the cluster and ``e`` would be if batches were spread
    evenly. In each cluster a ridge regression says how far every batch lies from its center, and cells are moved back by that, weighted by
    their shares. Both are repeated until the objective comes to rest. The bounded penalty and the ridge that follows the cells expected of
    the batch are those that ``harmonypy`` 2 uses.

    Only sums over cells leave a block: clusters by batches, and clusters by batches by components. Embedding and corrected embedding lie
    in files, shares are computed when they are needed.

    Parameters
    ----------
    cells
        Dataset with the embedding over ``(cell, component)``, such as the result of :func:`pca`, and the batch variables over ``cell``:
        ``scores.assign(batch=("cell", cells.obs["batch"].to_numpy()))``.
    batch
        Batch variables. Correct for what is technical: the library or the plate, the chemistry, the site.
    stage
        Variable of the contrast of interest, such as diagnosis and relapse: it must not be a batch variable, and is not corrected for.
        Unless it is given, nothing can be said of aliases.
    embedding
        Variable with the embedding; not needed where there is only one over ``(cell, component)``.
    theta
        Strength with which clusters are made to hold all batches: one number, or one for each batch variable. At 0 clusters are free.
    clusters
        Number of clusters; a thirtieth of the cells, at most 100, unless given.
    settings
        How to iterate.
    seed
        For the first clusters, the turns of the cells, and the sample in which mixing is measured.

    Returns
    -------
    Dataset. Over ``(cell, component)``: ``harmony_scores`` (lazy, float32). Over ``iteration`` (0 is before any correction):
    ``harmony_objective`` (mean of a cell), ``harmony_rounds``. Over ``column`` (batch variables, then the stage): ``harmony_batches``
    (values), ``harmony_mixing_before``, ``harmony_mixing_after`` and ``harmony_mixing_expected`` (effective number of values around a
    cell; expected where values lie in random order), ``harmony_stage_share`` (only with ``stage``; 1 for the stage itself). Numbers:
    ``harmony_clusters``, ``harmony_converged``, ``harmony_mixing_cells``.

    Raises
    ------
    MissingVariableError
        If there is no such variable.
    InputError
        If there are no cells, the embedding holds NaN or infinity, or a cell has no batch.
    ParameterError
        If the stage is a batch variable, there are more clusters than cells, or a parameter lies outside its range.
    StagingSpaceError
        If the files do not fit on the disk.

    Warns
    -----
    AliasedBatchWarning
        If a batch variable stands for the stage.
    ConvergenceWarning
        If the objective still fell in the last iteration allowed.

    Notes
    -----
    Passes over the counts: 0 computed. Over the embedding: one to put it into files, one for each round, two for each correction.

    *Batches and the stage.* Correcting makes the means of batches equal within each cluster, and so takes away as much of a shift between
    stages as batches hold: the share ``harmony_stage_share`` (Goodman and Kruskal's tau). Where batches hold both stages it is near 0.
    Where every batch is of one stage, as libraries are, it is 1, and that is normal: corrected scores are for finding the same states
    in all libraries; what changes between stages is then measured in the counts (:func:`pseudobulk`) and in how often states occur
    (:func:`paired_composition`), with the libraries as replicates. It is wrong where a batch variable *is* the stage in other words: where
    it holds more than half of it and a stage rests on one batch (effective number below 1.5), there are no replicates, and state and
    batch cannot be told apart. Then there is a warning. ``harmony_mixing_after`` of the stage shows what became of it.

    *Against harmonypy 2.1.* The same formulas; with its shares the same correction to float32 rounding. Different: first clusters come
    from 20,000 random cells; cells keep their turn (a random 5 % each) through all rounds, where harmonypy draws anew; there are
    at least two iterations; sums are float64. The difference (root mean square, as a share of how far cells were moved) is that between
    two seeds of harmonypy: below 1 % for 3,000 simulated cells of well separated kinds, up to 5 % with a fixed ridge, 5 to 10 % for
    100,000 simulated cells in 20 batches (its own seeds: 8 %), and 12 to 26 % for 450 and 769 cells of real mixtures (its own
    seeds: 17 to 27 %); components correlate above 0.98 throughout.

    *Determinism.* Turns are drawn by cell number, and sums are added in the order of the blocks, whose size follows from the number of
    cells: the same seed gives the same bits for any number of workers. Another order of cells gives other turns.

    *Corner cases.* Batch variables with one value change nothing; if there are no others, the scores are the embedding. A batch with one
    cell is moved to the middle of its clusters: nothing tells the cell from its batch. Constant components stay as they are, up to
    rounding. Cells at 0 belong to all clusters alike.

    References
    ----------
    .. [1] Korsunsky I et al. (2019). Fast, sensitive and accurate integration of single-cell data with Harmony. Nature Methods
       16:1289-1296.

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> kind, batch = np.repeat([0, 1], 200), np.tile([0, 1], 200)
    >>> scores = np.eye(2)[kind] * 8 + batch[:, None] * 3 + generator.normal(size=(400, 2))
    >>> cells = xr.Dataset({"scores": (("cell", "component"), scores), "batch": ("cell", batch)})
    >>> found = harmony(cells, batch="batch", seed=1)
    >>> bool(found["harmony_mixing_before"].item() < 1.5 < found["harmony_mixing_after"].item())
    True
    """
    check_whole(seed, parameter="seed", caller="harmony")
    labels, contrast, scores = _checked(cells, batch=batch, stage=stage, embedding=embedding)
    count = _cluster_count(clusters, cells=scores.sizes["cell"])
    design = batch_design(labels, theta=theta, caller="harmony")
    if contrast is not None:
        warn_of_aliases(labels, design, contrast, caller="harmony")
    rows = embedding_blocks(scores, rows_per_block=_rows_per_block(scores.sizes["cell"]))
    _promise(rows, design, clusters=count, turns=settings.turns)
    columns = labels if contrast is None else [*labels, contrast]
    found, corrected, mixing = _integrated(rows, design, columns, clusters=count, settings=settings, seed=seed)
    if not found.converged:
        message = (
            f"The objective of harmony must come to rest. It still fell by more than {settings.tolerance:g} of itself in iteration "
            f"{settings.iterations}; allow more iterations, or a larger tolerance."
        )
        warnings.warn(message, ConvergenceWarning, stacklevel=2)
    values: dict[str, object] = {
        "harmony_scores": corrected,
        "harmony_objective": np.array(found.objective),
        "harmony_rounds": np.array(found.rounds),
        "harmony_converged": found.converged,
        "harmony_clusters": count,
        "harmony_batches": np.array([len(column.values) for column in columns]),
        **mixing,
    }
    if contrast is not None:
        values["harmony_stage_share"] = np.array([stage_share(column.codes, contrast.codes) for column in columns])
    return make_result(
        RESULT,
        values,
        analysis="harmony",
        parameters={
            "batch": [column.name for column in labels],
            "stage": stage,
            "embedding": str(scores.name),
            "theta": theta if isinstance(theta, (int, float)) else list(theta),
            "clusters": count,
            "settings": asdict(settings),
            "seed": seed,
        },
        coordinates={
            **{str(dim): scores[dim].to_numpy() for dim in scores.dims if dim in scores.coords},
            "iteration": np.arange(len(found.objective)),
            "column": [column.name for column in columns],
        },
    )


def _checked(
    cells: xr.Dataset, *, batch: str | Sequence[str], stage: str | None, embedding: str | None
) -> tuple[list[Labels], Labels | None, xr.DataArray]:
    names = [batch] if isinstance(batch, str) else list(batch)
    if not names or len(set(names)) != len(names):
        message = f"The 'batch' parameter of harmony must name batch variables, each once. Got {names}."
        raise ParameterError(message)
    if stage in names:
        message = (
            f"The contrast of interest must not be corrected for. {stage!r} is both a batch variable and the stage; name what is "
            "technical, such as the library or the plate."
        )
        raise ParameterError(message)
    if not isinstance(cells, xr.Dataset):
        message = (
            f"harmony needs a Dataset with an embedding and batch variables over the cells. Got {type(cells).__name__}; "
            "make one with scores.to_dataset(name='scores').assign(batch=('cell', values))."
        )
        raise InputError(message)
    scores = embedding_of(cells, embedding=embedding, caller="harmony")
    if not scores.sizes["cell"]:
        message = "harmony needs cells. The embedding has none; look at what was left out before."
        raise InputError(message)
    labels = [read_labels(cells, name, caller="harmony") for name in names]
    return labels, None if stage is None else read_labels(cells, stage, caller="harmony"), scores


def _cluster_count(clusters: int | None, *, cells: int) -> int:
    if clusters is None:
        return max(min(round(cells / CELLS_PER_CLUSTER), MOST_CLUSTERS), 1)
    check_whole(clusters, parameter="clusters", caller="harmony", minimum=1)
    if clusters > cells:
        message = (
            f"The 'clusters' parameter of harmony must not exceed the number of cells. Got {clusters:,} for {cells:,} cells; "
            "lower it, or leave it out."
        )
        raise ParameterError(message)
    return int(clusters)


def _rows_per_block(cells: int) -> int:
    return min(max(math.ceil(cells / BLOCKS), FEWEST_ROWS), MOST_ROWS)


def _promise(rows: da.Array, design: BatchDesign, *, clusters: int, turns: int) -> None:
    cells, components = rows.shape
    block = min(max(rows.chunks[0]), cells) * components * FLOAT32
    sums = FLOAT64 * max(design.batches, 1) * clusters * components
    counts = FLOAT64 * turns * len(design.levels) * clusters
    plan_tasks(
        4 * block + 2 * sums + counts,
        caller="harmony",
        tasks=min(threads(), rows.numblocks[0]),
        kept_bytes=3 * counts + 4 * sums + 2 * FLOAT64 * cells + FLOAT64 * SAMPLED_CELLS * components,
    )


def _integrated(
    rows: da.Array,
    design: BatchDesign,
    columns: Sequence[Labels],
    *,
    clusters: int,
    settings: HarmonySettings,
    seed: Seed,
) -> tuple[Integration, da.Array, dict[str, object]]:
    """What the iterations came to, the corrected embedding (lazy), and the mixing before and after."""
    cells = rows.shape[0]
    first_seed, turn_seed, order_seed = spawn(seed, 3)
    files = block_files(
        rows.name,
        design.groups,
        design.levels,
        design.theta,
        clusters,
        settings,
        turns=settings.turns,
        seed=turn_seed,
        sample=min(1.0, SPARE * SAMPLED_CELLS / cells),
    )
    staged = _staged(rows, design, files)
    found = Integration(ORIGINAL, [0.0], [0], converged=True)
    if design.columns:
        _, sampled, _ = first_turns(staged, SAMPLED_CELLS)
        # Held throughout: tasks that set the limit one by one would take longer for that than for a turn.
        with single_blas_thread():
            centroids = sphere_means(sampled, clusters=min(clusters, len(sampled)), seed=first_seed)
            found = Rounds(files, staged, design, settings).integrate(centroids)
    mixing = _mixing(files, staged, found.version, columns, seed=order_seed)
    reader = ScoreReader(files, found.version)
    corrected = da.map_blocks(
        reader,
        dtype=np.float32,
        meta=np.empty((0, 0), dtype=np.float32),
        chunks=rows.chunks,
        name=f"harmony-{tokenize(reader)}",
    )
    return found, corrected, mixing


def _staged(rows: da.Array, design: BatchDesign, files: BlockFiles) -> list[StagedBlock]:
    starts = np.concatenate([[0], np.cumsum(rows.chunks[0])]).tolist()
    staged = compute(
        *(
            delayed(stage_block)(part, design.groups[start:stop], files=files, block=block, start=start)
            for block, (part, start, stop) in enumerate(
                zip(rows.to_delayed().ravel(), starts[:-1], starts[1:], strict=True)
            )
        )
    )
    return list(staged)


def _mixing(
    files: BlockFiles, staged: list[StagedBlock], version: int, columns: Sequence[Labels], *, seed: Seed
) -> dict[str, object]:
    places, before, numbers = first_turns(staged, MIXING_CELLS)
    after = before
    if version != ORIGINAL:
        reads = (
            delayed(read_places)(Place(files, version, block, staged[block].offsets), chosen)
            for block, chosen in enumerate(places)
        )
        after = np.concatenate(compute(*reads))
    codes = [column.codes[numbers] for column in columns]
    # Some thirty cells around a cell cannot hold all of many values: in random order they hold fewer than there are.
    order = random_order(len(numbers), seed=seed)
    with single_blas_thread():
        indices = _mean_indices(after, [*codes, *(own[order] for own in codes)], [*columns, *columns])
        found = {"after": indices[: len(columns)], "expected": indices[len(columns) :]}
        found["before"] = found["after"] if version == ORIGINAL else _mean_indices(before, codes, columns)
    mixing: dict[str, object] = {f"harmony_mixing_{name}": np.array(values) for name, values in found.items()}
    return {**mixing, "harmony_mixing_cells": len(numbers)}


def _mean_indices(points: Matrix, codes: Sequence[Vector], columns: Sequence[Labels]) -> list[float]:
    indices = local_inverse_simpson(points, codes, labels=[len(column.values) for column in columns])
    return [float(index.mean()) for index in indices]
