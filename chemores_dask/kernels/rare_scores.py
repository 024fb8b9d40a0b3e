"""How rarely a random set of genes scores as high as one that random draws do not reach: multilevel splitting.

Random sets of one size and sign are kept; half of them lie above the median of their scores, which halves the chance. Those below become
copies of those above, and all change a gene at a time, staying above the median, until they are random sets again, among those above.
And so on, until the score asked for is reached.

References
----------
Korotkevich G et al. (2021). Fast gene set enrichment analysis. bioRxiv 060012.
Botev ZI, Kroese DP (2012). Efficient Monte Carlo simulation via the generalized splitting method. Statistics and Computing 22:1-16.
"""

from __future__ import annotations

import math

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.jit import jit
from chemores_dask.kernels.running_sum import TIE, draw_places, extreme_of
from chemores_dask.kernels.sampled_counts import bits_at

SAMPLES = 101
"""Sets that are kept; odd, so that one is the median."""

MOST_DRAWS = 10_000
"""Draws for each of them; where so many do not give enough sets of the sign, there is no answer."""

CHANGES = 0.2
"""Changes of each set at each level, as a share of its genes; with half of them the error of P is the same, and the time twice as long."""

FEWEST_CHANGES = 5
MOST_ROUNDS = 200
_ONE = np.uint64(1)
_HALF = np.uint64(32)


@jit
def number_below(stream: np.uint64, position: np.uint64, limit: int) -> int:
    """A whole number from 0 to below a limit, for a key at a position."""
    return int(((np.uint64(bits_at(stream, position)) >> _HALF) * np.uint64(limit)) >> _HALF)


@jit
def exchanged_score(
    places: Vector, own: Vector, total: float, leaving: int, coming: int, weights: Vector, changed: Vector
) -> float:
    """The score of a set with one member exchanged, as :func:`~chemores_dask.kernels.running_sum.extreme_of` finds it, in one walk.

    Parameters
    ----------
    places, own
        The set, rising, and the weights of its members.
    total
        Their sum without the one that leaves.
    leaving
        Which member leaves.
    coming
        The gene that comes; it does not belong to the set.
    weights
        Of every gene, in the order of the ranking.
    changed
        Filled: the other set, rising.

    Returns
    -------
    The score.
    """
    size = places.size
    total += weights[coming]
    flat = not total > 0.0
    up = 1.0 / size if flat else 1.0 / total
    down = 1.0 / (weights.size - size)
    highest, lowest, risen = 0.0, 0.0, 0.0
    member, waiting = 0, True
    for number in range(size):
        if member == leaving:
            member += 1
        if waiting and (member >= size or places[member] > coming):
            place, step, waiting = coming, weights[coming], False
        else:
            place, step = places[member], own[member]
            member += 1
        changed[number] = place
        fallen = (place - number) * down
        lowest = min(lowest, risen * up - fallen)
        risen += 1.0 if flat else step
        highest = max(highest, risen * up - fallen)
    if abs(highest + lowest) < TIE:
        return 0.0
    return highest if highest > -lowest else lowest


@jit
def change_sets(
    weights: Vector, sign: float, level: float, sets: Matrix, values: Vector, stream: np.uint64, position: np.uint64
) -> np.uint64:
    """Change some sets a gene at a time, staying at or above a score.

    Parameters
    ----------
    weights
        Of every gene, in the order of the ranking.
    sign
        1 for positive scores, -1 for negative ones.
    level
        Least score times sign.
    sets, values
        Changed: the members of each set, rising, and its score times sign.
    stream, position
        Key of the random numbers, and the first that is free.

    Returns
    -------
    The next position that is free.
    """
    size = sets.shape[1]
    changed = np.empty(size, dtype=np.int64)
    own = weights[sets.ravel()].reshape(sets.shape)
    totals = own.sum(axis=1)
    wanted = max(int(CHANGES * size), FEWEST_CHANGES) * values.size
    each = max(size // 10, 1)
    accepted = 0
    for _ in range(MOST_ROUNDS):
        for number in range(values.size):
            for _ in range(each):
                leaving = number_below(stream, position, size)
                coming = number_below(stream, position + _ONE, weights.size)
                position += _ONE + _ONE
                found = np.searchsorted(sets[number], coming)
                if found < size and sets[number, found] == coming:
                    continue
                total = max(totals[number] - own[number, leaving], 0.0)
                value = sign * exchanged_score(sets[number], own[number], total, leaving, coming, weights, changed)
                if value >= level:
                    sets[number] = changed
                    own[number] = weights[changed]
                    totals[number] = own[number].sum()
                    values[number] = value
                    accepted += 1
        if accepted >= wanted:
            break
    return position


@jit
def sets_of_sign(weights: Vector, sign: float, stream: np.uint64, sets: Matrix, values: Vector) -> bool:
    """Draw random sets whose score has a sign.

    Parameters
    ----------
    weights
        Of every gene, in the order of the ranking.
    sign
        1 for scores that are 0 or above, -1 for those below 0.
    stream
        Key of the random numbers.
    sets, values
        Filled: the members of each set, rising, and its score times sign.

    Returns
    -------
    False where too few of many draws have the sign.
    """
    words = np.zeros((weights.size + 63) // 64, dtype=np.uint64)
    found = 0
    for draw in range(MOST_DRAWS * values.size):
        draw_places(np.uint64(bits_at(stream, np.uint64(draw))), weights.size, sets.shape[1], words, sets[found])
        score = extreme_of(sets[found], sets.shape[1], weights)[0]
        if (score >= 0.0) == (sign > 0.0):
            values[found] = sign * score
            found += 1
            if found == values.size:
                return True
    return False


@jit
def rare_chances(
    weights: Vector, size: int, sign: float, targets: Vector, key: np.uint64, floor: float, chances: Matrix
) -> bool:
    """The chance that a random set of a size and sign scores at least as far from 0 as each of some scores.

    Parameters
    ----------
    weights
        Of every gene, in the order of the ranking.
    size
        Number of members.
    sign
        1 for positive scores, -1 for negative ones.
    targets
        Scores times sign, rising.
    key
        Of the seed; the same key, size and sign take the same steps, whatever is asked for.
    floor
        Logarithm of the smallest chance that is looked for; smaller ones are given as this.
    chances
        Filled: for each target the logarithm of the chance, and the variance of that.

    Returns
    -------
    False where random sets hardly ever have the sign; then nothing is filled.
    """
    sets = np.empty((SAMPLES, size), dtype=np.int64)
    values = np.empty(SAMPLES)
    stream = np.uint64(bits_at(key, (np.uint64(size) << _ONE) + (_ONE if sign > 0.0 else np.uint64(0))))
    if not sets_of_sign(weights, sign, np.uint64(bits_at(stream, np.uint64(0))), sets, values):
        return False
    walk, position = np.uint64(bits_at(stream, _ONE)), np.uint64(0)
    passed, variance, done, level = 0.0, 0.0, 0, -1.0
    while done < targets.size:
        middle = np.sort(values)[SAMPLES // 2]
        stuck = middle <= level
        while done < targets.size and (targets[done] <= middle or stuck or passed < floor):
            reached = (values >= targets[done]).sum()
            chance = math.log((reached + 1) / (SAMPLES + 1))
            chances[done, 0] = max(passed + chance, floor)
            chances[done, 1] = variance + 1 / (reached + 1) - 1 / (SAMPLES + 1)
            done += 1
        if done == targets.size:
            break
        level = middle
        kept = np.flatnonzero(values >= level)
        lost = np.flatnonzero(values < level)
        for number in range(lost.size):
            sets[lost[number]] = sets[kept[number % kept.size]]
            values[lost[number]] = values[kept[number % kept.size]]
        # Logarithm of an order statistic of uniform numbers: its mean and variance, to the first orders.
        passed += math.log((kept.size - 0.5) / (SAMPLES + 0.5))
        variance += 1 / (kept.size - 0.5) - 1 / (SAMPLES + 0.5)
        position = change_sets(weights, sign, level, sets, values, walk, position)
    return True
