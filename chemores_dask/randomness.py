"""Random numbers that belong to a seed and a cell, never to a block or a worker.

Every draw is a function of ``(seed, cell key, position)``, so any blocking, any order of rows and any number of workers give the
same bits. The generator is the SplitMix64 finalizer, applied to a counter.

References
----------
Steele GL, Lea D, Flood CH (2014). Fast splittable pseudorandom number generators. OOPSLA, 453-472.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from chemores_dask.aliases import Matrix, Seed, Vector

GOLDEN_GAMMA = np.uint64(0x9E3779B97F4A7C15)
FIRST_MULTIPLIER = np.uint64(0xBF58476D1CE4E5B9)
SECOND_MULTIPLIER = np.uint64(0x94D049BB133111EB)
UNIT = 2.0**-53
"""Step between the uniform numbers: they have 53 bits."""


def mix(values: Vector) -> Vector:
    """Scramble 64-bit integers: a bijection whose output bits are all nearly independent of each input bit.

    Parameters
    ----------
    values
        Unsigned 64-bit integers, any shape.

    Returns
    -------
    Unsigned 64-bit integers of the same shape.
    """
    scrambled = np.asarray(values, dtype=np.uint64)
    with np.errstate(over="ignore"):
        scrambled = (scrambled ^ (scrambled >> np.uint64(30))) * FIRST_MULTIPLIER
        scrambled = (scrambled ^ (scrambled >> np.uint64(27))) * SECOND_MULTIPLIER
    return scrambled ^ (scrambled >> np.uint64(31))


def cell_keys(names: Iterable[str]) -> Vector:
    """Turn the names of cells into keys for :func:`cell_uniforms`.

    Parameters
    ----------
    names
        Names of cells, unique within a store.

    Returns
    -------
    Unsigned 64-bit integers, one per name: the first eight bytes of BLAKE2b.
    """
    digests = [int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little") for name in names]
    return np.array(digests, dtype=np.uint64)


def cell_uniforms(seed: Seed, keys: Vector, draws: int = 1) -> Matrix:
    """Uniform numbers in [0, 1), a fixed row for each cell.

    Parameters
    ----------
    seed
        Any integer.
    keys
        Keys of cells, as made by :func:`cell_keys`.
    draws
        Numbers per cell.

    Returns
    -------
    Array of shape ``(cells, draws)``.
    """
    start = mix(np.array([int(seed) % 2**64], dtype=np.uint64))[0]
    positions = np.arange(1, draws + 1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        streams = mix(np.asarray(keys, dtype=np.uint64) ^ start)
        counters = streams[:, None] + positions[None, :] * GOLDEN_GAMMA
    return (mix(counters) >> np.uint64(11)).astype(np.float64) * UNIT


def random_order(cells: int, *, seed: Seed) -> Vector:
    """All row numbers in random order.

    Parameters
    ----------
    cells
        How many there are.
    seed
        Any integer.

    Returns
    -------
    Row numbers, int64; a cell's draw belongs to its number, so cells that come after all others do not change their order.
    """
    draws = cell_uniforms(seed, np.arange(cells, dtype=np.uint64))[:, 0]
    return np.argsort(draws, kind="stable")


def deal_folds(names: Vector, *, folds: int, seed: Seed) -> Vector:
    """Share names out among folds.

    Names are ordered by a number drawn from each and the seed, and dealt out in turn; so sizes differ by one at most, and the order in
    which they are given does not matter.

    Parameters
    ----------
    names
        Unique names.
    folds
        Number of folds.
    seed
        Any integer.

    Returns
    -------
    The fold of each name, 1, 2, …, int64.
    """
    order = np.argsort(cell_uniforms(seed, cell_keys(names))[:, 0], kind="stable")
    fold = np.empty(len(names), dtype=np.int64)
    fold[order] = np.arange(len(names)) % folds + 1
    return fold


def drawn_cells(cells: int, wanted: int, *, seed: Seed) -> Vector:
    """Draw different cells.

    Parameters
    ----------
    cells
        How many there are.
    wanted
        How many to draw; all where there are fewer.
    seed
        Any integer.

    Returns
    -------
    Row numbers in the order in which they were drawn.
    """
    if 2 * wanted >= cells:
        return random_order(cells, seed=seed)[:wanted]
    found = np.empty(0, dtype=np.int64)
    draws = wanted
    while len(found) < wanted:
        draws *= 2
        numbers = (cell_uniforms(seed, np.arange(draws, dtype=np.uint64))[:, 0] * cells).astype(np.int64)
        _, first = np.unique(numbers, return_index=True)
        found = numbers[np.sort(first)]
    return found[:wanted]


def spawn(seed: Seed, children: int) -> list[Seed]:
    """Derive independent seeds from one.

    Parameters
    ----------
    seed
        Any integer.
    children
        How many seeds to make.

    Returns
    -------
    Non-negative integers below 2**63, the same for the same ``seed``; a longer list starts with a shorter one.
    """
    uniform_bits = np.arange(1, children + 1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        counters = np.uint64(int(seed) % 2**64) + uniform_bits * GOLDEN_GAMMA
    return [int(value >> np.uint64(1)) for value in mix(counters)]
