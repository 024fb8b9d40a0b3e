"""The progress of long work on the terminal: what runs, how fast, and how long it will take."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

from chemores_dask.cli.terminal import complain, safe
from chemores_dask.workflow.events import Event, RowsDecoded, StepFinished, StepStarted, WaitingForStore, Watch


class CellsPerSecond(ProgressColumn):
    """Cells read per second."""

    def render(self, task: Task) -> Text:
        """Draw the column."""
        return Text(f"{task.speed:,.0f} cells/s" if task.speed else "")


class TimeLeft(ProgressColumn):
    """Time until all cells are read, while cells are being read."""

    def render(self, task: Task) -> Text:
        """Draw the column."""
        seconds = task.time_remaining
        if seconds is None or task.total is None:
            return Text("")
        minutes, seconds = divmod(int(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return Text(f"about {hours}:{minutes:02d}:{seconds:02d} left")


def new_progress() -> Progress:
    """A bar on standard error that counts cells; it is not drawn where that is not a terminal."""
    console = Console(stderr=True)
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        CellsPerSecond(),
        TimeElapsedColumn(),
        TimeLeft(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


@contextmanager
def watched_run() -> Iterator[Watch]:
    """Show the events of a run: a bar on a terminal, otherwise a line per step."""
    with new_progress() as progress:
        yield _RunWatch(progress)


class _RunWatch:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("reading", total=None)
        self._lock = threading.Lock()
        self._rows = 0
        self._done = 0
        self._expected = 0

    def __call__(self, event: Event) -> None:
        with self._lock:
            if isinstance(event, RowsDecoded):
                self._rows, self._expected = event.rows, event.expected
                # The estimate of passes may be short for some steps; what is done never goes back.
                self._update(completed=max(self._done, min(self._rows, self._expected)))
            elif isinstance(event, StepStarted):
                self._say(f"[{event.number}/{event.steps}] {event.name}")
                self._progress.update(self._task, description=escape(safe(event.name)))
            elif isinstance(event, WaitingForStore):
                self._say(event.said)
            else:
                self._finish(event)

    def _finish(self, event: StepFinished) -> None:
        if event.reused:
            self._say(f"{event.name}: done before")
        for warning in event.warnings:
            self._say(f"{event.name}: {warning}")
        self._done = max(self._done, event.rows)
        self._update(completed=self._done)

    def _update(self, *, completed: int) -> None:
        self._progress.update(self._task, completed=completed, total=self._expected or None)

    def _say(self, line: str) -> None:
        if self._progress.disable:
            complain(line)
            sys.stderr.flush()
        else:
            self._progress.console.print(Text(safe(line)))
