"""Tests of the folder of a survival command."""

from __future__ import annotations

import json

import pytest

from chemores_dask.cli.survival_folder import check_folder, whole_folder
from chemores_dask.errors import InputError

OURS = json.dumps({"pipeline": "survival km"})


def write(out, table="new"):
    with whole_folder(out) as place:
        (place / "cox_scan.csv").write_text(table)
        (place / "tables").mkdir()
        (place / "tables" / "scan.tsv").write_text(table)
        (place / "run.json").write_text(OURS)


def names(out):
    return sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())


def test_whole_folder__holds_everything_and_nothing_else(tmp_path):
    write(tmp_path / "a" / "out")
    assert names(tmp_path / "a" / "out") == ["cox_scan.csv", "run.json", "tables/scan.tsv"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_whole_folder__leaves_nothing_behind_an_interruption(tmp_path, error):
    def interrupted():
        with whole_folder(tmp_path / "out") as place:
            (place / "cox_scan.csv").write_text("half")
            raise error

    with pytest.raises(error):
        interrupted()
    assert not (tmp_path / "out").exists()
    write(tmp_path / "out", "old")
    with pytest.raises(error):
        interrupted()
    assert (tmp_path / "out" / "cox_scan.csv").read_text() == "old"
    assert names(tmp_path / "out") == ["cox_scan.csv", "run.json", "tables/scan.tsv"]


def test_whole_folder__replaces_what_is_its_own(tmp_path):
    write(tmp_path / "out", "old")
    write(tmp_path / "out", "new")
    assert (tmp_path / "out" / "cox_scan.csv").read_text() == "new"


def test_whole_folder__stands_beside_files_of_others_and_never_replaces_one(tmp_path):
    (tmp_path / "clinical.csv").write_text("mine")
    write(tmp_path)
    assert (tmp_path / "clinical.csv").read_text() == "mine"
    other = tmp_path / "other"
    other.mkdir()
    (other / "cox_scan.csv").write_text("mine")
    with pytest.raises(InputError, match=r"has cox_scan.csv; choose another folder"):
        write(other)
    assert names(other) == ["cox_scan.csv"]
    assert (other / "cox_scan.csv").read_text() == "mine"


@pytest.mark.parametrize("record", [json.dumps({"pipeline": "tall_relapse"}), "no json", "[]"])
def test_check_folder__refuses_the_run_of_a_pipeline(tmp_path, record):
    (tmp_path / "run.json").write_text(record)
    with pytest.raises(InputError, match="holds another run"):
        check_folder(tmp_path)


def test_check_folder__refuses_a_file(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match="is a file"):
        check_folder(tmp_path / "out")


def test_whole_folder__says_where_it_cannot_write(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="can be written"), whole_folder(tmp_path / "file" / "out"):
        pass
