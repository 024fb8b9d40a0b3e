"""Tests of reading bulk expression."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chemores_dask.errors import InputError
from chemores_dask.ingest.bulk_tables import read_bulk_table

PATIENTS = ["TARGET-10-A", "TARGET-10-B", "TARGET-10-C"]


@pytest.fixture
def values() -> pd.DataFrame:
    return pd.DataFrame(
        [[1.5, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.5]],
        index=["CD44", "KLF2", "CD44"],
        columns=["TARGET-10-C", "TARGET-10-A", "OTHER"],
    )


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("separator", ["\t", ","])
def test_read_bulk_table__tells_the_orientation(values, tmp_path: Path, transposed: bool, separator: str) -> None:
    table = values.T if transposed else values
    table.to_csv(tmp_path / "a.txt", sep=separator, index_label="name")
    bulk = read_bulk_table(tmp_path / "a.txt", patients=PATIENTS)
    if not transposed:
        assert bulk.orientation == "genes x patients"
        assert bulk.expression.index.tolist() == ["TARGET-10-A", "TARGET-10-C"]
        assert bulk.expression.columns.tolist() == ["CD44", "KLF2", "CD44-1"]
        assert bulk.expression.to_numpy().tolist() == [[2.0, 5.0, 8.0], [1.5, 4.0, 7.0]]
    else:
        assert bulk.orientation == "patients x genes"
        assert bulk.expression.to_numpy().tolist() == [[2.0, 5.0, 8.0], [1.5, 4.0, 7.0]]


def test_read_bulk_table__reads_identifiers_and_gct(tmp_path: Path) -> None:
    text = "#1.2\n2\t2\nName\tDescription\tTARGET-10-A\tTARGET-10-B\nENSG00000000001.4\tCD44\t1\t2\n"
    text += "ENSG00000000002.1\tKLF2\t3\t4\n"
    (tmp_path / "a.gct").write_text(text)
    bulk = read_bulk_table(tmp_path / "a.gct", patients=PATIENTS)
    assert bulk.expression.columns.tolist() == ["CD44", "KLF2"]
    assert bulk.gene_id.tolist() == ["ENSG00000000001", "ENSG00000000002"]


def test_read_bulk_table__equals_a_real_table(reference_folder: Path) -> None:
    path = reference_folder / "data" / "cohorts" / "converted" / "GRIN2_TALL_expr_417x264.csv.gz"
    table = pd.read_csv(path, index_col=0).set_index("gene")
    bulk = read_bulk_table(path, patients=["absent", *table.columns])
    assert np.array_equal(bulk.expression.to_numpy(), table.T.to_numpy())
    assert bulk.gene_id.tolist() == table.index.tolist()


def test_read_bulk_table__refuses(values, tmp_path: Path) -> None:
    values.to_csv(tmp_path / "a.csv", index_label="gene")
    with pytest.raises(InputError, match="Use the same identifiers"):
        read_bulk_table(tmp_path / "a.csv", patients=["P1"])
    values.rename(columns={"OTHER": "TARGET-10-A-2"}).to_csv(tmp_path / "b.csv", index_label="gene")
    with pytest.raises(InputError, match="More than one: TARGET-10-A"):
        read_bulk_table(tmp_path / "b.csv", patients=PATIENTS)
    changed = values.astype(object)
    changed.iloc[1, 0] = "high"
    changed.to_csv(tmp_path / "c.csv", index_label="gene")
    with pytest.raises(InputError, match="'high' for patient TARGET-10-C, gene KLF2"):
        read_bulk_table(tmp_path / "c.csv", patients=PATIENTS)


def test_read_bulk_table__finds_patients_whose_names_are_numbers(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text('"","CD44","KLF2"\n125,0.5,1\n127,0.25,2\n')
    found = read_bulk_table(tmp_path / "rows.csv", patients=["127", "125", "300"])
    assert found.orientation == "patients x genes"
    assert found.expression.index.tolist() == ["127", "125"]
    assert found.expression.to_numpy().tolist() == [[0.25, 2.0], [0.5, 1.0]]
    # Numbers of rows are no patients where the header has them.
    (tmp_path / "columns.csv").write_text('"","gene","1","2"\n1,CD44,0.5,1\n2,KLF2,0.25,2\n')
    found = read_bulk_table(tmp_path / "columns.csv", patients=["1", "2"])
    assert found.orientation == "genes x patients"
    assert found.expression.to_numpy().tolist() == [[0.5, 0.25], [1.0, 2.0]]


def test_read_bulk_table__reads_what_write_table_of_r_leaves(tmp_path: Path) -> None:
    path = tmp_path / "r.tsv"
    path.write_text('"P1"\t"P2"\n"G1"\t1.5\t2\n"G2"\t3\t4\n')
    table = read_bulk_table(path, patients=["P1", "P2"])
    assert table.expression.loc["P2"].to_dict() == {"G1": 2.0, "G2": 4.0}


def test_read_bulk_table__tells_decimal_commas_and_infinite_values(tmp_path: Path) -> None:
    path = tmp_path / "comma.csv"
    path.write_text("gene;P1;P2\nG1;1,5;2\n")
    with pytest.raises(InputError, match=r"Found '1,5' for patient P1, gene G1; .* a point, not a comma"):
        read_bulk_table(path, patients=["P1", "P2"])
    path.write_text("gene,P1,P2\nG1,inf,2\n")
    with pytest.raises(InputError, match=r"must be finite numbers\. Found 'inf' for patient P1"):
        read_bulk_table(path, patients=["P1", "P2"])
