"""Tests of reading gene sets."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from chemores_dask.errors import FormatError, InputError, StoreNotFoundError
from chemores_dask.ingest.gmt_file import read_gmt


def test_read_gmt__reads_real_sets(reference_folder: Path) -> None:
    folder = reference_folder / "data" / "genesets"
    hallmarks = read_gmt(folder / "andygxzeng+AMLHierarchies" / "h.all.v7.0.symbols.gmt")
    assert len(hallmarks) == 50
    assert hallmarks["HALLMARK_HYPOXIA"].up[:2] == ("PGK1", "PDK1")
    assert len(hallmarks["HALLMARK_HYPOXIA"].up) == 200
    assert len(read_gmt(folder / "debian" / "GO_BP_human_10_500.gmt.gz")) == 6482


def test_read_gmt__keeps_source_and_drops_repeats(tmp_path: Path) -> None:
    (tmp_path / "a.gmt.gz").write_bytes(gzip.compress(b"# made by hand\ns1\tfrom here\tA\tB\tA\t\r\n\ns2\t\tC\n"))
    sets = read_gmt(tmp_path / "a.gmt.gz")
    assert sets.names == ("s1", "s2")
    assert (sets["s1"].up, sets["s1"].source) == (("A", "B"), "from here")


def test_read_gmt__pairs_directions_when_asked(tmp_path: Path) -> None:
    (tmp_path / "a.gmt").write_text("X_UP\t\tA\nY\t\tB\nX_DN\t\tC\nZ_UP\t\tD\n")
    assert read_gmt(tmp_path / "a.gmt").names == ("X_UP", "Y", "X_DN", "Z_UP")
    paired = read_gmt(tmp_path / "a.gmt", pair_directions=True)
    assert paired.names == ("X", "Y", "Z_UP")
    assert (paired["X"].up, paired["X"].down) == (("A",), ("C",))


@pytest.mark.parametrize(
    ("text", "error", "reason"),
    [
        ("s1\tx\n", FormatError, "Line 1 has 0"),
        ("", FormatError, "Found none"),
        ("s\t\tA\ns\t\tB\n", InputError, "unique"),
    ],
)
def test_read_gmt__refuses(tmp_path: Path, text: str, error: type[Exception], reason: str) -> None:
    (tmp_path / "a.gmt").write_text(text)
    with pytest.raises(error, match=reason):
        read_gmt(tmp_path / "a.gmt")
    with pytest.raises(StoreNotFoundError):
        read_gmt(tmp_path / "absent.gmt")
