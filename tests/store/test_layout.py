from __future__ import annotations

import json

import pytest
import zarr

from chemores_dask.errors import (
    FormatError,
    ParameterError,
    SchemaVersionError,
    StoreError,
    StoreNotFoundError,
)
from chemores_dask.store.layout import (
    FAST_PIPELINE,
    SCHEMA_ATTRIBUTE,
    Geometry,
    erase,
    existing_root,
    fresh_group,
    group_attributes,
    is_plain_name,
    open_array,
    require_group,
    writable_root,
    write_element,
)


def test_existing_root__says_that_nothing_is_there(tmp_path):
    with pytest.raises(StoreNotFoundError, match="Found nothing"):
        existing_root(tmp_path / "absent.zarr")


def test_existing_root__refuses_other_folders_and_groups(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("hello")
    with pytest.raises(FormatError, match="no zarr group"):
        existing_root(tmp_path / "notes")
    zarr.create_group(tmp_path / "other.zarr", zarr_format=3)
    with pytest.raises(FormatError, match="another kind"):
        existing_root(tmp_path / "other.zarr")


def test_existing_root__refuses_a_file(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(FormatError):
        existing_root(tmp_path / "file")


@pytest.mark.parametrize("version", [2, 99, "1", None])
def test_existing_root__refuses_a_newer_schema(tmp_path, version):
    zarr.create_group(tmp_path / "s.zarr", zarr_format=3, attributes={SCHEMA_ATTRIBUTE: version})
    with pytest.raises(SchemaVersionError, match="install a newer"):
        existing_root(tmp_path / "s.zarr")


def test_writable_root__makes_a_store_and_finds_it_again(tmp_path):
    path = tmp_path / "with some spaces" / "cohort.zarr"
    assert writable_root(path) == path
    assert writable_root(str(path)) == path
    assert existing_root(path) == path
    assert json.loads((path / "zarr.json").read_text())["attributes"] == {SCHEMA_ATTRIBUTE: 1}


def test_writable_root__uses_an_empty_folder_but_no_other(tmp_path):
    (tmp_path / "empty").mkdir()
    assert writable_root(tmp_path / "empty")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    with pytest.raises(FormatError):
        writable_root(tmp_path / "full")


def test_writable_root__names_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="must be writable"):
        writable_root(tmp_path / "file" / "cohort.zarr")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(zarr, "create_group", refuse)
    with pytest.raises(StoreError, match="Permission denied"):
        writable_root(tmp_path / "cohort.zarr")


def test_group_attributes__tells_damage_from_absence(tmp_path):
    assert group_attributes(tmp_path / "absent") is None
    folder = tmp_path / "torn"
    folder.mkdir()
    (folder / "zarr.json").write_text('{"attributes": {')
    with pytest.raises(FormatError, match="not valid JSON"):
        group_attributes(folder)
    (folder / "zarr.json").write_text('{"node_type": "array"}')
    assert group_attributes(folder) is None


def test_open_array__leaves_the_configuration_of_zarr_alone(tmp_path):
    zarr.create_array(tmp_path / "a", shape=(4,), chunks=(4,), dtype="i4", zarr_format=3)[:] = 1
    before = zarr.config.get("codec_pipeline.path")
    array = open_array(tmp_path / "a", pipeline=FAST_PIPELINE)
    assert zarr.config.get("codec_pipeline.path") == before
    assert type(array._async_array.codec_pipeline).__name__ == FAST_PIPELINE.rpartition(".")[2]
    assert array[:].tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(("chunk", "shard"), [(0, 8), (8, 4), (8, 12)])
def test_geometry__needs_whole_chunks_in_a_shard(chunk, shard):
    with pytest.raises(ParameterError, match="whole number of chunks"):
        Geometry(chunk, shard)


def test_fresh_group__erases_what_was_there(tmp_path):
    group = require_group(tmp_path / "g")
    write_element(group, "old", {"a": 1})
    assert "old" in require_group(tmp_path / "g")
    assert list(fresh_group(tmp_path / "g")) == []
    erase(tmp_path / "g")
    assert not (tmp_path / "g").exists()
    erase(tmp_path / "g")


def test_is_plain_name__takes_text_that_is_no_path():
    assert all(is_plain_name(name) for name in ("stage", "a.b", "dose (mg)", "größe"))
    assert not any(is_plain_name(name) for name in ("a/b", ".", "..", "", "_index", "__own", 3, None))
