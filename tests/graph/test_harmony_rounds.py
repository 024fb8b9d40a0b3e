"""The streamed iterations against all cells at once in float64, with the same turns and the same first centers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax

from chemores_dask.graph.harmony_blocks import block_files, stage_block
from chemores_dask.graph.harmony_design import Labels, batch_design
from chemores_dask.graph.harmony_rounds import Rounds, TaskGraph, first_turns
from chemores_dask.graph.harmony_settings import HarmonySettings
from chemores_dask.kernels.sphere_means import sphere_means

CELLS, COMPONENTS, CLUSTERS = 900, 6, 7


@pytest.fixture
def planted():
    """Cells of four kinds in three batches, one variable nested in neither, and labels of both variables."""
    generator = np.random.default_rng(12)
    kind, plate, site = (generator.integers(0, size, CELLS) for size in (4, 3, 2))
    rows = (
        generator.normal(0, 4, (4, COMPONENTS))[kind]
        + generator.normal(0, 1, (3, COMPONENTS))[plate]
        + generator.normal(0, 1, (2, COMPONENTS))[site]
        + generator.normal(0, 1, (CELLS, COMPONENTS))
    ).astype(np.float32)
    labels = [
        Labels("plate", plate.astype(np.int32), ("a", "b", "c")),
        Labels("site", site.astype(np.int32), ("x", "y")),
    ]
    return rows, labels


def staged_blocks(rows, design, *, turns, size):
    files = block_files(design.groups, size, turns=turns, seed=3, sample=0.5)
    starts = range(0, len(rows), size)
    staged = [
        stage_block(
            rows[start : start + size], design.groups[start : start + size], files=files, block=block, start=start
        )
        for block, start in enumerate(starts)
    ]
    return files, staged


def turn_of(files, staged, size):
    """The turn of every cell, as the files have it."""
    turn = np.empty(sum(block.offsets[-1] for block in staged), dtype=int)
    for number, block in enumerate(staged):
        order = np.load(f"{files.folder}/rows-cells-{number}.npy")[:, 0]
        turn[number * size + order] = np.repeat(np.arange(files.turns), np.diff(block.offsets))
    return turn


class AllAtOnce:
    """Harmony over all cells in memory: shares and indicators as matrices, nothing added up block by block."""

    def __init__(self, rows, labels, turn, settings, theta):
        self.rows = rows.astype(np.float64)
        self.indicators = np.hstack([np.eye(len(column.values))[column.codes] for column in labels])
        self.theta = np.repeat(theta, [len(column.values) for column in labels])
        self.turn, self.settings = turn, settings

    def assign(self, placed, centers, observed=None, expected=None, cells=slice(None)):
        units = placed[cells] / np.linalg.norm(placed[cells], axis=1, keepdims=True)
        logits = 2.0 / self.settings.sigma * units @ centers.T
        if observed is not None:
            logits = logits + self.indicators[cells] @ (self.theta[:, None] * np.log(expected / (observed + expected)))
        return softmax(logits, axis=1)

    def objective(self, placed, centers, shares):
        units = placed / np.linalg.norm(placed, axis=1, keepdims=True)
        observed = self.indicators.T @ shares
        expected = np.outer(self.indicators.mean(axis=0), shares.sum(axis=0))
        sigma = self.settings.sigma
        distance = (shares * 2.0 * (1.0 - units @ centers.T)).sum()
        entropy = (shares * np.log(np.maximum(shares, 1e-300) * shares.shape[1])).sum()
        uneven = (self.theta[:, None] * observed * np.log((observed + expected) / (2.0 * expected))).sum()
        return (distance + sigma * entropy + sigma * uneven) / len(shares)

    def correct(self, shares):
        corrected, centers = self.rows.copy(), np.empty((shares.shape[1], self.rows.shape[1]))
        design = np.hstack([np.ones((len(shares), 1)), self.indicators])
        for cluster, weights in enumerate(shares.T):
            penalty = self.settings.ridge_share * weights.sum() * self.indicators.mean(axis=0)
            normal = (design.T * weights) @ design + np.diag([0.0, *penalty])
            found = np.linalg.solve(normal, (design.T * weights) @ self.rows)
            centers[cluster] = found[0] / np.linalg.norm(found[0])
            found[0] = 0.0
            corrected -= weights[:, None] * (design @ found)
        return corrected, centers

    def run(self, centers):
        placed = self.rows
        shares = self.assign(placed, centers)
        objectives = [self.objective(placed, centers, shares)]
        for _ in range(self.settings.iterations):
            for _ in range(self.settings.rounds):
                for turn in range(self.settings.turns):
                    inside = self.turn == turn
                    rest = shares[~inside]
                    observed = self.indicators[~inside].T @ rest
                    expected = np.outer(self.indicators.mean(axis=0), rest.sum(axis=0))
                    shares[inside] = self.assign(placed, centers, observed, expected, inside)
            objectives.append(self.objective(placed, centers, shares))
            placed, centers = self.correct(shares)
        return placed, objectives


@pytest.mark.parametrize("size", [CELLS, 250])
@pytest.mark.parametrize("variables", [1, 2])
def test_integrate__equals_all_cells_at_once(planted, variables, size):
    rows, labels = planted
    labels = labels[:variables]
    theta = [2.0, 1.0][:variables]
    # Neither rounds nor iterations end early, so both do the same steps.
    settings = HarmonySettings(update_share=0.2, iterations=3, rounds=2, tolerance=0.0, round_tolerance=0.0)
    design = batch_design(labels, theta=theta, caller="harmony")
    files, staged = staged_blocks(rows, design, turns=settings.turns, size=size)
    centers = sphere_means(rows, clusters=CLUSTERS, seed=1)
    found = Rounds(files, staged, design, settings).integrate(centers)
    whole = AllAtOnce(rows, labels, turn_of(files, staged, size), settings, theta)
    wanted, objectives = whole.run(centers.astype(np.float64))
    np.testing.assert_allclose(found.objective, objectives, rtol=1e-5)
    corrected = np.empty_like(rows)
    for number in range(len(staged)):
        order = np.load(f"{files.folder}/rows-cells-{number}.npy")[:, 0]
        corrected[number * size + order] = np.load(f"{files.folder}/rows-{found.version}-{number}.npy")
    np.testing.assert_allclose(corrected, wanted, atol=2e-3)
    assert np.abs(rows - wanted).max() > 1.0


def test_integrate__keeps_only_the_last_version_beside_the_embedding(planted):
    rows, labels = planted
    design = batch_design(labels, theta=2.0, caller="harmony")
    settings = HarmonySettings(iterations=3, tolerance=0.0)
    files, staged = staged_blocks(rows, design, turns=settings.turns, size=300)
    found = Rounds(files, staged, design, settings).integrate(sphere_means(rows, clusters=5, seed=1))
    kept = {path.name.rsplit("-", 1)[0] for path in Path(files.folder).iterdir()}
    assert kept == {"rows-cells", "rows-0", f"rows-{found.version}"}


def test_integrate__says_whether_it_came_to_rest(planted):
    rows, labels = planted
    design = batch_design(labels, theta=2.0, caller="harmony")
    centers = sphere_means(rows, clusters=5, seed=1)
    for settings, converged in ((HarmonySettings(), True), (HarmonySettings(iterations=1), False)):
        files, staged = staged_blocks(rows, design, turns=settings.turns, size=CELLS)
        found = Rounds(files, staged, design, settings).integrate(centers)
        assert found.converged is converged
        assert len(found.objective) == len(found.rounds) == found.version + 1
        assert max(found.rounds) <= settings.rounds


def test_task_graph__computes_functions_of_other_tasks():
    graph = TaskGraph("sum")
    three = graph.add(3)
    parts = [graph.add(pow, three, power) for power in (1, 2)]
    assert graph.compute([graph.add(sum, parts), three]) == [12, 3]


def test_first_turns__takes_the_cells_that_come_first(planted):
    rows, labels = planted
    design = batch_design(labels, theta=2.0, caller="harmony")
    files, staged = staged_blocks(rows, design, turns=20, size=250)
    places, sampled, numbers = first_turns(staged, 100)
    assert sum(len(found) for found in places) == len(numbers) == 100
    np.testing.assert_array_equal(sampled, rows[numbers])
    order = np.concatenate([block.order for block in staged])
    chosen = np.isin(np.concatenate([block.numbers for block in staged]), numbers)
    assert order[chosen].max() < order[~chosen].min()
    again = [np.load(f"{files.folder}/rows-0-{number}.npy")[found] for number, found in enumerate(places)]
    np.testing.assert_array_equal(np.concatenate(again), sampled)
    assert len(first_turns(staged, 10**6)[2]) == len(order)
