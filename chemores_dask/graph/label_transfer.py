"""Labels of a reference cohort for the cells of another one, with a confidence, and none where there is no ground for one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import dask
import dask.array as da
import numpy as np
import pandas as pd
import xarray as xr
from dask.delayed import Delayed

from chemores_dask.aliases import Matrix, Seed, Vector
from chemores_dask.checks import check_between, check_one_of, check_whole, listed
from chemores_dask.errors import InputError, ParameterError
from chemores_dask.graph.embedding import CELL, embedding_blocks, embedding_of
from chemores_dask.graph.label_classifier import label_probabilities, learn_classifier
from chemores_dask.graph.label_densities import (
    label_moments,
    learn_densities,
    own_distances,
    with_limits,
)
from chemores_dask.graph.label_votes import learn_votes
from chemores_dask.memory import plan_tasks, threads
from chemores_dask.randomness import drawn_cells
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.stream import compute

ALGORITHM_REVISION = 1

CALLER = "label_transfer"
METHODS = ("neighbors", "centroids", "classifier")
UNASSIGNED = "unassigned"
REFERENCE_COPIES = 3
"""The blocks as they are read, put together, and in their lists."""

BLOCK_COPIES, LABEL_COPIES, DENSITY_COPIES, KEPT_NUMBERS = 4, 3, 4, 5
"""What a task holds of its block, as float64 numbers; of every label; and what is kept of every cell."""

FLOAT32, FLOAT64 = 4, 8

ASKED_CELLS = 512
"""Cells of the query on which the search among the reference is measured."""

RESULT = declare(
    Variable("transferred_label", ("cell",), "U", doc="'unassigned' where there is no ground for a label"),
    Variable(
        "transferred_confidence", ("cell",), "f", doc="largest share of a label, also of cells that stay unassigned"
    ),
    Variable(
        "transferred_distance",
        ("cell",),
        "f",
        doc="from the reference; 1 is what 99 % of the reference cells of the label stay below",
    ),
    Variable("transferred_share", ("cell", "label"), "f", doc="of every label; lazy", optional=True),
    Variable("transferred_cells", ("label",), "i", unit="cells", doc="that were given the label"),
    Variable("transferred_unassigned_cells", (), "i", unit="cells"),
    Variable("transferred_reference_cells", ("label",), "i", unit="cells", doc="of the reference, with the label"),
    Variable(
        "transferred_recall", (), "f", doc="share of the true nearest reference cells that were found", optional=True
    ),
)


@dataclass(frozen=True)
class TransferOptions:
    """Finer choices of :func:`label_transfer`.

    Attributes
    ----------
    neighbors
        Reference cells that vote (method ``"neighbors"``).
    maximum_distance
        Cells farther than this from the reference stay unassigned; 1 is what 99 % of the reference cells of the label stay below. None
        sets no limit.
    shares
        Whether the result holds the share of every label for every cell.
    """

    neighbors: int = 50
    maximum_distance: float | None = 1.25
    shares: bool = False

    def __post_init__(self) -> None:
        check_whole(self.neighbors, parameter="neighbors", caller="TransferOptions", minimum=1)
        if self.maximum_distance is not None:
            check_between(self.maximum_distance, parameter="maximum_distance", caller="TransferOptions", minimum=0)


def label_transfer(
    cells: xr.Dataset | xr.DataArray,
    *,
    reference: xr.DataArray,
    labels: xr.DataArray,
    embedding: str | None = None,
    method: Literal["neighbors", "centroids", "classifier"] = "neighbors",
    minimum_confidence: float = 0.5,
    options: TransferOptions = TransferOptions(),
    seed: int,
) -> xr.Dataset:
    """Give cells the labels of a reference in whose components they lie.

    The share of a label is, by method:

    ``"neighbors"``
        That of the weights of the nearest reference cells: ``w = 1 - exp(-(1 - d / d_k) (s / 2)^2)`` with ``s = 1``, where ``d_k`` is the
        distance of the last of them [1]_, here without scores of anchors. Beyond 4,096 reference cells they are found through lists made by
        k-means, as many of which are searched as it takes to find 95 % of the true ones.
    ``"centroids"``
        The posterior of a normal density around the center of each label, all labels alike beforehand. Covariances are drawn
        towards that within all labels [2]_: ``(W + (d + 1) P) / (n + d)`` of ``n`` cells with sums of squares ``W`` in ``d`` components and
        ``P`` pooled.
    ``"classifier"``
        The probability of a logistic regression, one label against the others, brought to the sum 1; fitted out of core by stochastic
        gradient descent with averaged coefficients [3]_, labels weighing alike.

    The label with the largest share wins, the first by name of those that tie. A cell stays unassigned where that share is below
    ``minimum_confidence``, or where the cell is far from the reference: its Mahalanobis distance to the center of the label (by
    ``"neighbors"``, also its mean distance to the 5 nearest reference cells) is more than ``maximum_distance`` times what 99 % of the
    reference cells of that label have, each measured without itself (of all labels, for one with fewer than 20 cells).

    Parameters
    ----------
    cells
        Dataset with the components of the query over ``cell``, such as the result of :func:`~chemores_dask.project_cells`.
    reference
        The components of the reference cells, over ``cell`` and ``component``.
    labels
        Their labels, over ``cell``, found by the names of the cells. Reference cells with a missing label, an empty one or
        ``"unassigned"`` are left out.
    embedding
        Name of the variable of ``cells``; not needed where only one runs over ``cell`` and ``component``.
    method
        How shares are found.
    minimum_confidence
        Smallest share with which a label is given, from 0 to 1.
    options
        Number of voting neighbors, the largest distance, and whether the shares of all labels are kept.
    seed
        For the lists of reference cells, and for the order in which the classifier learns.

    Returns
    -------
    Dataset over ``cell`` and ``label``: ``transferred_label``, ``transferred_confidence`` (the largest share), ``transferred_distance``;
    how many cells were given each label, how many none, and how many reference cells have it.

    Raises
    ------
    InputError
        If there are no cells, fewer than two labels, components that differ between query and reference, or numbers that are not finite.
    ParameterError
        If a parameter is out of its range.
    BlockTooLargeError
        If the reference and the tasks do not fit into the budget of memory.

    Notes
    -----
    Passes over the counts: 0 computed. The query is read block by block, once; the reference once by ``"neighbors"`` (and held, in every
    process that works), twice by ``"centroids"``, and ten times more by ``"classifier"``. Shares are lazy.

    ``transferred_recall`` is measured on up to 512 cells of the query, the same that decide how many lists are searched: it says that the
    search was good enough, and is not a certificate as that of :func:`~chemores_dask.neighbors`.

    A label with fewer reference cells than half of those that vote can hardly win by ``"neighbors"``: for rare labels ask fewer neighbors,
    or take ``"centroids"``, by which all labels are alike beforehand.

    What distinguishes a query cell in genes that the components of the reference ignore cannot be seen here: an unknown kind of cell
    may then lie among known ones. Batches that differ are best put together first, with :func:`~chemores_dask.harmony`.

    References
    ----------
    .. [1] Stuart T, Butler A, Hoffman P, et al. (2019). Comprehensive integration of single-cell data. Cell 177, 1888-1902.
    .. [2] Friedman JH (1989). Regularized discriminant analysis. Journal of the American Statistical Association 84, 165-175.
    .. [3] Xu W (2011). Towards optimal one pass large scale learning with averaged stochastic gradient descent. arXiv:1107.2490.
    """
    check_one_of(method, METHODS, parameter="method", caller=CALLER)
    check_between(minimum_confidence, parameter="minimum_confidence", caller=CALLER, minimum=0, maximum=1)
    check_whole(seed, parameter="seed", caller=CALLER)
    query = embedding_of(cells, embedding=embedding, caller=CALLER)
    known = embedding_of(reference, caller=CALLER)
    _check_components(query, known)
    names, codes = _coded(labels, known)
    blocks = embedding_blocks(query)
    _plan_memory(method, blocks, known, labels=len(names))
    model = _learned(method, embedding_blocks(known), codes, blocks, labels=len(names), options=options, seed=seed)
    limits = Assignment(minimum_confidence, options.maximum_distance)
    found, recall = compute(model.apply(limits, width=3), model.recall)
    code = found[:, 0].astype(np.int64)
    given = np.append(names, UNASSIGNED).astype(object)
    values: dict[str, Any] = {
        "transferred_label": given[code],
        "transferred_confidence": np.ascontiguousarray(found[:, 1]),
        "transferred_distance": np.ascontiguousarray(found[:, 2]),
        "transferred_cells": np.bincount(code[code >= 0], minlength=len(names)),
        "transferred_unassigned_cells": np.int64((code < 0).sum()),
        "transferred_reference_cells": np.bincount(codes[codes >= 0], minlength=len(names)),
    }
    if method == "neighbors":
        values["transferred_recall"] = np.float64(recall)
    if options.shares:
        values["transferred_share"] = model.apply(_shares, width=len(names))
    coordinates = {"label": names.astype(object)}
    if CELL in query.coords:
        coordinates["cell"] = query[CELL].values
    parameters = {
        "method": method,
        "minimum_confidence": minimum_confidence,
        "neighbors": options.neighbors,
        "maximum_distance": options.maximum_distance,
        "seed": seed,
    }
    return make_result(RESULT, values, analysis=CALLER, parameters=parameters, coordinates=coordinates)


@dataclass(frozen=True)
class Assignment:
    """Who stays unassigned.

    Attributes
    ----------
    minimum_confidence
        Smallest share with which a label is given.
    maximum_distance
        Largest distance from the reference, if there is a limit.
    """

    minimum_confidence: float
    maximum_distance: float | None

    def __call__(self, shares: Matrix, distance: Vector) -> Matrix:
        """Number of the label (-1 for none), confidence and distance of every cell."""
        confidence = shares.max(axis=1)
        none = confidence < self.minimum_confidence
        if self.maximum_distance is not None:
            none |= distance > self.maximum_distance
        return np.column_stack([np.where(none, -1, shares.argmax(axis=1)), confidence, distance])


@dataclass(frozen=True)
class _Learned:
    """What was learned from the reference, and the cells it is for; all lazy."""

    blocks: da.Array
    model: Delayed
    recall: Delayed
    shares: da.Array | None = None

    def apply(self, last: Callable[[Matrix, Vector], Matrix], *, width: int) -> da.Array:
        shared = () if self.shares is None else (self.shares,)
        return da.map_blocks(
            _apply,
            self.blocks,
            *shared,
            model=self.model,
            last=last,
            dtype=np.float64,
            meta=np.empty((0, 0)),
            chunks=(self.blocks.chunks[0], (width,)),
        )


def _learned(
    method: str,
    reference: da.Array,
    codes: Vector,
    blocks: da.Array,
    *,
    labels: int,
    options: TransferOptions,
    seed: Seed,
) -> _Learned:
    if method == "neighbors":
        sample = blocks[np.sort(drawn_cells(len(blocks), ASKED_CELLS, seed=seed))]
        learn = dask.delayed(learn_votes, pure=True)
        votes = learn(
            reference.to_delayed().ravel().tolist(),
            codes,
            dask.delayed(sample),
            labels=labels,
            neighbors=options.neighbors,
            seed=seed,
        )
        return _Learned(blocks, votes, votes.recall)
    densities = _densities(reference, codes, labels=labels)
    if method == "centroids":
        return _Learned(blocks, densities, dask.delayed(1.0))
    (fitted,) = compute(densities)
    classifier = learn_classifier(reference, codes, fitted, seed=seed)
    shares = label_probabilities(classifier, blocks, fitted)
    return _Learned(blocks, dask.delayed(fitted, pure=True), dask.delayed(1.0), shares)


def _densities(reference: da.Array, codes: Vector, *, labels: int) -> Delayed:
    cuts = np.cumsum(reference.chunks[0])[:-1]
    parts = list(zip(reference.to_delayed().ravel().tolist(), np.split(codes, cuts), strict=True))
    moments = [dask.delayed(label_moments, pure=True)(block, own, labels=labels) for block, own in parts]
    densities = dask.delayed(learn_densities, pure=True)(moments)
    distances = [dask.delayed(own_distances, pure=True)(block, own, densities) for block, own in parts]
    return dask.delayed(with_limits, pure=True)(densities, distances, codes)


def _apply(
    block: Matrix, shares: Matrix | None = None, *, model: Any, last: Callable[[Matrix, Vector], Matrix]
) -> Matrix:
    if shares is None:
        return last(*model(block))
    return last(shares, model.away(model.square_distances(block), shares.argmax(axis=1)))


def _shares(shares: Matrix, distance: Vector) -> Matrix:
    return shares


def _plan_memory(method: str, blocks: da.Array, known: xr.DataArray, *, labels: int) -> None:
    """Promise what the reference takes where it is held, a block of the query in each task, and what is kept of every cell."""
    components = blocks.shape[1]
    held = REFERENCE_COPIES * FLOAT32 * known.size if method == "neighbors" else 0
    densities = DENSITY_COPIES * FLOAT64 * labels * components**2
    task = max(blocks.chunks[0]) * (FLOAT64 * (BLOCK_COPIES * components + LABEL_COPIES * labels))
    kept = KEPT_NUMBERS * FLOAT64 * (len(blocks) + known.sizes[CELL])
    plan_tasks(task, caller=CALLER, tasks=min(blocks.numblocks[0], threads()), kept_bytes=held + densities + kept)


def _check_components(query: xr.DataArray, known: xr.DataArray) -> None:
    if not query.sizes[CELL]:
        message = f"{CALLER} needs cells. The query has none; check what was kept."
        raise InputError(message)
    ours, theirs = (_component_names(each) for each in (query, known))
    if len(ours) != len(theirs) or ("component" in query.coords and "component" in known.coords and ours != theirs):
        message = (
            f"Query and reference must have the same components. The query has {len(ours)} ({listed(ours)}), the reference "
            f"{len(theirs)} ({listed(theirs)}); put the query into those of the reference with project_cells."
        )
        raise InputError(message)


def _component_names(embedding: xr.DataArray) -> list[str]:
    return [str(name) for name in embedding["component"].values]


def _coded(labels: xr.DataArray, known: xr.DataArray) -> tuple[Vector, Vector]:
    """Names of the labels in their order, and the number of the label of every reference cell; -1 where it has none."""
    if not isinstance(labels, xr.DataArray) or labels.dims != (CELL,):
        message = (
            f"The 'labels' parameter of {CALLER} must be a DataArray over cell. "
            f"Got {getattr(labels, 'dims', type(labels).__name__)}; make one with xarray.DataArray(labels, dims='cell')."
        )
        raise ParameterError(message)
    values = _texts(_aligned(labels, known))
    present = np.array([isinstance(value, str) and value not in ("", UNASSIGNED) for value in values], dtype=bool)
    if len(set(values[present])) < 2:
        message = (
            f"The reference must have at least two labels. {int(present.sum()):,} of its {len(values):,} cells have a label, and these "
            f"have: {listed(sorted(set(values[present])))}; label more cells."
        )
        raise InputError(message)
    codes = np.full(len(values), -1, dtype=np.int32)
    names, codes[present] = np.unique(values[present].astype(str), return_inverse=True)
    return names, codes


def _aligned(labels: xr.DataArray, known: xr.DataArray) -> Vector:
    values = np.asarray(labels.values)
    if CELL in labels.coords and CELL in known.coords:
        own, wanted = labels.indexes[CELL], known.indexes[CELL]
        if own.equals(wanted):
            return values
        if not own.is_unique:
            message = f"Names of cells must be unique to find labels by them. {int(own.duplicated().sum()):,} are not; rename them."
            raise InputError(message)
        places = own.get_indexer(wanted)
        if (places < 0).any():
            message = (
                f"Every reference cell must be among the labels, if only with a missing one. {int((places < 0).sum()):,} of "
                f"{len(places):,} are not: {listed(wanted[places < 0])}; give the labels of the same cells."
            )
            raise InputError(message)
        return values[places]
    if len(values) != known.sizes[CELL]:
        message = (
            f"There must be one label for each reference cell. Got {len(values):,} labels for {known.sizes[CELL]:,} cells; "
            "give both the names of the cells."
        )
        raise InputError(message)
    return values


def _texts(values: Vector) -> Vector:
    texts = values.astype(object)
    missing = pd.isna(texts)
    for place in np.flatnonzero(~missing):
        texts[place] = str(texts[place])
    texts[missing] = None
    return texts
