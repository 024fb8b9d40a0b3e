"""Tests of reading a sample sheet."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from chemores_dask.errors import FormatError, InputError, MissingVariableError, StoreNotFoundError
from chemores_dask.ingest.sample_sheet import read_sample_sheet


def sheet(tmp_path: Path, text: str) -> Path:
    (tmp_path / "samples.csv").write_text(text)
    return tmp_path / "samples.csv"


def test_read_sample_sheet__keeps_order_and_columns(tmp_path: Path) -> None:
    text = "sample,path,patient,batch,age,dose,code,format,note\n"
    text += "b,x/b.h5,P1,1,61,0.5,007,10x_h5,\na,/abs/a.h5,P2,2,7,,010,,fine\n"
    first, second = read_sample_sheet(sheet(tmp_path, text))
    assert (first.sample, second.sample) == ("b", "a")
    assert first.path == tmp_path.resolve() / "x" / "b.h5"
    assert second.path == Path("/abs/a.h5")
    assert first.format_name == "10x_h5"
    assert second.format_name is None
    assert first.values == {"patient": "P1", "batch": "1", "age": 61, "dose": 0.5, "code": "007", "note": None}
    assert pd.isna(second.values["dose"])


def test_read_sample_sheet__reads_tabs_and_frames(tmp_path: Path) -> None:
    (tmp_path / "s.tsv").write_text("\ufeffsample\tpath\na\ta.h5\n", encoding="utf-8")
    assert read_sample_sheet(tmp_path / "s.tsv")[0].sample == "a"
    frame = pd.DataFrame({"sample": ["a"], "path": [tmp_path / "a.h5"], "age": [3]})
    assert read_sample_sheet(frame)[0].path == (tmp_path / "a.h5").resolve()
    assert read_sample_sheet(frame)[0].values == {"age": 3}


@pytest.mark.parametrize(
    ("text", "error", "reason"),
    [
        ("sample,file\na,b\n", MissingVariableError, "path"),
        ("sample,path\n", InputError, "no rows"),
        ("sample,path\na,\n", InputError, "Empty in the lines: 2"),
        ("sample,path\n,a.h5\n", InputError, "must have a sample"),
        ("sample,path\na,a.h5\na,b.h5\n", InputError, "More than once: a"),
        ("sample,path\na,a.h5\nb,a.h5\n", InputError, "Every path must occur once"),
        ("sample,path\na:1,a.h5\n", InputError, "must not hold ':'"),
        ("sample,path,cell_key\na,a.h5,1\n", InputError, "cell_key"),
        ("sample,path,dose mg/kg\na,a.h5,1\n", InputError, "plain names.*dose mg/kg"),
        ("sample,path,_index\na,a.h5,1\n", InputError, "plain names"),
        ("sample,path,stage,stage\na,a.h5,1,2\n", InputError, "must be unique. More than once: stage"),
        ("", FormatError, "an empty file"),
    ],
)
def test_read_sample_sheet__refuses(tmp_path: Path, text: str, error: type[Exception], reason: str) -> None:
    with pytest.raises(error, match=reason):
        read_sample_sheet(sheet(tmp_path, text))


def test_read_sample_sheet__tells_a_missing_sheet(tmp_path: Path) -> None:
    with pytest.raises(StoreNotFoundError, match="Nothing was found"):
        read_sample_sheet(tmp_path / "absent.csv")
