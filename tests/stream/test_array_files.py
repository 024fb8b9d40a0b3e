"""Arrays in files of a folder."""

from __future__ import annotations

import dask
import numpy as np
import pytest

from chemores_dask.errors import ChecksumError, StagingSpaceError
from chemores_dask.metering import STAGED_BYTES_READ, STAGED_BYTES_WRITTEN, difference, snapshot
from chemores_dask.stream.array_files import ArrayFile, array_folder, read_array, remove_arrays, write_array
from chemores_dask.stream.staging import staging_folder


@pytest.mark.parametrize(
    "array",
    [np.arange(12.0).reshape(4, 3), np.arange(5, dtype=np.int32), np.empty((0, 3), np.float32), np.ones(1, bool)],
)
def test_read_array__gives_what_was_written(tmp_path, array):
    write_array(str(tmp_path), "some", array)
    found = read_array(str(tmp_path), "some")
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)
    found[:] = 0  # the caller's own


def test_read_array__reads_some_rows(tmp_path):
    array = np.arange(40, dtype=np.float32).reshape(10, 4)
    before = snapshot()
    write_array(str(tmp_path), "some", array[:, ::-1])
    assert np.array_equal(read_array(str(tmp_path), "some", start=3, stop=5), array[3:5, ::-1])
    with ArrayFile(str(tmp_path), "some") as file:
        assert file.shape == (10, 4)
        assert np.array_equal(file.rows(9, 10), array[9:, ::-1])
        assert file.rows(4, 4).shape == (0, 4)
    counted = difference(before, snapshot())
    assert counted[STAGED_BYTES_WRITTEN] == 160
    assert counted[STAGED_BYTES_READ] == 48


def test_read_array__names_a_file_that_is_not_whole(tmp_path):
    with pytest.raises(ChecksumError, match=r"some\.npy"):
        read_array(str(tmp_path), "some")
    write_array(str(tmp_path), "some", np.arange(1000))
    file = tmp_path / "some.npy"
    file.write_bytes(file.read_bytes()[:-12])
    with pytest.raises(ChecksumError, match="7992 of 8000 bytes"):
        read_array(str(tmp_path), "some")
    file.write_bytes(b"something else")
    with pytest.raises(ChecksumError, match="cannot be read"):
        read_array(str(tmp_path), "some")


def test_read_array__names_a_file_with_a_flipped_byte(tmp_path):
    write_array(str(tmp_path), "some", np.arange(1000))
    file = tmp_path / "some.npy"
    content = bytearray(file.read_bytes())
    content[-1000] ^= 1
    file.write_bytes(content)
    with pytest.raises(ChecksumError, match=r"some\.npy.*fails its checksum"):
        read_array(str(tmp_path), "some")
    assert read_array(str(tmp_path), "some", start=3, stop=5).tolist() == [3, 4]


def test_write_array__says_where_there_is_no_room(tmp_path):
    with pytest.raises(StagingSpaceError, match="temporary-directory"):
        write_array(str(tmp_path / "absent"), "some", np.arange(3))


def test_write_array__leaves_nothing_beside_the_file(tmp_path):
    write_array(str(tmp_path), "some", np.arange(3))
    write_array(str(tmp_path), "some", np.arange(4))
    assert [file.name for file in tmp_path.iterdir()] == ["some.npy"]
    write_array(str(tmp_path), "other", np.arange(4))
    remove_arrays(str(tmp_path), "so")
    assert [file.name for file in tmp_path.iterdir()] == ["other.npy"]


def test_array_folder__goes_with_all_that_is_in_it(tmp_path):
    with dask.config.set({"temporary-directory": str(tmp_path)}):
        with array_folder("neighbors") as folder:
            write_array(folder, "some", np.arange(3))
            assert len(list(tmp_path.rglob("some.npy"))) == 1
        assert not list(tmp_path.iterdir())
        with pytest.raises(ZeroDivisionError), array_folder("neighbors"):
            raise ZeroDivisionError
        assert not list(tmp_path.iterdir())


def test_array_folder__leaves_the_staging_folder_of_the_caller(tmp_path):
    (tmp_path / "own.txt").write_text("kept")
    with staging_folder(tmp_path), array_folder("neighbors") as first, array_folder("neighbors") as second:
        assert first != second
        assert first.startswith(str(tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == ["own.txt"]


def test_array_folder__says_where_it_cannot_be_made(tmp_path):
    with staging_folder(tmp_path / "gone") as parent:
        parent.rmdir()
        parent.write_text("a file in its place")
        with (
            pytest.raises(StagingSpaceError, match=r"can be written to.*gone.*Name another"),
            array_folder("neighbors"),
        ):
            pass
