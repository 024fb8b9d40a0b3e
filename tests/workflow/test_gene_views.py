"""Views by gene: the same numbers, read from the copy by gene."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.errors import IncompleteStoreError, InputError, PipelineFileError
from chemores_dask.metering import BLOCKS_DECODED, difference, snapshot
from chemores_dask.single_cell.markers.analysis import markers
from chemores_dask.single_cell.normalize import log_normalize
from chemores_dask.store.cells import open_cells
from chemores_dask.store.gene_blocks import open_genes
from chemores_dask.store.gene_copy import write_gene_copy
from chemores_dask.testing.nouns import tiny_cells
from chemores_dask.workflow.gene_views import genes_of_cells, keep_rows, need_gene_copy
from chemores_dask.workflow.inputs import keep_cells
from chemores_dask.workflow.planning import plan_pipeline
from chemores_dask.workflow.runner import open_run_results, plan_run, run_pipeline
from chemores_dask.workflow.steps import Step, View

PIPELINE = """
[pipeline]
name = "tiny"
title = "Markers"
seed = 3
[[view]]
name = "kept"
of = "cells"
keep = "quality.cell_keep"
[[view]]
name = "genes"
of = "kept"
by = "gene"
[[step]]
name = "quality"
analysis = "quality"
of = "cells"
[step.parameters.limits]
minimum_total = 60
[[step]]
name = "markers"
analysis = "markers"
of = "genes"
join = [{ from = "quality.cell_total", as = "cell_total" }]
[step.parameters]
group = "state"
total = "cell_total"
"""
OF_ROWS = PIPELINE.replace('of = "genes"', 'of = "kept"')
STREAMED = OF_ROWS.replace('group = "state"', 'group = "state"\nmethod = "histogram"')


def kept_cells(store):
    keep = np.arange(96) % 3 > 0
    return keep_cells(open_cells(store, rows_per_block=20), keep), keep


def test_genes_of_cells__gives_the_same_cells(store):
    write_gene_copy(store)
    whole = genes_of_cells(open_cells(store))
    assert whole.X.numblocks[0] == 1
    assert np.array_equal(whole.X.compute().toarray(), tiny_cells().X.compute().toarray())
    some, keep = kept_cells(store)
    found = genes_of_cells(some)
    assert found.obs.equals(some.obs)
    assert found.X.shape == (64, 60)
    block = found.X.compute()
    assert block.has_canonical_format
    assert block.has_sorted_indices
    assert np.array_equal(block.toarray(), tiny_cells().X.compute().toarray()[keep])
    assert found.uns["nonzeros_per_gene"] > 0


def test_genes_of_cells__refuses_other_cells(store):
    write_gene_copy(store)
    for wrong in (log_normalize(open_cells(store)), tiny_cells()):
        with pytest.raises(InputError, match="reads raw counts of a store"):
            genes_of_cells(wrong)


def test_keep_rows__drops_cells_of_a_block(store):
    write_gene_copy(store)
    block = open_genes(store).X.compute()
    keep = np.random.default_rng(1).random(96) < 0.5
    numbers = np.where(keep, np.cumsum(keep) - 1, -1)[:, None]
    assert np.array_equal(keep_rows(block, numbers).toarray(), block.toarray()[keep])
    nobody = keep_rows(block, np.full((96, 1), -1))
    assert nobody.shape == (0, 60)


def test_run_pipeline__ranks_genes_of_the_copy(store, read, tmp_path):
    write_gene_copy(store)
    record = run_pipeline(read(PIPELINE), store, out=tmp_path / "out")
    results = open_run_results(record, store)
    some = keep_cells(open_cells(store), results["quality"]["cell_keep"].values)
    some.X = some.X.compute()
    wanted = markers(some, group="state")
    found = results["markers"].compute()
    for name in wanted.data_vars:
        assert np.array_equal(found[name], wanted[name]), name
    assert "not independent" in found.attrs["descriptive"]


def test_run_pipeline__refuses_before_it_computes_where_the_copy_lacks(store, read, tmp_path):
    before = snapshot()
    with pytest.raises(
        IncompleteStoreError, match=r"The step 'markers' needs the copy .*There is none; run: chemores by-gene"
    ):
        run_pipeline(read(PIPELINE), store, out=tmp_path / "out")
    assert difference(before, snapshot()).get(BLOCKS_DECODED, 0) == 0
    need_gene_copy([Step("a", "markers", "rows")], [View("genes", "cells", by_gene=True)], store)


def test_run_pipeline__reuses_results_when_the_copy_is_gone(store, read, tmp_path):
    write_gene_copy(store)
    first = run_pipeline(read(PIPELINE), store, out=tmp_path / "out")
    folder = store / "cells_by_gene"
    folder.rename(tmp_path / "away")
    second = run_pipeline(read(PIPELINE), store, out=tmp_path / "out")
    assert [each.fingerprint for each in first.steps] == [each.fingerprint for each in second.steps]
    assert all(each.reused for each in second.steps)


def test_plan_run__gives_a_view_by_gene_the_name_of_what_it_reads(store, read):
    by_gene = {each.step.name: each for each in plan_run(read(PIPELINE), store)}
    direct = PIPELINE.replace('of = "kept"\nby', 'of = "cells"\nby')
    others = {each.step.name: each for each in plan_run(read(direct), store)}
    assert by_gene["markers"].inputs["of"] != others["markers"].inputs["of"]
    assert others["markers"].inputs["of"] == others["quality"].inputs["of"]
    assert {each.step.name for each in plan_run(read(STREAMED), store)} == {"quality", "markers"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (OF_ROWS, r"'markers' must read a view by gene, because of method = 'exact'. 'kept' lies in blocks of cells; add a \[\[view\]\]"),
        (
            PIPELINE.replace('group = "state"', 'group = "state"\nmethod = "histogram"'),
            "'markers' must read blocks of cells, as markers does here. 'genes' is a view by gene; read 'kept'",
        ),
        (PIPELINE.replace('of = "kept"\nby = "gene"', 'of = "log"\nby = "gene"\n[[view]]\nname = "log"\nof = "kept"\nnormalize = 1e4'),
         "A view by gene reads raw counts"),
        (PIPELINE.replace('of = "genes"', 'of = "log"') + '[[view]]\nname = "log"\nof = "genes"\nnormalize = 1e4', "turn them round"),
        (PIPELINE.replace('by = "gene"', 'by = "cell"'), 'must be "gene"'),
        (PIPELINE.replace('by = "gene"', 'by = "gene"\nnormalize = 1e4'), "only one of them"),
    ],
)  # fmt: skip
def test_pipeline__is_refused_where_views_by_gene_do_not_fit(store, read, text, told):
    with pytest.raises(PipelineFileError, match=told):
        plan_pipeline(read(text), checksums={"cells": "c1"})
