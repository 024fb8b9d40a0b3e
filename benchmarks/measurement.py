"""Steps measured from outside: seconds, memory of the whole tree of processes, load; kept, so that an interrupted bench goes on."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.machine import load

SECONDS_BETWEEN_SAMPLES = 0.05
CHECKOUT = Path(__file__).resolve().parents[1]
DONE, FAILED, TOO_LONG, ABSENT = "done", "failed", "too long", "not available"
ABSENT_RETURN_CODE = 64
"""A step ends with this code where what it measures is not installed."""


@dataclass(frozen=True)
class Job:
    """One step at one size.

    Attributes
    ----------
    step
        ``MODULE.FUNCTION`` of the step.
    cells
        Cells, or the name of the folder of the size.
    seconds
        After which it is given up.
    """

    step: str
    cells: int | str
    seconds: float = 900.0

    @property
    def key(self) -> str:
        """Name of the measurement."""
        return f"{self.step}@{self.cells}"


class TreeMemory:
    """Samples the memory of a process and all its children: resident bytes of one process, proportional ones of several."""

    def __init__(self, number: int) -> None:
        self._root = psutil.Process(number)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.peak = 0

    def __enter__(self) -> TreeMemory:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(SECONDS_BETWEEN_SAMPLES):
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
                processes = [self._root, *self._root.children(recursive=True)]
                self.peak = max(self.peak, sum(_bytes(process, alone=len(processes) == 1) for process in processes))


def _bytes(process: psutil.Process, *, alone: bool) -> int:
    with suppress(psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
        return int(process.memory_info().rss if alone else process.memory_full_info().pss)
    return 0


def measure(job: Job, folder: Path) -> dict[str, Any]:
    """Run one job in a process of its own, and say what it cost or why it did not end."""
    command = [sys.executable, "-m", "benchmarks.one_step", job.step, str(folder), str(job.cells)]
    before, started = load(), time.perf_counter()
    row: dict[str, Any] = {"step": job.step, "cells": job.cells, "load": before}
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=CHECKOUT) as process,
        TreeMemory(process.pid) as memory,
    ):
        try:
            printed, complaints = process.communicate(timeout=job.seconds)
        except subprocess.TimeoutExpired:
            _end_tree(process.pid)
            process.communicate()
            why = f"took more than {job.seconds:.0f} s"
            return {**row, "status": TOO_LONG, "wall": time.perf_counter() - started, "why": why}
    wall = time.perf_counter() - started
    if process.returncode:
        status = ABSENT if process.returncode == ABSENT_RETURN_CODE else FAILED
        lines = complaints.strip().splitlines() or [f"ended with code {process.returncode}"]
        return {**row, "status": status, "wall": wall, "why": lines[-1][:300]}
    cost = json.loads(printed.splitlines()[-1])
    peak = cost["facts"].get("program_peak_bytes") or max(memory.peak, cost["own_peak_bytes"])
    return {**row, "status": DONE, "wall": wall, "why": "", "peak_bytes": peak, **cost}


def _end_tree(number: int) -> None:
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(number)
        for process in [*root.children(recursive=True), root]:
            with suppress(psutil.NoSuchProcess):
                process.kill()


class Notebook:
    """Measurements of one bench, one line of JSON each.

    Parameters
    ----------
    folder
        Where the bench keeps what it made.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "measurements.jsonl"
        lines = self._file.read_text().splitlines() if self._file.is_file() else []
        self.rows: list[dict[str, Any]] = [json.loads(line) for line in lines]

    def finished(self, job: Job) -> bool:
        """Whether this was measured before."""
        return any(
            row["step"] == job.step and str(row["cells"]) == str(job.cells) and row["status"] == DONE
            for row in self.rows
        )

    def add(self, row: dict[str, Any]) -> None:
        """Keep a measurement."""
        self.rows.append(row)
        with self._file.open("a") as file:
            file.write(json.dumps(row) + "\n")

    def find(self, step: str, cells: int | str) -> dict[str, Any] | None:
        """The latest finished measurement of a step at a size."""
        found = [
            row
            for row in self.rows
            if row["step"] == step and str(row["cells"]) == str(cells) and row["status"] == DONE
        ]
        return found[-1] if found else None
