"""``chemores ingest``: bring samples into a store."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.markup import escape

from chemores_dask.cli.run_progress import new_progress
from chemores_dask.cli.terminal import complain, safe, say, show_table
from chemores_dask.ingest.convert import ingest
from chemores_dask.ingest.ingest_report import IngestProgress, IngestReport
from chemores_dask.ingest.options import IngestOptions
from chemores_dask.store.writer_lock import WITHOUT_LIMIT


def perform(
    samples: Path,
    store: Path,
    *,
    species: str | None,
    aliases: Path | None,
    genes: str,
    keep: list[str] | None,
    wait: bool = False,
) -> None:
    """Bring samples into a store, and say what was found in them."""
    options = IngestOptions(species=species, aliases=aliases, genes=genes, keep_columns=kept_columns(keep or []))
    report = ingest_with_progress(samples, store, options=options, wait=wait)
    show_report(report)
    say(f"Store: {store}")


def kept_columns(texts: Iterable[str]) -> dict[str, str]:
    """Read ``NAME`` and ``NAME=NEW``.

    Examples
    --------
    >>> kept_columns(["patient_id=patient", "age"])
    {'patient_id': 'patient', 'age': 'age'}
    """
    columns = {}
    for text in texts:
        name, _, new = text.rpartition("=")
        columns[name or new] = new
    return columns


def ingest_with_progress(samples: Path, store: Path, *, options: IngestOptions, wait: bool = False) -> IngestReport:
    """Ingest while showing how far it is."""
    with new_progress() as progress:
        task = progress.add_task("reading headers", total=None)

        def follow(state: IngestProgress) -> None:
            description = escape(safe(state.sample))
            progress.update(task, description=description, completed=state.cells_done, total=state.cells_total)

        seconds = WITHOUT_LIMIT if wait else 0.0
        return ingest(samples, store, options=options, progress=follow, wait=seconds, on_wait=complain)


def show_report(report: IngestReport) -> None:
    """Say what was read, and what became of the genes."""
    rows = [
        (
            source.sample,
            source.format,
            f"{sum(source.cells.values()):,}",
            f"{source.genes:,}",
            f"{source.nonzeros:,}",
            f"{source.set_aside_total:,}",
            "read before" if source.resumed else "",
        )
        for source in report.sources
    ]
    show_table(("sample", "format", "cells", "genes", "counts above zero", "features set aside", ""), rows)
    genes = report.genes
    say(
        f"{report.cells:,} cells, {genes.genes:,} genes matched by {genes.matched_by}; {genes.in_every_file:,} are in every file",
        f"{genes.renamed_count:,} symbols renamed, {genes.made_unique_count:,} made unique, {genes.merged:,} features merged",
    )
