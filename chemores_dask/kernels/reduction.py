"""What one pass over the rows learns: a value with three functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chemores_dask.aliases import Block, Columns

State = Any
"""Whatever a reduction accumulates: arrays of the size of the genes, never of the cells."""


def _unchanged(state: State) -> State:
    return state


@dataclass(frozen=True)
class Reduction:
    """A statistic over rows that can be computed block by block.

    ``merge`` must be associative, and ``block`` of no rows must be neutral for it; ``block`` and ``merge`` must not change their
    arguments. Then any blocking gives the same answer (up to rounding), and any number of workers the same bits.

    Attributes
    ----------
    block
        ``block(rows, columns) -> state``: ``rows`` is a CSR matrix, ``columns`` holds arrays with one entry per row.
    merge
        ``merge(first, second) -> state`` where ``first`` saw the earlier rows.
    finish
        ``finish(state) -> result``; the state itself unless given.
    """

    block: Callable[[Block, Columns], State]
    merge: Callable[[State, State], State]
    finish: Callable[[State], Any] = _unchanged


def together(**reductions: Reduction) -> Reduction:
    """Several statistics in one pass.

    Parameters
    ----------
    reductions
        Reductions by a name of the caller's choice. They see the same rows and the same columns.

    Returns
    -------
    A reduction whose result is a dictionary of their results.

    Examples
    --------
    >>> import numpy as np, scipy.sparse as sp
    >>> total = Reduction(block=lambda rows, columns: float(rows.sum()), merge=lambda a, b: a + b)
    >>> cells = Reduction(block=lambda rows, columns: rows.shape[0], merge=lambda a, b: a + b)
    >>> both = together(total=total, cells=cells)
    >>> both.finish(both.block(sp.csr_matrix(np.eye(3)), {}))
    {'total': 3.0, 'cells': 3}
    """
    return Reduction(
        block=_TogetherBlock(reductions),
        merge=_TogetherMerge(reductions),
        finish=_TogetherFinish(reductions),
    )


@dataclass(frozen=True)
class _TogetherBlock:
    # Classes rather than closures: tasks travel to workers by pickle, and dask derives their names from their content.
    reductions: Mapping[str, Reduction]

    def __call__(self, rows: Block, columns: Columns) -> dict[str, State]:
        return {name: reduction.block(rows, columns) for name, reduction in self.reductions.items()}


@dataclass(frozen=True)
class _TogetherMerge:
    reductions: Mapping[str, Reduction]

    def __call__(self, first: dict[str, State], second: dict[str, State]) -> dict[str, State]:
        return {name: reduction.merge(first[name], second[name]) for name, reduction in self.reductions.items()}


@dataclass(frozen=True)
class _TogetherFinish:
    reductions: Mapping[str, Reduction]

    def __call__(self, states: dict[str, State]) -> dict[str, Any]:
        return {name: reduction.finish(states[name]) for name, reduction in self.reductions.items()}
