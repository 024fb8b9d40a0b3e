from __future__ import annotations

from dataclasses import replace

import pytest

from chemores_dask.errors import PipelineFileError, UnknownStepError
from chemores_dask.gene_sets import GeneSet, GeneSets
from chemores_dask.workflow.planning import EarlierResult, order_nodes, plan_pipeline
from chemores_dask.workflow.steps import Join, Pipeline, Reference, Step, View

CHECKSUMS = {"cells": "c1", "patients/bulk": "p1"}
STEPS = (
    Step("scores", "module_score", "normalized", parameters={"gene_sets": ["stemness"], "method": "seurat"}),
    Step("quality", "quality", "cells"),
    Step("states", "score_states", "scores", parameters={"gene_set": "stemness"}),
    Step(
        "cube",
        "cohort_cube",
        "kept",
        (Join(Reference("states", "cell_state"), "state"),),
        {"sample": "sample", "state": "state"},
    ),
    Step("curves", "kaplan_meier", "patients/bulk", parameters={"duration": "time", "event": "event"}),
)
VIEWS = (View("normalized", "kept", normalize=1e4), View("kept", "cells", keep=Reference("quality", "cell_keep")))


def pipeline(steps=STEPS, views=VIEWS, up=("CD44",)):
    return Pipeline("a", "a", "", 1, GeneSets((GeneSet("stemness", up),)), views, steps)


def plan(of=None, *, checksums=CHECKSUMS, earlier=()):
    planned = plan_pipeline(of or pipeline(), checksums=checksums, earlier=earlier)
    return {step.step.name: step for step in planned}


def results_of(planned):
    return [
        EarlierResult(
            s.step.name, s.fingerprint, True, s.step.analysis, s.parameters, s.inputs, s.entry.revision, "2026"
        )
        for s in planned.values()
    ]


def with_parameters(name, **parameters):
    changed = [replace(s, parameters={**s.parameters, **parameters}) if s.name == name else s for s in STEPS]
    return pipeline(tuple(changed))


def test_order_nodes__puts_readers_behind_what_they_read():
    names = [node.name for node in order_nodes(pipeline())]
    assert names == ["quality", "kept", "normalized", "scores", "states", "cube", "curves"]


def test_order_nodes__refuses_a_circle():
    steps = (replace(STEPS[1], of="kept"), *STEPS[2:], STEPS[0])
    with pytest.raises(PipelineFileError, match=r"in a circle. Found quality -> kept -> quality"):
        order_nodes(pipeline(steps))


def test_plan_pipeline__never_run_at_first():
    assert {step.reason for step in plan().values()} == {"never run"}


def test_plan_pipeline__all_done_afterwards():
    again = plan(earlier=results_of(plan()))
    assert all(step.done and step.reason == "done" for step in again.values())


def test_plan_pipeline__addresses_do_not_depend_on_the_order_in_the_file():
    shuffled = plan(pipeline(tuple(reversed(STEPS))))
    assert {n: s.fingerprint for n, s in shuffled.items()} == {n: s.fingerprint for n, s in plan().items()}


def test_plan_pipeline__changed_parameter_reruns_only_what_reads_it():
    again = plan(with_parameters("scores", minimum_share=0.25), earlier=results_of(plan()))
    assert {name for name, step in again.items() if not step.done} == {"scores", "states", "cube"}
    assert again["scores"].reason == "parameters changed: minimum_share 0.5 -> 0.25"
    assert again["states"].reason == "inputs changed: of"
    assert again["cube"].reason == "inputs changed: join state"


def test_plan_pipeline__changed_genes_of_a_set_rerun_the_score():
    again = plan(pipeline(up=("CD44", "CD27")), earlier=results_of(plan()))
    assert again["scores"].reason.startswith("parameters changed: gene_sets")
    assert again["quality"].done


def test_plan_pipeline__changed_normalization_reruns_its_readers():
    views = (replace(VIEWS[0], normalize=1e6), VIEWS[1])
    again = plan(pipeline(views=views), earlier=results_of(plan()))
    assert {name for name, step in again.items() if not step.done} == {"scores", "states", "cube"}


def test_plan_pipeline__changed_cells_leave_the_patients_alone():
    again = plan(checksums={**CHECKSUMS, "cells": "c2"}, earlier=results_of(plan()))
    assert {name for name, step in again.items() if step.done} == {"curves"}


def test_plan_pipeline__says_that_a_run_was_cut_short():
    torn = [replace(result, complete=False) for result in results_of(plan())]
    assert {step.reason for step in plan(earlier=torn).values()} == {"an earlier run was cut short"}


def test_plan_pipeline__says_that_the_algorithm_changed():
    old = [replace(result, fingerprint="old", revision=0) for result in results_of(plan())]
    assert plan(earlier=old)["quality"].reason == "the algorithm changed: revision 0 -> 1"


@pytest.mark.parametrize(
    ("step", "error", "expected"),
    [
        (Step("a", "qualty", "cells"), UnknownStepError, "Did you mean quality"),
        (Step("a", "quality", "patients/bulk"), PipelineFileError, "'of' of .*'a' must be 'cells' or a view"),
        (Step("a", "score_states", "cells"), PipelineFileError, "must be a step, whose result it takes"),
        (Step("a", "kaplan_meier", "cells"), PipelineFileError, "must be 'patients/<cohort>' or a step"),
        (Step("a", "kaplan_meier", "patients/no", parameters={"duration": "t", "event": "e"}), PipelineFileError, "Present: patients/bulk"),
        (Step("a", "kaplan_meier", "patients/bulk", parameters={"duration": "t"}), PipelineFileError, "'event' of step 'a' is required"),
    ],
)  # fmt: skip
def test_plan_pipeline__refuses_before_anything_runs(step, error, expected):
    with pytest.raises(error, match=expected):
        plan(pipeline((step,), ()))


def test_plan_pipeline__says_that_there_are_no_cells():
    with pytest.raises(PipelineFileError, match=r"reads the cells, which must be in the store"):
        plan(checksums={"patients/bulk": "p1"})


def test_plan_pipeline__refuses_variables_that_no_result_has():
    views = (VIEWS[0], View("kept", "cells", keep=Reference("quality", "cell_kept")))
    with pytest.raises(
        PipelineFileError, match=r"'keep' of \[\[view\]\] 'kept' must name a variable.*Did you mean cell_keep"
    ):
        plan(pipeline(views=views))
    steps = (replace(STEPS[3], join=(Join(Reference("states", "state"), "state"),)), *STEPS[:3])
    with pytest.raises(PipelineFileError, match=r"'states\.state' in \[\[step\]\] 'cube' must name a variable"):
        plan(pipeline(steps))


def test_plan_pipeline__refuses_columns_that_the_input_lacks():
    columns = {"cells": ("sample", "stage"), "patients/bulk": ("time", "event", "age")}
    assert plan_pipeline(pipeline(), checksums=CHECKSUMS, columns=columns)
    for step, parameters, reason in (
        ("curves", {"duration": "tme"}, r"'duration' of step 'curves'.*'patients/bulk'.*Got 'tme'.*Did you mean time"),
        ("curves", {"group": "score_high"}, r"'group' of step 'curves'"),
        ("cube", {"sample": "smple"}, r"'sample' of step 'cube'.*'cells'.*Got 'smple'"),
    ):
        with pytest.raises(PipelineFileError, match=reason):
            plan_pipeline(with_parameters(step, **parameters), checksums=CHECKSUMS, columns=columns)


def test_plan_pipeline__takes_cells_or_patients_where_an_analysis_does():
    parameters = {"gene_sets": ["stemness"], "method": "seurat"}
    columns = {"cells": ["sample"], "patients/bulk": ["tpm"]}
    bulk = Step("bulk", "module_score", "patients/bulk", parameters={**parameters, "expression": "tpm"})
    planned = plan_pipeline(pipeline((*STEPS, bulk)), checksums=CHECKSUMS)
    takes = {step.step.name: (step.entry.takes, step.entry.passes) for step in planned}
    assert takes["scores"] == ("cells", 2)
    assert takes["bulk"] == ("patients", 0)
    # Only patients have a variable of expression.
    of_cells = pipeline((replace(STEPS[0], of="cells"),), views=())
    assert plan_pipeline(of_cells, checksums=CHECKSUMS, columns=columns)
    assert plan_pipeline(pipeline((bulk,), views=()), checksums=CHECKSUMS, columns=columns)
    wrong = replace(bulk, parameters={**parameters, "expression": "fpkm"})
    with pytest.raises(PipelineFileError, match="'expression' of step 'bulk' must name a column"):
        plan_pipeline(pipeline((wrong,), views=()), checksums=CHECKSUMS, columns=columns)
