"""Several reductions over the same rows, with one walk over each block for all that count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chemores_dask.aliases import Block, Columns
from chemores_dask.kernels.count_walk import CountsBlock, Wanted, walk_counts
from chemores_dask.kernels.reduction import Reduction, State


@dataclass(frozen=True)
class JointBlock:
    """States of several reductions out of one block.

    Attributes
    ----------
    reductions
        What to learn.
    names
        For each of them, its names of columns by the names of all.
    """

    reductions: Sequence[Reduction]
    names: Sequence[Mapping[str, str]]

    def __call__(self, rows: Block, columns: Columns) -> tuple[State, ...]:
        """Learn from one block; every state has the bits that it has alone."""
        own = [{mine: columns[name] for name, mine in names.items()} for names in self.names]
        states: dict[int, State] = {}
        walks: list[tuple[Wanted, list[int]]] = []
        for number, reduction in enumerate(self.reductions):
            block: Any = reduction.block
            if isinstance(block, CountsBlock):
                _take_along(walks, number, block.wanted(own[number]))
            else:
                states[number] = block(rows, own[number])
        for wanted, numbers in walks:
            walked = walk_counts(rows, wanted)
            for number in numbers:
                learner: Any = self.reductions[number].block
                states[number] = learner.state(walked)
        return tuple(states[number] for number in range(len(self.reductions)))


def _take_along(walks: list[tuple[Wanted, list[int]]], number: int, wanted: Wanted) -> None:
    for place, (shared, numbers) in enumerate(walks):
        joined = shared.joined(wanted)
        if joined is not None:
            walks[place] = (joined, [*numbers, number])
            return
    walks.append((wanted, [number]))
