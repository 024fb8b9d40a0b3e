"""The tables of a bench: every measurement, and every requirement with what was reached."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks.differential_jobs import check_differential, differential_requirements
from benchmarks.enrichment_jobs import check_enrichment, enrichment_requirements
from benchmarks.graph_requirements import check_graphs, graph_requirements
from benchmarks.machine import machine
from benchmarks.measurement import Notebook
from benchmarks.plots import draw_growth
from benchmarks.requirements import check_agreement, requirements
from benchmarks.score_requirements import score_requirements
from benchmarks.survival_jobs import survival_requirements

MACHINE = "machine.tsv"


def write_tables(notebook: Notebook, results: Path, *, sizes: Sequence[int], tiled: int, folder: Path) -> pd.DataFrame:
    """Write measurements, requirements, machine and plots.

    Returns
    -------
    The table of requirements.
    """
    results.mkdir(parents=True, exist_ok=True)
    facts = machine()
    measured = measurements(notebook).assign(**facts)
    measured.to_csv(results / "measurements.tsv", sep="\t", index=False)
    rows = requirements(notebook, sizes=sizes, tiled=tiled) + graph_requirements(notebook, sizes=sizes)
    rows += score_requirements(notebook, sizes=sizes)
    rows += enrichment_requirements(notebook, sizes=sizes)
    rows += differential_requirements(notebook, sizes=sizes)
    rows += survival_requirements(notebook, sizes=sizes)
    rows += check_agreement(folder, sizes) + check_graphs(folder, sizes) + check_enrichment(folder, sizes)
    rows += check_differential(folder, sizes)
    table = pd.DataFrame(rows)
    table = table.assign(date=facts["date"], processor=facts["processor"], cores=facts["cores"])
    table.to_csv(results / "requirements.tsv", sep="\t", index=False)
    pd.DataFrame([facts]).to_csv(results / MACHINE, sep="\t", index=False)
    draw_growth(notebook, results, sizes=[*sizes, *([tiled] if tiled else [])])
    return table.drop(columns=["date", "processor", "cores"])


def measurements(notebook: Notebook) -> pd.DataFrame:
    """One row per step and part: seconds, memory, load, bytes and passes."""
    rows = []
    for row in notebook.rows:
        if str(row["cells"]).startswith("warm"):
            continue
        facts = row.get("facts", {})
        told = {
            "step": row["step"],
            "cells": row["cells"],
            "status": row["status"],
            "part": "all",
            "seconds": round(row.get("seconds", row["wall"]), 3),
            "peak_tree_mb": round(row.get("peak_bytes", 0) / 1e6, 1),
            "peak_own_mb": round(row.get("own_peak_bytes", 0) / 1e6, 1),
            "load": row["load"],
            "nonzeros": facts.get("nonzeros", ""),
            "passes": _passes(row),
            "decoded_gb": round(facts["bytes_decoded"] / 1e9, 3) if "bytes_decoded" in facts else "",
            "why": row["why"],
        }
        rows.append(told)
        parts = row.get("parts", {})
        if len(parts) > 1:
            blank = {"peak_tree_mb": "", "peak_own_mb": "", "nonzeros": "", "passes": "", "decoded_gb": ""}
            rows += [{**told, **blank, "part": part, "seconds": round(seconds, 3)} for part, seconds in parts.items()]
    return pd.DataFrame(rows)


def _passes(row: dict[str, object]) -> float | str:
    facts = row.get("facts", {})
    if not isinstance(facts, dict) or "rows_decoded" not in facts:
        return ""
    cells = facts.get("cells", row["cells"])
    return round(facts["rows_decoded"] / int(cells), 3) if facts["rows_decoded"] else ""
