"""Cells as an image."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.figures import shaded_cells
from chemores_dask.figures.shaded_cells import FAINTEST, shade_labels, shade_numbers

RED, BLUE = np.array([1.0, 0, 0]), np.array([0, 0, 1.0])
COLORS = np.stack([RED, BLUE])
NOBODY = np.zeros(2, dtype=bool)


@pytest.fixture
def narrow(monkeypatch):
    """Places that are not widened."""
    monkeypatch.setattr(shaded_cells, "LARGEST_SPREAD", 0)


def place_of(points, extent, shape):
    left, right, bottom, top = extent
    column = ((points[:, 0] - left) / (right - left) * shape[1]).astype(int)
    row = ((points[:, 1] - bottom) / (top - bottom) * shape[0]).astype(int)
    return row, column


def test_shade_labels__a_place_has_the_color_of_its_cells(narrow):
    points = np.random.default_rng(0).uniform(size=(500, 2))
    codes = (points[:, 0] > 0.5).astype(int)
    shaded = shade_labels(points, codes, colors=COLORS, on_top=NOBODY)
    found = shaded.image[place_of(points, shaded.extent, shaded.image.shape)]
    assert np.array_equal(found[:, :3], 255 * COLORS[codes])
    assert (shaded.image[..., 3] > 0).sum() == len(
        np.unique(np.column_stack(place_of(points, shaded.extent, shaded.image.shape)), axis=0)
    )


def test_shade_labels__colors_mix_as_light_and_rare_labels_weigh_more(narrow):
    points = np.vstack([np.zeros((400, 2)), np.ones((1, 2))])
    codes = np.zeros(401, dtype=int)
    codes[:4] = 1
    shaded = shade_labels(points, codes, colors=COLORS, on_top=NOBODY)
    row, column = place_of(points[:1], shaded.extent, shaded.image.shape)
    red, _, blue, _ = shaded.image[row[0], column[0]] / 255
    # 396 red cells of 397, four blue ones of four: weights 396 / sqrt(397) and 4 / sqrt(4).
    share = 2 / (2 + 396 / np.sqrt(397))
    assert red == pytest.approx((1 - share) ** (1 / 2.2), abs=0.01)
    assert blue == pytest.approx(share ** (1 / 2.2), abs=0.01)


def test_shade_labels__denser_places_are_more_opaque(narrow):
    rows = [np.full((number, 2), place) for place, number in enumerate([1, 10, 100, 1000])]
    points = np.vstack(rows).astype(float)
    shaded = shade_labels(points, np.zeros(len(points), dtype=int), colors=COLORS, on_top=NOBODY)
    opacity = [shaded.image[place_of(each[:1], shaded.extent, shaded.image.shape)][0, 3] / 255 for each in rows]
    assert opacity[0] == pytest.approx(FAINTEST, abs=0.01)
    assert np.all(np.diff(opacity) > 0.1)
    assert opacity[-1] > 0.98


def test_shade_labels__rare_labels_lie_on_top_and_are_wide_enough_to_see():
    draws = np.random.default_rng(0)
    points = draws.normal(size=(200_000, 2))
    codes = np.zeros(200_000, dtype=int)
    codes[:1000] = 1
    shaded = shade_labels(points, codes, colors=COLORS, on_top=np.array([False, True]))
    blue = (shaded.image[..., 2] == 255) & (shaded.image[..., 0] == 0)
    found = shaded.image[place_of(points[:1000], shaded.extent, shaded.image.shape)]
    assert (found == [0, 0, 255, 255]).all()
    assert blue.sum() > 4000


def test_shade_labels__lone_cells_are_widened():
    points = np.random.default_rng(0).uniform(size=(50, 2))
    shaded = shade_labels(points, np.zeros(50, dtype=int), colors=COLORS, on_top=NOBODY)
    assert (shaded.image[..., 3] > 0).sum() > 50 * 20


@pytest.mark.parametrize(
    "points", [np.zeros((1, 2)), np.zeros((30, 2)), np.column_stack([np.arange(9.0), np.zeros(9)])]
)
def test_shade_labels__draws_cells_without_extent(points):
    shaded = shade_labels(points, np.zeros(len(points), dtype=int), colors=COLORS, on_top=NOBODY)
    assert (shaded.image[..., 3] > 0).any()
    left, right, bottom, top = shaded.extent
    assert right > left
    assert top > bottom


def test_shade_numbers__shows_means_and_leaves_out_what_is_no_number(narrow):
    points = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 1.0], [0.5, 0.5]])
    means, extent = shade_numbers(points, np.array([1.0, 4.0, 7.0, np.nan]))
    found = means[place_of(points, extent, means.shape)]
    assert found[:3].tolist() == [2.5, 2.5, 7.0]
    assert np.isnan(found[3])


def test_shade_numbers__widens_lone_cells():
    points = np.random.default_rng(0).uniform(size=(50, 2))
    means, _ = shade_numbers(points, np.ones(50))
    assert np.isfinite(means).sum() > 50 * 20
    assert set(means[np.isfinite(means)]) == {1.0}
