"""Shares of states among the pooled cells of groups: a published test made again, whose P values take cells as their n."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import xarray as xr

from chemores_dask.aliases import Matrix, Seed, Vector
from chemores_dask.checks import check_between, check_whole, listed
from chemores_dask.cohort.composition.state_table import read_states
from chemores_dask.errors import InputError
from chemores_dask.kernels.contingency import draw_tail
from chemores_dask.kernels.multiple_testing import benjamini_hochberg
from chemores_dask.randomness import cell_keys
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 1

MOST_CELLS = 10**9
"""Draws without replacement are made of fewer cells than this."""

MOST_AT_ONCE = 2**22
"""Numbers drawn at once."""

REPRODUCTION = (
    "Reproduction, not inference: labels of pooled cells are exchanged, so the P values take cells as their n. Cells of one patient are "
    "alike; patients are the replicates, and no P value here says anything about other patients."
)

_PAIR = ("pair",)
_STATE = ("pair", "state")
RESULT = declare(
    Variable("pooled_first", _PAIR, "U", doc="group that the other is compared with"),
    Variable("pooled_second", _PAIR, "U", doc="group whose shares are above the line of the ratio"),
    Variable("pooled_patients", _PAIR, "i", unit="patients", doc="in one of the groups or in both"),
    Variable("pooled_patients_in_first", _PAIR, "i", unit="patients"),
    Variable("pooled_patients_in_second", _PAIR, "i", unit="patients"),
    Variable("pooled_cells_first", _STATE, "i", unit="cells"),
    Variable("pooled_cells_second", _STATE, "i", unit="cells"),
    Variable("pooled_share_first", _STATE, "f"),
    Variable("pooled_share_second", _STATE, "f"),
    Variable("pooled_log2_difference", _STATE, "f", unit="log2 ratio", doc="of the shares, second to first"),
    Variable(
        "pooled_log2_difference_lower", _STATE, "f", unit="log2 ratio", doc="lower 95 % limit (bootstrap of cells)"
    ),
    Variable(
        "pooled_log2_difference_upper", _STATE, "f", unit="log2 ratio", doc="upper 95 % limit (bootstrap of cells)"
    ),
    Variable("pooled_permutation_p_value", _STATE, "f", doc="one-sided, (k + 1) / (draws + 1); cells as n"),
    Variable(
        "pooled_permutation_q_value", _STATE, "f", doc="Benjamini-Hochberg over the states of the pair; cells as n"
    ),
    Variable(
        "pooled_hypergeometric_p_value", _STATE, "f", doc="one-sided, the tail that the draws estimate; cells as n"
    ),
    Variable("pooled_hypergeometric_q_value", _STATE, "f", doc="Benjamini-Hochberg over the states of the pair"),
    Variable("pooled_called", _STATE, "b", doc="q of the permutation and the ratio beyond their limits"),
)


@dataclass(frozen=True)
class _Pool:
    groups: tuple[str, ...]
    states: tuple[str, ...]
    cells: Matrix  # groups by states
    patients: list[set[str]]


def pooled_composition(
    cube: xr.Dataset,
    *,
    group: str,
    patient: str = "patient",
    draws: int = 1000,
    q: float = 0.05,
    log2_difference: float = 0.25,
    seed: Seed,
) -> xr.Dataset:
    """Compare shares of states between groups of pooled cells, as published: reproduction, not inference.

    The published test pools the cells of each group, exchanges the labels of the cells, and counts how often the ratio of shares is as
    large as observed: ``P = (k + 1) / (draws + 1)``, one-sided in the direction observed. With fixed margins the exchanged table is a
    multivariate hypergeometric draw, and a bootstrap of the cells a multinomial one, so the cost does not depend on the number of
    cells, and the tail itself is known exactly.

    Parameters
    ----------
    cube
        Cohort cube with ``cube_cells`` over (sample, state), and ``group`` and ``patient`` as variables over ``sample``.
    group
        Variable over ``sample``; all pairs of its values are compared.
    patient
        Variable over ``sample``; patients are counted, and nothing else is done with them: that is the flaw of this test.
    draws
        Exchanges and bootstraps.
    q, log2_difference
        A state is called where the q value is below the first and the ratio, without its sign, above the second.
    seed
        Decides the draws of each pair.

    Returns
    -------
    Dataset over ``pair`` (named "second vs first") and ``state``: ``pooled_cells_first``, ``pooled_share_first`` and so on,
    ``pooled_log2_difference = log2(share in second / share in first)`` with percentile limits, ``pooled_permutation_p_value``,
    ``pooled_hypergeometric_p_value`` with q values, ``pooled_called``. A state without cells in one group has an infinite ratio; in
    both, none (not a number). The attributes ``descriptive`` and ``label`` say what the P values are worth.

    Raises
    ------
    MissingVariableError
        If the cube lacks a variable.
    InputError
        If there are not two groups with cells, or a pair has 10^9 cells or more.
    ParameterError
        If a number is out of its range.

    Notes
    -----
    Passes over the counts: 0 (the cube is the only input). Reproduction, not inference: with cells as n a difference between two
    patients is enough for any P. The draws of a pair depend on the seed and the names of the groups and states only.

    References
    ----------
    Miller SA et al. (2021). LSD1 and aberrant DNA methylation mediate persistence of enteroendocrine progenitors that support
    BRAF-mutant colorectal cancer. Cancer Research 81:3791-3805 (the permutation test, as in scProportionTest).
    """
    check_whole(draws, parameter="draws", caller="pooled_composition", minimum=1)
    check_between(q, parameter="q", caller="pooled_composition", minimum=0, maximum=1)
    check_between(log2_difference, parameter="log2_difference", caller="pooled_composition", minimum=0)
    pool = _pooled(cube, group, patient)
    pairs = list(combinations(range(len(pool.groups)), 2))
    names = [f"{pool.groups[second]} vs {pool.groups[first]}" for first, second in pairs]
    columns = [_compared(pool, first, second, draws, seed) for first, second in pairs]
    values: dict[str, Vector] = {name: np.stack([column[name] for column in columns]) for name in columns[0]}
    values["pooled_patients"] = np.array([len(pool.patients[one] | pool.patients[two]) for one, two in pairs])
    shares = {
        side: np.stack([pool.cells[pair[place]] / pool.cells[pair[place]].sum() for pair in pairs])
        for place, side in enumerate(("first", "second"))
    }
    for place, side in enumerate(("first", "second")):
        values[f"pooled_{side}"] = np.array([pool.groups[pair[place]] for pair in pairs])
        values[f"pooled_patients_in_{side}"] = np.array([len(pool.patients[pair[place]]) for pair in pairs])
        values[f"pooled_cells_{side}"] = np.stack([pool.cells[pair[place]] for pair in pairs])
        values[f"pooled_share_{side}"] = shares[side]
    with np.errstate(invalid="ignore"):
        far = np.abs(values["pooled_log2_difference"]) > log2_difference
        values["pooled_called"] = far & (values["pooled_permutation_q_value"] < q)
    parameters = {"group": group, "patient": patient, "draws": draws, "q": q, "log2_difference": log2_difference}
    return make_result(
        RESULT,
        values,
        analysis="pooled_composition",
        parameters={**parameters, "seed": seed},
        coordinates={"pair": np.array(names, dtype=object), "state": list(pool.states)},
        attributes={"descriptive": REPRODUCTION, "label": "reproduction, not inference"},
    )


def _pooled(cube: xr.Dataset, group: str, patient: str) -> _Pool:
    table = read_states(cube, labels=tuple(dict.fromkeys((group, patient))), caller="pooled_composition")
    owner, labels = table.samples[patient], table.samples[group]
    with_cells = table.cells.sum(axis=1) > 0
    groups = tuple(sorted(set(labels[with_cells])))
    if len(groups) < 2:
        message = (
            f"pooled_composition compares groups of cells. {group!r} has cells in {listed(groups)} only; name a "
            "variable with two values."
        )
        raise InputError(message)
    cells = np.stack([table.cells[(labels == name).to_numpy()].sum(axis=0) for name in groups])
    most = np.sort(cells.sum(axis=1))[-2:].sum()
    if most >= MOST_CELLS:
        message = (
            f"A pair of groups of pooled_composition must have fewer than 10^9 cells. Found {most}; leave samples out."
        )
        raise InputError(message)
    patients = [set(owner[(labels == name).to_numpy() & with_cells]) for name in groups]
    return _Pool(groups, table.states, cells, patients)


def _compared(pool: _Pool, first: int, second: int, draws: int, seed: Seed) -> dict[str, Vector]:
    order = np.argsort(np.array(pool.states))  # so that draws do not depend on the order of the states
    before, after = pool.cells[first][order], pool.cells[second][order]
    margins, sizes = before + after, (int(before.sum()), int(after.sum()))
    name = "\x1f".join((pool.groups[first], pool.groups[second], *sorted(pool.states)))
    generator = np.random.default_rng([int(seed) % 2**64, int(cell_keys([name])[0])])
    reached, logs = np.zeros(len(margins), dtype=np.int64), []
    rises = after * sizes[0] >= before * sizes[1]
    for drawn in _pieces(draws, len(margins)):
        exchanged = generator.multivariate_hypergeometric(margins, sizes[1], size=drawn, method="marginals")
        # With fixed margins a ratio grows with the cells in the second group, so whole numbers say which ratio is larger.
        reached += np.where(rises, exchanged >= after, exchanged <= after).sum(axis=0)
        again = [generator.multinomial(sum(cells), cells / sum(cells), size=drawn) for cells in (before, after)]
        logs.append(_log2_ratio(again[1] / sizes[1], again[0] / sizes[0]))
    limits = _limits(np.concatenate(logs))
    known = margins > 0
    tails = np.array(
        [
            draw_tail(int(x), drawn=sizes[1], marked=int(m), total=sum(sizes))
            for x, m in zip(after, margins, strict=True)
        ]
    )
    permutation = np.where(known, (reached + 1) / (draws + 1), np.nan)
    exact = np.where(known, np.where(rises, tails[:, 0], tails[:, 1]), np.nan)
    values = {
        "pooled_log2_difference": _log2_ratio(after / sizes[1], before / sizes[0]),
        "pooled_log2_difference_lower": limits[0],
        "pooled_log2_difference_upper": limits[1],
        "pooled_permutation_p_value": permutation,
        "pooled_permutation_q_value": benjamini_hochberg(permutation),
        "pooled_hypergeometric_p_value": exact,
        "pooled_hypergeometric_q_value": benjamini_hochberg(exact),
    }
    back = np.argsort(order)
    return {name: value[back] for name, value in values.items()}


def _pieces(draws: int, states: int) -> list[int]:
    each = max(MOST_AT_ONCE // max(states, 1), 1)
    return [min(each, draws - start) for start in range(0, draws, each)]


def _log2_ratio(above: Vector, below: Vector) -> Vector:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Vector = np.log2(above) - np.log2(below)
    return ratio


def _limits(logs: Matrix) -> Matrix:
    """Percentiles that are values of a draw, so that infinite ratios have their place; draws without cells on both sides do not count."""
    found = np.full((2, logs.shape[1]), np.nan)
    for state, column in enumerate(logs.T):
        known = column[~np.isnan(column)]
        if known.size:
            found[0, state] = np.quantile(known, 0.025, method="lower")
            found[1, state] = np.quantile(known, 0.975, method="higher")
    return found
