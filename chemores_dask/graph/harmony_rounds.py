"""The iterations of harmony: rounds of turns over the clusters, then a correction; only sums over cells come back from the blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import numpy as np
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph
from dask.typing import Key

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.graph.harmony_blocks import (
    ORIGINAL,
    BlockFiles,
    Clusters,
    Place,
    StagedBlock,
    TurnTaken,
    correct_block,
    sum_block,
    take_turn,
)
from chemores_dask.graph.harmony_design import BatchDesign
from chemores_dask.graph.harmony_settings import HarmonySettings
from chemores_dask.kernels.batch_penalty import batch_shifts, diversity_penalty, uneven_mixing
from chemores_dask.kernels.blas_threads import single_blas_thread
from chemores_dask.kernels.soft_clusters import unit_rows
from chemores_dask.stream import compute


@dataclass(frozen=True)
class Integration:
    """What the iterations came to.

    Attributes
    ----------
    version
        Of the blocks that hold the corrected embedding.
    objective
        Before the first iteration, and after each.
    rounds
        Rounds of every iteration; 0 before the first.
    converged
        Whether the objective came to rest.
    """

    version: int
    objective: list[float]
    rounds: list[int]
    converged: bool


@dataclass(frozen=True, eq=False)
class TurnState:
    """What the next turn needs to know, and what the last one gave.

    Attributes
    ----------
    total
        Groups by clusters, over all cells.
    penalties
        For the next turn: groups by clusters.
    taken
        Sums of the last turn.
    """

    total: Matrix
    penalties: Matrix
    taken: TurnTaken


class Rounds:
    """All that the iterations share.

    Parameters
    ----------
    files
        The blocks.
    staged
        What is known of each.
    design
        The batches.
    settings
        The settings.
    """

    def __init__(
        self, files: BlockFiles, staged: Sequence[StagedBlock], design: BatchDesign, settings: HarmonySettings
    ) -> None:
        self._files = files
        self._offsets = [block.offsets for block in staged]
        self._design = design
        self._settings = settings
        self._cells = sum(int(offsets[-1]) for offsets in self._offsets)

    def integrate(self, centroids: Matrix) -> Integration:
        """Iterate until the objective comes to rest.

        Parameters
        ----------
        centroids
            The first ones: clusters by components, float32, of length 1.
        """
        settings = self._settings
        clusters = Clusters(centroids, settings.sigma)
        counts, objective = self._first_counts(clusters)
        objectives, rounds, version, converged = [objective], [0], ORIGINAL, False
        while not converged and len(objectives) <= settings.iterations:
            for number in range(1, settings.rounds + 1):
                before = objective
                counts, penalties, objective = self._round(clusters, counts, version)
                if number > 1 and abs(before - objective) <= settings.round_tolerance * abs(before):
                    break
            rounds.append(number)
            centers = self._correct(clusters, counts, penalties, version)
            if version != ORIGINAL:
                self._files.remove(version)
            version += 1
            clusters = Clusters(_directions(centers, clusters.centroids), settings.sigma)
            # Before the first correction the objective may hardly fall, and yet do so behind it.
            converged = len(objectives) > 1 and objectives[-1] - objective <= settings.tolerance * abs(objectives[-1])
            objectives.append(objective)
        return Integration(version, objectives, rounds, converged)

    def _places(self, version: int) -> list[Place]:
        return [Place(self._files, version, block, offsets) for block, offsets in enumerate(self._offsets)]

    def _first_counts(self, clusters: Clusters) -> tuple[Matrix, float]:
        """Counts of every turn when there is no penalty yet."""
        graph = TaskGraph("first")
        nothing = np.zeros((len(self._design.levels), len(clusters.centroids)), dtype=np.float32)
        penalties, shared = graph.add(nothing), graph.add(clusters)
        turns = [
            graph.add(
                _merged, [graph.add(take_turn, place, turn, penalties, shared) for place in self._places(ORIGINAL)]
            )
            for turn in range(self._files.turns)
        ]
        found = graph.compute(turns)
        counts = np.stack([turn.counts for turn in found])
        return counts, self._objective(found, np.zeros(counts.shape), counts)

    def _round(self, clusters: Clusters, counts: Matrix, version: int) -> tuple[Matrix, Matrix, float]:
        """Let all cells take their turn once: counts and penalties of every turn, and the objective."""
        graph = TaskGraph("round")
        design, shared = graph.add(self._design), graph.add(clusters)
        first = TurnState(counts.sum(axis=0), counts[0], TurnTaken(counts[0], 0.0))
        state = graph.add(_started, first, design)
        states = [state]
        for turn in range(self._files.turns):
            penalties = graph.add(_penalties_of, state)
            parts = [graph.add(take_turn, place, turn, penalties, shared) for place in self._places(version)]
            following = counts[(turn + 1) % self._files.turns]
            state = graph.add(_advanced, state, parts, counts[turn], following, design)
            states.append(state)
        found = graph.compute(states)
        used = np.stack([before.penalties for before in found[:-1]])
        now = np.stack([after.taken.counts for after in found[1:]])
        return now, used, self._objective([after.taken for after in found[1:]], used, now)

    def _correct(self, clusters: Clusters, counts: Matrix, penalties: Matrix, version: int) -> Matrix:
        """Write the next version of all blocks; gives the centers of the clusters without the shifts of batches."""
        settings, design = self._settings, self._design
        graph = TaskGraph("sums")
        shared = [graph.add(design.levels), graph.add(penalties), graph.add(clusters)]
        (sums,) = graph.compute(
            [graph.add(_added, [graph.add(sum_block, place, *shared) for place in self._places(version)])]
        )
        with single_blas_thread():
            shifts, centers = batch_shifts(
                counts.sum(axis=0),
                sums,
                levels=design.levels,
                shares=design.shares,
                ridge=settings.ridge,
                ridge_share=settings.ridge_share,
            )
        graph = TaskGraph("correct")
        shared = [graph.add(part) for part in (design.levels, penalties, clusters, shifts.astype(np.float32))]
        graph.compute([graph.add(correct_block, place, *shared) for place in self._places(version)])
        return centers

    def _objective(self, turns: Sequence[TurnTaken], penalties: Matrix, counts: Matrix) -> float:
        """Of a cell on average: distance to clusters, how sharply it is assigned, and unevenness of batches; none is below 0."""
        sigma, design = self._settings.sigma, self._design
        partition = sum(turn.log_partition for turn in turns)
        within = 2.0 * self._cells - sigma * partition + sigma * float((counts * penalties).sum())
        uneven = uneven_mixing(counts.sum(axis=0), levels=design.levels, theta=design.theta, shares=design.shares)
        return (within + sigma * uneven) / self._cells + sigma * float(np.log(counts.shape[2]))


class TaskGraph:
    """Tasks that are computed together; a graph written down as it is costs a tenth of one that is made call by call.

    Parameters
    ----------
    name
        Of the tasks, for those who look at a dashboard.
    """

    def __init__(self, name: str) -> None:
        self._prefix = f"harmony-{name}-{uuid4().hex}"
        self._layer: dict[Key, Any] = {}

    def add(self, value: object, *arguments: object) -> str:
        """Add a value, or a function with arguments; among these are keys of other tasks, and lists of such. Gives its key."""
        key = f"{self._prefix}-{len(self._layer)}"
        self._layer[key] = (value, *arguments) if callable(value) else value
        return key

    def compute(self, keys: Sequence[str]) -> list[Any]:
        """Compute these tasks."""
        last = self.add(list, list(keys))
        graph = HighLevelGraph.from_collections(last, self._layer, dependencies=[])
        (values,) = compute(Delayed(last, graph))
        return list(values)


def _merged(parts: list[TurnTaken]) -> TurnTaken:
    counts, partition = parts[0].counts.copy(), parts[0].log_partition
    for part in parts[1:]:
        counts += part.counts
        partition += part.log_partition
    return TurnTaken(counts, partition)


def _added(parts: list[Matrix]) -> Matrix:
    total = parts[0].copy()
    for part in parts[1:]:
        total += part
    return total


def _started(state: TurnState, design: BatchDesign) -> TurnState:
    """The state before the first turn; in place of penalties it holds the counts of that turn."""
    return TurnState(state.total, _penalties(state.total - state.penalties, design), state.taken)


def _advanced(
    state: TurnState, parts: list[TurnTaken], before: Matrix, following: Matrix, design: BatchDesign
) -> TurnState:
    """The state behind a turn, from the counts of the turn one round ago, and of the one that follows."""
    taken = _merged(parts)
    total = state.total - before + taken.counts
    return TurnState(total, _penalties(total - following, design), taken)


def _penalties(counts: Matrix, design: BatchDesign) -> Matrix:
    return diversity_penalty(counts, levels=design.levels, theta=design.theta, shares=design.shares)


def _penalties_of(state: TurnState) -> Matrix:
    return state.penalties


def _directions(centers: Matrix, before: Matrix) -> Matrix:
    """Centers scaled to length 1; a cluster that is empty stays where it was."""
    directions = np.empty(centers.shape)
    unit_rows(centers, directions)
    lost = ~directions.any(axis=1)
    directions[lost] = before[lost]
    return directions.astype(np.float32)


def first_turns(staged: Sequence[StagedBlock], cells: int) -> tuple[list[Vector], Matrix, Vector]:
    """The cells of the sample that come first.

    Parameters
    ----------
    staged
        All blocks.
    cells
        How many; all of the sample where it is smaller.

    Returns
    -------
    Their places in the files of every block; their embedding and their numbers among all cells, block by block.
    """
    order = np.concatenate([block.order for block in staged])
    chosen = np.zeros(len(order), dtype=bool)
    chosen[np.argsort(order, kind="stable")[:cells]] = True
    parts = np.split(chosen, np.cumsum([len(block.order) for block in staged])[:-1])
    places = [block.places[part] for block, part in zip(staged, parts, strict=True)]
    rows = np.concatenate([block.rows for block in staged])
    numbers = np.concatenate([block.numbers for block in staged])
    return places, rows[chosen], numbers[chosen]
