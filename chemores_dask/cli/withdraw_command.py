"""``chemores withdraw``: remove patients whose consent was withdrawn."""

from __future__ import annotations

from pathlib import Path

from chemores_dask.cli.run_progress import new_progress
from chemores_dask.cli.terminal import complain, say
from chemores_dask.store.withdrawal import WithdrawalReport, withdraw_patients
from chemores_dask.store.writer_lock import WITHOUT_LIMIT

MEGABYTE = 1e6


def perform(store: Path, *, patients: list[str], column: str, wait: bool = False) -> None:
    """Remove patients from a store, and say what that took."""
    with new_progress() as progress:
        task = progress.add_task("finding the patients", total=None)

        def follow(done: int, total: int) -> None:
            progress.update(task, description="writing shards", completed=done, total=total)

        seconds = WITHOUT_LIMIT if wait else 0.0
        report = withdraw_patients(
            store, patients=patients, column=column, progress=follow, wait=seconds, on_wait=complain
        )
    _show(report)


def _show(report: WithdrawalReport) -> None:
    say(
        f"{report.cells:,} cells of {report.patients:,} patients and {report.samples:,} samples are gone, {report.cells_left:,} cells stay",
        f"{report.shards_rewritten:,} shards written anew ({report.bytes_rewritten / MEGABYTE:,.1f} MB in all), "
        f"{report.shards_kept:,} left as they were",
    )
    if report.cohorts:
        say(f"Removed from the cohorts: {', '.join(report.cohorts)}")
    if report.results_stale or report.results_removed:
        say(
            f"Results: {report.results_cut:,} cut, {report.results_stale:,} out of date, {report.results_removed:,} removed; "
            "run the pipeline again"
        )
    if report.places_removed:
        say(f"Removed, make them again if needed (chemores by-gene): {', '.join(report.places_removed)}")
    if report.annotation_removed:
        say(f"Annotation that named them (uns): {', '.join(report.annotation_removed)}")
    say("Copies, backups, reports and tables outside the store are yours to remove.")
