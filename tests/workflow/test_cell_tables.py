"""Steps that read columns of cells and labeled results: what the graph stage asks of pipelines."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from chemores_dask.errors import InputError, MissingVariableError, PipelineFileError
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.store.cells import open_cells
from chemores_dask.testing.nouns import CELLS
from chemores_dask.workflow.catalogue import CATALOGUE, COUNTS, CatalogueEntry
from chemores_dask.workflow.catalogue import RESULT as OF_RESULT
from chemores_dask.workflow.inputs import join_dataset, labeled_value, parameter_value, read_variable, view_cells
from chemores_dask.workflow.planning import plan_pipeline
from chemores_dask.workflow.runner import open_run_results, plan_run, run_pipeline
from chemores_dask.workflow.steps import Join, Reference, View
from chemores_dask.workflow.waves import required_steps

ALGORITHM_REVISION = 1
RESULT = declare(Variable("seen_cells", (), "i"), Variable("seen_shift", ("cell",), "f"))
SEEN = {}


def look(cells: xr.Dataset, *, batch: str, embedding: xr.DataArray, labels: xr.DataArray | None = None) -> xr.Dataset:
    """An analysis that notes what it was given."""
    SEEN.update(cells=cells, embedding=embedding, labels=labels)
    groups = np.unique(np.asarray(cells[batch].values).astype(str))
    shift = np.asarray(embedding.isel(component=0).values, dtype=np.float64)
    return make_result(
        RESULT,
        {"seen_cells": np.int64(len(groups)), "seen_shift": shift},
        analysis="look",
        parameters={},
        coordinates={"cell": cells["cell"].values},
    )


STEPS = """
[[view]]
name = "first"
of = "kept"
where = { batch = "A", stage = ["diagnosis", "relapse"] }
[[step]]
name = "first_scores"
analysis = "project_cells"
of = "first_normalized"
[step.parameters]
loadings = "@components.pca_loadings"
gene_mean = "@components.pca_gene_mean"
gene_scale = "@components.pca_gene_scale"
[[view]]
name = "first_normalized"
of = "first"
normalize = 1e4
[[step]]
name = "looked"
analysis = "look"
of = "first_scores"
join = [{ from = "first.patient", as = "donor" }, { from = "cells.cycle_score", as = "cycle", standardize = true }]
[step.parameters]
batch = "donor"
embedding = "@components.pca_scores"
labels = "@kept.state"
"""


@pytest.fixture
def text(pipeline_text, monkeypatch):
    monkeypatch.setitem(CATALOGUE, "look", CatalogueEntry(look, OF_RESULT, aligned=("embedding",)))
    return pipeline_text + STEPS


def table(names="cba"):
    return {"cells": pd.DataFrame({"batch": pd.Categorical(list("xyx"))}, index=list(names))}


def scores():
    lazy = da.from_array(np.arange(6.0).reshape(3, 2), chunks=(1, 2))
    return {"pca": xr.Dataset({"pca_scores": (("cell", "component"), lazy)}, coords={"cell": list("abc")})}


def test_read_variable__finds_columns_of_cells():
    values = read_variable(Reference("cells", "batch"), results={}, tables=table())
    assert (values.dims, list(values.values), list(values["cell"].values)) == (("cell",), ["x", "y", "x"], list("cba"))


def test_read_variable__names_the_columns_there_are():
    with pytest.raises(MissingVariableError, match=r"'cells\.batsh' needs the columns batsh .* Present: batch"):
        read_variable(Reference("cells", "batsh"), results={}, tables=table())


def test_join_dataset__aligns_columns_and_leaves_lazy_variables_lazy():
    join = Join(Reference("cells", "batch"), "library")
    joined = join_dataset(scores()["pca"], (join,), results={}, tables=table())
    assert list(joined["library"].values) == ["x", "y", "x"]
    assert list(join_dataset(scores()["pca"], (join,), results={}, tables=table("bca"))["library"].values) == list(
        "xxy"
    )
    assert isinstance(joined["pca_scores"].data, da.Array)


def test_join_dataset__refuses_columns_of_other_cells():
    with pytest.raises(InputError, match=r"cells\.batch must hold a value for every cell .* 1 of 3 are missing: c"):
        join_dataset(scores()["pca"], (Join(Reference("cells", "batch"), "b"),), results={}, tables=table("abx"))


def test_join_dataset__standardizes_only_numbers():
    join = Join(Reference("cells", "batch"), "b", standardize=True)
    with pytest.raises(InputError, match=r"Only numbers can be standardized. cells.batch holds object"):
        join_dataset(scores()["pca"], (join,), results={}, tables=table())


def test_labeled_value__keeps_labels_and_stays_lazy():
    source = xr.Dataset(coords={"cell": ["c", "a"]})
    reference = Reference("pca", "pca_scores")
    whole = labeled_value(reference, source=source, results=scores())
    assert isinstance(whole.data, da.Array)
    assert list(whole["cell"].values) == list("abc")
    aligned = labeled_value(reference, source=source, results=scores(), aligned=True)
    assert isinstance(aligned.data, da.Array)
    assert list(aligned["cell"].values) == ["c", "a"]
    np.testing.assert_array_equal(aligned.values, [[4.0, 5.0], [0.0, 1.0]])


def test_labeled_value__refuses_to_align_other_cells():
    source = xr.Dataset(coords={"cell": ["c", "z"]})
    with pytest.raises(InputError, match=r"1 of 2 are missing: z"):
        labeled_value(Reference("pca", "pca_scores"), source=source, results=scores(), aligned=True)


def test_parameter_value__may_be_a_column():
    source = xr.Dataset(coords={"cell": list("cba")})
    assert list(parameter_value(Reference("cells", "batch"), source=source, results={}, tables=table())) == list("xyx")


def test_view_cells__keeps_where_columns_say_so(store):
    cells = open_cells(store)
    kept = view_cells(cells, View("a", "cells", where={"batch": ("A",), "patient": ("P0", "P2")}), results={})
    assert set(kept.obs["batch"]) == {"A"}
    assert set(kept.obs["patient"]) == {"P0", "P2"}
    with pytest.raises(InputError, match=r"'where' of the view 'a' .* column 'batch'. Not found: C; present: A, B"):
        view_cells(cells, View("a", "cells", where={"batch": ("A", "C")}), results={})


def test_run_pipeline__gives_columns_and_labeled_arrays_to_a_step(read, store, text, tmp_path):
    record = run_pipeline(read(text), store, out=tmp_path / "out")
    cells, embedding, labels = SEEN["cells"], SEEN["embedding"], SEEN["labels"]
    names = list(cells["cell"].values)
    obs = open_cells(store).obs
    assert 0 < len(names) < CELLS
    assert list(cells["donor"].values) == list(obs.loc[names, "patient"])
    assert float(cells["cycle"].std(ddof=1)) == pytest.approx(1.0)
    # The embedding is of these cells, the labels are those of all that were asked for.
    assert list(embedding["cell"].values) == names
    assert labels.sizes["cell"] > len(names)
    assert list(labels.values) == list(obs.loc[labels["cell"].values, "state"])
    # Cells projected on their own components have the scores that these have.
    results = open_run_results(record, store)
    own = results["components"]["pca_scores"].sel(cell=names)
    np.testing.assert_allclose(results["first_scores"]["projected_scores"], own, atol=1e-9)
    assert results["looked"].sizes["cell"] == len(names)
    assert all(planned.done for planned in plan_run(read(text), store))


def planned_steps(read, text, columns=("sample", "batch", "stage", "patient", "cycle_score", "state")):
    checksums = {"cells": "c", "patients/trial": "p"}
    found = plan_pipeline(read(text), checksums=checksums, columns={"cells": columns})
    return {each.step.name: each for each in found}


def test_plan_pipeline__follows_columns_to_the_cells(read, text):
    planned = planned_steps(read, text)
    assert planned["looked"].roots == ("cells",)
    assert {"of", "join donor", "join cycle", "@components.pca_scores", "@kept.state"} < set(planned["looked"].inputs)
    views = {view.name: view for view in read(text).views}
    assert required_steps(planned["looked"], views=views) == {"quality", "components", "first_scores"}


def test_plan_pipeline__other_values_of_a_view_rerun_its_readers(read, text):
    first = planned_steps(read, text)
    second = planned_steps(read, text.replace('batch = "A"', 'batch = ["A", "B"]'))
    changed = {name for name in first if first[name].fingerprint != second[name].fingerprint}
    assert changed == {"first_scores", "looked"}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("cells.cycle_score", "cells.cycle", r"'cells\.cycle' in \[\[step\]\] 'looked' must name a column.*Did you mean cycle_score"),
        ("@kept.state", "@kept.states", r"'kept\.states' in \[\[step\]\] 'looked' must name a column"),
        ('batch = "A"', 'batsh = "A"', r"'where' of \[\[view\]\] 'first' must name a column.*Did you mean batch"),
        ('batch = "donor"', 'batch = "donor"\nwrong = 1', r"which look does not take"),
        ('embedding = "@components.pca_scores"', "embedding = 3", r"must be a reference such as \"@step.variable\". Got 3"),
        ('labels = "@kept.state"', 'labels = "text"', r"must be a reference such as \"@step.variable\". Got 'text'"),
        ("first.patient", "frst.patient", r"must name something that exists. Got 'frst'.*Did you mean first"),
        ('as = "donor" }', 'as = "donor", select = { a = "b" } }', r"'first\.patient' .* is a column of cells, which has none"),
        ('where = { batch = "A",', 'keep = "quality.cell_keep"\nwhere = { batch = "A",', r"only one of them"),
        ('batch = "A"', "batch = []", r"'batch' of 'where' .* must name at least one value"),
    ],
)  # fmt: skip
def test_plan_pipeline__names_the_mistake(read, text, old, new, expected):
    assert old in text
    with pytest.raises(PipelineFileError, match=expected):
        planned_steps(read, text.replace(old, new, 1))


def test_plan_pipeline__puts_no_cells_beside_patients(read, text):
    join = 'of = "patients/trial"\njoin = [{ from = "cells.batch", as = "b" }]'
    with pytest.raises(PipelineFileError, match=r"'cells\.batch' .* cannot be put beside patients"):
        planned_steps(read, text.replace('of = "patients/trial"', join))


def test_plan_pipeline__says_that_there_are_no_cells(read, text):
    with pytest.raises(PipelineFileError, match=r"reads the cells, which must be in the store"):
        plan_pipeline(read(text), checksums={"patients/trial": "p"})


def test_catalogue__projects_cells():
    assert CATALOGUE["project_cells"].takes == COUNTS
