"""``chemores append``: bring more samples into a finished store."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape

from chemores_dask.cli.ingest_command import kept_columns, show_report
from chemores_dask.cli.run_progress import new_progress
from chemores_dask.cli.terminal import safe, say
from chemores_dask.ingest.append_samples import AppendReport, append_samples
from chemores_dask.ingest.ingest_report import IngestProgress
from chemores_dask.ingest.options import IngestOptions

MEGABYTE = 1e6


def perform(
    store: Path, samples: Path, *, species: str | None, aliases: Path | None, genes: str, keep: list[str] | None
) -> None:
    """Append samples, and say what was found in them and what it cost."""
    options = IngestOptions(species=species, aliases=aliases, genes=genes, keep_columns=kept_columns(keep or []))
    report = _append_with_progress(samples, store, options=options)
    show_report(report.samples)
    say(f"{report.cells_before + report.samples.cells:,} cells in the store, {report.cells_before:,} of them before")
    if report.bytes_written:
        say(
            f"{report.bytes_written / MEGABYTE:,.1f} MB written, {report.shards_kept:,} shards left as they were",
            f"{report.results_stale:,} results are out of date; run the pipeline again",
        )
    else:
        say("These samples were there before; nothing was written.")


def _append_with_progress(samples: Path, store: Path, *, options: IngestOptions) -> AppendReport:
    with new_progress() as progress:
        task = progress.add_task("reading headers", total=None)

        def follow(state: IngestProgress) -> None:
            description = escape(safe(state.sample))
            progress.update(task, description=description, completed=state.cells_done, total=state.cells_total)

        return append_samples(samples, store, options=options, progress=follow)
