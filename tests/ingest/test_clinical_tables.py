"""Tests of reading clinical tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chemores_dask.errors import InputError, MissingVariableError
from chemores_dask.ingest.clinical_tables import ClinicalColumns, read_clinical_table


def read(tmp_path: Path, text: str, **columns: object):
    (tmp_path / "c.tsv").write_text(text)
    return read_clinical_table(tmp_path / "c.tsv", columns=ClinicalColumns(**columns))


def test_read_clinical_table__understands_every_way_of_writing_events(tmp_path: Path) -> None:
    text = "patient\ttime\tos_status\tPFS.status\trelapse event\tresponse\n"
    text += "p1\t1.5\tDead\t1:PROGRESSED\tyes\tM1\np2\t20\tAlive\t0:CENSORED\tno\t\n"
    table = read(tmp_path, text)
    assert table.index.tolist() == ["p1", "p2"]
    for name in ("os_status", "PFS.status", "relapse event"):
        assert table[name].dtype == bool
        assert table[name].tolist() == [True, False]
    assert table["time"].tolist() == [1.5, 20.0]
    assert table["response"].tolist() == ["M1", ""]


def test_read_clinical_table__never_guesses_what_censor_means(tmp_path: Path) -> None:
    text = "id,time,censor\np1,1,1\np2,2,0\n"
    assert read(tmp_path, text)["censor"].dtype == np.float64
    assert read(tmp_path, text, events=("censor",))["censor"].tolist() == [True, False]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("p2,-1,0", "'time'.*'-1' for p2"),
        ("p2,long,0", "'time'.*'long' for p2"),
        ("p2,inf,0", "'time'.*'inf' for p2"),
        ("p2,3,2", "'event'.*'2' for p2"),
        ("p2,3,maybe", "'event'.*'maybe' for p2"),
        ("p2,3,", "'event'.*'' for p2"),
        ("p1,3,0", "More than one: p1"),
        (",3,0", "Empty in the lines: 3"),
    ],
)
def test_read_clinical_table__refuses_naming_column_and_patient(tmp_path: Path, row: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read(tmp_path, f"patient,time,event\np1,1,1\n{row}\n", durations=("time",), events=("event",))


def test_read_clinical_table__takes_a_missing_event_without_follow_up(tmp_path: Path) -> None:
    table = read(tmp_path, "patient,time,event\np1,1,1\np2,NA,NA\n", durations=("time",), events=("event",))
    assert np.isnan(table.loc["p2", "time"])
    assert table["event"].tolist() == [True, False]


def test_read_clinical_table__reads_real_tables(reference_folder: Path) -> None:
    folder = reference_folder / "data" / "cohorts" / "converted"
    meaning = ClinicalColumns(durations=("efs.time", "os.time"), events=("efs.censor", "os.censor"))
    table = read_clinical_table(folder / "GRIN2_TALL_clin.csv.gz", columns=meaning)
    assert len(table) == 265
    assert (int(table["efs.censor"].sum()), int(table["os.censor"].sum())) == (27, 14)
    assert table.index[0] == "PARASZ"
    assert table["Sex"].unique().tolist() == ["Female", "Male"]


def test_read_clinical_table__takes_row_names_of_r_as_patients(tmp_path: Path) -> None:
    assert read(tmp_path, '"","time"\n"x7",1\n"x9",2\n').index.tolist() == ["x7", "x9"]


def test_read_clinical_table__refuses_absent_and_reserved_columns(tmp_path: Path) -> None:
    with pytest.raises(MissingVariableError, match="os_months"):
        read(tmp_path, "patient,time\np1,1\n", durations=("os_months",))
    with pytest.raises(InputError, match="names the patients"):
        read(tmp_path, "who,time\np1,1\n")
    with pytest.raises(InputError, match="Found: gene"):
        read(tmp_path, "patient,gene\np1,1\n")
    with pytest.raises(InputError, match="no rows"):
        read(tmp_path, "patient,time\n")


def test_read_clinical_table__leaves_out_and_lists_patients_without_what_is_required(tmp_path: Path) -> None:
    text = "patient,time,event,age\np1,1,1,4\np2,NA,0,\np3,3,,7\n"
    meaning = {"durations": ("time",), "events": ("event",)}
    with pytest.raises(InputError, match=r"'event'.*'' for p3"):
        read(tmp_path, text, **meaning)
    table = read(tmp_path, text, **meaning, required=("time", "event"))
    assert table.index.tolist() == ["p1"]
    assert table.attrs["patients_left_out"] == ["p2", "p3"]
    with pytest.raises(MissingVariableError, match="followup"):
        read(tmp_path, text, required=("followup",))
    with pytest.raises(InputError, match="Found none with stage"):
        read(tmp_path, "patient,stage\np1,\np2,NA\n", required=("stage",))


def test_read_clinical_table__tells_row_numbers_of_r_from_names_that_are_numbers(tmp_path: Path) -> None:
    assert read(tmp_path, '"","time"\n"125",1\n"127",2\n').index.tolist() == ["125", "127"]
    assert read(tmp_path, '"","ID","time"\n"125","a",1\n"127","b",2\n').index.tolist() == ["a", "b"]
    with pytest.raises(InputError, match="names the patients"):
        read(tmp_path, '"","who","time"\n"1","a",1\n"2","b",2\n')
