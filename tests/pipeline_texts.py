"""Pieces of pipelines that several tests run."""

from __future__ import annotations

VIEWS = """
[[view]]
name = "kept"
of = "cells"
keep = "quality.cell_keep"
[[view]]
name = "normalized"
of = "kept"
normalize = 1e4
"""
"""Cells that a step ``quality`` keeps, as counts and as logarithms."""

SCORED_STATES = """
[[step]]
name = "scores"
analysis = "module_score"
of = "normalized"
[step.parameters]
gene_sets = ["signature"]
method = "scanpy"
[[step]]
name = "states"
analysis = "score_states"
of = "scores"
[step.parameters]
gene_set = "signature"
classes = 2
[[step]]
name = "cube"
analysis = "cohort_cube"
of = "kept"
join = [{ from = "states.cell_state", as = "called" }]
[step.parameters]
sample = "sample"
state = "called"
[[step]]
name = "model"
analysis = "cox_model"
of = "patients/trial"
[step.parameters]
duration = "months"
event = "event"
covariates = ["age"]
"""
"""States by the score of a gene set ``signature``, their cube, and a model of the patients of a trial."""
