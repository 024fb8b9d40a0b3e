"""Centers of lists."""

from __future__ import annotations

import dask
import numpy as np
import pytest

from chemores_dask.graph.quantizer import fit_centers, number_of_lists
from chemores_dask.stream.array_files import write_array


def clouds(cells=600, places=6, seed=0):
    generator = np.random.default_rng(seed)
    middle = 20.0 * generator.normal(size=(places, 4))
    return (middle[np.arange(cells) % places] + generator.normal(size=(cells, 4))).astype(np.float32), middle


@pytest.mark.parametrize(("cells", "lists"), [(1, 1), (16, 1), (17, 16), (10_000, 400), (1_000_000, 4000)])
def test_number_of_lists__grows_with_the_root(cells, lists):
    assert number_of_lists(cells) == lists


def test_fit_centers__finds_clouds(tmp_path):
    points, middle = clouds()
    for number, part in enumerate(np.array_split(points, 3)):
        write_array(str(tmp_path), f"sample-{number}", part)
    names = [f"sample-{number}" for number in range(3)]
    centers = fit_centers(str(tmp_path), names, points[:6], iterations=5)
    distance = np.linalg.norm(centers[:, None] - middle[None], axis=2)
    assert sorted(distance.argmin(axis=1)) == list(range(6))
    assert distance.min(axis=1).max() < 0.5


def test_fit_centers__leaves_a_center_without_points_where_it_is(tmp_path):
    write_array(str(tmp_path), "sample-0", np.ones((10, 3), np.float32))
    start = np.array([[0.0, 0, 0], [50, 50, 50]], np.float32)
    centers = fit_centers(str(tmp_path), ["sample-0"], start, iterations=3)
    assert sorted(centers.tolist()) == [[1, 1, 1], [50, 50, 50]]


def test_fit_centers__has_the_same_bits_for_any_workers(tmp_path):
    points, _ = clouds(4000, 40)
    for number, part in enumerate(np.array_split(points, 7)):
        write_array(str(tmp_path), f"sample-{number}", part)
    found = []
    for settings in ({"scheduler": "synchronous"}, {"scheduler": "threads", "num_workers": 4}):
        with dask.config.set(**settings):
            found.append(fit_centers(str(tmp_path), [f"sample-{n}" for n in range(7)], points[:200]))
    assert found[0].tobytes() == found[1].tobytes()


def test_fit_centers__puts_near_ones_next_to_each_other(tmp_path):
    points, _ = clouds(4000, 40)
    write_array(str(tmp_path), "sample-0", points)
    centers = fit_centers(str(tmp_path), ["sample-0"], points[:400])
    steps = np.linalg.norm(np.diff(centers, axis=0), axis=1)
    shuffled = np.linalg.norm(np.diff(centers[np.random.default_rng(0).permutation(400)], axis=0), axis=1)
    assert steps.mean() < 0.6 * shuffled.mean()
