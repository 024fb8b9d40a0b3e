"""One line of the table of requirements, and what two measurements say of each other."""

from __future__ import annotations

from typing import Any

from benchmarks.measurement import Notebook

Row = dict[str, Any]
GB = 1e9


def row_of(work: str, cells: object, required: str, reached: str, *, met: bool | None) -> Row:
    """A line: what, at which size, what must be reached, what was, and whether that is enough (None where nothing is asked)."""
    return {
        "work": work,
        "cells": cells,
        "required": required,
        "reached": reached,
        "met": "-" if met is None else "yes" if met else "no",
    }


def seconds_within(notebook: Notebook, step: str, cells: int, *, work: str, limit: float | None) -> list[Row]:
    """Whether a step took at most so many seconds; recorded only, without a limit."""
    found = notebook.find(step, cells)
    if found is None:
        return []
    seconds = found["seconds"]
    required, met = ("recorded", None) if limit is None else (f"<= {limit:.0f} s", seconds <= limit)
    return [row_of(f"{work}, seconds", cells, required, f"{seconds:.1f} s", met=met)]


def memory_below(notebook: Notebook, step: str, cells: int, *, work: str, limit: float) -> list[Row]:
    """Whether a step took less than so many GB of memory."""
    found = notebook.find(step, cells)
    if found is None:
        return []
    memory = found["peak_bytes"] / GB
    return [row_of(f"{work}, peak memory", cells, f"< {limit:g} GB", f"{memory:.2f} GB", met=memory < limit)]


def fact_at_least(notebook: Notebook, step: str, cells: int, *, work: str, fact: str, least: float | None) -> list[Row]:
    """Whether something a step has to say is large enough; recorded only, without a least value."""
    found = notebook.find(step, cells)
    if found is None or fact not in found["facts"]:
        return []
    value = float(found["facts"][fact])
    required, met = ("recorded", None) if least is None else (f">= {least:g}", value >= least)
    return [row_of(work, cells, required, f"{value:.4f}", met=met)]


def faster_than(notebook: Notebook, cells: int, *, ours: str, theirs: str, work: str) -> list[Row]:
    """Whether one step took less time than another."""
    own, other = notebook.find(ours, cells), notebook.find(theirs, cells)
    if own is None or other is None:
        return []
    told = f"{own['seconds']:.2f} s against {other['seconds']:.2f} s"
    for fact in ("recall", "modularity"):
        if fact in own["facts"] and fact in other["facts"]:
            told += f" ({fact} {own['facts'][fact]:.3f} and {other['facts'][fact]:.3f})"
    return [row_of(work, cells, "faster", told, met=own["seconds"] < other["seconds"])]


def times_faster(notebook: Notebook, cells: int, *, slow: str, fast: str, work: str, least: float) -> list[Row]:
    """How many times faster one step was than another."""
    one, other = notebook.find(slow, cells), notebook.find(fast, cells)
    if one is None or other is None:
        return []
    gain = one["seconds"] / other["seconds"]
    told = f"{gain:.2f} times ({one['seconds']:.1f} s and {other['seconds']:.1f} s)"
    return [row_of(work, cells, f">= {least:g} times", told, met=gain >= least)]
