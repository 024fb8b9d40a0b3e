"""``chemores run``: run a pipeline, write its report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from chemores_dask.cli.audit_text import counts_sentence, show_findings
from chemores_dask.cli.run_progress import watched_run
from chemores_dask.cli.terminal import say, show_table
from chemores_dask.gene_sets import GeneSets
from chemores_dask.ingest.gmt_file import read_gmt
from chemores_dask.metering import bytes_text
from chemores_dask.report.document import check_sections, write_report
from chemores_dask.store.writer_lock import WITHOUT_LIMIT
from chemores_dask.workflow.catalogue import find_analysis
from chemores_dask.workflow.claims import read_claims
from chemores_dask.workflow.inventory import take_inventory
from chemores_dask.workflow.pipeline_file import read_pipeline
from chemores_dask.workflow.record import ClaimOutcome, RunRecord
from chemores_dask.workflow.run_audit import audit_record, audit_run
from chemores_dask.workflow.runner import open_run_results, plan_on, run_pipeline
from chemores_dask.workflow.steps import Pipeline

REPORT = "report.html"


def perform(
    pipeline_path: Path,
    *,
    store: Path,
    out: Path | None,
    dry_run: bool,
    gene_sets: Path | None,
    claims: Path | None,
    seed: int | None,
    memory: str | None = None,
    wait: bool = False,
) -> None:
    """Run a pipeline, or say what would run."""
    pipeline = adapted_pipeline(pipeline_path, gene_sets=gene_sets, seed=seed)
    if dry_run or out is None:
        show_plan(pipeline, store)
        return
    record = run_and_report(pipeline, store, out=out, claims=claims, memory=memory, wait=wait)
    show_bill(record)
    if record.audit is not None:
        say(f"Design audit: {counts_sentence(record.audit)}")
    if record.claims:
        show_claims(record.claims)
    say(f"Report: {out / REPORT}")


def adapted_pipeline(path: Path, *, gene_sets: Path | None, seed: int | None) -> Pipeline:
    """Read a pipeline, check its sections, and put the user's gene sets and seed into it."""
    pipeline = read_pipeline(path)
    for step in pipeline.steps:
        find_analysis(step.analysis, step=step.name)
    analyses = {step.name: step.analysis for step in pipeline.steps}
    check_sections(pipeline.sections, analyses=analyses)
    if gene_sets is not None:
        given = {gene_set.name: gene_set for gene_set in read_gmt(gene_sets)}
        merged = {**{gene_set.name: gene_set for gene_set in pipeline.gene_sets}, **given}
        pipeline = replace(pipeline, gene_sets=GeneSets(tuple(merged.values())))
    return pipeline if seed is None else replace(pipeline, seed=seed)


def run_and_report(
    pipeline: Pipeline, store: Path, *, out: Path, claims: Path | None, memory: str | None = None, wait: bool = False
) -> RunRecord:
    """Run a pipeline while showing progress, and write its report."""
    expected = read_claims(claims) if claims is not None else ()
    with watched_run() as watch:
        seconds = WITHOUT_LIMIT if wait else 0.0
        record = run_pipeline(pipeline, store, out=out, claims=expected, watch=watch, memory=memory, wait=seconds)
    write_report(record, open_run_results(record, store), path=out / REPORT)
    return record


def show_plan(pipeline: Pipeline, store: Path) -> None:
    """Say what is wrong with the design, and what would run and why."""
    inventory = take_inventory(store)
    planned = plan_on(inventory, pipeline)
    show_findings(audit_record(audit_run(pipeline, store, inventory=inventory, planned=planned)))
    rows = [(step.step.name, "skip" if step.done else "run", step.reason, step.fingerprint) for step in planned]
    show_table(("step", "would", "because", "result"), rows)
    to_run = sum(not step.done for step in planned)
    say(f"{to_run} of {len(planned)} steps would run.")


def show_bill(record: RunRecord) -> None:
    """Say what a run did and cost."""
    reused = sum(step.reused for step in record.steps)
    bill = record.bill
    say(
        f"{len(record.steps) - reused} steps ran, {reused} were done before: {bill.seconds:.1f} s, "
        f"{bill.passes:.1f} passes over {record.cells:,} cells, {bytes_text(bill.bytes_decoded)} of counts decoded, "
        f"{bytes_text(bill.peak_memory_bytes)} of memory at most{_predicted(record)}."
    )


def _predicted(record: RunRecord) -> str:
    predicted, budget = record.bill.predicted_memory_bytes, record.memory_budget_bytes
    said = [f"predicted {bytes_text(predicted)}"] if predicted else []
    if budget is not None:
        said.append(f"budget {bytes_text(budget)}")
    return f" ({', '.join(said)})" if said else ""


def show_claims(outcomes: tuple[ClaimOutcome, ...]) -> None:
    """Put what was found beside what was claimed."""
    rows = [
        (
            outcome.name,
            f"{outcome.expected:.4g}",
            f"{outcome.lower:.4g} to {outcome.upper:.4g}",
            f"{outcome.found:.4g}",
            "yes" if outcome.holds else "NO",
        )
        for outcome in outcomes
    ]
    show_table(("claim", "expected", "interval", "found", "holds"), rows)
    held = sum(outcome.holds for outcome in outcomes)
    say(f"{held} of {len(outcomes)} claims hold.")
