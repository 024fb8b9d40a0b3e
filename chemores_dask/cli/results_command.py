"""``chemores results``: list the results of a store."""

from __future__ import annotations

from pathlib import Path

from chemores_dask.cli.terminal import say, show_table
from chemores_dask.store.results import ResultEntry, list_results


def perform(store: Path) -> None:
    """List the results of a store."""
    entries = list_results(store)
    if not entries:
        say("There are no results yet; make some with 'chemores run'.")
        return
    rows = [
        (
            entry.step,
            entry.fingerprint,
            _state(entry),
            entry.attributes.get("analysis", ""),
            entry.attributes.get("finished", ""),
        )
        for entry in entries
    ]
    show_table(("step", "fingerprint", "state", "analysis", "finished"), rows)


def _state(entry: ResultEntry) -> str:
    if not entry.complete:
        return "cut short"
    return f"out of date: {entry.stale}" if entry.stale else "complete"
