"""Random generators that belong to a seed and a name, so that nothing depends on the order of drawing."""

from __future__ import annotations

import numpy as np

from chemores_dask.aliases import Seed, Vector
from chemores_dask.randomness import GOLDEN_GAMMA, cell_keys, mix


def named_generator(seed: Seed, *names: str) -> np.random.Generator:
    """A generator for one thing of the simulation.

    Parameters
    ----------
    seed
        Any integer.
    names
        What is drawn: a different name gives an independent generator.
    """
    return np.random.default_rng([seed % 2**64, int(cell_keys(["/".join(names)])[0])])


def numbered_keys(seed: Seed, name: str, *, start: int, stop: int) -> Vector:
    """Keys of the cells ``start`` to ``stop`` of a sample.

    Parameters
    ----------
    seed
        Any integer.
    name
        Of the sample.
    start, stop
        Numbers of cells within the sample.

    Returns
    -------
    Unsigned 64-bit integers, each a function of the seed, the sample and the number alone.
    """
    first = mix(cell_keys([name]) ^ mix(np.array([seed % 2**64], dtype=np.uint64)))
    with np.errstate(over="ignore"):
        return mix(first + np.arange(start, stop, dtype=np.uint64) * GOLDEN_GAMMA)
