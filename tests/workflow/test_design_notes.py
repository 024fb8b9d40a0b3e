from __future__ import annotations

import pytest

from chemores_dask.errors import PipelineFileError
from chemores_dask.workflow.steps import DesignNotes, NotedFamily, NotedOutcome, NotedSignature

NOTES = """
[design]
batches = ["chip"]
[[design.family]]
name = "primary"
steps = ["model"]
correction = "holm"
[[design.signature]]
name = "signature"
patients = ["Q1", "Q2"]
labels = ["stage"]
[[design.outcome]]
step = "model"
origin = "diagnosis"
score_known = "surgery"
"""


def test_read_design_notes__of_a_pipeline(read, pipeline_text):
    assert read(pipeline_text).design == DesignNotes()
    assert read(pipeline_text + NOTES).design == DesignNotes(
        batches=("chip",),
        families=(NotedFamily("primary", ("model",), "holm"),),
        signatures=(NotedSignature("signature", ("Q1", "Q2"), ("stage",)),),
        outcomes=(NotedOutcome("model", "diagnosis", "surgery"),),
    )


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        (
            'batches = ["chip"]',
            "batch = 1",
            r"'batch' of 'design' of the top of the file is not known.*Did you mean batches",
        ),
        (
            'steps = ["model"]',
            'steps = ["modell"]',
            r"family 'primary' of \[design\] must name something that exists.*Did you mean model",
        ),
        ('correction = "holm"', 'correction = "fdr"', r"must be one of: benjamini_hochberg"),
        ('correction = "holm"', "", r"'correction' of .* is missing"),
        ('name = "signature"', 'name = "other"', r"a signature of \[design\] must name something that exists"),
        (
            'step = "model"\norigin',
            'step = "curve"\norigin',
            r"an outcome of \[design\] must name something that exists",
        ),
        ('steps = ["model"]', 'steps = ["model", "model"]', r"A step must belong to one family of \[design\]"),
    ],
)
def test_check_design_notes__refuses_what_is_not_there(read, pipeline_text, old, new, match):
    assert old in NOTES
    with pytest.raises(PipelineFileError, match=match):
        read(pipeline_text + NOTES.replace(old, new))
