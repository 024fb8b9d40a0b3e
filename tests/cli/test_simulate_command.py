from __future__ import annotations

import json

import pytest

from chemores_dask.cli.simulate_command import preset_design


def test_simulate__writes_what_a_lab_would_hold(files):
    assert {"samples.csv", "clinical.tsv", "bulk_expression.tsv.gz", "gene_sets.gmt", "truth"} <= {
        p.name for p in files.iterdir()
    }
    assert json.loads((files / "truth" / "truth.json").read_text())["seed"] == 1


def test_preset_design__takes_the_sizes_given():
    design = preset_design("tiny", sizes={"patients": 5, "genes": None})
    assert (design.patients, design.genes) == (5, 600)


@pytest.mark.parametrize(("preset", "null"), [("demo", False), ("null", True), ("chemotherapy", False)])
def test_preset_design__null_has_no_effects(preset, null):
    assert preset_design(preset, sizes={}).is_null is null


def test_simulate__keeps_out_of_folders_with_other_things(chemores, capsys, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    assert chemores("simulate", tmp_path, "--preset", "tiny") == 1
    assert "thesis.txt" in capsys.readouterr().err
    assert (tmp_path / "thesis.txt").read_text() == "mine"
