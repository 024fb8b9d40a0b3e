"""The running sum of gene set enrichment: its extreme, and what random sets of the same size reach.

A ranking is walked from its first gene to its last: up by a share of the set's weight at each member, down by ``1 / (N - n)`` at each of
the other genes. Only members are visited: the sum rises nowhere else, so its highest point lies at a member and its lowest right before
one.

References
----------
Subramanian A et al. (2005). Gene set enrichment analysis. PNAS 102:15545-15550.
Korotkevich G et al. (2021). Fast gene set enrichment analysis. bioRxiv 060012.
"""

from __future__ import annotations

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.jit import jit
from chemores_dask.kernels.sampled_counts import bits_at

TIE = 1e-12
"""Highest and lowest point closer to each other than this are the same: the score is 0."""

_ONE = np.uint64(1)
_ZERO = np.uint64(0)
_HALF = np.uint64(32)
_WORD = 64
_WORD_SHIFT = np.uint64(6)
_WORD_MASK = np.uint64(63)
_DE_BRUIJN = 0x03F79D71B4CB0A89
_MULTIPLIER = np.uint64(_DE_BRUIJN)
_TOP_SHIFT = np.uint64(58)
_LOWEST_BIT = np.argsort([(_DE_BRUIJN << place & (2**64 - 1)) >> 58 for place in range(_WORD)])
"""Place of the only bit of a word, by the top six bits of its product with a de Bruijn sequence."""


@jit
def extreme_of(places: Vector, size: int, weights: Vector) -> tuple[float, int]:
    """The point of the running sum that is farthest from 0.

    Parameters
    ----------
    places
        Places of the members in the ranking, from 0, rising; those behind ``size`` are not looked at.
    size
        Number of members, at least 1 and below the number of genes.
    weights
        Of every gene, in the order of the ranking, not negative. Where all members weigh nothing, they count the same.

    Returns
    -------
    The enrichment score, and the member where it is reached: the leading edge goes up to this member where the score is positive, and
    starts with it where it is negative. Score 0 and member -1 where the sum goes as far up as down.
    """
    total = 0.0
    for member in range(size):
        total += weights[places[member]]
    down = 1.0 / (weights.size - size)
    highest, lowest = 0.0, 0.0
    peak, valley = -1, -1
    risen = 0.0
    for member in range(size):
        fallen = (places[member] - member) * down
        before = risen / total - fallen if total > 0.0 else member / size - fallen
        risen += weights[places[member]]
        after = risen / total - fallen if total > 0.0 else (member + 1) / size - fallen
        if before < lowest:
            lowest, valley = before, member
        if after > highest:
            highest, peak = after, member
    if abs(highest + lowest) < TIE:
        return 0.0, -1
    if highest > -lowest:
        return highest, peak
    return lowest, valley


@jit
def draw_places(stream: np.uint64, genes: int, size: int, words: Vector, places: Vector) -> None:
    """Draw different genes, every choice as likely as any other but for one part in ``2**32 / genes``.

    Parameters
    ----------
    stream
        Key of the random numbers; the same key draws the same genes.
    genes
        How many there are.
    size
        How many to draw, at most ``genes``.
    words
        One bit for each gene, in 64-bit words; 0 before and after.
    places
        Filled from the beginning: the genes drawn, rising.
    """
    position, drawn = _ZERO, 0
    number = np.uint64(genes)
    while drawn < size:
        place = ((np.uint64(bits_at(stream, position)) >> _HALF) * number) >> _HALF
        position += _ONE
        bit = _ONE << (place & _WORD_MASK)
        if words[place >> _WORD_SHIFT] & bit == _ZERO:
            words[place >> _WORD_SHIFT] |= bit
            drawn += 1
    drawn = 0
    for number_of_word in range(words.size):
        word = words[number_of_word]
        while word != _ZERO:
            bit = word & (~word + _ONE)
            places[drawn] = _WORD * number_of_word + _LOWEST_BIT[(bit * _MULTIPLIER) >> _TOP_SHIFT]
            drawn += 1
            word ^= bit
        words[number_of_word] = _ZERO


@jit
def random_scores(weights: Vector, sizes: Vector, key: np.uint64, scores: Matrix) -> None:
    """Enrichment scores of random sets.

    Parameters
    ----------
    weights
        Of every gene, in the order of the ranking.
    sizes
        Numbers of members, each below the number of genes.
    key
        Of the seed. Draws belong to key, size and draw, so a size has the same scores among whatever others.
    scores
        Filled: one row for each size, one column for each draw.
    """
    words = np.zeros((weights.size + _WORD - 1) // _WORD, dtype=np.uint64)
    places = np.empty(sizes.max() if sizes.size else 0, dtype=np.int64)
    for row in range(sizes.size):
        for draw in range(scores.shape[1]):
            stream = np.uint64(bits_at(key, (np.uint64(sizes[row]) << _HALF) + np.uint64(draw)))
            draw_places(stream, weights.size, sizes[row], words, places)
            scores[row, draw] = extreme_of(places, sizes[row], weights)[0]


@jit
def set_scores(weights: Vector, offsets: Vector, places: Vector, scores: Vector, turns: Vector) -> None:
    """Enrichment scores of given sets.

    Parameters
    ----------
    weights
        Of every gene, in the order of the ranking.
    offsets
        Where the members of each set start, and the end of the last.
    places
        Members of all sets, rising within each set.
    scores
        Filled: the score of each set.
    turns
        Filled: the member where it is reached, see :func:`extreme_of`.
    """
    for number in range(scores.size):
        start, stop = offsets[number], offsets[number + 1]
        scores[number], turns[number] = extreme_of(places[start:stop], stop - start, weights)


def running_sum(places: Vector, weights: Vector) -> Vector:
    """The whole running sum of one set, for pictures.

    Parameters
    ----------
    places
        Places of the members in the ranking, from 0.
    weights
        Of every gene, in the order of the ranking.

    Returns
    -------
    The sum behind every gene.

    Examples
    --------
    >>> running_sum(np.array([0, 3]), np.array([3.0, 2.0, 1.0, 1.0])).tolist()
    [0.75, 0.25, -0.25, 0.0]
    """
    steps = np.full(weights.size, -1.0 / (weights.size - places.size))
    own = weights[places]
    steps[places] = own / own.sum() if own.sum() > 0 else 1.0 / places.size
    return np.cumsum(steps)
