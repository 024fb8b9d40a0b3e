from __future__ import annotations

from chemores_dask.workflow.steps import Join, Reference, Step, references_of


def test_references_of__lists_joins_before_parameters():
    step = Step(
        "pca",
        "pca",
        "cells",
        (Join(Reference("states", "cell_state"), "state"),),
        {"components": 3, "genes": Reference("variable_genes", "gene_variable")},
    )
    assert [str(reference) for reference in references_of(step)] == [
        "states.cell_state",
        "variable_genes.gene_variable",
    ]
