"""Blocks of cells in files: order, turns, samples, and folders that go with the last reader."""

from __future__ import annotations

import gc
import pickle
from pathlib import Path

import numpy as np
import pytest

from chemores_dask.errors import ChecksumError
from chemores_dask.graph.harmony_blocks import (
    ORIGINAL,
    Clusters,
    Place,
    ScoreReader,
    block_files,
    correct_block,
    read_places,
    stage_block,
    sum_block,
    take_turn,
)
from chemores_dask.kernels.soft_clusters import TILE_ROWS
from chemores_dask.stream.staging import staging_folder

TURNS, COMPONENTS, CLUSTERS = 4, 3, 5
LEVELS = np.array([[0], [1], [2]])


@pytest.fixture
def drawn():
    generator = np.random.default_rng(5)
    cells = 2 * TILE_ROWS * TURNS + 17
    rows = generator.normal(size=(cells, COMPONENTS)).astype(np.float32)
    groups = generator.integers(0, 3, cells).astype(np.int32)
    centers = generator.normal(size=(CLUSTERS, COMPONENTS))
    centroids = (centers / np.linalg.norm(centers, axis=1, keepdims=True)).astype(np.float32)
    penalties = -generator.random((TURNS, 3, CLUSTERS)).astype(np.float32)
    return rows, groups, Clusters(centroids, 0.3), penalties


def in_files(rows, groups, *, sample=0.1, start=0, block=0):
    files = block_files("test", turns=TURNS, seed=9, sample=sample)
    staged = stage_block(rows, groups, files=files, block=block, start=start)
    return files, staged, Place(files, ORIGINAL, block, staged.offsets)


def test_stage_block__orders_cells_by_turn_and_group(drawn):
    rows, groups, _, _ = drawn
    files, staged, place = in_files(rows, groups)
    order, kept = np.load(Path(files.folder) / "rows-cells-0.npy").T
    assert sorted(order.tolist()) == list(range(len(rows)))
    np.testing.assert_array_equal(kept, groups[order])
    for start, stop in zip(staged.offsets[:-1], staged.offsets[1:], strict=True):
        assert (np.diff(kept[start:stop]) >= 0).all()
        assert abs((stop - start) * TURNS / len(rows) - 1.0) < 0.1
    np.testing.assert_array_equal(read_places(place, staged.places), rows[staged.numbers])
    assert abs(len(staged.places) / len(rows) - 0.1) < 0.02
    assert staged.order.max() < 0.1


def test_stage_block__gives_a_cell_its_turn_by_its_number_alone(drawn):
    rows, groups, _, _ = drawn
    _, whole, _ = in_files(rows, groups, sample=1.0)
    _, tail, _ = in_files(rows[500:], groups[500:], sample=1.0, start=500)
    first = dict(zip(whole.numbers.tolist(), whole.order.tolist(), strict=True))
    assert all(first[number] == order for number, order in zip(tail.numbers.tolist(), tail.order.tolist(), strict=True))


def test_score_reader__gives_the_cells_in_their_order(drawn):
    rows, groups, _, _ = drawn
    files, _, _ = in_files(rows, groups)
    np.testing.assert_array_equal(ScoreReader(files, ORIGINAL)(block_id=(0, 0)), rows)


def test_turns_and_sums__add_up_to_those_of_all_cells(drawn):
    rows, groups, clusters, penalties = drawn
    files, _, place = in_files(rows, groups)
    taken = [take_turn(place, turn, penalties[turn], clusters) for turn in range(TURNS)]
    total = sum(turn.counts for turn in taken)
    np.testing.assert_allclose(total.sum(axis=1), np.bincount(groups), rtol=1e-6)
    # Sums of constant rows are the counts themselves.
    ones_files, _, ones = in_files(np.ones_like(rows), groups)
    flat = [take_turn(ones, turn, penalties[turn], clusters).counts for turn in range(TURNS)]
    sums = sum_block(ones, LEVELS, penalties, clusters)
    assert ones_files.folder != files.folder
    np.testing.assert_allclose(sums, np.repeat(sum(flat)[:, :, None], COMPONENTS, axis=2), rtol=1e-5)


def test_correct_block__writes_the_next_version(drawn):
    rows, groups, clusters, penalties = drawn
    files, _, place = in_files(rows, groups)
    # The same shift in every cluster: shares sum to 1, so every cell of a batch moves by it.
    shifts = np.repeat(np.array([0.0, 1.0, -2.0], dtype=np.float32)[:, None], CLUSTERS * COMPONENTS, axis=1)
    shifts = shifts.reshape(3, CLUSTERS, COMPONENTS)
    assert correct_block(place, LEVELS, penalties, clusters, shifts) == 1
    found = ScoreReader(files, 1)(block_id=(0, 0))
    np.testing.assert_allclose(found, rows - np.array([0.0, 1.0, -2.0])[groups][:, None], atol=1e-5)
    np.testing.assert_array_equal(ScoreReader(files, ORIGINAL)(block_id=(0, 0)), rows)
    files.remove(1)
    with pytest.raises(ChecksumError, match="rows-1-0"):
        ScoreReader(files, 1)(block_id=(0, 0))


def test_block_files__go_with_the_last_reader(drawn):
    rows, groups, _, _ = drawn
    files, _, place = in_files(rows, groups)
    folder = Path(files.folder)
    reader = ScoreReader(files, ORIGINAL)
    copied = pickle.loads(pickle.dumps(reader))
    assert copied(block_id=(0, 0)).shape == rows.shape
    del files, place, copied
    gc.collect()
    assert folder.is_dir()
    del reader
    gc.collect()
    assert not folder.exists()


def test_block_files__stay_in_a_folder_of_the_caller(tmp_path):
    with staging_folder(tmp_path):
        first, again = (block_files("same", turns=2, seed=1, sample=0.5) for _ in range(2))
        other = block_files("other", turns=2, seed=1, sample=0.5)
    assert first.folder == again.folder != other.folder
    del first, again, other
    gc.collect()
    assert len(list(tmp_path.iterdir())) == 2
