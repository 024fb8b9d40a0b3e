from __future__ import annotations

import pytest

from chemores_dask.errors import PipelineFileError
from chemores_dask.workflow.toml_tables import TomlTable, close_names, read_toml


def table(**values):
    return TomlTable(values, place="[[step]] 'pca'", file="study.toml")


def test_read_toml__names_a_missing_file(tmp_path):
    with pytest.raises(PipelineFileError, match=r"A pipeline must be a file.*none\.toml: No such file"):
        read_toml(tmp_path / "none.toml", what="A pipeline")


def test_read_toml__gives_line_of_a_syntax_error(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text("a = 1\nb = = 2\n")
    with pytest.raises(PipelineFileError, match=r"must be TOML.*line 2"):
        read_toml(path, what="A pipeline")


def test_read_toml__refuses_bytes_that_are_not_text(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_bytes(b"a = '\xff\xfe'")
    with pytest.raises(PipelineFileError, match=r"UTF-8"):
        read_toml(path, what="A pipeline")


def test_toml_table__names_file_table_key_and_expectation():
    with pytest.raises(PipelineFileError, match=r"In study\.toml: 'name' of \[\[step\]\] 'pca' must be text\. Got 3\."):
        table(name=3).text("name")


def test_toml_table__names_a_missing_key():
    with pytest.raises(PipelineFileError, match=r"'seed' of .* is missing; it must be a whole number"):
        table().whole("seed")


def test_toml_table__offers_the_close_key():
    with pytest.raises(PipelineFileError, match=r"'analisys'.* is not known here.*Did you mean analysis"):
        table(analisys="pca").only("name", "analysis")


@pytest.mark.parametrize(
    ("method", "value"),
    [
        ("text", ""),
        ("text", True),
        ("whole", 1.5),
        ("whole", True),
        ("number", "1"),
        ("number", False),
        ("texts", ["a", 1]),
    ],
)
def test_toml_table__refuses_other_types(method, value):
    with pytest.raises(PipelineFileError, match=r"'key'"):
        getattr(table(key=value), method)("key")


def test_toml_table__takes_whole_numbers_where_numbers_are_asked_for():
    assert table(normalize=10000).number("normalize") == 1e4


def test_toml_table__numbers_the_tables_without_names():
    (first, second) = TomlTable({"step": [{"name": "a"}, {}]}, place="the top of the file", file="f").tables(
        "step", named="name"
    )
    assert (first.place, second.place) == ("[[step]] 'a'", "[[step]] number 2")


def test_toml_table__refuses_a_table_where_a_list_belongs():
    with pytest.raises(PipelineFileError, match=r"must be a list"):
        table(step={"name": "a"}).tables("step")


def test_close_names__is_empty_where_nothing_is_close():
    assert close_names("zzzz", ["quality"]) == ""
