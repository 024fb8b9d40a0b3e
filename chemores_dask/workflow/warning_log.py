"""Warnings of steps that run side by side, each put down for the step that gave it."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

FOR_DEVELOPERS = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)
"""These concern whoever develops, not whoever reads a report."""

STEP: ContextVar[str | None] = ContextVar("step", default=None)
"""The step that runs here; None in the threads of Dask, which work for all steps of a wave."""


class WarningLog:
    """Warnings by step.

    Parameters
    ----------
    steps
        Names of the steps that run.
    """

    def __init__(self, steps: Sequence[str]) -> None:
        self._messages: dict[str, dict[str, None]] = {name: {} for name in steps}
        self._lock = threading.Lock()

    @contextmanager
    def listening(self) -> Iterator[WarningLog]:
        """Keep every warning given meanwhile; nothing is printed."""
        # The list that `record=True` fills does not tell who warned, so the hook behind it is used.
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = self._keep
            yield self

    def of(self, step: str) -> tuple[str, ...]:
        """Messages of one step, each once; those that came from a shared pass belong to all its steps."""
        with self._lock:
            return tuple(self._messages[step])

    def _keep(self, message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        del place, more
        if issubclass(category, FOR_DEVELOPERS):
            return
        step = STEP.get()
        with self._lock:
            for name in self._messages if step is None else (step,):
                self._messages[name][f"{category.__name__}: {message}"] = None


@contextmanager
def warning_as(step: str) -> Iterator[None]:
    """Put down warnings given here for one step."""
    token = STEP.set(step)
    try:
        yield
    finally:
        STEP.reset(token)
