"""``chemores audit``: say what is wrong with the design of a study."""

from __future__ import annotations

from pathlib import Path

from chemores_dask.cli.audit_text import show_findings
from chemores_dask.cli.run_command import adapted_pipeline
from chemores_dask.cli.terminal import complain
from chemores_dask.workflow.inventory import take_inventory
from chemores_dask.workflow.run_audit import audit_record, audit_run
from chemores_dask.workflow.runner import plan_on


def perform(store: Path, *, pipeline_path: Path, gene_sets: Path | None, strict: bool) -> None:
    """Audit a pipeline on a store; exit code 1 if it is strict and there are errors."""
    pipeline = adapted_pipeline(pipeline_path, gene_sets=gene_sets, seed=None)
    inventory = take_inventory(store)
    found = audit_record(audit_run(pipeline, store, inventory=inventory, planned=plan_on(inventory, pipeline)))
    show_findings(found)
    errors = found.count("error")
    if strict and errors:
        complain(
            f"Error: The design of a study must be sound. Found {errors} errors; mend them, or run without --strict."
        )
        raise SystemExit(1)
