from __future__ import annotations

import pytest

from chemores_dask.errors import PipelineFileError
from chemores_dask.workflow.pipeline_file import find_pipeline, read_pipeline
from chemores_dask.workflow.steps import Join, Reference, View

GOOD = """
[pipeline]
name = "small"
title = "A small study"
seed = 3
[[gene_set]]
name = "stemness"
up = ["CD44", "CD27"]
source = "a paper"
[[view]]
name = "kept"
of = "cells"
keep = "quality.cell_keep"
[[step]]
name = "quality"
analysis = "quality"
of = "cells"
[[step]]
name = "cube"
analysis = "cohort_cube"
of = "kept"
join = [{ from = "scores.cell_score", as = "score", select = { gene_set = "stemness" }, standardize = true }]
[step.parameters]
sample = "sample"
[[step]]
name = "scores"
analysis = "pca"
of = "kept"
[step.parameters]
genes = "@quality.gene_total"
[[section]]
title = "First"
text = "Words."
figures = [{ kind = "bars", step = "cube", caption = "c", extra = 1 }]
tables = [{ step = "quality", variables = ["cell_total"], rows = 5 }]
"""


def write(tmp_path, text):
    path = tmp_path / "pipeline.toml"
    path.write_text(text)
    return path


def test_read_pipeline__reads_every_table(tmp_path):
    pipeline = read_pipeline(write(tmp_path, GOOD))
    assert (pipeline.name, pipeline.title, pipeline.seed, pipeline.description) == ("small", "A small study", 3, "")
    assert pipeline.gene_sets["stemness"].up == ("CD44", "CD27")
    assert pipeline.views == (View("kept", "cells", keep=Reference("quality", "cell_keep")),)
    cube = pipeline.steps[1]
    assert cube.join == (Join(Reference("scores", "cell_score"), "score", {"gene_set": "stemness"}, standardize=True),)
    assert cube.parameters == {"sample": "sample"}
    assert pipeline.steps[2].parameters == {"genes": Reference("quality", "gene_total")}
    assert pipeline.sections[0].figures == ({"kind": "bars", "step": "cube", "caption": "c", "extra": 1},)
    assert pipeline.sections[0].tables[0]["rows"] == 5


def test_read_pipeline__takes_the_folder_too(tmp_path):
    write(tmp_path, GOOD)
    assert read_pipeline(tmp_path).name == "small"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("seed = 3", "seed = 3\nsede = 4", r"'sede' of 'pipeline'.*Did you mean seed"),
        ("seed = 3", "", r"'seed' of 'pipeline'.*is missing"),
        ("seed = 3", 'seed = "3"', "must be a whole number. Got '3'"),
        ('name = "quality"', 'name = "qual ity"', "must start with a letter"),
        ('name = "quality"', 'name = "../quality"', "must start with a letter"),
        ('name = "cube"', 'name = "kept"', "must be unique. Found more than once: kept"),
        ('name = "cube"', 'name = "cells"', "names the stored cells"),
        ('of = "kept"', 'of = "kpet"', r"'of' of \[\[step\]\] 'cube' must name something.*Did you mean kept"),
        ('of = "kept"', 'of = "patients/"', "must name something that exists"),
        ('"quality.cell_keep"', '"quality"', 'must have the form "step.variable"'),
        ('"quality.cell_keep"', '"qualty.cell_keep"', r"'keep' of \[\[view\]\] 'kept'.*Did you mean quality"),
        ('keep = "quality.cell_keep"', "", "or 'normalize' must be given"),
        ('keep = "quality.cell_keep"', "normalize = 0", "must be above 0"),
        ('"scores.cell_score"', '"score.cell_score"', "Did you mean scores"),
        ('"@quality.gene_total"', '"@quality."', r"'genes' of 'parameters' of \[\[step\]\] 'scores'"),
        (
            "standardize = true }",
            'standardize = true }, { from = "cells.stage", as = "score" }',
            r"'join' of \[\[step\]\] 'cube' must give every column a name of its own. Got 'score'",
        ),
        ("standardize = true", "standardise = true", "Did you mean standardize"),
        ('up = ["CD44", "CD27"]', "", "'stemness' has none"),
        ('step = "cube", caption', 'step = "cub", caption', r"\[\[section\]\] 'First' must name"),
        ("rows = 5", "row = 5", "Did you mean rows"),
        ('kind = "bars", ', "", "'kind' of .* is missing"),
        ("[[view]]", "[[views]]\nname = 'a'\n[[view]]", "Did you mean view"),
    ],
)
def test_read_pipeline__names_the_mistake(tmp_path, old, new, expected):
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(PipelineFileError, match=expected):
        read_pipeline(path)


def test_read_pipeline__wants_steps(tmp_path):
    path = write(tmp_path, '[pipeline]\nname = "a"\ntitle = "a"\nseed = 1\n')
    with pytest.raises(PipelineFileError, match=r"at least one"):
        read_pipeline(path)


def test_read_pipeline__refuses_gene_sets_of_one_name(tmp_path):
    path = write(tmp_path, GOOD + '\n[[gene_set]]\nname = "stemness"\nup = ["A"]\n')
    with pytest.raises(PipelineFileError, match=r"names? of gene sets must be unique|Names of gene sets"):
        read_pipeline(path)


def test_read_pipeline__reads_signed_weights(tmp_path):
    table = '\n[[gene_set]]\nname = "risk"\nweights = { CD34 = 0.5, "HLA-A" = -2 }\n'
    risk = read_pipeline(write(tmp_path, GOOD + table)).gene_sets["risk"]
    assert (risk.up, risk.down, risk.weights) == (("CD34",), ("HLA-A",), {"CD34": 0.5, "HLA-A": -2.0})
    with pytest.raises(PipelineFileError, match="takes the place of 'up' and 'down'"):
        read_pipeline(write(tmp_path, GOOD + table + 'up = ["CD34"]\n'))
    with pytest.raises(PipelineFileError, match="CD34"):
        read_pipeline(write(tmp_path, GOOD + table.replace("0.5", '"high"')))


def test_find_pipeline__takes_paths_and_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pipeline.toml").write_text(GOOD)
    assert find_pipeline(tmp_path) == tmp_path / "pipeline.toml"
    assert find_pipeline(tmp_path / "pipeline.toml") == tmp_path / "pipeline.toml"
    assert find_pipeline("tall_relapse").parts[-2:] == ("tall_relapse", "pipeline.toml")


def test_find_pipeline__says_which_there_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PipelineFileError, match=r"osteosarcoma_chemotherapy, tall_relapse.*Did you mean tall_relapse"):
        find_pipeline("tall_relapses")
