"""``chemores append``: bring more samples into a finished store."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape

from chemores_dask.cli.ingest_command import kept_columns, show_report
from chemores_dask.cli.run_progress import new_progress
from chemores_dask.cli.terminal import complain, safe, say
from chemores_dask.ingest.append_samples import AppendReport, append_samples
from chemores_dask.ingest.ingest_report import IngestProgress
from chemores_dask.ingest.options import IngestOptions
from chemores_dask.store.gene_copy import gene_copy_state
from chemores_dask.store.layout import GENE_COPY
from chemores_dask.store.writer_lock import WITHOUT_LIMIT

MEGABYTE = 1e6


def perform(
    store: Path,
    samples: Path,
    *,
    species: str | None,
    aliases: Path | None,
    genes: str,
    keep: list[str] | None,
    wait: bool = False,
) -> None:
    """Append samples, and say what was found in them and what it cost."""
    options = IngestOptions(species=species, aliases=aliases, genes=genes, keep_columns=kept_columns(keep or []))
    copied = (store / GENE_COPY).is_dir()
    report = _append_with_progress(samples, store, options=options, wait=wait)
    show_report(report.samples)
    say(f"{report.cells_before + report.samples.cells:,} cells in the store, {report.cells_before:,} of them before")
    if report.bytes_written:
        say(
            f"{report.bytes_written / MEGABYTE:,.1f} MB written, {report.shards_kept:,} shards left as they were",
            f"{report.results_stale:,} results are out of date{'; run the pipeline again' if report.results_stale else ''}",
        )
        if copied and gene_copy_state(store) == "none":
            say("The copy of the counts by gene is gone; make it again if needed (chemores by-gene).")
    else:
        say("These samples were there before; nothing was written.")


def _append_with_progress(samples: Path, store: Path, *, options: IngestOptions, wait: bool) -> AppendReport:
    with new_progress() as progress:
        task = progress.add_task("reading headers", total=None)

        def follow(state: IngestProgress) -> None:
            description = escape(safe(state.sample))
            progress.update(task, description=description, completed=state.cells_done, total=state.cells_total)

        seconds = WITHOUT_LIMIT if wait else 0.0
        return append_samples(samples, store, options=options, progress=follow, wait=seconds, on_wait=complain)
