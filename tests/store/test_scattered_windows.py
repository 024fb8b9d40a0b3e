from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chemores_dask.errors import ChecksumError
from chemores_dask.store import scattered_windows
from chemores_dask.store.layout import plain_codecs
from chemores_dask.store.scattered_windows import read_windows
from tests.store.test_shard_reader import some_counts, write_array


def nothing(folder, numbers):
    return f"damaged: {folder.name} {list(numbers)}"


@settings(max_examples=60, deadline=None)
@given(
    chunk=st.integers(1, 30),
    chunks=st.integers(1, 5),
    windows=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 40)), max_size=30),
    ours=st.booleans(),
)
def test_read_windows__gives_any_windows_in_the_order_asked_for(tmp_path_factory, chunk, chunks, windows, ours):
    folder = tmp_path_factory.mktemp("a")
    codecs = None if ours else plain_codecs()[:1]
    arrays = [some_counts(240, seed=seed) + 1 for seed in (1, 2)]
    paths = [
        write_array(folder / str(n), array, chunk=chunk, shard=chunk * chunks, codecs=codecs)
        for n, array in enumerate(arrays)
    ]
    starts = np.array([start for start, _ in windows], dtype=np.int64)
    stops = starts + np.array([size for _, size in windows], dtype=np.int64)
    found = read_windows(paths, starts, stops, damage=nothing)
    for array, values in zip(arrays, found, strict=True):
        expected = [array[start:stop] for start, stop in zip(starts, stops, strict=True)]
        assert values.dtype == np.int32
        assert np.array_equal(values, np.concatenate([np.empty(0, dtype=np.int32), *expected]))


@pytest.mark.parametrize("ours", [True, False])
def test_read_windows__names_the_damaged_file(tmp_path, ours):
    codecs = None if ours else plain_codecs()
    folder = write_array(tmp_path / "x", some_counts(64) + 1, chunk=8, shard=16 if ours else None, codecs=codecs)
    number = 2 if ours else 4
    file = folder / "c" / str(number)
    damaged = bytearray(file.read_bytes())
    damaged[9] ^= 1
    file.write_bytes(bytes(damaged))
    with pytest.raises(ChecksumError, match=rf"damaged: x \[{number}\]"):
        read_windows([folder], np.array([3, 32]), np.array([5, 40]), damage=nothing)


def test_read_windows__gives_several_files_to_one_task(tmp_path, monkeypatch):
    monkeypatch.setattr(scattered_windows, "TASKS", 2)
    array = some_counts(240) + 1
    folder = write_array(tmp_path / "x", array, chunk=8, shard=16)
    starts = np.array([200, 3, 100, 40])
    (found,) = read_windows([folder], starts, starts + 30, damage=nothing)
    np.testing.assert_array_equal(found, np.concatenate([array[start : start + 30] for start in starts]))
