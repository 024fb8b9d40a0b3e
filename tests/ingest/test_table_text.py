"""Tests of reading text tables."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from chemores_dask.errors import FormatError, InputError
from chemores_dask.ingest.table_text import (
    detect_delimiter,
    first_lines,
    is_gzip,
    open_bytes,
    read_names,
    read_texts,
    split_line,
)


def test_open_bytes__unpacks_by_content(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes(gzip.compress(b"x\ty\n"))
    assert is_gzip(tmp_path / "a.tsv")
    with open_bytes(tmp_path / "a.tsv") as file:
        assert file.read() == b"x\ty\n"


def test_first_lines__drops_marks_and_line_ends(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("\ufeffa,b\r\n1,2\r\n".encode())
    assert first_lines(tmp_path / "a.csv", 5) == ["a,b", "1,2"]


def test_detect_delimiter__takes_the_most_frequent() -> None:
    assert detect_delimiter(Path("a"), ["a,b\tc\td"]) == "\t"
    with pytest.raises(FormatError, match="the first line 'abc'"):
        detect_delimiter(Path("a"), ["abc"])


def test_split_line__honors_quotes() -> None:
    assert split_line('"a,b",c', ",") == ["a,b", "c"]


def test_read_names__passes_over_empty_lines(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("a\tb\n\nc\n")
    assert read_names(tmp_path / "a.tsv") == [["a", "b"], ["c"]]


def test_read_texts__leaves_entries_as_they_are(tmp_path: Path) -> None:
    # Gzipped whatever the name says, with a mark of byte order.
    (tmp_path / "a.csv").write_bytes(gzip.compress("\ufeffname,value\nNA,007\n,1e3\n".encode()))
    table = read_texts(tmp_path / "a.csv")
    assert table.to_dict("list") == {"name": ["NA", ""], "value": ["007", "1e3"]}


def test_read_texts__refuses_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(FormatError, match="an empty file"):
        read_texts(tmp_path / "a.csv")


def test_read_texts__refuses_two_columns_of_one_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("age, age ,,\n1,2,3,4\n")
    with pytest.raises(InputError, match=r"must be unique. More than once: age; rename"):
        read_texts(tmp_path / "a.csv")


def test_read_texts__reads_a_header_without_the_name_of_the_first_column(tmp_path: Path) -> None:
    """As R's write.table leaves it; with a delimiter at the end of every line nothing is added."""
    (tmp_path / "r.tsv").write_text("time\tevent\nP1\t5\t1\nP2\t6\t0\n")
    table = read_texts(tmp_path / "r.tsv")
    assert list(table.columns) == ["Unnamed: 0", "time", "event"]
    assert table["time"].tolist() == ["5", "6"]
    (tmp_path / "end.csv").write_text("patient,time\nP1,5,\nP2,6,\n")
    assert list(read_texts(tmp_path / "end.csv").columns) == ["patient", "time"]


def test_read_texts__never_leaves_fields_out(tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text("patient,time\nP1,5,7,8\nP2,6,7,8\n")
    with pytest.raises(FormatError, match="as many fields as the first"):
        read_texts(tmp_path / "more.csv")
