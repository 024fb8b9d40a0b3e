from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.progress import Progress

from chemores_dask.cli import run_progress
from chemores_dask.cli.run_progress import CellsPerSecond, TimeLeft, new_progress, watched_run
from chemores_dask.workflow.events import RowsDecoded, StepFinished, StepStarted


def tell(watch):
    watch(StepStarted("quality[red]", 1, 2))
    watch(RowsDecoded(50, 200))
    watch(StepFinished("quality[red]", 100, reused=False, warnings=("ConvergenceWarning: so\x1b",)))
    watch(RowsDecoded(60, 200))
    watch(StepFinished("model", 100, reused=True))


def test_watched_run__writes_a_line_per_step_where_nobody_looks(capsys):
    with watched_run() as watch:
        tell(watch)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "[1/2] quality[red]",
        "quality[red]: ConvergenceWarning: so\\x1b",
        "model: done before",
    ]


def test_watched_run__draws_on_a_terminal(monkeypatch):
    drawn = io.StringIO()
    monkeypatch.setattr(run_progress, "Console", lambda **options: Console(file=drawn, force_terminal=True, width=120))
    with watched_run() as watch:
        tell(watch)
    assert "[1/2] quality[red]" in drawn.getvalue()
    assert "so\\x1b" in drawn.getvalue()


def test_watched_run__never_goes_back(monkeypatch):
    watch = run_progress._RunWatch(new_progress())
    tell(watch)
    (task,) = watch._progress.tasks
    assert (task.completed, task.total) == (100, 200)


def test_new_progress__is_not_drawn_into_files(capsys):
    with new_progress() as progress:
        assert isinstance(progress, Progress)
        progress.add_task("reading", total=3)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("elapsed", [0, 5])
def test_columns__tell_speed_and_time_left(elapsed):
    clock = iter(range(0, 10_000_000, 10)).__next__
    progress = Progress(get_time=clock)
    task = progress.add_task("reading", total=1_000_000)
    assert CellsPerSecond().render(progress.tasks[0]).plain == ""
    assert TimeLeft().render(progress.tasks[0]).plain == ""
    for completed in (100_000, 200_000, 300_000):
        progress.update(task, completed=completed)
    assert CellsPerSecond().render(progress.tasks[0]).plain.endswith(" cells/s")
    assert TimeLeft().render(progress.tasks[0]).plain.startswith("about 0:")
