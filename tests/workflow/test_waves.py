"""Which steps of a run read the cells together."""

from __future__ import annotations

import pytest

from chemores_dask.workflow.pipeline_file import read_pipeline
from chemores_dask.workflow.planning import EarlierResult, plan_pipeline
from chemores_dask.workflow.waves import expected_passes, plan_waves, required_steps
from tests.pipeline_texts import VIEWS

PIPELINE = (
    VIEWS
    + """
[pipeline]
name = "waves"
title = "Waves"
seed = 1
[[step]]
name = "quality"
analysis = "quality"
of = "cells"
[[step]]
name = "all_cells"
analysis = "cohort_cube"
of = "cells"
parameters = {sample = "sample"}
[[step]]
name = "chosen"
analysis = "variable_genes"
of = "kept"
parameters = {method = "seurat_v3"}
[[step]]
name = "cube"
analysis = "cohort_cube"
of = "kept"
parameters = {sample = "sample"}
[[step]]
name = "bulk"
analysis = "pseudobulk"
of = "cube"
[[step]]
name = "components"
analysis = "pca"
of = "normalized"
parameters = {genes = "@chosen.gene_variable"}
"""
)


@pytest.fixture
def pipeline(tmp_path):
    file = tmp_path / "pipeline.toml"
    file.write_text(PIPELINE)
    return read_pipeline(file)


def waves_of(pipeline, **known):
    planned = plan_pipeline(pipeline, checksums={"cells": "c"}, **known)
    return plan_waves(planned, views={view.name: view for view in pipeline.views})


def names(waves):
    return [[each.step.name for each in wave] for wave in waves]


def test_plan_waves__puts_together_what_reads_cells_and_needs_nothing_of_each_other(pipeline):
    assert names(waves_of(pipeline)) == [["quality", "all_cells"], ["chosen", "cube"], ["bulk"], ["components"]]


def test_plan_waves__leaves_finished_steps_alone(pipeline):
    planned = plan_pipeline(pipeline, checksums={"cells": "c"})
    done = [EarlierResult(each.step.name, each.fingerprint, complete=True) for each in planned[:1]]
    waves = waves_of(pipeline, earlier=done)
    assert names(waves)[:2] == [["quality"], ["all_cells", "chosen", "cube"]]
    assert expected_passes(waves[0]) == 0


def test_expected_passes__counts_the_first_pass_of_a_wave_once(pipeline):
    first, second, third, fourth = waves_of(pipeline)
    assert expected_passes(first) == 1
    assert expected_passes(third) == 0
    assert expected_passes(second) == max(each.entry.passes for each in second)
    assert expected_passes(fourth) == fourth[0].entry.passes


def test_required_steps__looks_through_views(pipeline):
    planned = {each.step.name: each for each in plan_pipeline(pipeline, checksums={"cells": "c"})}
    views = {view.name: view for view in pipeline.views}
    assert required_steps(planned["quality"], views=views) == set()
    assert required_steps(planned["components"], views=views) == {"quality", "chosen"}
    assert required_steps(planned["bulk"], views=views) == {"cube"}
